import { EngineError } from '../errors.ts'

/** Bounds how many starts go on at once: a herd of them would slow each other and everything else down. */
export class StartQueue {
  readonly #places: number
  readonly #maxWaiting: number
  readonly #waiting: { enter: () => void; refuse: (error: Error) => void }[] = []
  #taken = 0
  #closed = false

  constructor(places: number, maxWaiting: number) {
    this.#places = places
    this.#maxWaiting = maxWaiting
  }

  /**
   * Resolves in turn with a place to dispose. Throws EngineError 'unavailable' when the line is full or
   * closed.
   */
  async enter(): Promise<Disposable> {
    if (this.#closed) throw closed()
    if (this.#taken < this.#places) this.#taken++
    else {
      if (this.#waiting.length >= this.#maxWaiting) {
        throw new EngineError('unavailable', `${this.#maxWaiting} environments wait to be started already.`)
      }
      // Whoever leaves hands the place on without freeing it.
      await new Promise<void>((enter, refuse) => this.#waiting.push({ enter, refuse }))
    }
    return { [Symbol.dispose]: () => this.#leave() }
  }

  /** Refuses everybody who waits or comes later. */
  close(): void {
    this.#closed = true
    for (const { refuse } of this.#waiting.splice(0)) refuse(closed())
  }

  #leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#taken--
    else next.enter()
  }
}

const closed = (): EngineError => new EngineError('unavailable', 'The engine is stopping.')
