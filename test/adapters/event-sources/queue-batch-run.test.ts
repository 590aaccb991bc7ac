import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { QueueBatchRun, type QueueBatchParts } from '../../../adapters/event-sources/queue-batch-run.ts'
import { queueMessage, type QueueMessage } from '../../../adapters/event-sources/queue-record.ts'
import { parseSourceArn } from '../../../adapters/event-sources/source-arn.ts'
import { EngineError } from '../../../runtime/errors.ts'
import { createFakeClock } from '../../support/clock.ts'
import { StreamWorld } from './stream-world.ts'

const runs = suite('batches of a queue, step by step')

const SECOND = 1000

function messageOf(id: string): QueueMessage {
  const source = parseSourceArn('arn:aws:sqs:us-east-1:000000000000:q')
  if (source === undefined) throw new Error('no source')
  return queueMessage({ MessageId: id, ReceiptHandle: `handle-${id}`, Body: id }, source, false)
}

/** A batch of two messages that were just received, and what is done with them, in order. */
function batchOf(answer: () => unknown, options: Partial<QueueBatchParts> & { itemFailures?: boolean } = {}) {
  const world = new StreamWorld(options.itemFailures === undefined ? {} : { itemFailures: true })
  const clock = createFakeClock()
  const done: string[] = []
  world.answer = () => {
    done.push('invoked')
    return answer()
  }
  const stopping = new AbortController()
  const run = new QueueBatchRun({
    record: world.record(),
    invoker: world.invoker(),
    rng: { fraction: () => 0, bytes: Buffer.alloc, uuid: () => 'id' },
    clock,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    queue: {
      delete: (handles) => Promise.resolve(void done.push(`deleted ${handles.join()}`)).then(() => []),
      hide: (handles, ms) => Promise.resolve(void done.push(`hidden ${handles.join()} ${ms}`)),
    },
    messages: [messageOf('a'), messageOf('b')],
    unwanted: [],
    receivedAtMs: clock.monotonicMs(),
    visibilityMs: 30 * SECOND,
    stopping: stopping.signal,
    abandoned: new AbortController().signal,
    onThrottle: () => done.push('throttled'),
    onResult: (result) => done.push(result),
    ...options,
  })
  return { run, clock, done, stopping }
}

const HANDLES = 'handle-a,handle-b'

runs('what has succeeded is deleted', async () => {
  const { run, done, clock } = batchOf(() => null)

  await run.finish()

  assert.equal(done, ['invoked', `deleted ${HANDLES}`, 'OK'])
  assert.is(clock.pending, 0)
})

runs('what has failed is left to the queue', async () => {
  const { run, done } = batchOf(() => 'fail')

  await run.finish()

  assert.equal(done, ['invoked'])
})

runs('what has failed in part is deleted in part', async () => {
  const answer = { batchItemFailures: [{ itemIdentifier: 'a' }] }
  const { run, done } = batchOf(() => answer, { itemFailures: true })

  await run.finish()

  assert.equal(done, ['invoked', 'deleted handle-b', 'OK'])
})

runs('a throttle is waited for, and messages stay hidden meanwhile', async () => {
  let throttles = 6
  const { run, clock, done } = batchOf(() =>
    throttles-- > 0 ? new EngineError('throttled', 'Rate Exceeded.') : null,
  )

  const finished = run.finish()
  await clock.advance(60 * SECOND)
  await finished

  assert.is(done.filter((one) => one === 'throttled').length, 6)
  assert.is(done.filter((one) => one === 'invoked').length, 7)
  assert.ok(done.includes(`hidden ${HANDLES} 30000`))
  assert.equal(done.slice(-2), [`deleted ${HANDLES}`, 'OK'])
  assert.is(clock.pending, 0)
})

runs('a stop gives messages that wait for a place back at once', async () => {
  const { run, clock, done, stopping } = batchOf(() => new EngineError('throttled', 'Rate Exceeded.'))

  const finished = run.finish()
  await clock.advance(SECOND)
  stopping.abort()
  await finished

  assert.is(done.at(-1), `hidden ${HANDLES} 0`)
  assert.is(clock.pending, 0)
})

runs('deleting is tried again, only with what is left', async () => {
  const tried: string[] = []
  const answers = [['handle-b'], []]
  const { run, clock } = batchOf(() => null, {
    queue: {
      delete: (handles) => {
        tried.push(handles.join())
        return Promise.resolve(answers.shift() ?? [])
      },
      hide: () => Promise.resolve(),
    },
  })

  const finished = run.finish()
  await clock.advance(5 * SECOND)
  await finished

  assert.equal(tried, [HANDLES, 'handle-b'])
})

runs('what nobody wants is deleted without an invocation', async () => {
  const { run, done } = batchOf(() => null, { messages: [], unwanted: [messageOf('u')] })

  await run.finish()

  assert.equal(done, ['deleted handle-u'])
})

runs.run()
