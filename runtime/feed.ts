import type { Clock } from './clock.ts'

/** Something that happened, for whoever watches. */
export interface EngineEvent {
  /** Grows by one with every event of this engine. */
  readonly id: number
  readonly timeMs: number
  /** Past tense: `function-updated`, `environment-started`, `environment-stopped`, `run-finished`. */
  readonly kind: string
  readonly subject: Readonly<Record<string, string | number | boolean | null>>
}

const KEPT_EVENTS = 1000

/**
 * The last 1,000 events, and whoever wants to hear of new ones. Listeners must not throw and must be quick.
 */
export class Feed {
  readonly #clock: Clock
  readonly #ring: EngineEvent[] = []
  readonly #listeners = new Set<(event: EngineEvent) => void>()
  #nextId = 1

  constructor(clock: Clock) {
    this.#clock = clock
  }

  emit(kind: string, subject: EngineEvent['subject']): void {
    const event = { id: this.#nextId++, timeMs: this.#clock.nowMs(), kind, subject }
    this.#ring[event.id % KEPT_EVENTS] = event
    for (const listener of this.#listeners) listener(event)
  }

  /**
   * Calls `listener` with what is kept after `afterId`, oldest first, then with every new event until
   * disposed.
   */
  watch(afterId: number | undefined, listener: (event: EngineEvent) => void): Disposable {
    if (afterId !== undefined) {
      const kept = this.#ring.filter((event) => event !== undefined && event.id > afterId)
      for (const event of kept.sort((left, right) => left.id - right.id)) listener(event)
    }
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }
}
