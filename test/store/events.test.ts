import { strict as assert } from 'node:assert'
import SqliteDatabase from 'better-sqlite3'
import { suite } from 'uvu'
import { systemClock } from '../../runtime/clock.ts'
import {
  countEvents,
  countQuarantinedEvents,
  deleteEvent,
  insertEvent,
  loadEventHeads,
  loadEvents,
  quarantineEvent,
  readEventPayload,
  readLastError,
  updateEventAttempt,
} from '../../runtime/store/events.ts'
import { IN_MEMORY, openStore, type OpenStore } from '../../runtime/store/open.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { idOf, keptLog, makeEvent, SCOPE, THEN_MS } from './samples.ts'

const inMemory = (): Promise<OpenStore> =>
  openStore({ dataDirectory: IN_MEMORY, clock: systemClock, log: keptLog() })

const events = suite('events')

events('come back in order of acceptance, page by page, with everything but the payload', async () => {
  const store = await inMemory()
  const ids = [3, 1, 2].map(idOf)
  for (const id of ids)
    await store.commit([insertEvent({ ...makeEvent(id), clientContext: 'e30=', tenantId: 'blue' })])

  const first = loadEventHeads(store.reader, 0, 2)
  const second = loadEventHeads(store.reader, first.at(-1)?.sequence ?? 0, 2)

  assert.deepEqual(
    [...first, ...second].map(({ id }) => id),
    ids,
  )
  assert.deepEqual(first[0], {
    id: idOf(3),
    sequence: 1,
    scope: SCOPE,
    functionId: 'fn-1',
    functionName: 'orders',
    qualifier: '$LATEST',
    traceId: 'Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=0',
    clientContext: 'e30=',
    tenantId: 'blue',
    acceptedAtMs: THEN_MS,
    dueAtMs: THEN_MS,
    attempt: 0,
    payloadBytes: 11,
  })
  await store.close()
})

events('keep their attempts until they are deleted', async () => {
  const store = await inMemory()
  await store.commit([
    insertEvent(makeEvent(idOf(1))),
    insertEvent({ ...makeEvent(idOf(2)), functionId: 'f2' }),
  ])

  await store.commit([updateEventAttempt(idOf(1), 1, THEN_MS + 60_000, '{"errorType":"Error"}')])
  await store.commit([deleteEvent(idOf(2))])

  const [head, ...rest] = loadEventHeads(store.reader, 0, 10)
  assert.deepEqual(
    [head?.attempt, head?.dueAtMs, readLastError(store.reader, idOf(1)), rest.length],
    [1, THEN_MS + 60_000, '{"errorType":"Error"}', 0],
  )
  assert.equal(countEvents(store.reader, 'fn-1'), 1)
  assert.equal(countEvents(store.reader, 'f2'), 0)
  await store.close()
})

events('payloads of any bytes and sizes are read by id', async () => {
  const store = await inMemory()
  const payloads = [Buffer.alloc(0), Buffer.from([0, 255, 10]), Buffer.alloc(1_048_576, 'é')]
  await store.commit(payloads.map((payload, number) => insertEvent({ ...makeEvent(idOf(number)), payload })))

  payloads.forEach((payload, number) => {
    const found = readEventPayload(store.reader, idOf(number))
    assert.ok(found.kind === 'payload' && found.payload.equals(payload), `payload ${number} differs`)
  })
  assert.deepEqual(readEventPayload(store.reader, 'nobody'), { kind: 'missing' })
  await store.close()
})

events('with a flipped bit are found out, told, and set aside rather than dropped', async () => {
  using folder = temporaryDirectory()
  const options = { dataDirectory: folder.path, clock: systemClock, log: keptLog(), inline: true }
  const store = await openStore(options)
  await store.commit([1, 2, 3].map((number) => insertEvent(makeEvent(idOf(number)))))
  await store.close()
  const db = new SqliteDatabase(folder.join('lambent.db'))
  db.prepare('UPDATE events SET payload = CAST(\'{"order":9}\' AS BLOB) WHERE id = ?').run(idOf(2))
  db.close()
  const again = await openStore(options)

  const found = loadEvents(again.reader, 0, 10)
  for (const { id } of found.damaged) await again.commit(quarantineEvent(id, 'checksum', THEN_MS))

  assert.deepEqual(
    found.damaged.map(({ id }) => id),
    [idOf(2)],
  )
  assert.deepEqual(
    found.events.map(({ id }) => id),
    [idOf(1), idOf(3)],
  )
  assert.deepEqual(readEventPayload(again.reader, idOf(2)), { kind: 'missing' })
  assert.equal(countQuarantinedEvents(again.reader), 1)
  assert.equal(countEvents(again.reader), 2)
  await again.close()
})

events('20,000 that wait are loaded at a rate of 100,000 a second, payloads left on disk', async () => {
  using folder = temporaryDirectory()
  const options = { dataDirectory: folder.path, clock: systemClock, log: keptLog(), inline: true }
  const store = await openStore(options)
  const payload = Buffer.alloc(873, 'x')
  for (let thousand = 0; thousand < 20; thousand++)
    await store.commit(
      Array.from({ length: 1000 }, (_, number) =>
        insertEvent({ ...makeEvent(idOf(thousand * 1000 + number)), payload }),
      ),
    )
  await store.close()

  const startMs = performance.now()
  const again = await openStore(options)
  let loaded = 0
  for (let after = 0, page = 1; page > 0; loaded += page) {
    const heads = loadEventHeads(again.reader, after, 5000)
    page = heads.length
    after = heads.at(-1)?.sequence ?? 0
  }
  const tookMs = performance.now() - startMs
  await again.close()

  assert.equal(loaded, 20_000)
  assert.ok(tookMs < 1000, `took ${Math.round(tookMs)} ms`) // 200 ms is the aim; the bar leaves room for a busy machine
})

events.run()
