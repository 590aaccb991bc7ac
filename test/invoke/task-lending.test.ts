import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { turn } from '../support/scheduler-world.ts'
import type { ScriptedProcess } from '../support/scripted-process.ts'
import { said, taskWorld, value } from './task-world.ts'

const lending = suite('lending processors')

/** The newest invocation that a process holds. */
const last = (process: ScriptedProcess | undefined): number => process?.held.at(-1)?.id ?? 0

lending('a task that waits lends its processor, and goes on once it has it back', async () => {
  const { handler, run, remote, workers, settle } = await taskWorld({ cpu: 1 })
  const outer = remote(handler, run)
  await settle()
  const [parent] = workers() as [ScriptedProcess]
  const inner = remote(parent, last(parent))
  await settle()
  assert.is(workers().length, 1)

  parent.ask(`block\n${last(parent)}`, undefined, false)
  await settle()
  const child = workers()[1]
  assert.ok(child)
  const wake = parent.ask(`unblock\n${last(parent)}`)
  await settle()
  assert.is(said(parent.answerTo(wake)), 'nothing yet')
  child?.result(last(child), value('inner'))
  await settle()

  assert.is(said(parent.answerTo(inner)), 'inner')
  assert.is(said(parent.answerTo(wake)), '')
  parent.result(last(parent), value('outer'))
  await turn()
  assert.is(said(handler.answerTo(outer)), 'outer')
})

lending('who wants a processor back comes before new work', async () => {
  const { handler, run, remote, workers, settle } = await taskWorld({ cpu: 1 })
  remote(handler, run)
  await settle()
  const [parent] = workers() as [ScriptedProcess]
  remote(parent, last(parent))
  parent.ask(`block\n${last(parent)}`, undefined, false)
  await settle()
  const child = workers()[1] as ScriptedProcess
  for (let more = 0; more < 3; more++) remote(handler, run)
  const wake = parent.ask(`unblock\n${last(parent)}`)
  await settle()

  child.result(last(child), value('inner'))
  await settle()

  assert.is(said(parent.answerTo(wake)), '')
})

lending('at the cap a waiting environment runs its own children', async () => {
  const { handler, run, remote, settle, processes } = await taskWorld({ cpu: 2, maxEnvironments: 3 })
  const DEPTH = 12
  const chain: { process: ScriptedProcess; id: number }[] = []
  const isKnown = (process: ScriptedProcess, id: number): boolean =>
    process === handler || chain.some((one) => one.process === process && one.id === id)
  const newest = (): { process: ScriptedProcess; id: number } => {
    for (const process of processes)
      for (const { id } of process.held) if (!isKnown(process, id)) return { process, id }
    throw new Error(`nothing runs at depth ${chain.length}`)
  }
  const first = remote(handler, run)

  for (let depth = 0; depth < DEPTH; depth++) {
    await settle()
    const { process, id } = newest()
    chain.push({ process, id })
    remote(process, id)
    process.ask(`block\n${id}`, undefined, false)
  }
  await settle()
  assert.is(processes.length, 3)
  const leaf = newest()
  leaf.process.result(leaf.id, value('leaf'))
  for (const { process, id } of chain.toReversed()) {
    const wake = process.ask(`unblock\n${id}`)
    await settle()
    assert.is(said(process.answerTo(wake)), '')
    process.result(id, value('up'))
  }
  await settle()

  assert.is(said(handler.answerTo(first)), 'up')
})

lending('tasks of two functions take turns without a process ending for it', async () => {
  const { handler, run, remote, workers, settle, processes } = await taskWorld({ cpu: 1 })
  const call = async (of: string): Promise<void> => {
    const ref = remote(handler, run, value('a'), { of })
    await settle()
    const [worker] = workers() as [ScriptedProcess]
    worker.result(last(worker), value(of))
    await settle()
    assert.is(said(handler.answerTo(ref)), of)
  }

  for (let round = 0; round < 3; round++) {
    await call('left')
    await call('right')
  }

  assert.is(processes.length, 3)
  assert.is(processes.filter(({ killed }) => killed).length, 0)
})

lending('tasks have places even when handlers hold all environments', async () => {
  const { handler, run, remote, workers, settle } = await taskWorld({ cpu: 2, maxEnvironments: 1 })

  remote(handler, run)
  await settle()

  assert.is(workers().length, 1)
})

