import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../runtime/errors.ts'
import type { Lease } from '../../runtime/scheduler/cluster.ts'
import { readGroupWish } from '../../runtime/scheduler/group-wish.ts'
import { PlacementGroups } from '../../runtime/scheduler/groups.ts'
import { LocalCluster } from '../../runtime/scheduler/local-cluster.ts'
import type { LeaseRequest } from '../../runtime/scheduler/node-state.ts'
import type { PlacementGroup } from '../../runtime/scheduler/placement-group.ts'
import { throwsWith } from '../support/assert.ts'
import { createFakeClock } from '../support/clock.ts'

const groups = suite('placement groups')

const SCOPE = { account: '000000000000', region: 'us-east-1' }

/** Three nodes of four processors and one GPU each; who is evicted and who is asked to make room is noted. */
function world(resources: Record<string, number> = { cpu: 12, gpu: 3, memoryMb: 3000 }, nodes = 3) {
  const clock = createFakeClock()
  const evicted: number[] = []
  let changes = 0
  let room = 0
  const launcher = { launch: () => Promise.reject(new Error('nothing is launched here')) } as never
  const machine: LocalCluster = new LocalCluster({
    ...{ resources, nodes, launcher },
    onRoom: () => all.nodesChanged(),
  })
  const all: PlacementGroups = new PlacementGroups({
    cluster: machine,
    clock,
    host: {
      evict: (ids) => void evicted.push(...ids),
      makeRoom: () => void room++,
      onChange: () => void changes++,
    },
  })
  const make = (name: string, strategy: string, ...bundles: object[]): PlacementGroup => {
    const { spec } = readGroupWish({ strategy, bundles })
    all.check(SCOPE, spec, name)
    return all.create(SCOPE, spec, { name, isNamed: true })
  }
  const ask = (request: LeaseRequest, holder = 'someone'): Lease | string => {
    const acquired = all.acquire(request, holder)
    return acquired.kind === 'leased' ? acquired.lease : `${acquired.kind}: ${acquired.reason}`
  }
  const lease = (resources: LeaseRequest['resources'], group?: string, bundle?: number): Lease => {
    const place =
      group === undefined
        ? {}
        : { group: { name: group, scope: SCOPE, ...(bundle === undefined ? {} : { bundle }) } }
    const got = ask({ resources, ...place })
    if (typeof got === 'string') throw new Error(got)
    return got
  }
  const member = (resources: LeaseRequest['resources'], group: string, bundle?: number): Lease | string =>
    ask({ resources, group: { name: group, scope: SCOPE, ...(bundle === undefined ? {} : { bundle }) } })
  const nodesOf = (group: PlacementGroup) => all.view(group).bundles.map(({ node }) => node)
  const free = (name: string): number =>
    machine.nodes().reduce((sum, node) => sum + (node.available[name] ?? 0), 0)
  return {
    ...{ clock, machine, all, make, ask, lease, member, nodesOf, free, evicted },
    counts: () => ({ changes, room }),
  }
}

groups('bundles have their places at once, on nodes as the strategy says', () => {
  const { make, nodesOf, all, free } = world()

  const packed = make('packed', 'PACK', { cpu: 1 }, { cpu: 1, gpu: 1 })
  const spread = make('spread', 'STRICT_SPREAD', { cpu: 1 }, { cpu: 1 }, { cpu: 1 })

  assert.is(packed.state, 'ready')
  assert.is(new Set(nodesOf(packed)).size, 1)
  assert.equal(nodesOf(spread).toSorted(), ['local-1', 'local-2', 'local-3'])
  assert.equal(all.view(packed).bundles[1]?.gpuIds?.length, 1)
  assert.is(free('cpu'), 7000)
})

groups('all bundles or none: a group that waits holds nothing, and says who holds what it wants', () => {
  const { make, lease, all, free } = world()
  const held = [lease({ cpu: 3000 }), lease({ cpu: 3000 })]
  const before = free('cpu')

  const group = make('gang', 'STRICT_SPREAD', { cpu: 3 }, { cpu: 3 }, { cpu: 3 })

  assert.is(group.state, 'pending')
  assert.is(free('cpu'), before)
  assert.match(all.view(group).reason ?? '', 'cpu')
  assert.match(all.view(group).reason ?? '', /someone \(cpu 3 on local-\d\)/)
  held[0]?.[Symbol.dispose]()
  assert.is(group.state, 'pending')
  held[1]?.[Symbol.dispose]()
  assert.is(group.state, 'ready')
})

