import { strict as assert } from 'node:assert'
import { execFileSync } from 'node:child_process'
import { appendFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import { systemClock } from '../../runtime/clock.ts'
import type { LogEvent, LogQuery } from '../../runtime/store/journal.ts'
import { JournalWriter } from '../../runtime/store/journal-writer.ts'
import { openStore, type OpenStore } from '../../runtime/store/open.ts'
import { insertRun } from '../../runtime/store/runs.ts'
import type { WriterPort } from '../../runtime/store/writer-messages.ts'
import { createFakeClock, type FakeClock } from '../support/clock.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'
import { idOf, keptLog, makeRun, makeStream, SCOPE, THEN_MS, type KeptLog } from './samples.ts'

interface TestStore extends AsyncDisposable {
  readonly store: OpenStore
  readonly clock: FakeClock
  readonly log: KeptLog
}

async function open(folder: TemporaryDirectory, inline = true): Promise<TestStore> {
  const clock = createFakeClock(THEN_MS)
  const log = keptLog()
  const store = await openStore({ dataDirectory: folder.join('data'), clock, log, inline })
  return { store, clock, log, [Symbol.asyncDispose]: () => store.close() }
}

const messagesOf = (events: readonly LogEvent[]): string[] => events.map(({ message }) => message)
const KEEP_ALL = {
  runsMaxAgeMs: 1e12,
  runsMaxCount: 1e9,
  failedEventsMaxAgeMs: 1e12,
  failedEventsMaxBytes: 1e12,
  logsMaxAgeMs: 1e12,
  logsMaxBytes: 1e12,
}
const WHOLE = { startWritten: true, recorded: false }

const filesBelow = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(directory, name)).isFile(),
  )

const journal = suite('journal')

for (const inline of [true, false]) {
  journal(`${inline ? 'inline' : 'on its thread'}: what was handed in is read back at once`, async () => {
    using folder = temporaryDirectory()
    await using test = await open(folder, inline)
    const { journal: tested } = test.store
    const stream = tested.open(makeStream())

    tested.platform(stream, THEN_MS - 5, '', 'INIT_START Runtime Version: nodejs:24')
    tested.started(stream, THEN_MS, idOf(1), '$LATEST')
    tested.line(stream, THEN_MS + 1, idOf(1), 'hello\nworld')
    tested.finished(stream, makeRun(idOf(1)), WHOLE)
    tested.finished(
      stream,
      { ...makeRun(idOf(2)), startedAtMs: THEN_MS + 9 },
      { ...WHOLE, startWritten: false },
    )

    assert.deepEqual(messagesOf(await tested.events({ scope: SCOPE })), [
      'INIT_START Runtime Version: nodejs:24',
      `START RequestId: ${idOf(1)} Version: $LATEST`,
      'hello\nworld',
      `END RequestId: ${idOf(1)}`,
      `REPORT RequestId: ${idOf(1)}\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t`,
      `START RequestId: ${idOf(2)} Version: $LATEST`,
      `END RequestId: ${idOf(2)}`,
      `REPORT RequestId: ${idOf(2)}\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t`,
    ])
    assert.deepEqual(await tested.run(idOf(1)), makeRun(idOf(1)))
    assert.equal(await tested.run('nobody'), undefined)
    assert.deepEqual(tested.dropped, { lines: 0, runs: 0 })
  })
}

journal('runs keep every field and come newest first, filtered and paged', async () => {
  using folder = temporaryDirectory()
  await using test = await open(folder)
  const { journal: tested } = test.store
  const orders = tested.open(makeStream())
  const other = tested.open({ ...makeStream(), functionName: 'other', functionId: 'fn-2' })
  const failed = {
    ...makeRun(idOf(3)),
    status: 'failed',
    trigger: 'event',
    errorType: 'TypeError',
    errorMessage: 'no',
    initMs: 100.5,
    attempt: 3,
    environmentId: 'environment-2',
    qualifier: 'live',
    memoryMb: 256,
  } as const
  tested.finished(orders, makeRun(idOf(1)), WHOLE)
  tested.finished(other, { ...makeRun(idOf(2)), functionName: 'other', functionId: 'fn-2' }, WHOLE)
  tested.finished(orders, failed, WHOLE)
  tested.finished(orders, makeRun(idOf(4)), WHOLE)
  tested.finished(orders, makeRun(idOf(5)), { ...WHOLE, recorded: true })

  const idsOf = async (query: object): Promise<string[]> =>
    (await tested.runs({ scope: SCOPE, ...query })).map(({ runId }) => runId)

  assert.deepEqual(await idsOf({}), [4, 3, 2, 1].map(idOf))
  assert.deepEqual(await idsOf({ functionName: 'orders' }), [4, 3, 1].map(idOf))
  assert.deepEqual(await idsOf({ functionName: 'orders', limit: 1, beforeRunId: idOf(4) }), [idOf(3)])
  assert.deepEqual(await idsOf({ status: 'failed' }), [idOf(3)])
  assert.deepEqual(await idsOf({ scope: { ...SCOPE, region: 'eu-west-1' } }), [])
  assert.deepEqual(await idsOf({ sinceMs: THEN_MS + 1 }), [])
  assert.deepEqual(await tested.run(idOf(3)), failed)
})

