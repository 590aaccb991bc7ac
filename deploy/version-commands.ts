import type { Command } from 'commander'
import type { Run } from './session.ts'

/** `lambent alias`, `versions` and `rollback`. */
export function describeVersions(program: Command, run: Run): void {
  const alias = program.command('alias').description('names for versions')
  const list = (value: string, before: readonly string[] = []): string[] => [...before, value]
  alias
    .command('ls')
    .description('list the aliases of a function')
    .argument('<name>', 'the function')
    .action((name: string, _options: unknown, command: Command) =>
      run(command, async (session) => (await import('./commands/alias.ts')).listAliases(session, name)),
    )
  alias
    .command('set')
    .description('point an alias at a version; makes it where there is none')
    .argument('<name>', 'the function')
    .argument('<alias>', 'the alias')
    .argument('<version>', 'the version')
    .option('--weight <version=share>', 'a share of calls for another version: 43=10%; repeatable', list)
    .option('--description <text>', 'what it is for')
    .action(
      (
        name: string,
        aliasName: string,
        version: string,
        options: { weight?: string[]; description?: string },
        command: Command,
      ) =>
        run(command, async (session) =>
          (await import('./commands/alias.ts')).setAlias(session, name, aliasName, { version, ...options }),
        ),
    )
  alias
    .command('rm')
    .description('remove an alias')
    .argument('<name>', 'the function')
    .argument('<alias>', 'the alias')
    .action((name: string, aliasName: string, _options: unknown, command: Command) =>
      run(command, async (session) =>
        (await import('./commands/alias.ts')).removeAlias(session, name, aliasName),
      ),
    )
  program
    .command('versions')
    .description('list the versions of a function, newest first')
    .argument('<name>', 'the function')
    .action((name: string, _options: unknown, command: Command) =>
      run(command, async (session) => (await import('./commands/versions.ts')).versions(session, name)),
    )
  program
    .command('rollback')
    .description('point an alias at an earlier version')
    .argument('<name>', 'the function')
    .argument('[version]', 'the version; by default the one before')
    .option('--alias <name>', 'the alias', 'live')
    .action((name: string, version: string | undefined, options: { alias: string }, command: Command) =>
      run(command, async (session) =>
        (await import('./commands/rollback.ts')).rollback(session, name, options.alias, version),
      ),
    )
}
