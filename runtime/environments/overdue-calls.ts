import type { Clock, Timer } from '../clock.ts'
import type { Invocation } from './invocation.ts'
import { KILLED } from './launcher.ts'
import type { LogIntake } from './log-intake.ts'

/** A process that has not taken an abort by then is stuck. */
const STUCK_AFTER_MS = 500

/**
 * Invocations over their time limit in a process that runs several at once: their callers have been
 * answered, their code goes on, and each keeps its place in the process until it ends there. Bounded by the
 * places there are.
 */
export class OverdueCalls {
  readonly #clock: Clock
  readonly #intake: LogIntake
  readonly #onStuck: () => void
  readonly #requestIds = new Map<number, string>()
  /** Those of them whose abort the process has not taken yet. */
  readonly #unproven = new Map<number, Timer>()

  /** `onStuck` is called when the process does not take an abort. */
  constructor(clock: Clock, intake: LogIntake, onStuck: () => void) {
    this.#clock = clock
    this.#intake = intake
    this.#onStuck = onStuck
  }

  get size(): number {
    return this.#requestIds.size
  }

  /** Whether it is open if the process still turns its event loop. */
  get unproven(): boolean {
    return this.#unproven.size > 0
  }

  /** Answers its caller; what its code still writes begins nothing. */
  add(invocation: Invocation): void {
    const { id, input } = invocation
    this.#requestIds.set(id, input.requestId)
    this.#unproven.set(id, this.#clock.after(STUCK_AFTER_MS, this.#onStuck))
    invocation.state = 'ended'
    input.observer.lost(invocation, KILLED)
    invocation.letGo()
    this.#intake.mute(input.requestId)
  }

  /** The process has taken the abort of invocation `id`. Returns whether nothing is unproven any more. */
  proven(id: number): boolean {
    this.#unproven.get(id)?.cancel()
    return this.#unproven.delete(id) && this.#unproven.size === 0
  }

  /** The code of invocation `id` has ended, `logBytes` into the log. Returns whether it is one of these. */
  end(id: number, logBytes: number): boolean {
    const requestId = this.#requestIds.get(id)
    if (requestId === undefined) return false
    this.#requestIds.delete(id)
    this.proven(id)
    this.#intake.whenAt(logBytes, () => this.#intake.unmute(requestId))
    return true
  }

  clear(): void {
    for (const timer of this.#unproven.values()) timer.cancel()
    this.#unproven.clear()
    this.#requestIds.clear()
  }
}
