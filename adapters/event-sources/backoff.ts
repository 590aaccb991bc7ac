import type { Clock } from '../../runtime/clock.ts'

/** Waits that double from `firstMs` to `lastMs`, until something has worked again. */
export class Backoff {
  readonly #firstMs: number
  readonly #lastMs: number
  #nextMs: number

  constructor(firstMs: number, lastMs: number) {
    this.#firstMs = firstMs
    this.#lastMs = lastMs
    this.#nextMs = firstMs
  }

  /** How long the next wait is; the one after it is longer. */
  next(): number {
    const delayMs = this.#nextMs
    this.#nextMs = Math.min(delayMs * 2, this.#lastMs)
    return delayMs
  }

  reset(): void {
    this.#nextMs = this.#firstMs
  }
}

/** Resolves with true after `delayMs`, with false at once when the signal aborts. */
export async function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(delayMs, signal)
    return true
  } catch (error) {
    if (signal.aborted) return false
    throw error
  }
}

/** Resolves when the signal aborts. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
