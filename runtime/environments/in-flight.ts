import type { Invocation } from './invocation.ts'

/**
 * What one process has been handed and has not answered, in order: what runs, and what is held ahead of its
 * turn.
 */
export class InFlight {
  readonly #all: Invocation[] = []
  #running = 0

  get all(): readonly Invocation[] {
    return this.#all
  }
  get size(): number {
    return this.#all.length
  }
  get running(): number {
    return this.#running
  }

  /** Takes one in as held; `start` follows when it has a place. */
  add(invocation: Invocation): void {
    invocation.state = 'queued-ahead'
    this.#all.push(invocation)
  }

  start(invocation: Invocation): void {
    invocation.state = 'running'
    this.#running += 1
  }

  find(id: number): Invocation | undefined {
    for (const invocation of this.#all) if (invocation.id === id) return invocation
    return undefined
  }

  /** Calls `then` with the invocation of that number, if it is one of these. */
  with(id: number, then: (invocation: Invocation) => void): void {
    const invocation = this.find(id)
    if (invocation !== undefined) then(invocation)
  }

  /** The one whose turn is next. */
  nextHeld(): Invocation | undefined {
    if (this.#running === this.#all.length) return undefined
    for (const invocation of this.#all) if (invocation.state === 'queued-ahead') return invocation
    return undefined
  }

  /** Those held, last first: what goes back to the front of a queue one by one keeps its order. */
  heldLastFirst(): Invocation[] {
    if (this.#running === this.#all.length) return []
    return this.#all.filter((one) => one.state === 'queued-ahead').toReversed()
  }

  remove(invocation: Invocation): void {
    const index = this.#all.indexOf(invocation)
    if (index < 0) return
    this.#all.splice(index, 1)
    if (invocation.state === 'running') this.#running -= 1
  }

  /**
   * Empties it, last first: what goes back to the front of a queue keeps its order. What was held comes back
   * as waiting through `returned`, what ran has ended.
   */
  end(on: { returned(invocation: Invocation): void; ended(invocation: Invocation): void }): void {
    this.#running = 0
    for (const invocation of this.#all.splice(0).toReversed()) {
      if (invocation.state === 'queued-ahead') {
        invocation.state = 'waiting'
        invocation.host = undefined
        on.returned(invocation)
        continue
      }
      invocation.state = 'ended'
      on.ended(invocation)
    }
  }
}
