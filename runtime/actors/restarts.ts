/** After this many crashes in a row any actor is left alone for a while. */
const MOST_IN_A_ROW = 10
/** Crashes that lie further apart are none in a row. */
export const CRASH_WINDOW_MS = 60_000
/** How long an actor is left alone. */
export const QUARANTINE_MS = 60_000
const FIRST_DELAY_MS = 100
const MOST_DELAY_MS = 30_000

/** What follows a crash. */
export type AfterCrash =
  | { readonly kind: 'restart'; readonly delayMs: number }
  | { readonly kind: 'quarantine'; readonly crashes: number }

/** Why an actor is left alone, and how long. */
export interface Quarantine {
  readonly reason: string
  /** Unix epoch ms. */
  readonly untilMs: number
}

/** The quarantine that follows so many crashes. */
export function quarantineAfter(crashes: number, how: string, nowMs: number): Quarantine {
  const untilMs = nowMs + QUARANTINE_MS
  const until = new Date(untilMs).toISOString()
  const reason = `it ended ${crashes} times in a row, last with ${how}; it is tried again at ${until}`
  return { reason, untilMs }
}

/** How often an actor has crashed lately without answering a call in between. */
export class Restarts {
  #inARow = 0
  /** Monotonic ms. */
  #lastAt = 0

  /** Whether there is something to remember. */
  isRecent(now: number): boolean {
    return this.#inARow > 0 && now - this.#lastAt <= CRASH_WINDOW_MS
  }

  /** It answered a call. */
  worked(): void {
    this.#inARow = 0
  }

  /** `bound` as in the options: -1 for none of its own. The first restart is at once. */
  crashed(now: number, bound: number): AfterCrash {
    if (!this.isRecent(now)) this.#inARow = 0
    this.#inARow += 1
    this.#lastAt = now
    if (this.#inARow > (bound < 0 ? MOST_IN_A_ROW - 1 : bound))
      return { kind: 'quarantine', crashes: this.#inARow }
    const delayMs = this.#inARow === 1 ? 0 : FIRST_DELAY_MS * 2 ** (this.#inARow - 2)
    return { kind: 'restart', delayMs: Math.min(delayMs, MOST_DELAY_MS) }
  }

  forget(): void {
    this.#inARow = 0
  }
}
