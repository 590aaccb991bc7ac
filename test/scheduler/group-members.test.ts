import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readGroupWish } from '../../runtime/scheduler/group-wish.ts'
import { turn, version, world } from '../support/scheduler-world.ts'

const members = suite('members of placement groups')

const SCOPE = { account: '0', region: 'r' }

/** Three nodes of two processors, and a way to make groups. */
async function gangs() {
  const at = await world({ resources: { cpu: 6 }, nodes: 3 })
  const make = (name: string, ...bundles: object[]) => {
    const { spec } = readGroupWish({ bundles })
    at.groups.check(SCOPE, spec, name)
    return at.groups.create(SCOPE, spec, { name, isNamed: true })
  }
  const inGroup = (name: string, group: string, cpu = 1000) =>
    version(name, { resources: { cpu }, placementGroup: { name: group } })
  return { ...at, make, inGroup }
}

members('an invocation in a group runs on the bundle’s node, in what it reserved', async () => {
  const { make, inGroup, submit, ready, scheduler, groups, processes } = await gangs()
  const group = make('gang', { cpu: 2 })

  submit('r', inGroup('f', 'gang'))
  await ready()

  const [environment] = scheduler.environments
  assert.is(environment && scheduler.leaseOf(environment)?.node, groups.view(group).bundles[0]?.node)
  assert.equal(
    processes[0]?.held.map((one) => one.requestId),
    ['r'],
  )
})

members('work waits for its group to be ready, says so, and runs as soon as it is', async () => {
  const { make, inGroup, submit, ready, scheduler, events, processes } = await gangs()
  submit('busy', version('g', { resources: { cpu: 2000 } }))
  await ready()
  const group = make('gang', { cpu: 2 }, { cpu: 2 }, { cpu: 2 })

  submit('r', inGroup('f', 'gang'))
  await ready()

  assert.is(group.state, 'pending')
  assert.match(
    scheduler.reasons().find((one) => one.functionName === 'f')?.reason ?? '',
    /pending.*function g/,
  )
  processes[0]?.answer()
  await turn()
  await ready()
  assert.is(group.state, 'ready')
  assert.equal(
    processes.at(-1)?.held.map((one) => one.requestId),
    ['r'],
  )
  assert.equal(events, ['busy answered'])
})

members('an idle environment ends for a group that waits', async () => {
  const { make, submit, ready, processes } = await gangs()
  submit('once', version('g', { resources: { cpu: 2000 } }))
  await ready()
  processes[0]?.answer()
  await turn()

  const group = make('gang', { cpu: 2 }, { cpu: 2 }, { cpu: 2 })
  await turn()

  assert.equal([processes[0]?.killed, group.state], [true, 'ready'])
})

members('environments that always have work end for a group that has waited long', async () => {
  const { make, submit, ready, processes, clock } = await gangs()
  const busy = version('g', { resources: { cpu: 2000 } })
  for (const request of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) submit(request, busy, true)
  await ready()
  await clock.advance(20)
  await ready()
  const group = make('gang', { cpu: 2 }, { cpu: 2 })

  for (let seconds = 0; seconds < 20 && group.state !== 'ready'; seconds++) {
    await clock.advance(1000)
    submit(`more ${seconds}`, busy, true)
    for (const process of processes) if (process.held.length > 0 && !process.killed) process.answer()
    await ready()
  }

  assert.is(group.state, 'ready')
})

members('removing a group kills its users, tells them, and holds the room until they are gone', async () => {
  const { make, inGroup, submit, ready, groups, machine, events, processes } = await gangs()
  const group = make('gang', { cpu: 2 })
  submit('r', inGroup('f', 'gang', 2000))
  await ready()
  const [used] = processes
  if (used) used.slowToDie = true
  submit('s', inGroup('f', 'gang', 2000))
  const free = (): number => machine.nodes().reduce((sum, node) => sum + (node.available['cpu'] ?? 0), 0)

  groups.remove(group)
  await turn()

  assert.is(used?.killed, true)
  assert.is(free(), 4000)
  used?.crash(137)
  await turn()
  assert.is(free(), 6000)
  assert.equal(events.toSorted(), ['r lost', 's refused: infeasible'])
})

members('a group that is not there refuses its work with its name', async () => {
  const { inGroup, submit, ready, events } = await gangs()

  submit('r', inGroup('f', 'nobody'))
  await ready()

  assert.equal(events, ['r refused: infeasible'])
})

members.run()