lending('waits that can never end are told to one of those who wait', async () => {
  const { handler, run, remote, workers, settle, refId, clock } = await taskWorld({ cpu: 2 })
  const first = remote(handler, run, value('a'))
  const second = remote(handler, run, value('b'))
  await settle()
  const [left, right] = workers() as [ScriptedProcess, ScriptedProcess]

  const leftWait = left.ask(`get\n${last(left)}\n${refId(handler, second)}`)
  left.ask(`block\n${last(left)}`, undefined, false)
  await clock.advance(1500)
  await turn()
  assert.is(said(left.answerTo(leftWait)), 'nothing yet')
  const rightWait = right.ask(`get\n${last(right)}\n${refId(handler, first)}`)
  right.ask(`block\n${last(right)}`, undefined, false)
  await clock.advance(1500)
  await turn()

  const told = [left.answerTo(leftWait), right.answerTo(rightWait)].map(said).sort()
  assert.equal(told, ['error WaitCycle', 'nothing yet'])
})

lending.run()

const cancelling = suite('cancelling tasks')

cancelling('one that waits is dropped, one that runs is asked to end, and neither runs again', async () => {
  const { handler, run, remote, workers, settle, refId, records, tasks } = await taskWorld({ cpu: 1 })
  const running = remote(handler, run)
  await settle()
  const [worker] = workers() as [ScriptedProcess]
  const waiting = remote(handler, run, value('b'), { options: { cpu: 0.5 } })
  await settle()
  assert.is(workers().length, 1)

  for (const ref of [running, waiting]) handler.ask(`cancel\n${refId(handler, ref)}\n0\n1`)
  await settle()

  assert.is(said(handler.answerTo(running)), 'error TaskCancelled')
  assert.is(said(handler.answerTo(waiting)), 'error TaskCancelled')
  assert.equal(worker.aborts, [last(worker)])
  assert.is(tasks.runs.size, 0)
  worker.crash()
  await settle()
  assert.is(workers().filter((one) => one !== worker).length, 0)
  assert.equal(
    records.map(({ status }) => status),
    ['cancelled', 'cancelled'],
  )
})

cancelling('force ends the process; children go with their parent unless told otherwise', async () => {
  const { handler, run, remote, workers, settle, refId, tasks } = await taskWorld({ cpu: 2 })
  const ref = remote(handler, run)
  await settle()
  const [parent] = workers() as [ScriptedProcess]
  remote(parent, last(parent))
  await settle()
  const child = workers()[1] as ScriptedProcess

  handler.ask(`cancel\n${refId(handler, ref)}\n1\n1`)
  await settle()

  assert.ok(parent.killed && child.killed)
  assert.is(tasks.runs.size, 0)
})

cancelling.run()

const streaming = suite('tasks that stream')

streaming('items come as refs, in order, and the producer learns how many were taken', async () => {
  const { handler, run, remote, workers, settle, refId, objects } = await taskWorld()
  const ref = remote(handler, run)
  await settle()
  const [producer] = workers() as [ScriptedProcess]
  const id = last(producer)

  producer.say(id, 'item\n0', value('a'))
  producer.say(id, 'item\n1', value('b'))
  handler.ask(`taken\n${ref}\n1`, undefined, false)
  await turn()
  assert.equal(producer.messages, [{ id, meta: 'taken\n1' }])
  assert.is(said(objects.find(`${refId(handler, ref)}.1`)), 'b')
  producer.result(id, value(''))
  await turn()

  assert.equal(
    handler.answers.map(({ flags }) => flags),
    [4, 4, 0],
  )
})

streaming('one that is run again does not repeat what was passed on', async () => {
  const { handler, run, remote, workers, settle } = await taskWorld()
  const ref = remote(handler, run)
  await settle()
  const [first] = workers() as [ScriptedProcess]
  first.say(last(first), 'item\n0', value('a'))
  handler.ask(`taken\n${ref}\n1`, undefined, false)
  first.held.length = 0
  first.crash()
  await settle()

  const [second] = workers() as [ScriptedProcess]
  second.say(last(second), 'item\n0', value('a'))
  second.say(last(second), 'item\n1', value('b'))
  await turn()

  assert.equal(handler.answers.map(said), ['a', 'b'])
  assert.equal(
    second.messages.map(({ meta }) => meta),
    ['taken\n1'],
  )
})

streaming('it stops when whoever reads has ended', async () => {
  const { handler, run, remote, workers, settle } = await taskWorld()
  remote(handler, run)
  await settle()
  const [producer] = workers() as [ScriptedProcess]
  producer.say(last(producer), 'item\n0', value('a'))

  handler.answer()
  await turn()

  assert.equal(
    producer.messages.map(({ meta }) => meta),
    ['stop'],
  )
})

streaming.run()