groups('what can never be placed is refused at once with what is missing', () => {
  const { make } = world()
  const refused = (...wish: Parameters<typeof make>): EngineError =>
    throwsWith(() => make(...wish), 'infeasible')

  assert.match(refused('a', 'PACK', { cpu: 5 }).message, 'the largest node has 4')
  assert.match(refused('b', 'STRICT_PACK', { cpu: 3 }, { cpu: 3 }).message, 'STRICT_PACK')
  assert.match(
    refused('c', 'STRICT_SPREAD', { cpu: 1 }, { cpu: 1 }, { cpu: 1 }, { cpu: 1 }).message,
    '4 bundles',
  )
  assert.match(refused('d', 'PACK', { gpu: 2 }).message, 'gpu')
})

groups('members lease from their bundle and nothing else, with its GPU', () => {
  const { make, member, all, free } = world()
  const group = make('gang', 'PACK', { cpu: 2, gpu: 1 }, { cpu: 1 })
  const [own] = all.view(group).bundles[0]?.gpuIds ?? []
  const before = free('cpu')

  const first = member({ cpu: 1000, gpu: 500 }, 'gang', 0)
  const second = member({ cpu: 1000, gpu: 500 }, 'gang')
  const third = member({ cpu: 1000 }, 'gang', 0)
  const fourth = member({ cpu: 1000 }, 'gang', 1)

  if (typeof first === 'string' || typeof second === 'string' || typeof fourth === 'string')
    throw new Error(`${first} ${second} ${fourth}`)
  assert.equal([first.gpuIndices, second.gpuIndices, fourth.gpuIndices], [[own], [own], []])
  assert.match(String(third), /^wait: Waits for cpu 1 of placement group "gang": held by someone/)
  assert.is(free('cpu'), before)
  first[Symbol.dispose]()
  assert.not.type(member({ cpu: 1000 }, 'gang', 0), 'string')
  assert.throws(() => first[Symbol.dispose](), /released twice/)
})

groups('what a bundle does not have is refused, and so is a bundle that is not there', () => {
  const { make, member } = world()
  make('gang', 'PACK', { cpu: 1 }, { cpu: 2 })

  assert.match(
    String(member({ cpu: 3000 }, 'gang')),
    /^infeasible: cpu 3 fits in no bundle of placement group "gang"/,
  )
  assert.match(String(member({ gpu: 1000 }, 'gang')), /^infeasible/)
  assert.match(String(member({ cpu: 2000 }, 'gang', 0)), /^infeasible: cpu 2 does not fit in bundle 0/)
  assert.match(
    String(member({ cpu: 1000 }, 'gang', 7)),
    /^infeasible: .*has no bundle 7: they count from 0 to 1/,
  )
  assert.is(member({ cpu: 1000 }, 'nobody'), 'infeasible: There is no placement group "nobody".')
})

groups('memory that a bundle does not reserve is leased from its node', () => {
  const { make, lease, free, nodesOf } = world()
  const group = make('gang', 'PACK', { cpu: 1 })

  const used = lease({ cpu: 1000, memoryMb: 128_000 }, 'gang')

  assert.is(free('memoryMb'), 2_872_000)
  assert.is(used.node, nodesOf(group)[0])
  used[Symbol.dispose]()
  assert.is(free('memoryMb'), 3_000_000)
})

groups('a removed group ends who uses it, and holds what it reserved until they are gone', () => {
  const { make, lease, member, all, free, evicted } = world()
  const group = make('gang', 'PACK', { cpu: 2 }, { cpu: 2 })
  const used = lease({ cpu: 1000 }, 'gang')
  const unused = free('cpu')

  all.remove(group)

  assert.equal(evicted, [used.id])
  assert.is(group.state, 'removed')
  assert.is(free('cpu'), unused + 2000)
  assert.equal(
    all.list(SCOPE).map(({ name, state }) => `${name} ${state}`),
    ['gang removed'],
  )
  assert.match(all.view(group).reason ?? '', 'processes that use them')
  assert.match(String(member({ cpu: 1000 }, 'gang')), /^infeasible/)
  used[Symbol.dispose]()
  assert.is(free('cpu'), 12_000)
  assert.equal(all.list(SCOPE), [])
})

