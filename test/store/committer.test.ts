import { strict as assert } from 'node:assert'
import { writeFileSync } from 'node:fs'
import { suite } from 'uvu'
import { systemClock } from '../../runtime/clock.ts'
import { Committer } from '../../runtime/store/committer.ts'
import { countEvents, deleteEvent, insertEvent, loadEvents } from '../../runtime/store/events.ts'
import { inlineWriter } from '../../runtime/store/inline-port.ts'
import { migrate } from '../../runtime/store/database.ts'
import { MIGRATIONS } from '../../runtime/store/migrations.ts'
import { openStore } from '../../runtime/store/open.ts'
import { STATEMENTS } from '../../runtime/store/statements.ts'
import { startWriterThread } from '../../runtime/store/thread-port.ts'
import type { GroupOutcome, WriterPort } from '../../runtime/store/writer-messages.ts'
import { rejectsWith } from '../support/assert.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { within } from '../support/until.ts'
import { idOf, keptLog, makeEvent } from './samples.ts'

const statements = Object.entries(STATEMENTS)
const statementNames = statements.map(([name]) => name)

/** A port whose groups are answered by hand. */
function heldPort(): WriterPort & {
  readonly groups: { sets: number; done: (outcome: GroupOutcome) => void }[]
} {
  const groups: { sets: number; done: (outcome: GroupOutcome) => void }[] = []
  return {
    groups,
    group: (group, done) => void groups.push({ sets: group.sets, done }),
    batch: () => assert.fail('no batch is expected'),
    ask: () => assert.fail('no question is expected'),
    close: async () => undefined,
  }
}

const settled = async (promise: Promise<unknown>): Promise<boolean> => {
  const open = Symbol('open')
  const turn = new Promise((resolve) => setImmediate(() => resolve(open)))
  return (await Promise.race([promise, turn])) !== open
}

const committing = suite('committing')

committing('what comes in one turn goes as one group, and what comes during it as the next', async () => {
  const port = heldPort()
  const committer = new Committer({ port, log: keptLog(), statementNames, soon: queueMicrotask })

  const first = [1, 2, 3].map((number) => committer.commit([insertEvent(makeEvent(idOf(number)))]))
  await settled(Promise.resolve())
  const later = [4, 5].map((number) => committer.commit([insertEvent(makeEvent(idOf(number)))]))
  await settled(Promise.resolve())

  assert.deepEqual(
    port.groups.map(({ sets }) => sets),
    [3],
  )
  assert.equal(await settled(Promise.race([...first, ...later])), false, 'acknowledged before it was written')
  port.groups[0]?.done({ failures: [] })
  await Promise.all(first)
  assert.equal(await settled(Promise.race(later)), false)
  assert.equal(port.groups[1]?.sets, 2)
  port.groups[1]?.done({ failures: [] })
  await Promise.all(later)
})

committing('past the bound of unwritten bytes it is refused as throttled, until room is made', async () => {
  const port = heldPort()
  const committer = new Committer({
    port,
    log: keptLog(),
    statementNames,
    soon: queueMicrotask,
    maxBytes: 10_000,
  })
  const large = { ...makeEvent(idOf(1)), payload: Buffer.alloc(20_000) }

  const accepted = committer.commit([insertEvent(large)])
  const failure = await rejectsWith(committer.commit([insertEvent(makeEvent(idOf(2)))]), 'throttled')

  assert.match(failure.message, /10000/)
  port.groups[0]?.done({ failures: [] })
  await accepted
  const after = committer.commit([insertEvent(makeEvent(idOf(3)))])
  await settled(after)
  port.groups[1]?.done({ failures: [] })
  await after
})

committing('an unknown statement is our bug and leaves nothing behind', async () => {
  const port = heldPort()
  const committer = new Committer({ port, log: keptLog(), statementNames, soon: queueMicrotask })

  await committer.commit([deleteEvent('a'), ['no such statement']]).then(
    () => assert.fail('it was accepted'),
    (error: Error) => assert.match(error.message, /no statement called no such statement/),
  )

  await settled(Promise.resolve())
  assert.equal(port.groups.length, 0)
})

