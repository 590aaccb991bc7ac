import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { EngineError } from '../../runtime/errors.ts'
import { EventQueue } from '../../runtime/invoke/event-queue.ts'
import type { EventRefusal, InvokeSink } from '../../runtime/invoke/types.ts'
import { createLog } from '../../runtime/log.ts'
import type { EventPolicy, OutgoingOutcome } from '../../runtime/invoke/event-outcome.ts'
import type { RecordFirst, RunRequest } from '../../runtime/invoke/invocation-run.ts'
import type { Target } from '../../runtime/registry/types.ts'
import { readEndedEvent } from '../../runtime/store/ended-events.ts'
import { loadEventHeads } from '../../runtime/store/events.ts'
import { IN_MEMORY, openStore, type OpenStore } from '../../runtime/store/open.ts'
import { readRun } from '../../runtime/store/runs.ts'
import { createFakeClock, type FakeClock } from '../support/clock.ts'
import { rejectsWith } from '../support/assert.ts'
import { version } from '../support/scheduler-world.ts'
import { until } from '../support/until.ts'
import { makeRun } from '../store/samples.ts'
import { DEFAULT_POLICY, eventParts } from './event-parts.ts'

const throttled = (): EngineError => new EngineError('throttled', 'Rate Exceeded.')

interface Started {
  readonly request: RunRequest
  readonly sink: InvokeSink
  readonly attempt: number
  readonly recordFirst: RecordFirst
}

interface WorldOptions {
  readonly cachedPayloadBytes?: number
  readonly policy?: () => EventPolicy
  readonly store?: OpenStore
  readonly clock?: FakeClock
  readonly keptBytes?: number
}

/** A queue whose runs do nothing until the test ends them. */
async function world({ cachedPayloadBytes, policy, keptBytes, ...given }: WorldOptions = {}) {
  const clock = given.clock ?? createFakeClock()
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  const store = given.store ?? (await openStore({ dataDirectory: IN_MEMORY, clock, log }))
  const started: Started[] = []
  const delivered: OutgoingOutcome[] = []
  const parts = eventParts({
    ...{ store, clock, log },
    deliver: async (outcome) => void delivered.push(outcome),
    ...(policy === undefined ? {} : { policy }),
    ...(keptBytes === undefined ? {} : { keptBytes }),
  })
  const queue = new EventQueue({
    ...parts,
    start: (request, sink, event) => started.push({ request, sink, ...event }),
    ...(cachedPayloadBytes === undefined ? {} : { cachedPayloadBytes }),
  })
  const accept = (
    requestId: string,
    functionName = 'echo',
    payload = Buffer.from('{}'),
    refusal?: EventRefusal,
  ): Promise<void> =>
    queue.accept(
      {
        scope: { account: '0', region: 'r' },
        functionName,
        qualifier: undefined,
        payload,
        requestId,
        traceId: '',
        clientContext: '',
        tenantId: '',
        ...(refusal === undefined ? {} : { refusal }),
      },
      (): Target => ({
        version: version(functionName),
        limits: { functionId: functionName, reservedConcurrency: null, inFlight: 0 },
        invokedArn: '',
        qualifier: '',
        executedVersion: '$LATEST',
      }),
    )
  return { clock, queue, store, accept, started, delivered, outbox: parts.outbox }
}

/** Ends a run as the path of an invocation does: the answer first, then the record. */
async function finish(one: Started | undefined, status: 'succeeded' | 'failed' | 'crashed'): Promise<void> {
  assert.ok(one)
  const isError = status !== 'succeeded'
  const payload = Buffer.from(isError ? '{"errorType":"Error","errorMessage":"no"}' : '"yes"')
  one.sink.result({
    kind: isError ? 'function-error' : 'success',
    payload,
    executedVersion: '$LATEST',
    logTail: undefined,
    contentType: '',
  })
  const { requestId, functionName } = one.request
  const record = {
    ...makeRun(requestId),
    functionName,
    trigger: 'event',
    status,
    attempt: one.attempt,
  } as const
  await one.recordFirst(record)
}

const queueing = suite('the queue of events')

queueing('ten that are refused together pause their function once, and come back in order', async () => {
  const { clock, accept, started } = await world()
  const ids = Array.from({ length: 10 }, (_, index) => `event-${index}`)
  for (const id of ids) await accept(id)
  const first = started.splice(0)
  assert.is(first.length, 10)

  for (const { sink } of first) sink.refused(throttled())
  await clock.advance(999)
  assert.is(started.length, 0)
  await clock.advance(2)

  assert.equal(
    started.map(({ request }) => request.requestId),
    ids,
  )
})

queueing('a function that is refused again and again is asked less and less often', async () => {
  const { clock, accept, started } = await world()
  await accept('a')

  const waits: number[] = []
  for (let round = 0; round < 4; round++) {
    started.splice(0)[0]?.sink.refused(throttled())
    const sinceMs = clock.monotonicMs()
    while (started.length === 0) await clock.advance(500)
    waits.push(clock.monotonicMs() - sinceMs)
  }

  assert.equal(waits, [1000, 2000, 4000, 8000])
})

