import type { Command } from 'commander'
import type { Run } from './session.ts'

/** `lambent node`: nodes and what they offer. */
export function describeNodes(program: Command, run: Run): void {
  const node = program.command('node').description('nodes and what they offer')
  node
    .command('ls')
    .description('list nodes')
    .action((_options: unknown, command: Command) =>
      run(command, async (session) => (await import('./commands/ls.ts')).ls(session, 'nodes', {})),
    )
  node
    .command('set')
    .description('change what a node offers; what is held stays held until it is given back')
    .argument('<name>', 'the node')
    .argument('<settings...>', 'gpu=2, memoryMb=16000, label/disk=nvme; without a value: as it was found')
    .action((name: string, settings: string[], _options: unknown, command: Command) =>
      run(command, async (session) => (await import('./commands/node.ts')).setNode(session, name, settings)),
    )
  node
    .command('drain')
    .description('finish what runs on a node and start nothing new there')
    .argument('<name>', 'the node')
    .option('--off', 'take new work again')
    .action((name: string, options: { off?: boolean }, command: Command) =>
      run(command, async (session) => (await import('./commands/node.ts')).drainNode(session, name, options)),
    )
}
