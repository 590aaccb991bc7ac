import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import * as fc from 'fast-check'
import type { Launcher } from '../../runtime/environments/launcher.ts'
import type { Lease } from '../../runtime/scheduler/cluster.ts'
import { createLocalCluster } from '../../runtime/scheduler/local-cluster.ts'

const leasing = suite('leasing')

const launcher: Launcher = {
  isolation: { requested: 'none', effective: 'none', means: '', missing: [], memory: '', killsTree: false },
  launch: () => Promise.reject(new Error('nothing is started here')),
  close: () => Promise.resolve(),
}
const cluster = (resources: Record<string, number>, nodes = 1) =>
  createLocalCluster({ resources, nodes, launcher })

const leased = (outcome: ReturnType<ReturnType<typeof cluster>['acquire']>): Lease => {
  if (outcome.kind !== 'leased') throw new Error(`expected a lease, got ${outcome.kind}: ${outcome.reason}`)
  return outcome.lease
}

leasing('two that want the only GPU: the second waits until the first is released', () => {
  const machine = cluster({ cpu: 2, gpu: 1 })
  const first = leased(machine.acquire({ resources: { gpu: 1000 } }, 'first'))

  assert.is(machine.acquire({ resources: { gpu: 1000 } }, 'second').kind, 'wait')
  first[Symbol.dispose]()
  assert.equal(leased(machine.acquire({ resources: { gpu: 1000 } }, 'second')).gpuIndices, [0])
})

leasing('four quarters share one GPU and the fifth waits', () => {
  const machine = cluster({ gpu: 1 })

  for (let index = 0; index < 4; index++) {
    assert.equal(leased(machine.acquire({ resources: { gpu: 250 } }, `${index}`)).gpuIndices, [0])
  }
  assert.is(machine.acquire({ resources: { gpu: 250 } }, 'fifth').kind, 'wait')
})

leasing('a lease that is released twice is a bug that is seen', () => {
  const lease = leased(cluster({ cpu: 1 }).acquire({ resources: { cpu: 1000 } }, 'one'))
  lease[Symbol.dispose]()

  assert.throws(() => lease[Symbol.dispose](), /released twice/)
})

leasing('virtual nodes split the machine and deal GPUs out whole', () => {
  const machine = cluster({ cpu: 4, gpu: 3, memoryMb: 900 }, 3)

  assert.equal(
    machine
      .nodes()
      .map((node) => [
        node.name,
        node.capacity['cpu'],
        node.capacity['memoryMb'],
        node.gpus.map(({ index }) => index),
      ]),
    [
      ['local-1', 1333, 300_000, [0]],
      ['local-2', 1333, 300_000, [1]],
      ['local-3', 1333, 300_000, [2]],
    ],
  )
  assert.match(machine.infeasible({ resources: { gpu: 2000 } }) ?? '', 'gpu 2')
})

leasing('whatever is acquired and released in any order, nothing is held twice and all comes back', () => {
  const request = fc.record({
    cpu: fc.integer({ min: 0, max: 2500 }),
    gpu: fc.constantFrom(0, 250, 500, 1000, 2000),
  })
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), request, fc.nat()), { maxLength: 60 }), (steps) => {
      const machine = cluster({ cpu: 4, gpu: 2 })
      const held: Lease[] = []
      for (const [release, resources, pick] of steps) {
        const [gone] = release && held.length > 0 ? held.splice(pick % held.length, 1) : []
        if (gone) gone[Symbol.dispose]()
        else {
          const outcome = machine.acquire({ resources }, 'someone')
          if (outcome.kind === 'leased') held.push(outcome.lease)
        }
        const share = [0, 0]
        for (const lease of held) {
          for (const index of lease.gpuIndices)
            share[index] = (share[index] ?? 0) + Math.min(lease.resources['gpu'] ?? 0, 1000)
        }
        const cpu = held.reduce((sum, lease) => sum + (lease.resources['cpu'] ?? 0), 0)
        if (share.some((one) => one > 1000) || cpu > 4000) return false
      }
      for (const lease of held) lease[Symbol.dispose]()
      const [node] = machine.nodes()
      return node?.available['cpu'] === 4000 && node.gpus.every(({ free }) => free === 1000)
    }),
  )
})

leasing.run()
