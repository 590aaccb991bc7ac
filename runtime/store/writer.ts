import assert from 'node:assert/strict'
import type { Database, Statement } from 'better-sqlite3'
import { messageOf } from '../errors.ts'
import { isStorageFailure, openWriterConnection, sqliteCode } from './database.ts'
import { GroupReader, type Group } from './groups.ts'
import type { GroupOutcome, SetFailure, WriterOptions } from './writer-messages.ts'

/**
 * A checkpoint copies the write-ahead log into the database once about this much was written. Small, because
 * commits wait for it: 11 ms where 16 MB took 50, at the same cost a byte.
 */
const CHECKPOINT_BYTES = 4 * 1024 * 1024

/** The one writer of the database: applies groups of change sets, each group in one synced transaction. */
export class Writer {
  readonly db: Database
  readonly #sql: WriterOptions['statements']
  readonly #prepared: (Statement | undefined)[] = []
  readonly #begin: Statement
  readonly #commit: Statement
  readonly #rollback: Statement
  #bytesSinceCheckpoint = 0

  constructor(options: Pick<WriterOptions, 'databasePath' | 'statements'>) {
    this.db = openWriterConnection(options.databasePath)
    this.#sql = options.statements
    this.#begin = this.db.prepare('BEGIN IMMEDIATE')
    this.#commit = this.db.prepare('COMMIT')
    this.#rollback = this.db.prepare('ROLLBACK')
  }

  /**
   * Writes all groups in one transaction. A set that breaks a constraint fails alone; when the disk fails,
   * every set fails and nothing is kept. Never throws for what is in a set.
   */
  apply(groups: readonly Group[]): GroupOutcome[] {
    try {
      this.transaction(() => {
        for (const group of groups) {
          const reader = new GroupReader(group)
          for (let set = 0; set < group.sets; set++) reader.nextSet(this.#run)
        }
      })
      this.#countBytes(groups)
      return groups.map(() => ({ failures: [] }))
    } catch (thrown) {
      if (isStorageFailure(sqliteCode(thrown))) return groups.map((group) => allFailed(group, thrown))
      return this.#applySetBySet(groups)
    }
  }

  /** Runs `work` in one transaction; on a throw nothing is kept and the error goes on. */
  transaction<Result>(work: () => Result): Result {
    this.#begin.run()
    try {
      const result = work()
      this.#commit.run()
      return result
    } catch (thrown) {
      if (this.db.inTransaction) this.#rollback.run() // a full disk has rolled back already
      throw thrown
    }
  }

  /**
   * Copies the log into the database when enough has been written; call it after the acknowledgements have
   * left.
   */
  checkpointIfDue(): void {
    if (this.#bytesSinceCheckpoint < CHECKPOINT_BYTES) return
    this.#checkpoint('PASSIVE')
  }

  /** With nothing else to do: copies what is left and empties the log file. */
  checkpointIdle(): void {
    if (this.#bytesSinceCheckpoint > 0) this.#checkpoint('TRUNCATE')
  }

  /** Bytes written outside of `apply`, to be checkpointed in time. */
  noteBytes(bytes: number): void {
    this.#bytesSinceCheckpoint += bytes
  }

  close(): void {
    this.checkpointIdle()
    this.db.close()
  }

  /** One by one behind savepoints: slower, but a set that cannot be written takes nobody with it. */
  #applySetBySet(groups: readonly Group[]): GroupOutcome[] {
    try {
      const outcomes = this.transaction(() => groups.map((group) => this.#applyAlone(group)))
      this.#countBytes(groups)
      return outcomes
    } catch (thrown) {
      return groups.map((group) => allFailed(group, thrown))
    }
  }

  #applyAlone(group: Group): GroupOutcome {
    const failures: SetFailure[] = []
    const reader = new GroupReader(group)
    for (let set = 0; set < group.sets; set++) {
      let problem: unknown
      this.db.exec('SAVEPOINT one_set')
      // The reader has to walk past the rest of a set that failed.
      reader.nextSet((statement, parameters) => {
        if (problem !== undefined) return
        try {
          this.#run(statement, parameters)
        } catch (thrown) {
          if (!this.db.inTransaction || isStorageFailure(sqliteCode(thrown))) throw thrown
          problem = thrown
        }
      })
      if (problem !== undefined) failures.push(setFailure(set, problem))
      this.db.exec(problem === undefined ? 'RELEASE one_set' : 'ROLLBACK TO one_set; RELEASE one_set')
    }
    return { failures }
  }

  readonly #run = (number: number, parameters: readonly unknown[]): void => {
    let statement = this.#prepared[number]
    if (statement === undefined) {
      const sql = this.#sql[number]?.[1]
      assert(sql !== undefined, `there is no statement ${number}`)
      statement = this.db.prepare(sql)
      this.#prepared[number] = statement
    }
    statement.run(parameters)
  }

  #countBytes(groups: readonly Group[]): void {
    for (const group of groups)
      this.#bytesSinceCheckpoint += PAGES_PER_GROUP_BYTES + group.blobs.byteLength + group.cells.length * 12
  }

  /**
   * A reader in the middle of something makes it incomplete, which costs nothing: the next one goes on from
   * there.
   */
  #checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): void {
    const timeout = this.db.pragma('busy_timeout', { simple: true }) as number // always an integer
    this.db.pragma('busy_timeout = 0')
    try {
      this.db.pragma(`wal_checkpoint(${mode})`)
      this.#bytesSinceCheckpoint = 0
    } catch (thrown) {
      // The rows are safe in the log; a disk that is full or failing shows at the next commit, which reports
      // it.
      if (!isStorageFailure(sqliteCode(thrown))) throw thrown
    } finally {
      this.db.pragma(`busy_timeout = ${timeout}`)
    }
  }
}

/** What even a small transaction writes to the log: a few pages of 4 KB. */
const PAGES_PER_GROUP_BYTES = 4 * 4096

function allFailed(group: Group, thrown: unknown): GroupOutcome {
  return { failures: Array.from({ length: group.sets }, (_, set) => setFailure(set, thrown)) }
}

function setFailure(set: number, thrown: unknown): SetFailure {
  const detail = sqliteCode(thrown)
  return { set, code: codeOf(detail), message: messageOf(thrown), detail }
}

function codeOf(sqlite: string): SetFailure['code'] {
  if (isStorageFailure(sqlite)) return 'unavailable'
  if (sqlite === 'SQLITE_CONSTRAINT_PRIMARYKEY' || sqlite === 'SQLITE_CONSTRAINT_UNIQUE')
    return 'already-exists'
  return sqlite.startsWith('SQLITE_CONSTRAINT') ? 'conflict' : 'internal'
}
