import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Launcher } from '../../runtime/environments/launcher.ts'
import type { Lease } from '../../runtime/scheduler/cluster.ts'
import { canEverFit } from '../../runtime/scheduler/feasibility.ts'
import { createLocalCluster } from '../../runtime/scheduler/local-cluster.ts'
import {
  isOfKind,
  type GpuState,
  type LeaseRequest,
  type NodeState,
} from '../../runtime/scheduler/node-state.ts'
import { pickGpus, place, without } from '../../runtime/scheduler/placement.ts'
import { keptFor } from '../../runtime/scheduler/reservation.ts'
import { MILLI } from '../../runtime/resources.ts'
import type { GpuWish } from '../../runtime/wish.ts'

const properties = suite('properties of placing')

const MODELS = ['nvidia-h100-80gb-hbm3', 'nvidia-a100-sxm4-40gb', undefined] as const
const SIZES = [80_000, 40_000, undefined] as const

const gpu = fc.record({ model: fc.constantFrom(...MODELS), memoryMb: fc.constantFrom(...SIZES) })
const nodes = fc
  .array(
    fc.record({
      cpu: fc.integer({ min: 0, max: 8000 }),
      memoryMb: fc.integer({ min: 0, max: 64_000 }),
      gpus: fc.array(fc.tuple(gpu, fc.constantFrom(0, 250, 500, 750, 1000)), { maxLength: 5 }),
      draining: fc.boolean(),
      disk: fc.constantFrom('nvme', 'hdd'),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((all) => {
    let index = 0
    return all.map((one, position): NodeState => {
      const gpus: GpuState[] = one.gpus.map(([kind, free]) => ({ ...kind, index: index++, free }))
      return {
        name: `n${position}`,
        labels: { disk: one.disk },
        draining: one.draining && position % 3 === 0,
        capacity: { cpu: 8000, memoryMb: 64_000, gpu: gpus.length * MILLI },
        available: {
          cpu: one.cpu,
          memoryMb: one.memoryMb,
          gpu: gpus.reduce((sum, { free }) => sum + free, 0),
        },
        gpus,
      }
    })
  })

const way: fc.Arbitrary<GpuWish> = fc.oneof(
  fc.record({ amount: fc.constantFrom(100, 250, 500, 1000, 2000, 3000) }),
  fc.record({ model: fc.constantFrom('h100', 'a100'), amount: fc.constantFrom(250, 1000, 2000) }),
  fc.record({ memoryMb: fc.constantFrom(8000, 20_000, 60_000) }),
  fc.record({ memoryMb: fc.constantFrom(40_000, 80_000), amount: fc.constantFrom(1000, 2000) }),
)
const request: fc.Arbitrary<LeaseRequest> = fc
  .record({
    cpu: fc.integer({ min: 0, max: 9000 }),
    memoryMb: fc.integer({ min: 0, max: 70_000 }),
    gpu: fc.constantFrom(0, 0, 250, 1000, 2000),
    gpus: fc.option(fc.array(way, { minLength: 1, maxLength: 3 }), { nil: undefined }),
    labels: fc.constantFrom(undefined, undefined, { disk: 'nvme' }, { disk: '!nvme' }),
  })
  .map(({ cpu, memoryMb, gpu: amount, gpus, labels }) => ({
    resources: { cpu, memoryMb, gpu: gpus === undefined ? amount : 1 },
    gpus,
    labels,
  }))

properties(
  'what is placed fits: amounts, GPUs of the kind, each at most once, the first way that fits',
  () => {
    fc.assert(
      fc.property(nodes, request, (all, wish) => {
        const decision = place(wish, all)
        if (decision.kind !== 'placed') {
          // nothing that fits an empty node is refused, and nothing waits that never could
          assert.is(decision.kind, all.some((node) => canEverFit(wish, node)) ? 'wait' : 'infeasible')
          return
        }
        const node = all.find(({ name }) => name === decision.node)
        if (node === undefined) throw new Error('no such node')
        const { resources, gpuIndices } = decision
        for (const [name, amount] of Object.entries(resources))
          assert.ok(amount <= (node.available[name] ?? 0))
        const held = resources['gpu'] ?? 0
        assert.is(new Set(gpuIndices).size, gpuIndices.length)
        assert.is(gpuIndices.length, Math.ceil(held / MILLI))
        for (const index of gpuIndices)
          assert.ok((node.gpus.find((one) => one.index === index)?.free ?? 0) >= Math.min(held, MILLI))
        const taken = wish.gpus?.find((one) => place({ ...wish, gpus: [one] }, all).kind === 'placed')
        if (taken !== undefined)
          for (const index of gpuIndices)
            assert.ok(isOfKind(node.gpus.find((one) => one.index === index) ?? { index, free: 0 }, taken))
        assert.not(node.draining)
      }),
      { numRuns: 2000 },
    )
  },
)

properties('the node that is taken has least room left of those that fit', () => {
  fc.assert(
    fc.property(nodes, fc.integer({ min: 1, max: 4000 }), (all, cpu) => {
      const decision = place({ resources: { cpu } }, all)
      if (decision.kind !== 'placed') return
      const room = ({ available, gpus }: NodeState): number =>
        (available['cpu'] ?? 0) / 8000 + (gpus.length > 0 ? 1 : 0)
      const fitting = all.filter(({ available, draining }) => !draining && (available['cpu'] ?? 0) >= cpu)
      const chosen = all.find(({ name }) => name === decision.node)
      assert.ok(fitting.every((node) => chosen !== undefined && room(chosen) <= room(node)))
    }),
    { numRuns: 1000 },
  )
})

properties('a fraction is put on the fullest GPU that has room for it', () => {
  const free = fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 8 })
  fc.assert(
    fc.property(free, fc.integer({ min: 1, max: 999 }), (all, share) => {
      const picked = pickGpus(
        share,
        all.map((one, index) => ({ index, free: one })),
      )
      const fitting = all.filter((one) => one >= share)
      if (fitting.length === 0) assert.is(picked, undefined)
      else assert.is(all[picked?.[0] ?? -1], Math.min(...fitting))
    }),
  )
})

properties('what is kept for one who waits is enough for it, on a node that could hold it', () => {
  fc.assert(
    fc.property(nodes, request, (all, wish) => {
      const kept = keptFor(wish, all)
      const able = all.filter((node) => !node.draining && canEverFit(wish, node))
      if (kept === undefined) return assert.is(able.length, 0)
      const node = able.find(({ name }) => name === kept.node)
      if (node === undefined) throw new Error('it is kept where it never fits')
      const free: NodeState = {
        ...node,
        available: kept.resources,
        gpus: node.gpus.map((one) => ({ ...one, free: kept.gpuIndices.includes(one.index) ? MILLI : 0 })),
      }
      assert.is(place(wish, [free]).kind, 'placed', JSON.stringify({ wish, kept, node }))
    }),
    { numRuns: 2000 },
  )
})

properties('whatever is leased, lent, taken back, kept and released, nothing is held twice', () => {
  const launcher: Launcher = {
    isolation: { requested: 'none', effective: 'none', means: '', missing: [], memory: '', killsTree: false },
    launch: () => Promise.reject(new Error('nothing is started here')),
    close: () => Promise.resolve(),
  }
  const step = fc.tuple(
    fc.constantFrom('acquire', 'acquire', 'release', 'lend', 'back', 'keep'),
    fc.nat(),
    request,
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const machine = createLocalCluster({
        resources: { cpu: 8, memoryMb: 64, 'gpu:h100': 2, gpu: 4, gpuMemoryMb: 80_000 },
        nodes: 2,
        launcher,
      })
      const held: Lease[] = []
      const lent = new Set<Lease>()
      for (const [what, pick, wish] of steps) {
        const lease = held[pick % Math.max(1, held.length)]
        if (what === 'acquire') {
          const outcome = machine.acquire({ ...wish, claimant: pick % 3 === 0 ? 'who' : 'else' }, 'someone')
          if (outcome.kind === 'leased') held.push(outcome.lease)
        } else if (what === 'keep') {
          const kept = keptFor(wish, machine.nodes())
          machine.keep('who', kept === undefined || pick % 2 === 0 ? [] : [kept])
        } else if (lease === undefined) continue
        else if (what === 'release') {
          held.splice(held.indexOf(lease), 1)[0]?.[Symbol.dispose]()
          lent.delete(lease)
        } else if (what === 'lend') {
          lease.lend()
          lent.add(lease)
        } else if (lease.takeBack()) lent.delete(lease)
        for (const node of machine.nodes()) {
          const own = held.filter((one) => one.node === node.name)
          const cpu = own.reduce((sum, one) => sum + (lent.has(one) ? 0 : (one.resources['cpu'] ?? 0)), 0)
          assert.is(node.available['cpu'], 4000 - cpu)
          assert.ok(cpu <= 4000)
          for (const { index, free } of node.gpus) {
            const users = own.filter((one) => one.gpuIndices.includes(index))
            const share = users.reduce((sum, one) => sum + Math.min(one.resources['gpu'] ?? 0, MILLI), 0)
            assert.ok(share <= MILLI && free === MILLI - share)
          }
        }
      }
      for (const lease of held) lease[Symbol.dispose]()
      for (const { available, capacity } of machine.nodes()) assert.equal(available, capacity)
    }),
    { numRuns: 500 },
  )
})

properties('a node without what was placed is what is left of it', () => {
  fc.assert(
    fc.property(nodes, request, (all, wish) => {
      const decision = place(wish, all)
      const node = decision.kind === 'placed' && all.find(({ name }) => name === decision.node)
      if (decision.kind !== 'placed' || node === false || node === undefined) return
      const left = without(node, decision)
      assert.ok(Object.values(left.available).every((amount) => amount >= 0))
      assert.ok(left.gpus.every(({ free }) => free >= 0))
    }),
  )
})

properties.run()
