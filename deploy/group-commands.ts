import type { Command } from 'commander'
import type { Run } from './session.ts'

/** `lambent pg`: placement groups. */
export function describeGroups(program: Command, run: Run): void {
  const list = (value: string, before: readonly string[] = []): string[] => [...before, value]
  const group = program.command('pg').description('placement groups: gangs of reservations')
  group
    .command('create')
    .description('reserve bundles, all of them or none; prints the group')
    .argument('[name]', 'its name; without one it gets one and ends after an hour')
    .requiredOption(
      '-b, --bundle <amounts>',
      'cpu=2,gpu=1,memoryMb=4096,label/disk=nvme, or 3x cpu=1 for three of them; repeatable',
      list,
    )
    .option('-s, --strategy <strategy>', 'PACK, SPREAD, STRICT_PACK or STRICT_SPREAD (PACK)')
    .option('--expires <duration>', 'such as 90s or 6h: it ends by itself')
    .option('--wait [duration]', 'wait until it is ready, such as 30s')
    .action((name: string | undefined, options: Record<string, string | string[] | true>, command: Command) =>
      run(command, async (session) => (await import('./commands/pg.ts')).createGroup(session, name, options)),
    )
  group
    .command('ls')
    .description('list placement groups')
    .action((_options: unknown, command: Command) =>
      run(command, async (session) => (await import('./commands/ls.ts')).ls(session, 'pg', {})),
    )
  group
    .command('rm')
    .description('end a group, and the processes that use it')
    .argument('<name>', 'the group')
    .action((name: string, _options: unknown, command: Command) =>
      run(command, async (session) => (await import('./commands/pg.ts')).removeGroup(session, name)),
    )
}
