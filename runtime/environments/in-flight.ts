import type { Invocation, InvocationHost } from './invocation.ts'
import type { ProcessExit } from './launcher.ts'

/**
 * What one process has been handed and has not answered, in order: what runs, and what is held ahead of its
 * turn.
 */
export class InFlight {
  readonly #all: Invocation[] = []
  #running = 0
  #blocked = 0
  /** Names the next one on the connection. */
  #nextId = 1

  get all(): readonly Invocation[] {
    return this.#all
  }
  get size(): number {
    return this.#all.length
  }
  get running(): number {
    return this.#running
  }

  /** How many run and do not wait for others. */
  get awake(): number {
    return this.#running - this.#blocked
  }
  /** How many of those that run wait for others. */
  get blocked(): number {
    return this.#blocked
  }

  /** One that runs waits for others from now on, or does not any more. */
  block(invocation: Invocation, isBlocked: boolean): void {
    if (invocation.isBlocked === isBlocked) return
    invocation.isBlocked = isBlocked
    this.#blocked += isBlocked ? 1 : -1
  }

  /** Takes one in as held; `start` follows when it has a place. */
  add(invocation: Invocation, host: InvocationHost): void {
    invocation.state = 'queued-ahead'
    invocation.host = host
    invocation.id = this.#nextId
    this.#nextId = this.#nextId === 0xffffffff ? 1 : this.#nextId + 1
    this.#all.push(invocation)
  }

  /** `now` is monotonic ms: a limit for one held ahead is counted from its own start. */
  start(invocation: Invocation, now: number): void {
    invocation.state = 'running'
    invocation.startedAt = now
    const { timeoutMs = invocation.version.timeoutMs } = invocation.input
    invocation.deadline = timeoutMs === null ? Infinity : now + timeoutMs
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
    this.block(invocation, false)
    if (invocation.state === 'running' || invocation.state === 'settling') this.#running -= 1
  }

  /** The process gives one back that it had not started: it waits again. */
  takeBack(id: number): Invocation | undefined {
    const invocation = this.find(id)
    if (invocation === undefined) return undefined
    this.remove(invocation)
    invocation.state = 'waiting'
    invocation.host = undefined
    return invocation
  }

  /**
   * The process is gone, or as good as gone. Empties it, last first: what goes back to the front of a queue
   * keeps its order. What was held comes back as waiting through `returned`; what ran is told that it is
   * lost, and what was answered already that it is settled.
   */
  end(exit: ProcessExit, returned: (invocation: Invocation) => void): void {
    this.#running = 0
    this.#blocked = 0
    for (const invocation of this.#all.splice(0).toReversed()) {
      const { state, input } = invocation
      if (state === 'queued-ahead') {
        invocation.state = 'waiting'
        invocation.host = undefined
        returned(invocation)
        continue
      }
      invocation.state = 'ended'
      if (state === 'settling') input.observer.settled(invocation, undefined)
      else input.observer.lost(invocation, exit)
      invocation.letGo()
    }
  }
}
