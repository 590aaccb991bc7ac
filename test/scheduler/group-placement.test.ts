import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import * as fc from 'fast-check'
import { fits, subtract, type Resources } from '../../runtime/resources.ts'
import {
  groupInfeasible,
  GROUP_STRATEGIES,
  placeGroup,
  type Bundle,
  type GroupStrategy,
} from '../../runtime/scheduler/group-placement.ts'
import type { NodeState } from '../../runtime/scheduler/node-state.ts'

const placing = suite('placing groups')

const node = (name: string, available: Resources, capacity = available, more: Partial<NodeState> = {}) => ({
  name,
  labels: { node: name },
  draining: false,
  capacity,
  available,
  gpus: Array.from({ length: (available['gpu'] ?? 0) / 1000 }, (_, index) => ({ index, free: 1000 })),
  ...more,
})
const bundles = (...amounts: number[]): Bundle[] => amounts.map((cpu) => ({ resources: { cpu: cpu * 1000 } }))
const three = (cpu: number) => ['a', 'b', 'c'].map((name) => node(name, { cpu: cpu * 1000 }))

/** Nodes by index of the bundle, or what it waits for. */
function where(
  wanted: readonly Bundle[],
  strategy: GroupStrategy,
  nodes: readonly NodeState[],
  kept: readonly (string | undefined)[] = [],
): string {
  const placement = placeGroup(wanted, strategy, nodes, kept)
  if (placement.kind !== 'placed') return placement.kind
  const found = wanted.map((_one, index) => kept[index] ?? '')
  for (const { bundle, node: name } of placement.steps) found[bundle] = name
  return found.join(' ')
}

placing('PACK takes one node where all fit, the one with the least room, and else as few as it can', () => {
  const nodes = [node('a', { cpu: 8000 }), node('b', { cpu: 3000 }, { cpu: 8000 }), node('c', { cpu: 4000 })]

  assert.is(where(bundles(1, 2), 'PACK', nodes), 'b b')
  assert.is(where(bundles(4, 4), 'PACK', nodes), 'a a')
  assert.is(where(bundles(8, 4, 1), 'PACK', nodes), 'a c b')
})

placing('SPREAD takes as many nodes as there are, and shares them when there are too few', () => {
  assert.equal(
    where(bundles(1, 1, 1), 'SPREAD', three(2))
      .split(' ')
      .toSorted(),
    ['a', 'b', 'c'],
  )
  assert.equal(
    where(bundles(1, 1, 1, 1), 'SPREAD', three(2))
      .split(' ')
      .toSorted(),
    ['a', 'a', 'b', 'c'],
  )
})

placing('STRICT_PACK is one node or nothing, STRICT_SPREAD a node each or nothing', () => {
  assert.is(where(bundles(1, 1, 1), 'STRICT_PACK', three(2)), 'wait')
  assert.is(where(bundles(1, 1), 'STRICT_PACK', three(2)), 'a a')
  assert.is(where(bundles(1, 1, 1, 1), 'STRICT_SPREAD', three(2)), 'wait')
  assert.equal(
    where(bundles(1, 1, 1), 'STRICT_SPREAD', three(2))
      .split(' ')
      .toSorted(),
    ['a', 'b', 'c'],
  )
})

placing('what was lost joins what is left as the strategy asks', () => {
  assert.is(where(bundles(1, 1, 1), 'STRICT_SPREAD', three(2), ['a', undefined, 'b']), 'a c b')
  assert.is(where(bundles(1, 1), 'STRICT_PACK', three(2), ['b', undefined]), 'b b')
  assert.is(where(bundles(1, 1), 'PACK', three(2), ['b', undefined]), 'b b')
  assert.not.match(where(bundles(1, 1), 'SPREAD', three(2), ['b', undefined]), 'b b')
  const full = [node('a', { cpu: 2000 }), node('b', { cpu: 0 }, { cpu: 2000 })]
  assert.is(where(bundles(1, 1), 'STRICT_PACK', full, ['b', undefined]), 'wait')
})

placing('GPUs go to those that ask for them, whole ones and shares', () => {
  const nodes = [node('a', { cpu: 4000, gpu: 2000 }), node('b', { cpu: 4000 })]
  const wanted: Bundle[] = [
    { resources: { cpu: 1000 } },
    { resources: { gpu: 500 } },
    { resources: { gpu: 1000 } },
  ]

  assert.match(where(wanted, 'PACK', nodes), 'a a a')
  assert.is(where([{ resources: { gpu: 2000 } }, { resources: { gpu: 500 } }], 'PACK', nodes), 'wait')
})

