import { systemClock } from '../clock.ts'
import { TimeoutError } from './client-errors.ts'
import { parseDuration, type Duration } from './duration.ts'

/** How long to wait, and what ends the wait. */
export interface WaitOptions {
  /** No limit when absent. */
  readonly timeout?: Duration
  readonly signal?: AbortSignal | undefined
}

/** A wait that ends: `leftMs` is Infinity without a limit. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal
  leftMs(): number
}

/**
 * Starts the time of a wait. Its signal aborts with a TimeoutError that names `what` when the time is over,
 * and with the given signal's reason when that aborts.
 */
export function startDeadline(what: string, { timeout, signal }: WaitOptions): Deadline {
  const limitMs = timeout === undefined ? null : parseDuration(timeout)
  const startedAt = systemClock.monotonicMs()
  const ending = new AbortController()
  const onAbort = (): void => ending.abort(signal?.reason)
  if (signal?.aborted === true) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })
  const late = (): TimeoutError =>
    new TimeoutError('Timeout', `${what} took longer than ${limitMs} ms. It may still be going on.`, {
      status: 504,
    })
  const timer = limitMs === null ? undefined : systemClock.after(limitMs, () => ending.abort(late()))
  return {
    signal: ending.signal,
    leftMs: () => (limitMs === null ? Infinity : limitMs - (systemClock.monotonicMs() - startedAt)),
    [Symbol.dispose]() {
      timer?.cancel()
      signal?.removeEventListener('abort', onAbort)
    },
  }
}
