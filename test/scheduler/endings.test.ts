import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { turn, version, world } from '../support/scheduler-world.ts'
import { within } from '../support/until.ts'

const endings = suite('endings')

endings('closing answers everything: what runs is lost, what waits is refused', async () => {
  const { submit, ready, scheduler, events } = await world()
  const one = version('one', { maxEnvironments: 1 })
  submit('runs', one)
  await ready()
  submit('held ahead', one)
  submit('waits', one)
  await turn()

  await within('the scheduler to close', scheduler.close())

  assert.equal(events.sort(), ['held ahead refused: unavailable', 'runs lost', 'waits refused: unavailable'])
})

endings('what comes after the close is refused', async () => {
  const { submit, scheduler, events } = await world()
  await scheduler.close()

  submit('late', version('echo'))

  assert.equal(events, ['late refused: unavailable'])
})

endings('closing ends when everybody has been told, not when the processes are gone', async () => {
  const { submit, ready, scheduler, events, processes, clock } = await world()
  submit('runs', version('echo'))
  await ready()
  processes[0]?.environment.logConnected() // a grandchild holds the log open: its last lines are waited for

  const told = scheduler.close().then(() => events.slice())
  await turn()
  await clock.advance(100)

  assert.equal(await within('the scheduler to close', told), ['runs lost'])
})

endings('a replaced version that loads without end is ended at once', async () => {
  const { submit, scheduler, processes, orphans } = await world()
  const stuck = version('stuck')
  submit('a', stuck)
  processes[0]?.boot()
  await turn()

  scheduler.retire(stuck.key)
  await turn()

  assert.equal(orphans, ['a'])
  assert.ok(processes[0]?.killed)
  assert.is(scheduler.environments.length, 0)
})

endings('an idle environment whose connection broke is handed nothing more', async () => {
  const { submit, ready, processes, events } = await world()
  const echo = version('echo')
  submit('a', echo)
  await ready()
  processes[0]?.answer()
  processes[0]?.environment.disconnected()

  submit('b', echo)
  processes[0]?.exit(1)
  await turn()
  await ready()
  processes[1]?.answer()

  assert.equal(events, ['a answered', 'b answered'])
})

endings('one that runs several is handed nothing more when its connection broke', async () => {
  const { submit, ready, processes, events } = await world()
  const wide = version('wide', { concurrency: 4 })
  submit('a', wide)
  await ready()
  processes[0]?.environment.disconnected()

  submit('b', wide)
  processes[0]?.exit(1)
  await turn()
  await ready()
  processes[1]?.answer()

  assert.equal(events, ['a lost', 'b answered'])
})

endings('a spare whose connection broke is not taken', async () => {
  const { submit, spares, ready, processes, events } = await world({ spares: 1 })
  spares.want({ nodePath: 'node', version: 'v20' })
  processes[0]?.boot()
  assert.is(spares.ready.length, 1)
  processes[0]?.environment.disconnected()

  submit('a', version('echo'))
  processes[0]?.exit(1)
  await turn()
  await ready()
  processes[1]?.answer()

  assert.equal(events, ['a answered'])
})

endings('functions that could never run leave nothing behind', async () => {
  const { submit, scheduler, clock } = await world({ memoryMb: 1000 })
  for (let index = 0; index < 5; index++)
    submit(`${index}`, version(`huge-${index}`, { resources: { memoryMb: 2_000_000 } }))

  await clock.advance(1100)

  assert.is(scheduler.pools, 0)
})

endings.run()
