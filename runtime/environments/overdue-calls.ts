import type { Clock, Timer } from '../clock.ts'
import type { Invocation } from './invocation.ts'

/** A process that has not taken an abort by then is stuck. */
const STUCK_AFTER_MS = 500

/**
 * Invocations over their time limit in a process that runs several at once: their callers have been
 * answered, their code goes on, and each keeps its place in the process until it ends there. Bounded by the
 * places there are.
 */
export class OverdueCalls {
  readonly #clock: Clock
  readonly #onStuck: () => void
  readonly #requestIds = new Map<number, string>()
  /** Those of them whose abort the process has not taken yet. */
  readonly #unproven = new Map<number, Timer>()

  /** `onStuck` is called when the process does not take an abort. */
  constructor(clock: Clock, onStuck: () => void) {
    this.#clock = clock
    this.#onStuck = onStuck
  }

  get size(): number {
    return this.#requestIds.size
  }

  /** Whether it is open if the process still turns its event loop. */
  get unproven(): boolean {
    return this.#unproven.size > 0
  }

  add({ id, input }: Invocation): void {
    this.#requestIds.set(id, input.requestId)
    this.#unproven.set(id, this.#clock.after(STUCK_AFTER_MS, this.#onStuck))
  }

  /** The process has taken the abort of invocation `id`. Returns whether nothing is unproven any more. */
  proven(id: number): boolean {
    this.#unproven.get(id)?.cancel()
    return this.#unproven.delete(id) && this.#unproven.size === 0
  }

  /** The code of invocation `id` has ended as well. Returns its request id, if it is one of these. */
  end(id: number): string | undefined {
    const requestId = this.#requestIds.get(id)
    this.#requestIds.delete(id)
    this.proven(id)
    return requestId
  }

  clear(): void {
    for (const timer of this.#unproven.values()) timer.cancel()
    this.#unproven.clear()
    this.#requestIds.clear()
  }
}