journal('of the attempts of one event the latest is the record', async () => {
  using folder = temporaryDirectory()
  await using test = await open(folder)
  const { store } = test

  await store.commit([insertRun({ ...makeRun(idOf(1)), attempt: 2, status: 'failed' })])
  await store.commit([insertRun({ ...makeRun(idOf(1)), attempt: 1, status: 'crashed' })])
  await store.commit([insertRun({ ...makeRun(idOf(1)), attempt: 3 })])

  const run = await store.journal.run(idOf(1))
  assert.deepEqual([run?.attempt, run?.status], [3, 'succeeded'])
})

journal('log queries merge streams by time and give the newest that match', async () => {
  using folder = temporaryDirectory()
  await using test = await open(folder)
  const { journal: tested } = test.store
  const one = tested.open({ ...makeStream(), name: 'one' })
  const two = tested.open({ ...makeStream(), name: 'two', functionName: 'other', group: '/custom' })
  const elsewhere = tested.open({ ...makeStream(), scope: { ...SCOPE, account: '111111111111' } })
  for (let number = 0; number < 10; number++) {
    const stream = number % 2 === 0 ? one : two
    tested.line(stream, THEN_MS + number, idOf(number), `line ${number}`)
    await tested.flush()
  }
  tested.line(elsewhere, THEN_MS, '', 'another account')

  const found = async (query: Omit<LogQuery, 'scope'>): Promise<string> =>
    messagesOf(await tested.events({ scope: SCOPE, ...query }))
      .map((message) => message.replace('line ', ''))
      .join('')

  assert.equal(await found({}), '0123456789')
  assert.equal(await found({ limit: 3 }), '789')
  assert.equal(await found({ functionName: 'other' }), '13579')
  assert.equal(await found({ group: '/custom', sinceMs: THEN_MS + 4, untilMs: THEN_MS + 7 }), '57')
  assert.equal(await found({ stream: 'one', limit: 2 }), '68')
  assert.equal(await found({ requestId: idOf(4) }), '4')
  assert.equal(await found({ contains: 'ne 7' }), '7')
  const [event] = await tested.events({ scope: SCOPE, requestId: idOf(3) })
  assert.deepEqual(event, {
    timeMs: THEN_MS + 3,
    message: 'line 3',
    group: '/custom',
    stream: 'two',
    functionName: 'other',
    requestId: idOf(3),
  })
})

journal('long files and long lines are read from their end', async () => {
  using folder = temporaryDirectory()
  await using test = await open(folder)
  const { journal: tested } = test.store
  const stream = tested.open(makeStream())
  for (let number = 0; number < 5000; number++)
    tested.line(stream, THEN_MS + number, '', `${number} ${'x'.repeat(100)}`)
  tested.line(stream, THEN_MS + 5000, '', '\n'.repeat(400_000))
  tested.line(stream, THEN_MS + 5001, '', 'last')

  const events = await tested.events({ scope: SCOPE, limit: 4 })
  const all = await tested.events({ scope: SCOPE, limit: 10_000 })

  assert.deepEqual(
    events.map(({ message }) => message.length),
    [105, 262_144, 400_000 - 262_144, 4],
  )
  assert.equal(all.length, 5003)
  assert.deepEqual(
    all.slice(0, 5000).map(({ message }) => Number.parseInt(message, 10)),
    Array.from({ length: 5000 }, (_, number) => number),
  )
})

journal('paths of log files hold nothing that a user chose', async () => {
  using folder = temporaryDirectory()
  await using test = await open(folder)
  const { journal: tested } = test.store
  const stream = tested.open({
    ...makeStream(),
    name: '../../escape',
    group: '/etc/passwd',
    functionName: '..',
  })
  tested.line(stream, THEN_MS, '', 'x')
  await tested.flush()

  for (const name of filesBelow(folder.join('data', 'logs'))) assert.match(name, /^[0-9a-f]{2}\/\d+\.log$/)
  assert.deepEqual(messagesOf(await tested.events({ scope: SCOPE, stream: '../../escape' })), ['x'])
})

