import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { turn, version, world } from '../support/scheduler-world.ts'

const room = suite('room on a full machine')

room('sixteen callers of a function that takes eight at once need two environments', async () => {
  const { submit, ready, processes, clock } = await world()
  const wide = version('wide', { concurrency: 8 })
  for (let index = 0; index < 16; index++) submit(`${index}`, wide)

  await clock.advance(50)
  await ready()

  assert.equal(
    processes.map((process) => process.held.length),
    [8, 8],
  )
})

room('one who waits costs one idle environment, however long that takes to end', async () => {
  const { submit, ready, processes, clock } = await world({ maxEnvironments: 3 })
  for (const name of ['first', 'second', 'third']) submit(name, version(name))
  await ready()
  for (const process of processes) {
    process.answer()
    process.slowToDie = true
    await clock.advance(1)
  }

  submit('a', version('fourth'))
  await clock.advance(50)

  assert.equal(
    processes.map((process) => process.killed),
    [true, false, false],
  )
})

room('a function that has nothing is given a place although others never stop asking', async () => {
  const { submit, ready, processes, clock, events } = await world({ maxEnvironments: 2 })
  const busy = version('busy')
  for (let index = 0; index < 4; index++) submit(`busy ${index}`, busy)
  await ready()
  await clock.advance(10)
  await ready()
  submit('starved', version('starved'))

  for (let round = 0; round < 150; round++) {
    await clock.advance(20)
    for (const part of ['a', 'b', 'c']) submit(`more ${round}${part}`, busy)
    await ready()
    for (const process of processes) if (process.held.length > 0 && !process.killed) process.answer()
  }

  const when = events.indexOf('starved answered')
  assert.ok(when >= 0, 'it was answered')
  assert.ok(events.length - when > 50, `after ${when} of ${events.length} answers`)
})

room('two functions share the only place by turns', async () => {
  const { submit, ready, processes, clock, events } = await world({ maxEnvironments: 1 })
  const counts = { a: 0, b: 0 }
  for (let round = 0; round < 500; round++) {
    submit('a', version('first'))
    submit('b', version('second'))
    await clock.advance(20)
    await ready()
    for (const process of processes) if (process.held.length > 0 && !process.killed) process.answer()
  }

  for (const event of events) {
    if (event === 'a answered') counts.a++
    else if (event === 'b answered') counts.b++
  }

  assert.ok(counts.a > 100 && counts.b > 100, JSON.stringify(counts))
})

room('nobody ends for a function that no longer waits', async () => {
  const { submit, ready, processes, clock, events } = await world({ maxEnvironments: 2 })
  const other = version('other', {}, { timeoutMs: null })
  submit('long', version('long', {}, { timeoutMs: null }))
  submit('other long', other)
  await ready()
  submit('waits', other)
  await clock.advance(20)
  processes[1]?.giveBack()
  await clock.advance(10_020)
  assert.equal(events, ['waits refused: environment-cap'])

  processes[0]?.answer('long')
  await turn()

  assert.is(processes[0]?.killed, false)
})

room.run()
