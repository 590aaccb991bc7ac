import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../runtime/errors.ts'
import type { FunctionVersion } from '../../runtime/registry/types.ts'
import { turn, version, world } from '../support/scheduler-world.ts'

const scheduling = suite('scheduling')

scheduling('the first call starts an environment, the second takes it while it is idle', async () => {
  const { submit, ready, processes, events } = await world()
  const echo = version('echo')

  submit('a', echo)
  await ready()
  processes[0]?.answer()
  submit('b', echo)
  await turn()
  processes[0]?.answer()

  assert.is(processes.length, 1)
  assert.equal(events, ['a answered', 'b answered'])
})

scheduling('another environment starts only when waiting took longer than a cold start', async () => {
  const { submit, ready, processes, clock } = await world()
  const echo = version('echo')
  submit('a', echo)
  await ready()

  submit('b', echo)
  await clock.advance(5)
  assert.is(processes.length, 1)
  await clock.advance(10)

  assert.is(processes.length, 2)
})

scheduling('the idle environment that was used last is taken first', async () => {
  const { submit, ready, processes, clock } = await world()
  const echo = version('echo')
  submit('a', echo)
  await ready()
  submit('b', echo)
  await clock.advance(15)
  await ready()
  processes[0]?.answer()
  await clock.advance(1)
  processes[1]?.answer()

  submit('c', echo)
  await turn()

  assert.equal(
    processes.map((process) => process.held.length),
    [0, 1],
  )
})

scheduling('at its cap a busy environment is handed one more ahead, and no third', async () => {
  const { submit, ready, processes } = await world()
  const echo = version('echo', { maxEnvironments: 1 })
  submit('a', echo)
  await ready()

  submit('b', echo)
  submit('c', echo)
  await turn()

  assert.equal(
    processes[0]?.held.map((one) => one.requestId),
    ['a', 'b'],
  )
})

scheduling('nothing is held ahead while another environment may still be started', async () => {
  const { submit, ready, processes } = await world()
  const echo = version('echo')
  submit('a', echo)
  await ready()

  submit('b', echo)
  await turn()

  assert.equal(
    processes[0]?.held.map((one) => one.requestId),
    ['a'],
  )
})

scheduling('what is held behind slow work is recalled and runs where there is room', async () => {
  const { submit, ready, processes, clock, events } = await world()
  const echo = version('echo', { maxEnvironments: 2 })
  submit('a', echo)
  submit('b', echo)
  await ready()
  await clock.advance(15)
  await ready()
  submit('c', echo)
  await turn()
  const holder = processes.find((process) => process.held.length === 2)
  const other = processes.find((process) => process !== holder)
  assert.ok(holder, 'c was held ahead')

  await clock.advance(10)
  await turn()
  holder.giveBack()
  other?.answer()
  await turn()

  assert.equal(
    other?.held.map((one) => one.requestId),
    ['c'],
  )
  assert.is(events.length, 1)
})

scheduling('what comes back after the work before it has ended may go to the same environment', async () => {
  const { submit, ready, processes, clock, events } = await world()
  const echo = version('echo', { maxEnvironments: 1 })
  submit('a', echo)
  await ready()
  submit('b', echo)
  await turn()
  const [process] = processes
  await clock.advance(10)
  await turn()
  assert.is(process?.recalls.length, 1)

  // It has ended `a`, and gives `b` back before it would have begun it.
  process?.answer('a')
  process?.held.splice(0)
  process?.giveBack()
  await turn()
  process?.answer('b')

  assert.equal(events, ['a answered', 'b answered'])
})

scheduling(
  'after a death what had not started runs again, uncounted; what had started is answered',
  async () => {
    const { submit, ready, processes, events } = await world()
    const echo = version('echo', { maxEnvironments: 1 })
    submit('a', echo)
    await ready()
    submit('b', echo)
    await turn()

    processes[0]?.crash()
    await turn()
    await turn()
    await ready()
    processes[1]?.answer()

    assert.equal(events, ['a lost', 'b answered'])
  },
)

scheduling('a time limit ends the process, and the next call gets a fresh one', async () => {
  const { submit, ready, processes, clock, events } = await world()
  const slow = version('slow', {}, { timeoutMs: 100 })
  submit('a', slow)
  await ready()

  await clock.advance(95)
  assert.equal(events, [])
  await clock.advance(15)
  await turn()

  assert.equal(events, ['a timed out'])
  assert.ok(processes[0]?.killed)
})

