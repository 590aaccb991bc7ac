import type { Database } from 'better-sqlite3'

/** What SQLite takes as a parameter. */
export type SqlValue = string | number | bigint | Uint8Array | null

/** One write: a named statement of this folder and its parameters. */
export type Change = readonly [statement: string, ...parameters: SqlValue[]]

/**
 * The one SQLite file. There is one writer (the committer); `reader` is a read-only connection for the
 * engine's own thread, so keep its statements short and limited.
 */
export interface Store {
  /**
   * Writes all of `changes` or none, in order, behind every change handed in before. Resolves only after the
   * commit that holds them has been synced to disk.
   *
   * Rejects with EngineError 'unavailable' when the disk is full or failing (nothing was kept) and
   * 'throttled' when more than the bound of unwritten bytes is waiting.
   */
  commit(changes: readonly Change[]): Promise<void>
  /**
   * Hands in writes whose loss in a crash is acceptable (run records): committed with the next group, not
   * acknowledged.
   */
  append(changes: readonly Change[]): void
  readonly reader: Database
  /** +1 at every start of the engine: fences what earlier processes still hold. */
  readonly bootEpoch: number
  /** Writes what is waiting, closes, releases the lock. */
  close(): Promise<void>
}
