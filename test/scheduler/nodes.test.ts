import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Launcher } from '../../runtime/environments/launcher.ts'
import { createLog } from '../../runtime/log.ts'
import type { Lease } from '../../runtime/scheduler/cluster.ts'
import { createLocalCluster, type LocalCluster } from '../../runtime/scheduler/local-cluster.ts'
import { Nodes } from '../../runtime/scheduler/nodes.ts'
import { IN_MEMORY, openStore } from '../../runtime/store/open.ts'
import { rejectsWith } from '../support/assert.ts'
import { createFakeClock } from '../support/clock.ts'

const nodes = suite('nodes')

const launcher: Launcher = {
  isolation: { requested: 'none', effective: 'none', means: '', missing: [], memory: '', killsTree: false },
  launch: () => Promise.reject(new Error('nothing is started here')),
  close: () => Promise.resolve(),
}
const clock = createFakeClock()
const log = createLog({ level: 'silent', clock, sink: () => {} })
const openMemory = () => openStore({ dataDirectory: IN_MEMORY, clock, log })
type Opened = Awaited<ReturnType<typeof openMemory>>

/** A cluster with its settings, over a store that may be another's, as after a restart. */
async function machine(resources: Record<string, number>, count = 1, store?: Opened) {
  const kept = store ?? (await openMemory())
  let rooms = 0
  const cluster = createLocalCluster({ resources, nodes: count, launcher, onRoom: () => (rooms += 1) })
  return { store: kept, cluster, nodes: new Nodes(cluster, kept, log), rooms: () => rooms }
}

const take = (cluster: LocalCluster, resources: Record<string, number>, labels = {}) =>
  cluster.acquire({ resources, labels }, 'function train:$LATEST')
const leased = (outcome: ReturnType<typeof take>): Lease => {
  if (outcome.kind !== 'leased') throw new Error(outcome.reason)
  return outcome.lease
}

nodes('more GPUs are there at once, and whoever waits is told', async () => {
  const { cluster, nodes: settings, rooms } = await machine({ cpu: 4, gpu: 1 })
  leased(take(cluster, { gpu: 1000 }))
  assert.is(take(cluster, { gpu: 1000 }).kind, 'wait')

  await settings.change('local', { capacity: { gpu: 2 } })

  assert.is(rooms(), 1)
  assert.equal(leased(take(cluster, { gpu: 1000 })).gpuIndices, [1])
  assert.is(cluster.nodes()[0]?.capacity['gpu'], 2000)
})

nodes('what is lowered under what is held takes effect as leases end', async () => {
  const { cluster, nodes: settings } = await machine({ cpu: 4, gpu: 2, memoryMb: 1000 })
  const leases = [0, 1].map(() => leased(take(cluster, { gpu: 1000, memoryMb: 400_000 })))

  await settings.change('local', { capacity: { gpu: 1, memoryMb: 600 } })

  assert.is(cluster.nodes()[0]?.available['memoryMb'], -200_000)
  assert.is(take(cluster, { memoryMb: 1000 }).kind, 'wait')
  assert.is(take(cluster, { gpu: 2000 }).kind, 'infeasible')
  leases[0]?.[Symbol.dispose]()
  assert.is(take(cluster, { gpu: 1000 }).kind, 'wait', 'one GPU is held, and one is all there is')
  leases[1]?.[Symbol.dispose]()
  assert.equal(leased(take(cluster, { gpu: 1000 })).gpuIndices, [0])
  assert.is(take(cluster, { gpu: 1000 }).kind, 'wait')
})

nodes('a GPU that one virtual node gives up another one can have, and no number is there twice', async () => {
  const { cluster, nodes: settings } = await machine({ cpu: 4, gpu: 2 }, 2)

  await settings.change('local-1', { capacity: { gpu: 0 } })
  await settings.change('local-2', { capacity: { gpu: 3 } })

  const [first, second] = cluster.nodes()
  assert.equal(
    first?.gpus.map(({ index }) => index),
    [],
  )
  assert.equal(
    second?.gpus.map(({ index }) => index),
    [0, 1, 2],
  )
  assert.equal(leased(take(cluster, { gpu: 3000 })).gpuIndices, [0, 1, 2])
})