queueing('what is put back is kept in memory only while there is room', async () => {
  const payload = Buffer.from('"four"')
  const { clock, accept, started } = await world({ cachedPayloadBytes: payload.length })
  await accept('runs', 'first', payload)
  await accept('fills the cache', 'second', payload)
  started.splice(0)[1]?.sink.refused(throttled())
  await accept('has no room', 'third', payload)
  const [refused] = started.splice(0)
  refused?.sink.refused(throttled())

  await clock.advance(1000)

  const again = new Map(started.map(({ request }) => [request.requestId, request.payload]))
  assert.is(again.get('fills the cache'), payload)
  assert.is.not(again.get('has no room'), refused?.request.payload)
  assert.equal(again.get('has no room'), payload)
})

queueing('a failed event runs again after a minute, then after two, under the same id', async () => {
  const { clock, store, accept, started, queue } = await world()
  await accept('a')

  const waits: number[] = []
  for (let attempt = 1; attempt <= 3; attempt++) {
    const [one] = started.splice(0)
    assert.equal([one?.request.requestId, one?.attempt], ['a', attempt])
    await finish(one, 'failed')
    const sinceMs = clock.monotonicMs()
    while (started.length === 0 && queue.size > 0) await clock.advance(1000)
    waits.push(clock.monotonicMs() - sinceMs)
  }

  assert.equal(waits, [60_000, 120_000, 0])
  assert.is(readRun(store.reader, 'a')?.attempt, 3)
  assert.is(readEndedEvent(store.reader, 'a')?.reason, 'retries-exhausted')
  assert.is(readEndedEvent(store.reader, 'a')?.attempts, 3)
  assert.equal(loadEventHeads(store.reader, 0, 10), [])
})

queueing('there is no record of an event that still waits for a retry', async () => {
  const { store, accept, started } = await world()
  await accept('a')

  await finish(started[0], 'failed')

  assert.is(readRun(store.reader, 'a'), undefined)
  assert.equal(
    loadEventHeads(store.reader, 0, 10).map(({ id, attempt, dueAtMs, acceptedAtMs }) => [
      id,
      attempt,
      dueAtMs - acceptedAtMs,
    ]),
    [['a', 1, 60_000]],
  )
})

queueing('a retry holds up no other event, and takes its turn among them', async () => {
  const { clock, accept, started } = await world()
  await accept('a')
  await finish(started.splice(0)[0], 'failed')

  await accept('b')
  assert.equal(
    started.splice(0).map(({ request }) => request.requestId),
    ['b'],
  )
  await clock.advance(60_000)

  assert.equal(
    started.map(({ request, attempt }) => [request.requestId, attempt]),
    [['a', 2]],
  )
})

queueing('a retry is due when it was due, after the next start too', async () => {
  const first = await world()
  await first.accept('a')
  await finish(first.started[0], 'failed')
  await first.clock.advance(20_000)
  void first.queue.drain()

  const { clock, started, queue } = await world({ store: first.store, clock: first.clock })
  queue.resume()
  await clock.advance(39_999)
  assert.is(started.length, 0)
  await clock.advance(1)

  assert.equal(
    started.map(({ request, attempt }) => [request.requestId, attempt]),
    [['a', 2]],
  )
})

queueing('a clock that was set back keeps no retry waiting for longer than its delay', async () => {
  const first = await world()
  await first.accept('a')
  await finish(first.started[0], 'failed')
  void first.queue.drain()

  const clock = createFakeClock(first.clock.nowMs() - 86_400_000)
  const { started, queue } = await world({ store: first.store, clock })
  queue.resume()
  await clock.advance(120_000)

  assert.is(started.length, 1)
})

queueing('without retries the first failure is the end, and both targets are told', async () => {
  const policy = {
    ...DEFAULT_POLICY,
    maxRetries: 0,
    onFailure: 'arn:failures',
    onSuccess: 'arn:successes',
    deadLetter: 'arn:dead',
  }
  const { store, accept, started, delivered, outbox } = await world({ policy: () => policy })
  await accept('a', 'echo', Buffer.from('{"n":1}'))

  await finish(started[0], 'crashed')
  await until('both are told', () => outbox.size === 0)

  assert.equal(
    delivered.map(({ kind, target, functionArn, event }) => [
      kind,
      target,
      functionArn,
      event.reason,
      String(event.payload),
    ]),
    [
      ['dead-letter', 'arn:dead', 'arn:aws:lambda:r:0:function:echo:$LATEST', 'retries-exhausted', '{"n":1}'],
      [
        'destination',
        'arn:failures',
        'arn:aws:lambda:r:0:function:echo:$LATEST',
        'retries-exhausted',
        '{"n":1}',
      ],
    ],
  )
  assert.is(String(delivered[0]?.event.response?.payload), '{"errorType":"Error","errorMessage":"no"}')
  assert.is(readEndedEvent(store.reader, 'a')?.payload.kind, 'payload')
})

