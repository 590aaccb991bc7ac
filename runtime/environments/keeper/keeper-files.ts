import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Who runs, by pid and start time in clock ticks since boot: a pid alone may belong to somebody else by
 * now.
 */
export interface KeeperState {
  readonly keeper: { readonly pid: number; readonly startTicks: number }
  readonly program: { readonly pid: number; readonly startTicks: number }
  readonly startedAtMs: number
}

/** How the program ended. */
export interface KeeperExit {
  readonly code: number | null
  readonly signal: string | null
  readonly endedAtMs: number
  /**
   * `ended` by itself, `asked` by an engine or a signal, `no-engine` came back in time, `not-started` at
   * all.
   */
  readonly reason: 'ended' | 'asked' | 'no-engine' | 'not-started'
  /** Why it was not started; empty otherwise. */
  readonly message: string
}

/**
 * The files of one keeper, as the engine reads them: `state.json`, `exit.json`, `stdout.log`, `stderr.log`.
 */
export const keeperFiles = (directory: string) => ({
  state: join(directory, 'state.json'),
  exit: join(directory, 'exit.json'),
  stdout: join(directory, 'stdout.log'),
  stderr: join(directory, 'stderr.log'),
})

/** How the program of a keeper's folder ended; undefined while it runs. */
export function readKeeperExit(directory: string): KeeperExit | undefined {
  const { exit } = keeperFiles(directory)
  return existsSync(exit) ? (JSON.parse(readFileSync(exit, 'utf8')) as KeeperExit) : undefined // we wrote it whole
}

/** Writes a file that is there whole or not at all, also after a power cut. */
export function writeWhole(directory: string, path: string, value: KeeperState | KeeperExit): void {
  const temporary = `${path}.${process.pid}`
  const file = openSync(temporary, 'w', 0o600)
  try {
    writeSync(file, JSON.stringify(value))
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
  const folder = openSync(directory, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
