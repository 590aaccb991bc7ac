import type { Clock, Timer } from '../clock.ts'

/** What an actor is about to do: one thing at a time. A new plan, or `drop`, makes an earlier one void. */
export class Plan {
  readonly #clock: Clock
  #number = 0
  #timer: Timer | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  drop(): void {
    this.#number += 1
    this.#timer?.cancel()
  }

  /** `step` as long as this plan holds; afterwards it does nothing. */
  make<Args extends unknown[]>(step: (...args: Args) => void): (...args: Args) => void {
    this.drop()
    return this.also(step)
  }

  /** One more step of the plan that holds now. */
  also<Args extends unknown[]>(step: (...args: Args) => void): (...args: Args) => void {
    const number = this.#number
    return (...args) => {
      if (number === this.#number) step(...args)
    }
  }

  /** Does `step` after a while. */
  after(delayMs: number, step: () => void): void {
    const go = this.make(step)
    this.#timer = this.#clock.after(delayMs, go)
  }
}