queueing('a success is told to its destination, and nothing of it is kept after that', async () => {
  const policy = { ...DEFAULT_POLICY, onFailure: 'arn:failures', onSuccess: 'arn:successes' }
  const { store, accept, started, delivered, outbox } = await world({ policy: () => policy })
  await accept('a')

  await finish(started[0], 'succeeded')
  await until('it is told', () => outbox.size === 0)
  await until('it is forgotten', () => readEndedEvent(store.reader, 'a') === undefined)

  assert.equal(
    delivered.map(({ target, event }) => [target, event.reason, event.attempts]),
    [['arn:successes', 'success', 1]],
  )
})

queueing('a retry that would come too late is not waited for', async () => {
  const policy = { ...DEFAULT_POLICY, maxAgeMs: 100_000 }
  const { clock, store, accept, started } = await world({ policy: () => policy })
  await accept('a')

  await finish(started.splice(0)[0], 'failed')
  await clock.advance(60_000)
  await finish(started.splice(0)[0], 'failed')

  const ended = readEndedEvent(store.reader, 'a')
  assert.equal([ended?.reason, ended?.attempts, ended?.response?.isError], ['event-age-exceeded', 2, true])
})

queueing(
  'a throttled event is given up at its maximum age, with what its last attempt answered',
  async () => {
    const policy = { ...DEFAULT_POLICY, maxAgeMs: 90_000 }
    const { clock, store, accept, started, queue } = await world({ policy: () => policy })
    await accept('a')
    await finish(started.splice(0)[0], 'failed')

    for (let second = 0; second < 300 && queue.size > 0; second++) {
      await clock.advance(1000)
      for (const { sink } of started.splice(0)) sink.refused(throttled())
    }

    const ended = readEndedEvent(store.reader, 'a')
    assert.equal([ended?.reason, ended?.attempts], ['event-age-exceeded', 1])
    assert.is(String(ended?.response?.payload), '{"errorType":"Error","errorMessage":"no"}')
    assert.is(readRun(store.reader, 'a')?.status, 'expired')
  },
)

queueing('a function that is off runs nothing: its events end with that reason and no attempt', async () => {
  const policy = { ...DEFAULT_POLICY, isOff: true, onFailure: 'arn:failures' }
  const { store, accept, started, delivered, outbox, queue } = await world({ policy: () => policy })
  await accept('a')

  started[0]?.sink.refused(new EngineError('throttled', 'Rate Exceeded.', { detail: 'reserved-concurrency' }))
  await until('it has ended', () => queue.size === 0 && outbox.size === 0)

  assert.equal(
    delivered.map(({ event }) => [event.reason, event.attempts, event.response]),
    [['zero-reserved-concurrency', 0, undefined]],
  )
  assert.is(readRun(store.reader, 'a')?.errorType, 'ZeroReservedConcurrency')
})

queueing('what must not run ends in the transaction that accepts it', async () => {
  const policy = { ...DEFAULT_POLICY, onFailure: 'arn:failures' }
  const { store, accept, started, delivered, queue } = await world({ policy: () => policy })

  const refusal = {
    reason: 'recursion-detected',
    errorType: 'RecursiveInvocation',
    message: 'In circles.',
  } as const
  await accept('a', 'echo', Buffer.from('{}'), refusal)

  assert.equal([started.length, queue.size], [0, 0])
  assert.is(readRun(store.reader, 'a')?.errorType, 'RecursiveInvocation')
  assert.equal(
    delivered.map(({ event }) => event.reason),
    ['recursion-detected'],
  )
})

queueing('an event that waits can be cancelled, one that was started cannot', async () => {
  const { store, accept, started, queue } = await world()
  for (let number = 0; number < 33; number++) await accept(`event-${String(number).padStart(2, '0')}`)
  await finish(started[1], 'failed')

  await rejectsWith(queue.cancel('echo', 'event-00'), 'conflict')
  await queue.cancel('echo', 'event-01')
  await rejectsWith(queue.cancel('echo', 'event-01'), 'not-found')

  assert.is(readRun(store.reader, 'event-01')?.status, 'cancelled')
  assert.is(readEndedEvent(store.reader, 'event-01')?.reason, 'cancelled')
  assert.equal([queue.size, started.length], [32, 33])
})

queueing('the oldest failed events make room for new ones past a limit', async () => {
  const { store, accept, started } = await world({
    policy: () => ({ ...DEFAULT_POLICY, maxRetries: 0 }),
    keptBytes: 50_000,
  })

  for (let number = 10; number < 60; number++) {
    await accept(`event-${number}`, 'echo', Buffer.alloc(4000, '1'))
    await finish(started.splice(0)[0], 'failed')
  }

  assert.is(readEndedEvent(store.reader, 'event-10'), undefined)
  assert.ok(readEndedEvent(store.reader, 'event-59'))
  const { kept } = store.reader.prepare('SELECT count(*) AS kept FROM ended_events').get() as { kept: number }
  assert.ok(kept <= 13, `${kept} are kept`)
})

queueing.run()
