import type { Clock } from '../../runtime/clock.ts'

/** A clock that stands still until it is told to move. */
export interface FakeClock extends Clock {
  /** Moves time on and fires what comes due, in order of due time. Promise callbacks run between timers. */
  advance(byMs: number): Promise<void>
  /** Timers that wait, for tests of what is left behind. */
  readonly pending: number
}

interface Waiting {
  dueMs: number
  readonly intervalMs: number | undefined
  readonly callback: () => void
}

/** A `FakeClock` whose wall time starts at `startMs`; monotonic time starts at 0. */
export function createFakeClock(startMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678)): FakeClock {
  let elapsedMs = 0
  const waiting = new Set<Waiting>()
  const start = (delayMs: number, callback: () => void, intervalMs?: number) => {
    const timer: Waiting = { dueMs: elapsedMs + Math.max(delayMs, 0), intervalMs, callback }
    waiting.add(timer)
    return { cancel: () => void waiting.delete(timer) }
  }
  const nextDue = (limitMs: number): Waiting | undefined => {
    let next: Waiting | undefined
    for (const timer of waiting)
      if (timer.dueMs <= limitMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer
    return next
  }
  return {
    nowMs: () => startMs + Math.floor(elapsedMs),
    monotonicMs: () => elapsedMs,
    after: (delayMs, callback) => start(delayMs, callback),
    every: (intervalMs, callback) => start(intervalMs, callback, intervalMs),
    sleep: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const onAbort = () => {
          timer.cancel()
          reject(signal?.reason)
        }
        const timer = start(delayMs, () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        })
        signal?.addEventListener('abort', onAbort, { once: true })
      }),
    async advance(byMs) {
      const targetMs = elapsedMs + byMs
      await settled()
      for (let timer = nextDue(targetMs); timer !== undefined; timer = nextDue(targetMs)) {
        elapsedMs = Math.max(elapsedMs, timer.dueMs)
        if (timer.intervalMs === undefined) waiting.delete(timer)
        else timer.dueMs += Math.max(timer.intervalMs, 1)
        timer.callback()
        await settled()
      }
      elapsedMs = targetMs
    },
    get pending() {
      return waiting.size
    },
  }
}

/** Lets everything that is ready to run, run: microtasks and one round of the event loop. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