for (const inline of [true, false]) {
  const where = inline ? 'inline' : 'on its thread'

  committing(`${where}: an acknowledged write is there for every other connection`, async () => {
    using folder = temporaryDirectory()
    const store = await openStore({ dataDirectory: folder.path, clock: systemClock, log: keptLog(), inline })

    await Promise.all(
      Array.from({ length: 200 }, async (_, number) => {
        const payload = Buffer.from(`payload ${number}`)
        await store.commit([insertEvent({ ...makeEvent(idOf(number)), payload })])
        assert.ok(store.reader.prepare('SELECT 1 FROM events WHERE id = ?').get(idOf(number)))
      }),
    )

    const { events } = loadEvents(store.reader, 0, 1000)
    assert.deepEqual(
      events.map(({ id, payload }) => `${id} ${payload.toString()}`),
      Array.from({ length: 200 }, (_, number) => `${idOf(number)} payload ${number}`),
    )
    await store.close()
  })

  committing(`${where}: a set that breaks a constraint fails alone and whole`, async () => {
    using folder = temporaryDirectory()
    const store = await openStore({ dataDirectory: folder.path, clock: systemClock, log: keptLog(), inline })
    await store.commit([insertEvent(makeEvent(idOf(1)))])

    const good = store.commit([insertEvent(makeEvent(idOf(2)))])
    const bad = store.commit([
      insertEvent(makeEvent(idOf(3))),
      insertEvent(makeEvent(idOf(1))),
      deleteEvent(idOf(2)),
    ])
    const alsoGood = store.commit([insertEvent(makeEvent(idOf(4)))])
    const malformed = store.commit([['deleteEvent', idOf(1), 'a parameter too many']])

    const failure = await rejectsWith(bad, 'already-exists')
    await Promise.all([good, alsoGood, rejectsWith(malformed, 'internal')])
    assert.equal(failure.detail, 'SQLITE_CONSTRAINT_UNIQUE')
    assert.deepEqual(
      loadEvents(store.reader, 0, 10).events.map(({ id }) => id),
      [idOf(1), idOf(2), idOf(4)],
    )
    await store.close()
  })

  committing(`${where}: closing writes what was handed in, and refuses what comes later`, async () => {
    using folder = temporaryDirectory()
    const options = { dataDirectory: folder.path, clock: systemClock, log: keptLog(), inline }
    const store = await openStore(options)

    store.append([insertEvent(makeEvent(idOf(1)))])
    const last = store.commit([insertEvent(makeEvent(idOf(2)))])
    await within('the store to close', store.close())
    await last
    await rejectsWith(store.commit([]), 'unavailable')

    const again = await openStore(options)
    assert.equal(countEvents(again.reader), 2)
    await again.close()
  })
}

committing('an appended set that fails is logged', async () => {
  using folder = temporaryDirectory()
  const log = keptLog()
  const store = await openStore({ dataDirectory: folder.path, clock: systemClock, log, inline: true })

  store.append([insertEvent(makeEvent(idOf(1))), insertEvent(makeEvent(idOf(1)))])
  await store.close()

  assert.equal(log.lines.filter(({ event }) => event === 'append failed').length, 1)
})

committing('a full disk fails every set of the group and keeps nothing; with room it goes on', async () => {
  using folder = temporaryDirectory()
  const port = inlineWriter({ databasePath: folder.join('a.db'), logDirectory: '', statements })
  const { db } = port.writer
  migrate(db, MIGRATIONS)
  const committer = new Committer({ port, log: keptLog(), statementNames, soon: queueMicrotask })
  const large = (number: number) => insertEvent({ ...makeEvent(idOf(number)), payload: Buffer.alloc(50_000) })
  const pages = db.pragma('page_count', { simple: true }) as number // always an integer

  db.pragma(`max_page_count = ${pages + 2}`)
  const [small, tooLarge] = [
    committer.commit([insertEvent(makeEvent(idOf(1)))]),
    committer.commit([large(2)]),
  ]

  const failure = await rejectsWith(tooLarge, 'unavailable')
  await rejectsWith(small, 'unavailable')
  assert.equal(failure.detail, 'SQLITE_FULL')
  assert.equal(countEvents(db), 0)
  assert.match(committer.problem ?? '', /full/)
  db.pragma('max_page_count = 1000000')
  await committer.commit([large(3)])
  assert.equal(committer.problem, undefined)
  assert.equal(countEvents(db), 1)
  await port.close()
})

committing('a thread that dies fails what waits and what comes later', async () => {
  using folder = temporaryDirectory()
  const log = keptLog()
  const program = folder.join('dies.mjs')
  writeFileSync(
    program,
    `import { parentPort, workerData } from 'node:worker_threads'
     workerData.groups.on('message', () => { throw new Error('a bug') })
     parentPort.postMessage('ready')`,
  )
  const port = await startWriterThread({ databasePath: '', logDirectory: '', statements }, log, program)
  const committer = new Committer({ port, log, statementNames, soon: setImmediate })

  const question = rejectsWith(port.ask({ kind: 'sync' }), 'unavailable')
  const waiting = rejectsWith(committer.commit([deleteEvent('a')]), 'unavailable')

  assert.match((await within('the waiting commit to fail', waiting)).message, /a bug/)
  await within('the waiting question to fail', question)
  await within('a later question to fail', rejectsWith(port.ask({ kind: 'sync' }), 'unavailable'))
  await within('a later commit to fail', rejectsWith(committer.commit([deleteEvent('a')]), 'unavailable'))
  assert.ok(log.lines.some(({ event }) => event === 'committer failed'))
  await within('the port to close', port.close())
})

committing('a thread that cannot open its file says so', async () => {
  using folder = temporaryDirectory()
  writeFileSync(folder.join('a.db'), 'no database'.repeat(1000))
  const options = { databasePath: folder.join('a.db'), logDirectory: '', statements }

  const failure = await rejectsWith(startWriterThread(options, keptLog()), 'unavailable')

  assert.match(failure.message, /Cannot open the database/)
})

committing.run()
