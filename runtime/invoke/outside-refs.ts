import type { Clock, Timer } from '../clock.ts'
import { RefHolder, type ObjectEntry, type ObjectTable } from '../objects/object-table.ts'

/** How long a value is kept for somebody outside who has not asked for it. */
const KEPT_MS = 3_600_000
const SWEEP_MS = 60_000

/** Refs of callers from outside: each is held until an hour after its value is there, or is deleted. */
export class OutsideRefs {
  readonly #holder: RefHolder
  readonly #clock: Clock
  readonly #timer: Timer
  /** In the order in which their time is over. */
  #settled: { entry: ObjectEntry; untilMs: number }[] = []

  constructor(objects: ObjectTable, clock: Clock) {
    this.#holder = new RefHolder(objects)
    this.#clock = clock
    this.#timer = clock.every(SWEEP_MS, () => this.#sweep())
  }

  /** Holds whatever is made with it; `keep` says from when on its time runs. */
  get holder(): RefHolder {
    return this.#holder
  }

  /** The time of `entry` runs from its value on. */
  keep(entry: ObjectEntry): void {
    entry.whenSettled({
      settled: () => this.#settled.push({ entry, untilMs: this.#clock.monotonicMs() + KEPT_MS }),
    })
  }

  release(entry: ObjectEntry): void {
    this.#holder.release(entry)
  }

  close(): void {
    this.#timer.cancel()
    this.#holder.end()
  }

  #sweep(): void {
    const now = this.#clock.monotonicMs()
    let over = 0
    for (const { entry, untilMs } of this.#settled) {
      if (untilMs > now) break
      this.#holder.release(entry)
      over += 1
    }
    if (over > 0) this.#settled = this.#settled.slice(over)
  }
}
