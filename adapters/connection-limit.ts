import { readFileSync } from 'node:fs'

/** Kept for files, the store, logs and what starts processes. */
const RESERVED_FILES = 256
const FILES_PER_ENVIRONMENT = 4
const LISTENERS = 2
const FEWEST = 64
const MOST = 16_384

/**
 * How many connections one of the two listeners accepts, so that open files never run out: accepting stops
 * first, and running work goes on. From this process's limit of open files where it can be read, else a
 * cautious guess.
 */
export function connectionLimit(maxEnvironments: number, openFiles = openFileLimit()): number {
  const left = openFiles - RESERVED_FILES - FILES_PER_ENVIRONMENT * maxEnvironments
  return Math.min(MOST, Math.max(FEWEST, Math.floor(left / LISTENERS)))
}

const GUESS = 4096

function openFileLimit(): number {
  try {
    const [, soft = ''] =
      /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(soft) || GUESS
  } catch {
    return GUESS
  }
}
