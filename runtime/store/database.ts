import assert from 'node:assert/strict'
import SqliteDatabase, { type Database } from 'better-sqlite3'
import { EngineError, messageOf } from '../errors.ts'

/** How long a statement waits for somebody else's lock on the file before it fails. */
export const BUSY_TIMEOUT_MS = 5000

/** After a checkpoint has emptied the write-ahead log, the file is cut back to this. */
const WAL_KEEP_BYTES = 64 * 1024 * 1024

/** What `PRAGMA synchronous` answers for FULL. */
const SYNCHRONOUS_FULL = 2

/**
 * The connection that writes. There is one per data directory; checkpoints are its owner's business, never
 * SQLite's own idea in the middle of a commit.
 */
export function openWriterConnection(path: string): Database {
  return open(path, () => {
    const db = new SqliteDatabase(path, { timeout: BUSY_TIMEOUT_MS })
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    db.pragma('foreign_keys = ON')
    db.pragma('wal_autocheckpoint = 0')
    db.pragma(`journal_size_limit = ${WAL_KEEP_BYTES}`)
    assertDurable(db)
    return db
  })
}

/**
 * A read-only connection. Its statements must be short: a long reader keeps the write-ahead log from being
 * reused.
 */
export function openReaderConnection(path: string): Database {
  return open(path, () => {
    const db = new SqliteDatabase(path, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS })
    db.pragma('synchronous = FULL')
    db.pragma('query_only = ON')
    assertDurable(db)
    return db
  })
}

/**
 * Asserts that a commit on this connection is synced before it returns. better-sqlite3 is compiled so that a
 * WAL database falls back to NORMAL unless FULL was set after the journal mode, on every connection; NORMAL
 * loses acknowledged writes in a power cut and no test that only kills the process ever shows it.
 */
export function assertDurable(db: Database): void {
  const journalMode = db.pragma('journal_mode', { simple: true })
  assert.equal(journalMode, db.memory ? 'memory' : 'wal', `journal_mode is ${String(journalMode)}`)
  const synchronous = db.pragma('synchronous', { simple: true })
  assert.equal(synchronous, SYNCHRONOUS_FULL, `synchronous is ${String(synchronous)}, not FULL`)
}

/**
 * Applies what is missing in one transaction; IMMEDIATE, so two engines cannot migrate at once.
 *
 * Throws EngineError 'conflict' when a newer engine has written this file.
 */
export function migrate(db: Database, steps: readonly string[]): void {
  db.transaction(() => {
    const current = db.pragma('user_version', { simple: true }) as number // always an integer
    if (current > steps.length)
      throw new EngineError(
        'conflict',
        `The data directory has schema ${current}; this engine knows ${steps.length}.`,
        { hint: 'Start the newer version of Lambent that wrote it, or use another --data directory.' },
      )
    for (const sql of steps.slice(current)) db.exec(sql)
    db.pragma(`user_version = ${steps.length}`)
  }).immediate()
}

/** The SQLite result code of a thrown error (`SQLITE_FULL`), '' when it is something else. */
export const sqliteCode = (thrown: unknown): string =>
  thrown instanceof SqliteDatabase.SqliteError ? thrown.code : ''

/** Whether an error is about the disk or the file, and not about the statement that met it. */
export const isStorageFailure = (code: string): boolean =>
  /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|CORRUPT|NOTADB|BUSY|LOCKED|NOMEM|PROTOCOL|PERM|AUTH)/.test(code)

function open(path: string, connect: () => Database): Database {
  try {
    return connect()
  } catch (thrown) {
    if (sqliteCode(thrown) === '') throw thrown
    throw new EngineError('unavailable', `Cannot open the database ${path}: ${messageOf(thrown)}.`, {
      cause: thrown,
      detail: sqliteCode(thrown),
      hint: 'Check that the disk has room, that the file belongs to this user and that it is not damaged.',
    })
  }
}
