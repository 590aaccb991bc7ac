import { strict as assert } from 'node:assert'
import { writeFileSync } from 'node:fs'
import { suite } from 'uvu'
import { systemClock } from '../../runtime/clock.ts'
import {
  assertDurable,
  migrate,
  openReaderConnection,
  openWriterConnection,
} from '../../runtime/store/database.ts'
import { insertEvent } from '../../runtime/store/events.ts'
import { MIGRATIONS } from '../../runtime/store/migrations.ts'
import { openStore } from '../../runtime/store/open.ts'
import { rejectsWith, throwsWith } from '../support/assert.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { idOf, keptLog, makeEvent } from './samples.ts'

const connections = suite('connections')

const synchronousOf = (db: { pragma(text: string, options: { simple: true }): unknown }): unknown =>
  db.pragma('synchronous', { simple: true })

connections('are FULL when opened, after writing, and when opened again', () => {
  using folder = temporaryDirectory()
  const path = folder.join('a.db')
  for (let round = 0; round < 2; round++) {
    const writer = openWriterConnection(path)
    writer.exec('CREATE TABLE IF NOT EXISTS t (a INTEGER) STRICT; INSERT INTO t VALUES (1)')
    const reader = openReaderConnection(path)
    reader.prepare('SELECT a FROM t').all()

    assert.equal(synchronousOf(writer), 2)
    assert.equal(synchronousOf(reader), 2)
    assertDurable(writer)
    assertDurable(reader)
    reader.close()
    writer.close()
  }
})

connections('that are not FULL, or not WAL, are refused', () => {
  using folder = temporaryDirectory()
  const db = openWriterConnection(folder.join('a.db'))

  db.pragma('synchronous = NORMAL')
  assert.throws(() => assertDurable(db), /synchronous is 1, not FULL/)
  db.pragma('synchronous = FULL')
  db.pragma('journal_mode = DELETE')
  assert.throws(() => assertDurable(db), /journal_mode is delete/)
  db.close()
})

connections('for reading cannot write', () => {
  using folder = temporaryDirectory()
  const writer = openWriterConnection(folder.join('a.db'))
  writer.exec('CREATE TABLE t (a INTEGER) STRICT')
  const reader = openReaderConnection(folder.join('a.db'))

  assert.throws(() => reader.exec('INSERT INTO t VALUES (1)'), /readonly/)
  reader.close()
  writer.close()
})

connections('to what is no database are refused with a hint', () => {
  using folder = temporaryDirectory()
  writeFileSync(folder.join('a.db'), 'this is not a database, whatever its name says'.repeat(100))

  const failure = throwsWith(() => openWriterConnection(folder.join('a.db')), 'unavailable')

  assert.match(failure.message, /Cannot open the database/)
  assert.match(failure.hint ?? '', /disk/)
})

connections.run()

const migrating = suite('migrating')

migrating('an empty file makes every table, STRICT', () => {
  using folder = temporaryDirectory()
  const db = openWriterConnection(folder.join('a.db'))

  migrate(db, MIGRATIONS)

  const tables = db.prepare("SELECT name, strict FROM pragma_table_list WHERE type = 'table'").all() as {
    name: string
    strict: number
  }[] // the two columns
  const ours = tables.filter(({ name }) => !name.startsWith('sqlite_'))
  for (const name of ['boot_epoch', 'events', 'quarantined_events', 'runs', 'log_streams', 'log_files'])
    assert.ok(
      ours.some((table) => table.name === name),
      `${name} is missing`,
    )
  assert.deepEqual(
    ours.filter(({ strict }) => strict !== 1),
    [],
  )
  assert.equal(db.pragma('user_version', { simple: true }), MIGRATIONS.length)
  db.close()
})

migrating('applies only the steps that are missing, all or none', () => {
  using folder = temporaryDirectory()
  const db = openWriterConnection(folder.join('a.db'))
  migrate(db, ['CREATE TABLE a (x INTEGER) STRICT'])

  migrate(db, ['this step was applied', 'CREATE TABLE b (x INTEGER) STRICT'])
  assert.throws(() => migrate(db, ['', '', 'CREATE TABLE c (x INTEGER) STRICT', 'no SQL']), /syntax error/)

  const names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").pluck().all()
  assert.deepEqual(names, ['a', 'b'])
  assert.equal(db.pragma('user_version', { simple: true }), 2)
  db.close()
})

migrating('a data directory of a newer engine is refused and left alone', async () => {
  using folder = temporaryDirectory()
  const log = keptLog()
  const options = { dataDirectory: folder.path, clock: systemClock, log, inline: true }
  const store = await openStore(options)
  await store.commit([insertEvent(makeEvent(idOf(1)))])
  await store.close()
  const db = openWriterConnection(folder.join('lambent.db'))
  db.pragma('user_version = 999')
  db.close()

  const failure = await rejectsWith(openStore(options), 'conflict')

  assert.match(failure.message, /schema 999/)
  const again = openReaderConnection(folder.join('lambent.db'))
  assert.equal(again.prepare('SELECT count(*) FROM events').pluck().get(), 1)
  again.close()
})

migrating('counts the starts', async () => {
  using folder = temporaryDirectory()
  for (const expected of [1, 2, 3]) {
    const store = await openStore({
      dataDirectory: folder.path,
      clock: systemClock,
      log: keptLog(),
      inline: true,
    })
    assert.equal(store.bootEpoch, expected)
    await store.close()
  }
})

migrating.run()