journal('followers see matching lines as they are handed in, until they are disposed', async () => {
  using folder = temporaryDirectory()
  await using test = await open(folder)
  const { journal: tested } = test.store
  const orders = tested.open(makeStream())
  const other = tested.open({ ...makeStream(), functionName: 'other' })
  const seen: string[] = []
  const following = tested.follow({ scope: SCOPE, functionName: 'orders' }, ({ message }) =>
    seen.push(message),
  )

  tested.line(other, THEN_MS, '', 'not this')
  tested.line(orders, THEN_MS, '', 'this')
  tested.finished(orders, makeRun(idOf(1)), { startWritten: false, recorded: false })
  following[Symbol.dispose]()
  tested.line(orders, THEN_MS, '', 'too late')

  assert.deepEqual(
    seen.map((message) => message.split(' ')[0]),
    ['this', 'START', 'END', 'REPORT'],
  )
})

journal('a flooding function loses lines, is told how many, and costs others none', async () => {
  using folder = temporaryDirectory()
  await using test = await open(folder)
  const { journal: tested } = test.store
  const flooding = tested.open({ ...makeStream(), functionName: 'flood' })
  const quiet = tested.open(makeStream())

  for (let number = 0; number < 45_000; number++) tested.line(flooding, THEN_MS, '', 'x')
  tested.line(quiet, THEN_MS, '', 'quiet')
  await test.clock.advance(1000)
  tested.line(flooding, THEN_MS + 1000, '', 'after')

  assert.equal(tested.dropped.lines, 5000)
  assert.deepEqual(messagesOf(await tested.events({ scope: SCOPE, functionName: 'orders' })), ['quiet'])
  const told = await tested.events({ scope: SCOPE, functionName: 'flood', limit: 2 })
  assert.match(told[0]?.message ?? '', /LOGS DROPPED Lines: 5000 Bytes: 5000/)
  assert.equal(told[1]?.message, 'after')
  assert.ok(test.log.lines.some(({ event }) => event === 'log lines dropped'))
})

journal('a writer that falls behind costs lines and successful runs, failed ones last', async () => {
  const held: WriterPort = {
    group: () => assert.fail('no group is expected'),
    batch: () => undefined, // never answered
    ask: () => assert.fail('no question is expected'),
    close: async () => undefined,
  }
  const tested = new JournalWriter(held, createFakeClock(), keptLog())
  for (let lines = 0; lines < 3; lines++) {
    const stream = tested.open(makeStream())
    for (let number = 0; number < 200; number++) tested.line(stream, THEN_MS, '', 'x'.repeat(70_000))
  }
  const stream = tested.open(makeStream())
  const before = tested.dropped

  tested.line(stream, THEN_MS, '', 'one too many')
  tested.finished(stream, makeRun(idOf(1)), WHOLE)
  tested.finished(stream, { ...makeRun(idOf(2)), status: 'failed', errorType: 'Error' }, WHOLE)
  tested.finished(stream, { ...makeRun(idOf(3)), trigger: 'event' }, WHOLE)

  assert.ok(before.lines > 0 && before.lines < 200, `${before.lines} lines were dropped`)
  assert.deepEqual(tested.dropped, { lines: before.lines + 3, runs: 1 })
})

journal('lines after the end of their environment are counted, not written', async () => {
  using folder = temporaryDirectory()
  await using test = await open(folder)
  const { journal: tested } = test.store
  const stream = tested.open(makeStream())
  tested.line(stream, THEN_MS, '', 'in time')
  tested.close(stream)

  tested.line(stream, THEN_MS, '', 'late')
  tested.finished(stream, makeRun(idOf(1)), WHOLE)

  assert.deepEqual(messagesOf(await tested.events({ scope: SCOPE })), ['in time'])
  assert.deepEqual(tested.dropped, { lines: 3, runs: 1 })
})

journal('batches leave by themselves after 50 ms', async () => {
  using folder = temporaryDirectory()
  await using test = await open(folder)
  const stream = test.store.journal.open(makeStream())
  test.store.journal.finished(stream, makeRun(idOf(1)), WHOLE)
  const count = test.store.reader.prepare('SELECT count(*) FROM runs').pluck()

  assert.equal(count.get(), 0)
  await test.clock.advance(50)

  assert.equal(count.get(), 1)
})