groups('a name is free again as soon as its group is removed', () => {
  const { make, lease, all } = world()
  const first = make('gang', 'PACK', { cpu: 1 })
  throwsWith(() => make('gang', 'PACK', { cpu: 1 }), 'already-exists')
  const used = lease({ cpu: 1000 }, 'gang')
  all.remove(first)

  const second = make('gang', 'PACK', { cpu: 1 })

  assert.is(all.get(SCOPE, 'gang'), second)
  used[Symbol.dispose]()
  assert.is(second.state, 'ready')
})

groups('groups wait side by side: one that finds room does not wait behind one that finds none', () => {
  const { make, lease } = world()
  const held = [1, 2, 3].map(() => lease({ cpu: 4000 }))
  const large = make('large', 'STRICT_SPREAD', { cpu: 4 }, { cpu: 4 }, { cpu: 4 })
  const small = make('small', 'PACK', { cpu: 1 })

  held[0]?.[Symbol.dispose]()

  assert.equal([large.state, small.state], ['pending', 'ready'])
})

groups('a group that has waited long comes before those that ask for little', async () => {
  const { make, lease, ask, all, clock } = world()
  const held = Array.from({ length: 12 }, () => lease({ cpu: 1000 }))
  const large = make('large', 'PACK', { cpu: 4 }, { cpu: 4 }, { cpu: 4 })
  await clock.advance(1500)

  for (const one of held) {
    one[Symbol.dispose]()
    if (large.state === 'ready') break
    const other = ask({ resources: { cpu: 1000 } })
    assert.match(String(other), /^wait: .*placement group large/)
    assert.match(all.view(make('late', 'PACK', { cpu: 1 })).reason ?? '', '"large" has waited longer')
    all.remove(all.get(SCOPE, 'late'))
  }

  assert.is(large.state, 'ready')
})

groups('now and then one lease passes a group that waits: its holder may wait for just that', async () => {
  const { make, lease, ask, clock } = world({ cpu: 2 }, 1)
  const parent = lease({ cpu: 1000 })
  const group = make('whole', 'PACK', { cpu: 2 })
  await clock.advance(5000)

  const early = ask({ resources: { cpu: 1000 } }, 'child')
  await clock.advance(10_000)
  const child = ask({ resources: { cpu: 1000 } }, 'child')
  const next = ask({ resources: { cpu: 1000 } }, 'child')

  assert.type(early, 'string')
  if (typeof child === 'string') throw new Error(child)
  assert.type(next, 'string')
  child[Symbol.dispose]()
  assert.type(ask({ resources: { cpu: 1000 } }, 'another child'), 'string')
  parent[Symbol.dispose]()
  assert.is(group.state, 'ready')
})

groups('a node that drains loses its bundles alone, and they find another place', () => {
  const { make, machine, lease, nodesOf, evicted, all, free } = world()
  const group = make('gang', 'STRICT_SPREAD', { cpu: 1 }, { cpu: 1 })
  const [first = '', second = ''] = nodesOf(group).map((name) => name ?? '')
  const users = [lease({ cpu: 1000 }, 'gang', 0), lease({ cpu: 1000 }, 'gang', 1)]

  machine.configure(first, { capacity: {}, labels: {}, drain: true })

  assert.equal(evicted, [users[0]?.id])
  assert.is(group.state, 'ready')
  assert.is(nodesOf(group)[1], second)
  assert.not(nodesOf(group).includes(first))
  assert.is(free('cpu'), 9000)
  users[0]?.[Symbol.dispose]()
  assert.is(free('cpu'), 10_000)
  assert.is(all.view(group).state, 'ready')
})

groups('without another place it is rescheduling, says why, and is ready again when there is one', () => {
  const { make, machine, all, nodesOf, member } = world()
  const group = make('gang', 'STRICT_SPREAD', { cpu: 1 }, { cpu: 1 }, { cpu: 1 })

  machine.configure('local-2', { capacity: {}, labels: {}, drain: true })

  assert.is(group.state, 'rescheduling')
  assert.is(nodesOf(group).filter((node) => node === undefined).length, 1)
  assert.match(all.view(group).reason ?? '', 'STRICT_SPREAD')
  const lost = nodesOf(group).indexOf(undefined)
  assert.match(String(member({ cpu: 1000 }, 'gang', lost)), /^wait: Placement group "gang" is rescheduling/)
  machine.configure('local-2', { capacity: {}, labels: {}, drain: false })
  assert.is(group.state, 'ready')
  assert.is(nodesOf(group)[lost], 'local-2')
})

