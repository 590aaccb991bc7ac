import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { EngineError, type ErrorCode } from '../../runtime/errors.ts'
import type { DeliverOutcome, OutgoingOutcome } from '../../runtime/invoke/event-outcome.ts'
import { unrunRecord } from '../../runtime/invoke/event-records.ts'
import { createLog } from '../../runtime/log.ts'
import { readDeliveries, readEndedEvent } from '../../runtime/store/ended-events.ts'
import { insertEvent } from '../../runtime/store/events.ts'
import { IN_MEMORY, openStore, type OpenStore } from '../../runtime/store/open.ts'
import { createFakeClock, type FakeClock } from '../support/clock.ts'
import { makeEvent } from '../store/samples.ts'
import { DEFAULT_POLICY, eventParts } from './event-parts.ts'

interface World {
  readonly store?: OpenStore
  readonly clock?: FakeClock
}

/** An outbox over a real store; what it hands out is answered by `deliver`. */
async function world(deliver: DeliverOutcome, given: World = {}) {
  const clock = given.clock ?? createFakeClock()
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  const store = given.store ?? (await openStore({ dataDirectory: IN_MEMORY, clock, log }))
  const { endings, outbox, lost } = eventParts({ store, clock, log, deliver })
  /** Ends an event whose outcome is owed to `target`. */
  const end = async (id: string, target: string, reason: 'success' | 'retries-exhausted' = 'success') => {
    const head = { ...makeEvent(id), attempt: 1 }
    await store.commit([insertEvent(makeEvent(id))])
    await endings.end({
      reason,
      attempts: 1,
      traceId: 'Root=1-2-3',
      response: { executedVersion: '7', isError: reason !== 'success', payload: Buffer.from('"answer"') },
      policy: { ...DEFAULT_POLICY, onSuccess: target, onFailure: target },
      record: unrunRecord(head, reason === 'success' ? 'succeeded' : 'failed', '', ''),
    })
    await clock.advance(0)
  }
  return { clock, store, outbox, lost, end }
}

const refusing = (code: ErrorCode): Promise<never> => Promise.reject(new EngineError(code, 'No.'))

const owing = suite('the outbox')

owing('what a target has taken is forgotten, with its event', async () => {
  const taken: OutgoingOutcome[] = []
  const { store, outbox, end } = await world(async (outcome) => void taken.push(outcome))

  await end('a', 'arn:a')

  assert.equal(
    taken.map(({ target, event }) => [
      target,
      event.id,
      String(event.payload),
      String(event.response?.payload),
    ]),
    [['arn:a', 'a', '{"order":1}', '"answer"']],
  )
  assert.equal(
    [outbox.size, readEndedEvent(store.reader, 'a'), readDeliveries(store.reader, 'a').length],
    [0, undefined, 0],
  )
})

owing('a target that is away is asked less and less often, until it is back', async () => {
  const attemptsAtMs: number[] = []
  const { clock, outbox, end, lost } = await world(() => {
    attemptsAtMs.push(clock.monotonicMs())
    return attemptsAtMs.length < 5 ? refusing('unavailable') : Promise.resolve()
  })
  await end('a', 'arn:a')

  await clock.advance(60_000)

  assert.equal(attemptsAtMs, [0, 1000, 3000, 7000, 15_000])
  assert.equal([outbox.size, lost.length], [0, 0])
})

owing('a target that is away holds up no other', async () => {
  const taken: string[] = []
  const { end } = await world(({ target, event }) => {
    if (target === 'arn:away') return refusing('unavailable')
    taken.push(event.id)
    return Promise.resolve()
  })

  for (let number = 0; number < 40; number++) await end(`away-${number}`, 'arn:away')
  await end('b', 'arn:there')

  assert.equal(taken, ['b'])
})

owing('one delivery goes ahead of all others to a target that was away', async () => {
  let isThere = false
  let attempts = 0
  const { clock, end, outbox } = await world(() => {
    attempts += 1
    return isThere ? Promise.resolve() : refusing('unavailable')
  })
  for (let number = 0; number < 40; number++) await end(`event-${number}`, 'arn:a')
  const atOnce = attempts

  await clock.advance(1000)
  assert.is(attempts, atOnce + 1)
  isThere = true
  await clock.advance(10_000)

  assert.is(outbox.size, 0)
})

for (const [code, attempts] of [
  ['not-found', 3],
  ['forbidden', 3],
  ['invalid', 1],
  ['too-large', 1],
] as const) {
  owing(`a target that refuses with ${code} is asked ${attempts} times; that is on record`, async () => {
    const { clock, store, outbox, lost, end } = await world(() => refusing(code))

    await end('a', 'arn:a')
    await clock.advance(10_000)

    assert.is(outbox.size, 0)
    assert.equal(
      lost.map(({ eventId, functionName, reason }) => [eventId, functionName, reason]),
      [['a', 'orders', 'No.']],
    )
    const [delivery] = readDeliveries(store.reader, 'a')
    assert.equal([delivery?.state, delivery?.attempts, delivery?.lastError], ['failed', attempts, 'No.'])
  })
}

owing('a delivery is given up at its age', async () => {
  const { clock, lost, outbox, end } = await world(() => refusing('unavailable'))
  await end('a', 'arn:a')

  await clock.advance(3_600_000 + 300_000)

  assert.equal([lost.length, outbox.size], [1, 0])
})

owing('a target that does not answer is left after half a minute', async () => {
  let attempts = 0
  const { clock, end } = await world((_outcome, signal) => {
    attempts += 1
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  })
  await end('a', 'arn:a')

  await clock.advance(29_999)
  assert.is(attempts, 1)
  await clock.advance(1001)

  assert.is(attempts, 2)
})

owing('what was owed when the engine stopped is delivered after the next start', async () => {
  const first = await world(
    (_outcome, signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  )
  await first.end('a', 'arn:a', 'retries-exhausted')
  await first.end('b', 'arn:b')
  await first.outbox.close()

  const taken: string[] = []
  const { outbox, store, clock } = await world(async ({ event }) => void taken.push(event.id), first)
  outbox.resume()
  await clock.advance(0)

  assert.equal(taken.sort(), ['a', 'b'])
  assert.is(outbox.size, 0)
  assert.is(readDeliveries(store.reader, 'a')[0]?.state, 'delivered')
  assert.is(readDeliveries(store.reader, 'a')[0]?.attempts, 1)
})

owing.run()
