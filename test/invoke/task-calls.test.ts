import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { packError } from '../../runtime/environments/call-payload.ts'
import { rejectsWith } from '../support/assert.ts'
import { turn, version } from '../support/scheduler-world.ts'
import { said, taskWorld, value } from './task-world.ts'

const calling = suite('calling tasks')

calling('a task runs in a process of its own kind, and its result goes to whoever asked', async () => {
  const { handler, run, remote, workers, settle, argumentsOf, objects, refId } = await taskWorld()

  const ref = remote(handler, run, value('one'))
  await settle()
  const [worker] = workers()
  assert.is.not(worker, handler)
  assert.is(worker?.held[0]?.target, 'task/work/again')
  assert.is(
    argumentsOf(worker as never)
      .args.toString()
      .slice(4),
    'one',
  )
  worker?.result(worker.held[0]?.id ?? 0, value('two'))
  await turn()

  assert.is(said(handler.answerTo(ref)), 'two')
  assert.is(objects.find(refId(handler, ref))?.flags, 0)
})

calling('refs end with the invocation that made them, but not the tasks', async () => {
  const { handler, run, remote, workers, settle, objects, tasks } = await taskWorld()
  remote(handler, run)
  await settle()

  handler.answer()
  assert.is(tasks.runs.size, 1)
  const [worker] = workers()
  worker?.result(worker.held[0]?.id ?? 0, value('late'))

  assert.is(objects.size, 0)
  assert.is(tasks.runs.size, 0)
})

calling('a ref in a result lives as long as the result does', async () => {
  const { handler, run, remote, workers, settle, objects, refId } = await taskWorld()
  const ref = remote(handler, run)
  await settle()
  const [worker] = workers() as [NonNullable<ReturnType<typeof workers>[0]>]
  const put = worker.ask(`put\n${worker.held[0]?.id}`, value('inner'))
  const innerId = refId(worker, put)

  worker.result(worker.held[0]?.id ?? 0, value('outer', [innerId]))
  assert.is(said(objects.find(innerId)), 'inner')
  const got = handler.ask(`get\n${run}\n${innerId}`)
  await turn()
  assert.is(said(handler.answerTo(got)), 'inner')
  handler.ask(`release\n${refId(handler, ref)},${innerId}`, undefined, false)

  assert.is(objects.size, 0)
})

calling('an unknown ref is an ObjectLost', async () => {
  const { handler, run } = await taskWorld()

  const got = handler.ask(`get\n${run}\no1-99`)
  await turn()

  assert.is(said(handler.answerTo(got)), 'error ObjectLost')
})

calling('an argument that is a ref is waited for and comes with the arguments', async () => {
  const { handler, run, remote, workers, settle, argumentsOf, refId } = await taskWorld()
  const first = remote(handler, run)
  const id = refId(handler, first)
  const second = remote(handler, run, value('args', [id]), { refs: `0:${id}` })
  await settle()

  const [worker] = workers() as [NonNullable<ReturnType<typeof workers>[0]>]
  assert.is(worker.held.length, 1)
  worker.result(worker.held[0]?.id ?? 0, value('first'))
  await settle()
  const [next] = workers() as [NonNullable<ReturnType<typeof workers>[0]>]
  const { args, attachments } = argumentsOf(next)

  assert.is(args.toString('utf8', args.length - 4), 'args')
  assert.equal(
    attachments.map((one) => [one.refId, said(one)]),
    [[id, 'first']],
  )
  assert.is(said(handler.answerTo(second)), 'nothing yet')
})

calling('a task whose argument failed fails with that error and does not start', async () => {
  const { handler, run, remote, workers, settle, refId } = await taskWorld()
  const first = remote(handler, run)
  const id = refId(handler, first)
  const second = remote(handler, run, value('args', [id]), { refs: `0:${id}` })
  await settle()

  const [worker] = workers()
  worker?.result(worker.held[0]?.id ?? 0, packError('RangeError', Buffer.from('x')), 1)
  await settle()

  assert.is(said(handler.answerTo(second)), 'error RangeError')
  assert.is(workers().length, 0)
})

calling('a task whose process died runs again, as often as it may, with the same arguments', async () => {
  const { handler, run, remote, workers, settle, argumentsOf, records } = await taskWorld()
  const ref = remote(handler, run, value('kept'), { options: { retries: 2 } })

  for (let attempt = 1; attempt <= 3; attempt++) {
    await settle()
    const [worker] = workers() as [NonNullable<ReturnType<typeof workers>[0]>]
    assert.is(argumentsOf(worker).args.toString().slice(4), 'kept')
    worker.held.length = 0
    worker.crash()
    await settle()
  }

  assert.is(said(handler.answerTo(ref)), 'error TaskCrashed')
  assert.equal(
    records.map(({ kind, status, attempt }) => [kind, status, attempt]),
    [['task', 'crashed', 3]],
  )
})

