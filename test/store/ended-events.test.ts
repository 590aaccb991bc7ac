import { strict as assert } from 'node:assert'
import { suite } from 'uvu'
import {
  addDelivery,
  endEvent,
  endedEventBytes,
  loadOwedDeliveries,
  readEndedEvent,
  settleDelivery,
} from '../../runtime/store/ended-events.ts'
import { deleteEvent, insertEvent } from '../../runtime/store/events.ts'
import { openStore } from '../../runtime/store/open.ts'
import { createFakeClock } from '../support/clock.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'
import { idOf, keptLog, makeEvent, THEN_MS } from './samples.ts'

const KEEP_ALL = {
  runsMaxAgeMs: 1e12,
  runsMaxCount: 1e9,
  failedEventsMaxAgeMs: 1e12,
  failedEventsMaxBytes: 1e12,
  logsMaxAgeMs: 1e12,
  logsMaxBytes: 1e12,
}

/** A store with events that ended a second apart, the last one just now; the first is owed to somebody. */
async function open(folder: TemporaryDirectory, amount: number) {
  const clock = createFakeClock(THEN_MS)
  const store = await openStore({ dataDirectory: folder.join('data'), clock, log: keptLog(), inline: true })
  for (let number = 0; number < amount; number++) {
    const id = idOf(number)
    const endedAtMs = THEN_MS - 1000 * (amount - 1 - number)
    const end = { reason: 'retries-exhausted', attempts: 3, endedAtMs, traceId: '', response: undefined }
    const owed = number === 0 ? 1 : 0
    await store.commit([
      insertEvent(makeEvent(id)),
      endEvent(id, end, { isKept: true, owed }),
      ...(owed === 1 ? [addDelivery(id, 'destination', 'arn:a', endedAtMs)] : []),
      deleteEvent(id),
    ])
  }
  const kept = (): number[] =>
    Array.from({ length: amount }, (_, number) => number).filter(
      (number) => readEndedEvent(store.reader, idOf(number)) !== undefined,
    )
  return { store, kept }
}

const ending = suite('ended events')

ending('are kept for a time, and those that are owed until they are told', async () => {
  using folder = temporaryDirectory()
  const { store, kept } = await open(folder, 10)

  await store.journal.applyRetention({ ...KEEP_ALL, failedEventsMaxAgeMs: 4500 })
  assert.deepEqual(kept(), [0, 5, 6, 7, 8, 9])
  const [head] = loadOwedDeliveries(store.reader, undefined, 10)
  assert.ok(head)
  await store.commit(settleDelivery(head, 'delivered', 1, THEN_MS, null))
  await store.journal.applyRetention({ ...KEEP_ALL, failedEventsMaxAgeMs: 4500 })

  assert.deepEqual(kept(), [5, 6, 7, 8, 9])
  assert.deepEqual(loadOwedDeliveries(store.reader, undefined, 10), [])
  await store.close()
})

ending('are kept up to a size, the newest ones, and their bytes are counted', async () => {
  using folder = temporaryDirectory()
  const { store, kept } = await open(folder, 200)
  const bytes = endedEventBytes(store.reader)

  await store.journal.applyRetention({ ...KEEP_ALL, failedEventsMaxBytes: bytes / 2 })

  const left = kept()
  assert.ok(left.length <= 101 && left.length >= 50, `${left.length} are left`)
  assert.ok(left.includes(0) && left.includes(199))
  assert.ok(endedEventBytes(store.reader) <= bytes / 2)
  assert.equal(Math.round(endedEventBytes(store.reader) / left.length), bytes / 200)
  await store.close()
})

ending.run()
