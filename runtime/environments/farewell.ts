import type { Clock } from '../clock.ts'
import { FRAME, frame, type Shutdown } from './frames.ts'

/** What an environment that ends politely may take beyond its budget before it is killed. */
const GRACE_MS = 500
/** More than any environment says that it needs. */
const MAX_BUDGET_MS = 10_000
/** What is left of an environment when its runtime has ended stops by itself within this and its budget. */
const REST_ENDS_MS = 2_000

/**
 * How an environment is ended: at once, or politely where it has said that it needs time, which is when there
 * are extensions.
 */
export class Farewell {
  readonly #clock: Clock
  readonly #send: (bytes: Buffer) => void
  readonly #kill: () => void
  #budgetMs = 0
  #begun = false

  constructor(clock: Clock, send: (bytes: Buffer) => void, kill: () => void) {
    this.#clock = clock
    this.#send = send
    this.#kill = kill
  }

  /** Whether the environment is asked before it is killed. */
  get polite(): boolean {
    return this.#budgetMs > 0
  }

  /** The environment says what it needs. */
  needs(budgetMs: number): void {
    this.#budgetMs = Math.min(budgetMs, MAX_BUDGET_MS)
  }

  /** Ends it. */
  end(reason: Shutdown['reason']): void {
    if (!this.polite) return this.#kill()
    if (this.#begun) return
    this.#begun = true
    this.#send(frame(FRAME.shutdown, { reason } satisfies Shutdown))
    this.#clock.after(this.#budgetMs + GRACE_MS, this.#kill)
  }

  /** It ends by itself: nobody has to ask it to. */
  expect(): void {
    if (this.#begun) return
    this.#begun = this.polite
    this.#clock.after(REST_ENDS_MS + this.#budgetMs, this.#kill)
  }
}