calling('an error is an answer, unless it is one that the task is retried on', async () => {
  const { handler, run, remote, workers, settle } = await taskWorld()
  const plain = remote(handler, run)
  await settle()
  const fail = (): void => {
    const [worker] = workers()
    worker?.result(worker.held[0]?.id ?? 0, packError('Busy', Buffer.from('x')), 1)
  }
  fail()
  await settle()
  assert.is(said(handler.answerTo(plain)), 'error Busy')

  const retried = remote(handler, run, value('a'), { options: { retryOn: ['Busy'], retries: 1 } })
  await settle()
  fail()
  await settle()
  assert.is(said(handler.answerTo(retried)), 'nothing yet')
  fail()
  await turn()

  assert.is(said(handler.answerTo(retried)), 'error Busy')
})

calling('what no node can hold is refused at once', async () => {
  const { handler, run, remote, settle } = await taskWorld()

  const ref = remote(handler, run, value('a'), { options: { gpu: 1 } })
  await settle()

  assert.is(said(handler.answerTo(ref)), 'error Infeasible')
})

calling('options that mean nothing are refused by name', async () => {
  const { handler, run, remote, settle } = await taskWorld()

  const ref = remote(handler, run, value('a'), { options: { retires: 1 } })
  await settle()

  assert.is(said(handler.answerTo(ref)), 'error TypeError')
})

calling('more tasks than may wait are refused with a typed error', async () => {
  const { handler, run, remote, settle } = await taskWorld({ maxTasks: 2 })

  remote(handler, run)
  remote(handler, run)
  const third = remote(handler, run)
  await settle()

  assert.is(said(handler.answerTo(third)), 'error LimitReached')
})

calling('the code of one process may not ask for more than its share', async () => {
  const { handler, run, remote, workers, settle } = await taskWorld({ maxTasksOfProcess: 1 })
  const first = remote(handler, run)
  const second = remote(handler, run)
  await settle()
  assert.is(said(handler.answerTo(second)), 'error LimitReached')

  const [worker] = workers()
  worker?.result(worker.held[0]?.id ?? 0, value('done'))
  const third = remote(handler, run)
  await settle()

  assert.is(said(handler.answerTo(first)), 'done')
  assert.is(said(handler.answerTo(third)), 'nothing yet')
})

calling('a task has no time limit unless it asks for one', async () => {
  const { handler, run, remote, workers, settle, clock } = await taskWorld()
  const free = remote(handler, run)
  const timed = remote(handler, run, value('a'), { options: { timeout: '1s' }, name: 'timed' })
  await settle()
  assert.is(workers().length, 2)

  await clock.advance(5000)
  await settle()

  assert.is(said(handler.answerTo(free)), 'nothing yet')
  assert.is(said(handler.answerTo(timed)), 'error TimeoutError')
})

calling('an environment ends after as many calls as a task allows', async () => {
  const { handler, run, remote, workers, settle, processes } = await taskWorld()
  for (let call = 0; call < 2; call++) {
    const ref = remote(handler, run, value('a'), { options: { maxCalls: 1 } })
    await settle()
    const [worker] = workers()
    worker?.result(worker.held[0]?.id ?? 0, value('b'))
    await settle()
    assert.is(said(handler.answerTo(ref)), 'b')
  }

  assert.is(processes.length, 3)
  assert.ok(processes[1]?.killed)
})

calling('a task of another function runs there, as it declares it', async () => {
  const manifest = { tasks: { work: { retries: 0 } }, actors: {} }
  const { handler, run, remote, workers, settle } = await taskWorld({ manifest })
  const ref = remote(handler, run, value('a'), { of: 'other' })
  const unknown = remote(handler, run, value('a'), { of: 'other', name: 'nothing' })
  await settle()

  const [worker] = workers()
  assert.is(worker?.environment.version?.functionName, 'other')
  worker?.crash()
  await settle()

  assert.is(said(handler.answerTo(ref)), 'error TaskCrashed')
  assert.is(said(handler.answerTo(unknown)), 'error Infeasible')
})

calling('from outside an unknown task is not found', async () => {
  const { tasks, objects } = await taskWorld()
  const { RefHolder } = await import('../../runtime/objects/object-table.ts')
  const holder = new RefHolder(objects)
  const request = { scope: { account: '0', region: 'r' }, functionName: 'f', qualifier: undefined, holder }

  const failure = await rejectsWith(
    tasks.submit({ ...request, exportName: 'missing', args: value('a'), refId: 'x1' }),
    'not-found',
  )

  assert.match(failure.hint ?? '', 'work')
})

calling('tasks of a replaced version still start for those who run it', async () => {
  const { handler, run, remote, workers, settle, scheduler } = await taskWorld()
  remote(handler, run)
  await settle()
  scheduler.retire(version('f').key)

  const second = remote(handler, run, value('b'))
  await settle()
  const worker = workers()[1]
  worker?.result(worker.held[0]?.id ?? 0, value('done'))
  await turn()

  assert.is(said(handler.answerTo(second)), 'done')
})

calling.run()