journal('lines and runs survive closing, and the next engine goes on with other files', async () => {
  using folder = temporaryDirectory()
  for (const number of [1, 2]) {
    await using test = await open(folder)
    const { journal: tested } = test.store
    const stream = tested.open(makeStream())
    tested.line(stream, THEN_MS + number, '', `engine ${number}`)
    tested.finished(stream, makeRun(idOf(number)), { ...WHOLE, startWritten: true })
  }

  await using test = await open(folder)

  const messages = messagesOf(await test.store.journal.events({ scope: SCOPE, contains: 'engine' }))
  assert.deepEqual(messages, ['engine 1', 'engine 2'])
  assert.equal((await test.store.journal.runs({})).length, 2)
})

journal('what a killed engine had written to its logs is found by the next one', async () => {
  using folder = temporaryDirectory()
  await using killed = await open(folder)
  const stream = killed.store.journal.open(makeStream())
  killed.store.journal.line(stream, THEN_MS + 7, '', 'written before the kill')
  await killed.store.journal.flush()
  // What is on disk at this moment; by another process, since closing a file here would drop SQLite's locks.
  execFileSync('cp', ['-r', folder.join('data'), folder.join('copy')])
  appendFileSync(folder.join('copy', 'logs', '01', '1.log'), `${THEN_MS + 8}\t\ttorn`)

  const next = await openStore({
    dataDirectory: folder.join('copy'),
    clock: systemClock,
    log: keptLog(),
    inline: true,
  })

  const found = await next.journal.events({ scope: SCOPE, sinceMs: THEN_MS + 7 })
  assert.deepEqual(messagesOf(found), ['written before the kill'])
  const [file] = next.reader.prepare('SELECT open, last_time_ms, size_bytes FROM log_files').raw().all()
  assert.deepEqual(file, [0, THEN_MS + 7, statSync(folder.join('copy', 'logs', '01', '1.log')).size])
  await next.close()
})

journal('retention deletes runs by age and count, the oldest first', async () => {
  using folder = temporaryDirectory()
  await using test = await open(folder)
  const { journal: tested } = test.store
  const stream = tested.open(makeStream())
  for (let number = 0; number < 2500; number++)
    tested.finished(stream, { ...makeRun(idOf(number)), acceptedAtMs: THEN_MS - 2500 + number }, WHOLE)

  const byAge = await tested.applyRetention({ ...KEEP_ALL, runsMaxAgeMs: 1000 })
  const byCount = await tested.applyRetention({ ...KEEP_ALL, runsMaxCount: 10 })

  assert.deepEqual([byAge.runsDeleted, byAge.runsKept], [1500, 1000])
  assert.deepEqual([byCount.runsDeleted, byCount.runsKept], [990, 10])
  assert.deepEqual(
    (await tested.runs({})).map(({ runId }) => runId),
    Array.from({ length: 10 }, (_, number) => idOf(2499 - number)),
  )
})

journal('retention deletes log files by age and by bytes, the oldest first, open ones too', async () => {
  using folder = temporaryDirectory()
  await using test = await open(folder)
  const { journal: tested } = test.store
  const names = ['old', 'middle', 'new']
  const streams = names.map((name) => tested.open({ ...makeStream(), name }))
  streams.forEach((stream, number) =>
    tested.line(stream, THEN_MS - 3000 + 1000 * number, '', 'x'.repeat(1000)),
  )
  await tested.flush()
  tested.close(streams[0] ?? 0)

  const byAge = await tested.applyRetention({ ...KEEP_ALL, logsMaxAgeMs: 2500 })
  const left = messagesOf(await tested.events({ scope: SCOPE })).length
  const byBytes = await tested.applyRetention({ ...KEEP_ALL, logsMaxBytes: 1500 })
  tested.line(streams[1] ?? 0, THEN_MS, '', 'goes on in a new file')

  assert.deepEqual([byAge.logFilesDeleted, left], [1, 2])
  assert.equal(byBytes.logFilesDeleted, 1)
  assert.ok(byBytes.logBytesKept <= 1500)
  assert.deepEqual(
    (await tested.events({ scope: SCOPE })).map(({ stream, message }) => `${stream} ${message.length}`),
    ['new 1000', 'middle 21'],
  )
  assert.equal(filesBelow(folder.join('data', 'logs')).length, 2)
})

journal('a store in memory keeps runs and no lines', async () => {
  const store = await openStore({ dataDirectory: ':memory:', clock: systemClock, log: keptLog() })
  const stream = store.journal.open(makeStream())
  store.journal.finished(stream, makeRun(idOf(1)), WHOLE)

  assert.deepEqual(await store.journal.events({ scope: SCOPE }), [])
  assert.deepEqual(await store.journal.run(idOf(1)), makeRun(idOf(1)))
  await store.close()
})

journal.run()
