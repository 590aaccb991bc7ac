import type { Clock } from '../clock.ts'

/** A grandchild can hold the log open after the process is gone: nobody waits longer than this for it. */
const LAST_BYTES_MS = 100

/**
 * The sockets of one environment, for frames and for its log. News of an exit can overtake the last answer
 * and the last lines, which still lie in them.
 */
export class OpenSockets {
  readonly #clock: Clock
  #open = 0
  #whenClosed: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  opened(): void {
    this.#open += 1
  }

  closed(): void {
    this.#open -= 1
    if (this.#open === 0) this.#whenClosed?.()
  }

  /** Calls `then` when all are closed, and after a while in any case; it may be called twice. */
  whenClosed(then: () => void): void {
    if (this.#open === 0) return then()
    const patience = this.#clock.after(LAST_BYTES_MS, then)
    this.#whenClosed = () => {
      patience.cancel()
      then()
    }
  }
}