placing('a node that drains or has another label takes nothing', () => {
  const nodes = [
    node('a', { cpu: 4000 }, undefined, { draining: true }),
    node('b', { cpu: 4000 }, undefined, { labels: { disk: 'nvme' } }),
    node('c', { cpu: 4000 }),
  ]

  assert.is(where([{ resources: { cpu: 1000 }, labels: { disk: 'nvme' } }], 'SPREAD', nodes), 'b')
  assert.is(where(bundles(1, 1, 1), 'STRICT_SPREAD', nodes), 'wait')
})

placing('what can never be is told apart from what can be later, with the reason', () => {
  const busy = ['a', 'b', 'c'].map((name) => node(name, { cpu: 0 }, { cpu: 2000 }))
  const why = (wanted: readonly Bundle[], strategy: GroupStrategy) => groupInfeasible(wanted, strategy, busy)

  assert.is(why(bundles(2, 2, 2), 'STRICT_SPREAD'), undefined)
  assert.is(where(bundles(2, 2, 2), 'STRICT_SPREAD', busy), 'wait')
  assert.match(why(bundles(1, 3), 'SPREAD') ?? '', /^Bundle 1: No node offers cpu 3/)
  assert.match(why(bundles(1, 1, 1, 1), 'STRICT_SPREAD') ?? '', 'a node for each of 4 bundles')
  assert.match(why(bundles(2, 2, 2, 1), 'PACK') ?? '', 'cpu 6 of the 7')
  assert.match(why(bundles(1, 2), 'STRICT_PACK') ?? '', 'STRICT_PACK')
  const half = { resources: { cpu: 1500, gpu: 500 } }
  const gpus = ['a', 'b'].map((name) => node(name, { cpu: 2000, gpu: 1000 }))
  assert.match(groupInfeasible([half, half], 'STRICT_PACK', gpus) ?? '', 'one node with cpu 3, gpu 1')
  assert.match(why(bundles(1.5, 1.5, 1.5, 1), 'SPREAD') ?? '', 'No arrangement')
})

const anyNodes = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 6 })), {
    minLength: 1,
    maxLength: 4,
  })
  .map((all) =>
    all.map(([free, more], index) => node(`n${index}`, { cpu: free * 500 }, { cpu: (free + more) * 500 })),
  )
const anyBundles = fc
  .array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 })
  .map((all) => all.map((cpu) => ({ resources: { cpu: cpu * 500 } })))

/** Whether any arrangement at all meets the strategy: every one is tried. */
function possible(wanted: readonly Bundle[], strategy: GroupStrategy, nodes: readonly NodeState[]): boolean {
  const tryFrom = (index: number, free: readonly Resources[], used: readonly number[]): boolean => {
    const bundle = wanted[index]
    if (bundle === undefined) return true
    return nodes.some((_node, at) => {
      const rest = free[at] ?? {}
      if (!fits(bundle.resources, rest)) return false
      if (strategy === 'STRICT_SPREAD' && used.includes(at)) return false
      if (strategy === 'STRICT_PACK' && used.some((one) => one !== at)) return false
      return tryFrom(
        index + 1,
        free.map((one, other) => (other === at ? subtract(one, bundle.resources) : one)),
        [...used, at],
      )
    })
  }
  return tryFrom(
    0,
    nodes.map(({ available }) => available),
    [],
  )
}

placing('it places exactly what can be placed, within what is free, as the strategy asks', () => {
  fc.assert(
    fc.property(anyNodes, anyBundles, fc.constantFrom(...GROUP_STRATEGIES), (nodes, wanted, strategy) => {
      const placement = placeGroup(wanted, strategy, nodes)
      const isPossible = possible(wanted, strategy, nodes)
      if (placement.kind !== 'placed') return !isPossible
      const used = placement.steps.map((step) => step.node)
      const held = new Map<string, number>()
      for (const step of placement.steps)
        held.set(step.node, (held.get(step.node) ?? 0) + (wanted[step.bundle]?.resources['cpu'] ?? 0))
      return (
        isPossible &&
        new Set(placement.steps.map((step) => step.bundle)).size === wanted.length &&
        nodes.every(({ name, available }) => (held.get(name) ?? 0) <= (available['cpu'] ?? 0)) &&
        (strategy !== 'STRICT_PACK' || new Set(used).size === 1) &&
        (strategy !== 'STRICT_SPREAD' || new Set(used).size === used.length)
      )
    }),
    { numRuns: 2000 },
  )
})

placing('what is refused for ever cannot be placed on empty nodes, and everything else can', () => {
  fc.assert(
    fc.property(anyNodes, anyBundles, fc.constantFrom(...GROUP_STRATEGIES), (nodes, wanted, strategy) => {
      const empty = nodes.map((one) => ({ ...one, available: one.capacity }))
      return (groupInfeasible(wanted, strategy, nodes) === undefined) === possible(wanted, strategy, empty)
    }),
    { numRuns: 1000 },
  )
})

placing.run()
