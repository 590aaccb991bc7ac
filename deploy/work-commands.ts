import type { Command } from 'commander'
import type { ExitCode } from './exit-codes.ts'
import type { Run, Session } from './session.ts'

type Options = Readonly<Record<string, string | undefined>>

/** `lambent actor` and `lambent timeline`. */
export function describeWork(program: Command, run: Run): void {
  describeActors(program, run)
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

function describeActors(program: Command, run: Run): void {
  const actor = program.command('actor').description('actors: look at them, call them, end them')
  const name = ['<actor>', 'FUNCTION/CLASS/KEY, such as word-count/Tally/all'] as const
  actor
    .command('ls')
    .description('list actors')
    .option('--function <name>', 'of one function')
    .option('--watch', 'print again at every change')
    .action((options: Options, command: Command) =>
      run(command, async (session) => (await import('./commands/actor.ts')).listActors(session, options)),
    )
  actor
    .command('call')
    .description('call a method and print its reply')
    .argument(...name)
    .argument('<method>', 'its method')
    .argument('[arguments...]', 'each JSON, or text')
    .option('-p, --payload <json>', 'all arguments: a JSON array, @FILE, or - for stdin')
    .option('--idempotency-key <key>', 'a repeat with the same key gets the first reply')
    .action((of: string, method: string, words: string[], options: Options, command: Command) =>
      run(command, async (session) =>
        (await import('./commands/actor.ts')).callActor(session, of, method, words, options),
      ),
    )
  const simple = (
    word: string,
    description: string,
    action: (session: Session, of: string) => Promise<ExitCode>,
  ): void => {
    actor
      .command(word)
      .description(description)
      .argument(...name)
      .action((of: string, _options: unknown, command: Command) =>
        run(command, (session) => action(session, of)),
      )
  }
  simple('get', 'show one actor', async (session, of) =>
    (await import('./commands/actor.ts')).getActor(session, of),
  )
  simple('kill', 'end its process; its storage stays', async (session, of) =>
    (await import('./commands/actor.ts')).killActor(session, of),
  )
  simple('destroy', 'end it and forget its storage', async (session, of) =>
    (await import('./commands/actor.ts')).destroyActor(session, of),
  )
}
