import type { Connection } from '../connection.ts'
import type { Invocation } from '../invocation.ts'
import type { Calls } from './calls.ts'

/** What one invocation waits for, and whether others have its processor meanwhile. */
interface Lent {
  waits: number
  state: 'running' | 'blocked' | 'resuming'
  /** What to do once it has a processor again. */
  ready: (() => void)[]
}

/**
 * An invocation that waits in `get` or `wait` lends its processor to others, and gets one back before its
 * code goes on. The engine is told when the code has come to rest, not at each call: what is there by then
 * is not waited for.
 */
export class Lending {
  readonly #calls: Pick<Calls, 'ask' | 'tell'>
  readonly #connection: Pick<Connection, 'scheduleFlush' | 'beforeFlush'>
  readonly #lent = new Map<Invocation, Lent>()
  /** Those that began to wait in this turn. */
  #fresh: Invocation[] = []
  #blocked = 0
  /** Told when an invocation has lent its place in this process, too. */
  onPlaceFreed: () => void = () => {}

  constructor(
    calls: Pick<Calls, 'ask' | 'tell'>,
    connection: Pick<Connection, 'scheduleFlush' | 'beforeFlush'>,
  ) {
    this.#calls = calls
    this.#connection = connection
    connection.beforeFlush = () => this.#blockFresh()
  }

  /** Invocations whose places are free for others. */
  get places(): number {
    return this.#blocked
  }

  /** The code of `invocation` waits for one more thing. Each call is followed by one of `resume`. */
  began(invocation: Invocation | undefined): void {
    // An actor keeps what it holds: its calls are parts of one invocation.
    if (invocation === undefined || invocation.part !== undefined || invocation.state === 'answered') return
    let lent = this.#lent.get(invocation)
    if (lent === undefined) {
      lent = { waits: 0, state: 'running', ready: [] }
      this.#lent.set(invocation, lent)
    }
    lent.waits += 1
    if (lent.state === 'running') this.#isFresh(invocation)
  }

  /** One wait is over: `then` is called as soon as the code may go on. */
  resume(invocation: Invocation | undefined, then: () => void): void {
    const lent = invocation === undefined ? undefined : this.#lent.get(invocation)
    if (invocation === undefined || lent === undefined) return then()
    lent.waits -= 1
    if (lent.state === 'running') {
      if (lent.waits === 0) this.#lent.delete(invocation)
      return then()
    }
    lent.ready.push(then)
    if (lent.state === 'resuming') return
    lent.state = 'resuming'
    this.#calls.ask(`unblock\n${invocation.id}`, { answered: () => this.#resumed(invocation, lent) })
  }

  /** The invocation was answered: it has no place any more. */
  ended(invocation: Invocation): void {
    const lent = this.#lent.get(invocation)
    if (lent === undefined) return
    this.#lent.delete(invocation)
    if (lent.state !== 'running') this.#blocked -= 1
  }

  #isFresh(invocation: Invocation): void {
    if (this.#fresh.push(invocation) === 1) this.#connection.scheduleFlush()
  }

  #blockFresh(): void {
    if (this.#fresh.length === 0) return
    const fresh = this.#fresh
    this.#fresh = []
    let isFreed = false
    for (const invocation of fresh) {
      const lent = this.#lent.get(invocation)
      if (lent?.state !== 'running' || lent.waits === 0) continue
      lent.state = 'blocked'
      this.#blocked += 1
      isFreed = true
      this.#calls.tell(`block\n${invocation.id}`)
    }
    if (isFreed) this.onPlaceFreed()
  }

  #resumed(invocation: Invocation, lent: Lent): void {
    lent.state = 'running'
    if (this.#lent.get(invocation) === lent) {
      this.#blocked -= 1
      if (lent.waits === 0) this.#lent.delete(invocation)
      else this.#isFresh(invocation)
    }
    const { ready } = lent
    lent.ready = []
    for (const then of ready) then()
  }
}
