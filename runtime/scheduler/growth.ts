import type { EnvironmentPool } from '../environments/pool.ts'

/** Another environment is started when the oldest waiter has waited longer than a cold start from a spare. */
const GROW_AFTER_MS = 5

/** How many environments a pool lacks for those who have waited too long; counts up to `most`. */
export function lackOf(pool: EnvironmentPool, now: number, most: number): number {
  let late = 0
  for (const invocation of pool.waiting) {
    if (now - invocation.waitingSince <= GROW_AFTER_MS) break
    late += 1
    if (late > most) break
  }
  return Math.ceil(late / pool.version.execution.concurrency) - pool.starting
}

/** Lets pools grow by turns, one environment each, until each has what it lacks or cannot `grow`. */
export function growByTurns(
  lacks: readonly (readonly [pool: EnvironmentPool, lack: number])[],
  grow: (pool: EnvironmentPool) => boolean,
): void {
  let growing = lacks.filter(([, lack]) => lack > 0)
  for (let turn = 1; growing.length > 0; turn++)
    growing = growing.filter(([pool, lack]) => grow(pool) && lack > turn)
}
