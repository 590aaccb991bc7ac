import { readFileSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import SqliteDatabase, { type Database } from 'better-sqlite3'
import { EngineError } from '../errors.ts'
import { sqliteCode } from './database.ts'

/** Keeps a second engine out of a data directory for as long as it is held. */
export interface DataLock {
  release(): void
}

/**
 * statfs types of file systems whose locks do not hold between machines: NFS, SMB, CIFS, SMB2, AFS, Ceph, 9p.
 */
const NETWORK_FILE_SYSTEMS = new Set([
  0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x5346414f, 0x00c36400, 0x01021997,
])

/**
 * Takes the data directory for this process: an exclusive transaction on a database file of its own, which
 * the kernel gives up when the process dies, however it dies. So there is no stale lock to clean up.
 *
 * Nobody in this process may open `engine.lock` by other means: closing any descriptor of a file drops all of
 * the process's POSIX locks on it. That is why the holder's pid is written to a file beside it.
 *
 * Throws EngineError 'conflict' when another engine holds it, 'unsupported' on a network file system.
 */
export function lockDataDirectory(directory: string): DataLock {
  if (NETWORK_FILE_SYSTEMS.has(statfsSync(directory).type))
    throw new EngineError('unsupported', `The data directory ${directory} lies on a network file system.`, {
      hint: 'Use a directory on a local disk: --data DIR.',
    })
  const holderPath = join(directory, 'engine.pid')
  const db = new SqliteDatabase(join(directory, 'engine.lock'), { timeout: 0 })
  try {
    takeExclusively(db)
  } catch (thrown) {
    db.close()
    if (!sqliteCode(thrown).startsWith('SQLITE_BUSY')) throw thrown
    throw heldError(directory, readHolder(holderPath))
  }
  writeFileSync(holderPath, `${process.pid}\n`, { mode: 0o600 })
  return {
    release() {
      if (db.open) db.close()
    },
  }
}

function takeExclusively(db: Database): void {
  db.pragma('journal_mode = DELETE')
  db.exec('BEGIN EXCLUSIVE')
}

function readHolder(path: string): string {
  try {
    return ` (process ${readFileSync(path, 'utf8').trim()})`
  } catch {
    return '' // it is between taking the lock and writing its pid
  }
}

function heldError(directory: string, holder: string): EngineError {
  return new EngineError('conflict', `Another engine${holder} is using the data directory ${directory}.`, {
    detail: 'data-directory-in-use',
    hint: 'Stop it, or start this one with another directory: --data DIR.',
  })
}
