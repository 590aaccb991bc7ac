import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Database } from 'better-sqlite3'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { Committer } from './committer.ts'
import { migrate, openReaderConnection, openWriterConnection } from './database.ts'
import { inlineWriter } from './inline-port.ts'
import { JournalWriter, type StoredJournal } from './journal-writer.ts'
import { lockDataDirectory, type DataLock } from './lock.ts'
import { MIGRATIONS } from './migrations.ts'
import { STATEMENTS } from './statements.ts'
import type { Store } from './store.ts'
import { startWriterThread } from './thread-port.ts'
import type { WriterOptions, WriterPort } from './writer-messages.ts'

/**
 * A data directory that keeps nothing: the database is in memory and log lines are not kept. For simulations.
 */
export const IN_MEMORY = ':memory:'

/** Where the store lives and what it is given. */
export interface StoreOptions {
  /** Absolute, made when missing; or `IN_MEMORY`, which implies `inline`. */
  readonly dataDirectory: string
  readonly clock: Clock
  readonly log: Log
  /** The writer runs in this thread, step by step. */
  readonly inline?: boolean
}

/** The store with the journal that shares its writer. */
export interface OpenStore extends Store {
  readonly journal: StoredJournal
  /** Why the last write failed; undefined when it did not. */
  readonly problem: string | undefined
}

/**
 * Takes the data directory, brings its schema up to date and starts the writer.
 *
 * Rejects with EngineError 'conflict' (another engine has it, or a newer one wrote it), 'unsupported' (a
 * network file system) and 'unavailable' (the file cannot be opened).
 */
export async function openStore(options: StoreOptions): Promise<OpenStore> {
  if (options.dataDirectory === IN_MEMORY) return openInMemory(options)
  const { dataDirectory, clock, log } = options
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 })
  const lock = lockDataDirectory(dataDirectory)
  try {
    const databasePath = join(dataDirectory, 'lambent.db')
    const bootEpoch = prepareDatabase(databasePath)
    const writerOptions = { databasePath, logDirectory: join(dataDirectory, 'logs'), statements }
    const port =
      options.inline === true ? inlineWriter(writerOptions) : await startWriterThread(writerOptions, log)
    const soon = options.inline === true ? queueMicrotask : setImmediate
    const reader = openReaderConnection(databasePath)
    return assemble({ port, reader, bootEpoch, lock, clock, log, soon })
  } catch (thrown) {
    lock.release()
    throw thrown
  }
}

const statements: WriterOptions['statements'] = Object.entries(STATEMENTS)

function openInMemory({ clock, log }: StoreOptions): OpenStore {
  const port = inlineWriter({ databasePath: IN_MEMORY, logDirectory: '', statements })
  const reader = port.writer.db
  migrate(reader, MIGRATIONS)
  return assemble({
    port,
    reader,
    bootEpoch: raiseBootEpoch(reader),
    lock: undefined,
    clock,
    log,
    soon: queueMicrotask,
  })
}

function assemble(parts: {
  port: WriterPort
  reader: Database
  bootEpoch: number
  lock: DataLock | undefined
  clock: Clock
  log: Log
  soon: (send: () => void) => void
}): OpenStore {
  const { port, reader, bootEpoch, lock, clock, log, soon } = parts
  const committer = new Committer({ port, log, soon, statementNames: statements.map(([name]) => name) })
  const journal = new JournalWriter(port, clock, log)
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    try {
      await journal.end()
      await committer.close()
    } finally {
      if (!reader.memory) reader.close() // before the writer, which empties the log as it closes
      await port.close()
      lock?.release()
    }
  }
  return {
    commit: (changes) => committer.commit(changes),
    append: (changes) => committer.append(changes),
    reader,
    bootEpoch,
    journal,
    get problem() {
      return committer.problem ?? journal.problem
    },
    close: () => (closing ??= close()),
  }
}

function prepareDatabase(path: string): number {
  const db = openWriterConnection(path)
  try {
    migrate(db, MIGRATIONS)
    return raiseBootEpoch(db)
  } finally {
    db.close()
  }
}

function raiseBootEpoch(db: Database): number {
  const row = db.prepare('UPDATE boot_epoch SET epoch = epoch + 1 RETURNING epoch').get()
  return (row as { epoch: number }).epoch // the table has its one row from the first migration on
}
