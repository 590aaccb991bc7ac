import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { turn, version, world } from '../support/scheduler-world.ts'

const fairness = suite('fairness between those who wait')

const GPU = (name: string, gpu: number) =>
  version(name, { resources: { gpu } }, { timeoutMs: null, memoryLimitMb: null })

/** Answers what everybody runs, and lets those go that were told to end. */
async function round({ processes, ready, clock }: Awaited<ReturnType<typeof world>>, byMs = 20) {
  await clock.advance(byMs)
  await ready()
  for (const process of processes) if (process.held.length > 0 && !process.killed) process.answer()
  await turn()
}

fairness('a large request is not starved by a stream of small ones', async () => {
  const at = await world({ resources: { gpu: 4, cpu: 8 }, maxEnvironments: 100 })
  const small = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => GPU(name, 1000))
  let sent = 0
  const stream = (): void => {
    for (const one of small) for (let more = 0; more < 2; more++) at.submit(`small ${sent++}`, one, true)
  }
  for (let warm = 0; warm < 20; warm++) {
    stream()
    await round(at)
  }

  at.submit('large', GPU('large', 4000), true)
  let rounds = 0
  for (; rounds < 1000 && !at.events.includes('large answered'); rounds++) {
    stream()
    await round(at)
  }

  assert.ok(at.events.includes('large answered'), `not after ${rounds} rounds`)
  const before = at.events.length
  for (let more = 0; more < 50; more++) await round(at)
  assert.ok(at.events.length > before + 50, 'the small ones go on afterwards')
})

fairness('who waits for a GPU ends nobody who holds none', async () => {
  const at = await world({ resources: { gpu: 1, cpu: 8, memoryMb: 10_000 }, maxEnvironments: 100 })
  at.submit('idle', version('idle'))
  at.submit('holder', GPU('holder', 1000), true)
  await at.ready()
  at.processes[0]?.answer()
  at.submit('busy', version('busy', {}, { timeoutMs: null }), true)
  at.submit('waits', GPU('waits', 1000), true)

  await at.clock.advance(5000)

  assert.equal(
    at.processes.map((process) => process.shutdowns.length),
    [0, 0, 0],
  )
  assert.is(at.scheduler.environments.length, 3)
})

fairness('why something waits names who holds what', async () => {
  const at = await world({ resources: { gpu: 1, cpu: 8 }, maxEnvironments: 100 })
  at.submit('holder', GPU('train', 1000), true)
  await at.ready()
  at.submit('waits', GPU('other', 1000), true)
  await at.clock.advance(20)

  const [waiting] = at.scheduler.reasons()

  assert.is(waiting?.functionName, 'other')
  assert.is(waiting?.reason, 'Waits for gpu 1: held by function train:$LATEST (gpu 1 on local).')
})

fairness('who comes late is told for whom what frees up is kept', async () => {
  const at = await world({ resources: { gpu: 2, cpu: 8 }, maxEnvironments: 100 })
  at.submit('first', GPU('holder', 1000), true)
  await at.ready()
  at.submit('large', GPU('large', 2000), true)
  await at.clock.advance(1500)

  at.submit('late', GPU('late', 1000), true)
  await at.clock.advance(20)

  const late = at.scheduler.reasons().find(({ functionName }) => functionName === 'late')
  assert.match(late?.reason ?? '', 'what comes free is kept for function large:$LATEST, which waits longer')
})

fairness('what is kept in vain is for everybody now and then', async () => {
  const at = await world({ resources: { gpu: 2, cpu: 8 }, maxEnvironments: 100 })
  at.submit('holder', GPU('holder', 1000), true)
  await at.ready()
  at.submit('large', GPU('large', 2000), true)
  await at.clock.advance(1500)

  at.submit('child', GPU('child', 1000), true)
  await at.clock.advance(5000)
  assert.is(at.processes.length, 1)
  await at.clock.advance(7000)
  await at.ready()

  assert.equal(
    at.processes[1]?.held.map(({ requestId }) => requestId),
    ['child'],
  )
})

fairness('no function’s backlog starves another’s: both get on, whoever came first', async () => {
  const at = await world({ resources: { gpu: 1, cpu: 8 }, maxEnvironments: 100 })
  const [first, second] = [GPU('first', 250), GPU('second', 250)]
  for (let index = 0; index < 2000; index++) at.submit(`a${index}`, first, true)
  await round(at)
  for (let index = 0; index < 2000; index++) at.submit(`b${index}`, second, true)
  const done = { a: 0, b: 0 }
  const count = (): void => {
    done.a = at.events.filter((event) => event.startsWith('a')).length
    done.b = at.events.filter((event) => event.startsWith('b')).length
  }

  for (let rounds = 0; rounds < 300; rounds++) await round(at)
  count()
  const before = { ...done }
  for (let rounds = 0; rounds < 100; rounds++) await round(at)
  count()

  const [a, b] = [done.a - before.a, done.b - before.b]
  assert.ok(a > 100 && b > 100 && Math.abs(a - b) <= 0.2 * (a + b), `${a} and ${b} at last`)
})

fairness('room that comes all at once is shared by turns', async () => {
  const at = await world({ resources: { gpu: 0, cpu: 8 }, maxEnvironments: 100 })
  at.machine.configure('local', { capacity: { gpu: 1000 }, labels: {}, drain: true })
  for (const name of ['first', 'second', 'third'])
    for (let index = 0; index < 20; index++) at.submit(`${name} ${index}`, GPU(name, 1000), true)
  await at.clock.advance(100)

  at.machine.configure('local', { capacity: { gpu: 9000 }, labels: {}, drain: false })
  await at.clock.advance(100)

  const places = (name: string): number =>
    at.scheduler.environments.filter((one) => one.poolKey.startsWith(name)).length
  assert.equal(['first', 'second', 'third'].map(places), [3, 3, 3])
})

fairness('labels of a version are honoured where it is placed', async () => {
  const at = await world({ resources: { cpu: 4 }, nodes: 3, maxEnvironments: 100 })
  at.machine.configure('local-2', { capacity: {}, labels: { disk: 'nvme' }, drain: false })

  at.submit('there', version('there', { resources: { cpu: 1000 }, labels: { disk: 'nvme' } }))
  at.submit('nowhere', version('nowhere', { resources: { cpu: 1000 }, labels: { disk: 'tape' } }))
  await at.ready()

  assert.equal(
    at.scheduler.environments.map((one) => at.scheduler.leaseOf(one)?.node),
    ['local-2'],
  )
  assert.equal(at.events, ['nowhere refused: infeasible'])
})

fairness.run()
