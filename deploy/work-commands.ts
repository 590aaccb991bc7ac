import type { Command } from 'commander'
import type { Run } from './session.ts'

type Options = Readonly<Record<string, string | undefined>>

/** `lambent timeline`. */
export function describeWork(program: Command, run: Run): void {
  program
    .command('timeline')
    .description('what ran when, for Perfetto')
    .option('-o, --output <file>', 'where to write the trace; stdout when absent')
    .option('--function <name>', 'of one function')
    .option('--since <age>', 'such as 10m or 2h')
    .option('--limit <count>', 'the newest so many runs (10000)')
    .action((options: Options, command: Command) =>
      run(command, async (session) => (await import('./commands/timeline.ts')).timeline(session, options)),
    )
}