groups('a node that shrinks under what it reserved gives it up', () => {
  const { make, machine, nodesOf } = world()
  const group = make('gang', 'PACK', { cpu: 3 })
  const [first = ''] = nodesOf(group).map((name) => name ?? '')

  machine.configure(first, { capacity: { cpu: 2000 }, labels: {}, drain: false })

  assert.is(group.state, 'ready')
  assert.not(nodesOf(group).includes(first))
})

groups('a group ends with its owner and at its time', async () => {
  const { all, clock, free } = world()
  const { spec } = readGroupWish({ bundles: [{ cpu: 1 }] })
  const owner = {}
  const owned = all.create(SCOPE, spec, { name: 'owned', isNamed: false, owner })
  const timed = all.create(SCOPE, spec, { name: 'timed', isNamed: false, expiresAtMs: clock.nowMs() + 1000 })

  all.ownerEnded(owner)
  await clock.advance(999)

  assert.equal([owned.state, timed.state], ['removed', 'ready'])
  await clock.advance(2)
  assert.is(timed.state, 'removed')
  assert.is(free('cpu'), 12_000)
})

groups('CPU that a member lends is for others of its bundle', () => {
  const { make, lease, member } = world()
  make('gang', 'PACK', { cpu: 1 })
  const parent = lease({ cpu: 1000 }, 'gang')
  assert.type(member({ cpu: 1000 }, 'gang'), 'string')

  parent.lend()
  const child = member({ cpu: 1000 }, 'gang')

  if (typeof child === 'string') throw new Error(child)
  assert.is(parent.takeBack(), false)
  child[Symbol.dispose]()
  assert.is(parent.takeBack(), true)
  parent[Symbol.dispose]()
  assert.not.type(member({ cpu: 1000 }, 'gang'), 'string')
})

groups('who was told to wait is told of every change, once', async () => {
  const { make, all, member, counts, lease } = world()
  const held = [1, 2, 3].map(() => lease({ cpu: 4000 }))
  const group = make('gang', 'PACK', { cpu: 1 })
  assert.match(
    String(member({ cpu: 1000 }, 'gang')),
    /^wait: Placement group "gang" is pending\. Waits for cpu 1/,
  )

  held[0]?.[Symbol.dispose]()
  await Promise.resolve()

  assert.is(group.state, 'ready')
  assert.is(counts().changes, 1)
  all.remove(group)
  await Promise.resolve()
  assert.is(counts().changes, 1)
})

groups('idle processes are asked to end for a group that waits, now and again', async () => {
  const { make, lease, counts, clock } = world()
  const held = [1, 2, 3].map(() => lease({ cpu: 4000 }))
  const group = make('gang', 'PACK', { cpu: 1 })
  await clock.advance(250)

  assert.is(counts().room, 3)
  held[0]?.[Symbol.dispose]()
  assert.is(group.state, 'ready')
  await clock.advance(1000)
  assert.is(counts().room, 3)
})

groups('what is asked for is checked, and says what each member takes', () => {
  const refusal = (wish: unknown): string => throwsWith(() => readGroupWish(wish), 'invalid').message

  assert.match(refusal({ bundles: [] }), '1 to 1000')
  assert.match(refusal({ bundles: [{}] }), /bundles\[0\] reserves nothing/)
  assert.match(refusal({ bundles: [{ cpu: 0 }] }), /reserves nothing/)
  assert.match(refusal({ bundles: [{ cpu: 1 }, { cpu: -1 }] }), /bundles\[1\]: Option cpu is -1/)
  assert.match(refusal({ bundles: [{ cpus: 1 }] }), /has no cpus: it takes cpu/)
  assert.match(refusal({ bundles: [{ cpu: 1 }], strategy: 'NEAR' }), 'PACK, SPREAD')
  assert.match(refusal({ bundles: [{ cpu: 1 }], name: 'pg-1' }), 'does not begin with pg-')
  assert.match(refusal({ bundles: [{ cpu: 1 }], expires: 'soon' }), 'expires')
  assert.match(refusal({ bundles: [{ cpu: 1 }], color: 'red' }), 'has no color')
  assert.match(refusal([]), 'bundles')
})

groups.run()
