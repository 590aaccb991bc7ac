import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { turn, version, world } from '../support/scheduler-world.ts'
import { within } from '../support/until.ts'

/** Extensions go on with an invocation that was answered, and need time when their environment ends. */
const settling = suite('settling')
const parting = suite('parting')

settling('the caller is answered at once; the place is free when extensions are done', async () => {
  const { submit, ready, processes, events, clock } = await world()
  const one = version('one', { maxEnvironments: 1 })
  submit('a', one)
  await ready()
  const settle = processes[0]?.answerUnsettled()
  await clock.advance(20)
  submit('b', one)
  await turn()

  assert.equal(events, ['a answered'])
  assert.is(processes[0]?.environment.state, 'busy')
  assert.is(processes[0]?.environment.placesTaken, 1)
  assert.equal(processes[0]?.held, [])
  settle?.()
  await turn()

  assert.equal(events, ['a answered', 'a settled'])
  assert.equal(
    processes[0]?.held.map(({ requestId }) => requestId),
    ['b'],
  )
})

settling('an environment that dies meanwhile has answered all the same', async () => {
  const { submit, ready, processes, events } = await world()
  submit('a', version('echo'))
  await ready()
  processes[0]?.answerUnsettled()

  processes[0]?.crash()
  await turn()

  assert.equal(events, ['a answered', 'a settled'])
})

settling(
  'extensions that work past the time limit end the environment, and nobody is told twice',
  async () => {
    const { submit, ready, processes, events, clock } = await world()
    submit('a', version('hasty'))
    await ready()
    processes[0]?.needs(2_000)
    const settle = processes[0]?.answerUnsettled()

    await clock.advance(3_100)
    assert.equal(events, ['a answered', 'a settled'])
    assert.equal(processes[0]?.shutdowns, ['timeout'])
    settle?.()

    assert.equal(events, ['a answered', 'a settled'])
  },
)

parting('a time limit is told to the caller first, and to the extensions as the reason', async () => {
  const { submit, ready, processes, events, clock } = await world()
  submit('a', version('hasty'))
  await ready()
  processes[0]?.needs(2_000)

  await clock.advance(3_100)

  assert.equal(events, ['a timed out'])
  assert.equal(processes[0]?.shutdowns, ['timeout'])
  assert.not.ok(processes[0]?.killed)
  await clock.advance(2_600)
  assert.ok(processes[0]?.killed, 'nothing ends it by force')
})

parting('an idle environment is asked, and killed when its time is over', async () => {
  const { submit, ready, processes, scheduler, clock } = await world()
  submit('a', version('echo'))
  await ready()
  processes[0]?.needs(500)
  processes[0]?.answer()

  await clock.advance(62_000)

  assert.equal(processes[0]?.shutdowns, ['spindown'])
  assert.ok(processes[0]?.killed)
  assert.is(scheduler.environments.length, 0)
})

parting('a replaced version and the end of the engine ask, too', async () => {
  const { submit, ready, processes, scheduler } = await world()
  const [old, other] = [version('old'), version('other')]
  submit('a', old)
  submit('b', other)
  await ready()
  for (const process of processes) {
    process.needs(2_000)
    process.answer()
  }

  scheduler.retire(old.key)
  await turn()
  assert.equal(processes[0]?.shutdowns, ['spindown'])
  const closed = scheduler.close()
  await turn()
  assert.equal(processes[1]?.shutdowns, ['spindown'])
  assert.equal(processes[0]?.shutdowns, ['spindown'], 'once')
  for (const process of processes) process.crash(0)
  await turn()

  await within('the scheduler to close', closed)
})

parting('whoever needs no time is killed at once', async () => {
  const { submit, ready, processes, scheduler } = await world()
  const echo = version('echo')
  submit('a', echo)
  await ready()
  processes[0]?.answer()

  scheduler.retire(echo.key)

  assert.equal(processes[0]?.shutdowns, [])
  assert.ok(processes[0]?.killed)
})

settling.run()
parting.run()
