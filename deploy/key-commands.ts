import type { Command } from 'commander'
import type { Run } from './session.ts'

/** `lambent key`: keys of callers. */
export function describeKeys(program: Command, run: Run): void {
  const key = program.command('key').description('keys of callers')
  const list = (value: string, before: readonly string[] = []): string[] => [...before, value]
  const data = ['--data <folder>', 'in this data folder, while no engine is running on it'] as const
  key
    .command('create')
    .description('make a key; its secret is printed this once, as lines for a shell')
    .option('--name <name>', 'what it is called (key)')
    .option('--scope <scope>', 'invoke, read, deploy or admin; invoke:orders-*; repeatable (admin)', list)
    .option('--account <digits>', 'the account it belongs to (000000000000)')
    .option('--organization <id>', 'the organization that policies may name')
    .option('--expires <time>', 'when it ends: 90d, 12h, or a date (never)')
    .option(...data)
    .action((options: Readonly<Record<string, string | string[] | undefined>>, command: Command) =>
      run(command, async (session) => (await import('./commands/key.ts')).createKey(session, options)),
    )
  key
    .command('ls')
    .description('list keys')
    .option(...data)
    .action((options: { data?: string }, command: Command) =>
      run(command, async (session) => (await import('./commands/key.ts')).listKeys(session, options)),
    )
  key
    .command('revoke')
    .description('end a key at once')
    .argument('<id>', 'its id')
    .option(...data)
    .action((id: string, options: { data?: string }, command: Command) =>
      run(command, async (session) => (await import('./commands/key.ts')).revokeKey(session, id, options)),
    )
}