nodes('found GPUs cannot be made more by saying so', async () => {
  const store = await openMemory()
  const cluster = createLocalCluster({
    resources: { cpu: 1 },
    gpus: [{ index: 0, uuid: 'GPU-a', declared: false }],
    nodes: 1,
    launcher,
  })
  const settings = new Nodes(cluster, store, log)

  const error = await rejectsWith(settings.change('local', { capacity: { gpu: 2 } }), 'invalid')

  assert.match(error.message, 'Node local cannot have 2 GPUs: it has 1.')
  assert.is(cluster.nodes()[0]?.capacity['gpu'], 1000)
})

nodes('a draining node finishes what it runs and takes nothing new', async () => {
  const { cluster, nodes: settings } = await machine({ cpu: 4 }, 2)
  const held = leased(take(cluster, { cpu: 1000 }))

  await settings.change(held.node, { drain: true })

  assert.is(leased(take(cluster, { cpu: 2000 })).node, 'local-2')
  const outcome = take(cluster, { cpu: 2000 })
  assert.match(outcome.kind === 'wait' ? outcome.reason : '', 'node local-1 is draining')
  await settings.change('local-1', { drain: false })
  assert.is(leased(take(cluster, { cpu: 1000 })).node, 'local-1')
})

nodes('labels choose among nodes, by value, by others and by lists', async () => {
  const { cluster, nodes: settings } = await machine({ cpu: 4 }, 2)
  await settings.change('local-2', { labels: { disk: 'nvme' } })
  const where = (disk: string): string => {
    const outcome = take(cluster, {}, { disk })
    return outcome.kind === 'leased' ? outcome.lease.node : outcome.kind
  }

  assert.is(where('nvme'), 'local-2')
  assert.is(where('!nvme'), 'local-1')
  assert.is(where('in(tape, nvme)'), 'local-2')
  assert.is(where('!in(nvme,tape)'), 'local-1')
  assert.is(where('tape'), 'infeasible')
  await settings.change('local-2', { labels: { disk: null } })
  assert.is(where('nvme'), 'infeasible')
})

nodes('settings outlive a restart, those of nodes that are away for a time, too', async () => {
  const first = await machine({ cpu: 4, gpu: 2 }, 2)
  await first.nodes.change('local-1', { capacity: { gpu: 0, tpu: 2 }, labels: { disk: 'nvme' }, drain: true })
  await first.nodes.change('local-2', { capacity: { gpu: 2 } })

  await machine({ cpu: 4, gpu: 2 }, 1, first.store)
  const again = await machine({ cpu: 4, gpu: 2 }, 2, first.store)

  const [one, two] = again.cluster.nodes()
  assert.equal(one?.capacity, { cpu: 2000, gpu: 0, tpu: 2000 })
  assert.equal(one?.labels, { disk: 'nvme', node: 'local-1' })
  assert.is(one?.draining, true)
  assert.equal(
    two?.gpus.map(({ index }) => index),
    [0, 1],
  )
  await again.nodes.change('local-1', { capacity: { gpu: null, tpu: null }, drain: false })
  const back = await machine({ cpu: 4, gpu: 2 }, 2, first.store)
  assert.equal(back.cluster.nodes()[0]?.capacity, { cpu: 2000, gpu: 1000 })
})

nodes('nonsense is refused and changes nothing', async () => {
  const { cluster, nodes: settings } = await machine({ cpu: 4, gpu: 2 })

  await rejectsWith(settings.change('elsewhere', { drain: true }), 'not-found')
  const refused: Record<string, number>[] = [
    { gpu: 0.5 },
    { gpu: -1 },
    { cpu: Number.NaN },
    { 'gpu:h100': 1 },
    { 'a b': 1 },
  ]
  for (const capacity of refused) await rejectsWith(settings.change('local', { capacity }), 'invalid')
  await rejectsWith(settings.change('local', { labels: { node: 'other' } }), 'invalid')

  assert.equal(cluster.nodes()[0]?.capacity, { cpu: 4000, gpu: 2000 })
})

nodes.run()
