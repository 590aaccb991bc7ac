/** A timer that was started; `cancel` is idempotent. */
export interface Timer {
  cancel(): void
}

/**
 * The only source of time. Wall time is for display and schedules; every duration, deadline and back-off is
 * measured
 * with `monotonicMs`, so a clock that jumps expires nothing.
 */
export interface Clock {
  /** Unix epoch, whole milliseconds. */
  nowMs(): number
  /** Milliseconds with a fraction since an arbitrary origin; never goes back. */
  monotonicMs(): number
  /** Calls `callback` once after `delayMs`. The timer never keeps the process alive. */
  after(delayMs: number, callback: () => void): Timer
  /** Calls `callback` every `intervalMs`. The timer never keeps the process alive. */
  every(intervalMs: number, callback: () => void): Timer
  /** Resolves after `delayMs`; rejects with the signal's reason when it aborts first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

/** The machine's own clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback) {
    const handle = setTimeout(callback, Math.min(Math.max(delayMs, 0), MAX_TIMER_MS))
    handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
  every(intervalMs, callback) {
    const handle = setInterval(callback, intervalMs)
    handle.unref()
    return { cancel: () => clearInterval(handle) }
  },
  sleep(delayMs, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const onAbort = () => {
        clearTimeout(handle)
        reject(signal?.reason)
      }
      const handle = setTimeout(
        () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
        Math.min(Math.max(delayMs, 0), MAX_TIMER_MS),
      )
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  },
}

/** Node's timers overflow past 2^31-1 ms and would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1