scheduling('a synchronous call gives up after ten seconds at the cap; an event waits on', async () => {
  const { submit, ready, clock, events } = await world({ maxEnvironments: 1 })
  const busy = version('busy', { maxEnvironments: 1 }, { timeoutMs: null })
  submit('a', busy)
  await ready()
  submit('held', busy)
  submit('sync', busy)
  submit('event', busy, true)

  await clock.advance(10_020)

  assert.equal(events, ['sync refused: environment-cap'])
})

scheduling('past the bound of waiting calls the next one is refused at once', async () => {
  const { submit } = await world({ maxEnvironments: 1, maxWaiting: 3 })
  const busy = version('busy')
  for (const id of ['a', 'b', 'c']) submit(id, busy)

  assert.throws(
    () => submit('d', busy),
    (error: EngineError) => error.detail === 'queue-full',
  )
})

scheduling('an idle environment of another function makes room when all are taken', async () => {
  const { submit, ready, processes, clock } = await world({ maxEnvironments: 1 })
  submit('a', version('first'))
  await ready()
  processes[0]?.answer()

  submit('b', version('second'))
  await clock.advance(10)
  await ready()

  assert.ok(processes[0]?.killed, 'the idle one ended')
  assert.equal(
    processes[1]?.held.map((one) => one.requestId),
    ['b'],
  )
})

scheduling('memory is leased: what does not fit beside others waits for their end', async () => {
  const { submit, ready, processes, clock } = await world({ memoryMb: 1000 })
  const large = (name: string): FunctionVersion => version(name, { resources: { memoryMb: 700_000 } })
  submit('a', large('first'))
  await ready()
  submit('b', large('second'))
  await clock.advance(20)
  assert.is(processes.length, 1)

  processes[0]?.answer()
  await turn()
  await clock.advance(10)
  await ready()

  assert.equal(
    processes[1]?.held.map((one) => one.requestId),
    ['b'],
  )
})

scheduling('what no node could hold is refused, with the reason', async () => {
  const { submit, events } = await world({ memoryMb: 1000 })

  submit('a', version('huge', { resources: { memoryMb: 2_000_000 } }))

  assert.equal(events, ['a refused: infeasible'])
})

scheduling('a replaced version drains: what runs ends there, what waits is resolved anew', async () => {
  const { submit, ready, scheduler, processes, events, orphans } = await world()
  const old = version('echo', { maxEnvironments: 1 })
  submit('a', old)
  await ready()
  submit('b', old)
  submit('c', old)
  await turn()

  scheduler.retire(old.key)
  await turn()
  processes[0]?.giveBack()
  processes[0]?.answer()
  await turn()

  assert.equal(events, ['a answered'])
  assert.equal(orphans.sort(), ['b', 'c'])
  assert.ok(processes[0]?.killed)
})

scheduling('a failing init is the answer of those who waited for it', async () => {
  const { submit, processes, events } = await world()
  submit('a', version('broken'))
  processes[0]?.boot()
  await turn()

  processes[0]?.initialize({ errorType: 'Runtime.HandlerNotFound', errorMessage: '', trace: [] })

  assert.equal(events, ['a init failed'])
})

scheduling('at concurrency 8 one environment runs eight at once and is not given a ninth', async () => {
  const { submit, ready, processes } = await world()
  const wide = version('wide', { concurrency: 8, maxEnvironments: 1 })
  for (let index = 0; index < 9; index++) submit(`${index}`, wide)
  await ready()

  assert.is(processes[0]?.held.length, 8)
  processes[0]?.answer('3')
  await turn()

  assert.is(processes[0]?.held.at(-1)?.requestId, '8')
})

scheduling('idle environments are ended after their time', async () => {
  const { submit, ready, processes, clock, scheduler } = await world()
  submit('a', version('echo'))
  await ready()
  processes[0]?.answer()

  await clock.advance(59_000)
  assert.is(scheduler.environments.length, 1)
  await clock.advance(3000)

  assert.is(scheduler.environments.length, 0)
})

scheduling.run()
