import { EngineError } from '../errors.ts'
import type { Log } from '../log.ts'
import { GroupBuilder } from './groups.ts'
import type { Change } from './store.ts'
import type { GroupOutcome, SetFailure, WriterPort } from './writer-messages.ts'

/** Bytes that may wait to be written before more is refused. */
export const UNWRITTEN_BYTES = 64 * 1024 * 1024

/**
 * Groups with the writer at once. One: while it syncs the next one grows, and two half as large cost more
 * syncs.
 */
const GROUPS_AHEAD = 1

/** Somebody waiting for a set; undefined for a set nobody waits for. */
type Waiter = { resolve: () => void; reject: (error: Error) => void } | undefined

/**
 * Group commit, the engine's side: what is handed in during one turn of the event loop, or while the writer
 * is busy with earlier groups, goes to it as one group and is written in one transaction.
 */
export class Committer {
  readonly #port: WriterPort
  readonly #log: Log
  readonly #builder: GroupBuilder
  readonly #soon: (send: () => void) => void
  readonly #maxBytes: number
  #waiters: Waiter[] = []
  #pendingBytes = 0
  #unwrittenBytes = 0
  #groupsAhead = 0
  #sendPlanned = false
  #closed = false
  #whenDrained: (() => void)[] = []
  #problem: string | undefined

  /** `soon` runs its argument at the end of this turn. */
  constructor(options: {
    port: WriterPort
    log: Log
    statementNames: readonly string[]
    soon: (send: () => void) => void
    maxBytes?: number
  }) {
    this.#port = options.port
    this.#log = options.log
    this.#soon = options.soon
    this.#maxBytes = options.maxBytes ?? UNWRITTEN_BYTES
    this.#builder = new GroupBuilder(new Map(options.statementNames.map((name, number) => [name, number])))
  }

  /** Why the last group was not written; undefined when it was. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** @see Store.commit */
  commit(changes: readonly Change[]): Promise<void> {
    const refusal = this.#refusal()
    if (refusal !== undefined) return Promise.reject(refusal)
    return new Promise((resolve, reject) => this.#add(changes, { resolve, reject }))
  }

  /** @see Store.append */
  append(changes: readonly Change[]): void {
    const refusal = this.#refusal()
    if (refusal === undefined) this.#add(changes, undefined)
    else this.#log.warn('append dropped', { changes: changes.length, reason: refusal.message })
  }

  /** Resolves when everything handed in has been answered; refuses what comes later. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#unwrittenBytes === 0 && this.#builder.sets === 0 && this.#groupsAhead === 0) return
    await new Promise<void>((resolve) => this.#whenDrained.push(resolve))
  }

  #refusal(): EngineError | undefined {
    if (this.#closed) return new EngineError('unavailable', 'The store is closed.')
    if (this.#unwrittenBytes < this.#maxBytes) return undefined
    return new EngineError(
      'throttled',
      `${this.#unwrittenBytes} bytes wait to be written to disk; the bound is ${this.#maxBytes}.`,
      { detail: 'queue-full', hint: 'The disk is slower than the work that comes in. Try again later.' },
    )
  }

  #add(changes: readonly Change[], waiter: Waiter): void {
    const bytes = this.#builder.add(changes)
    this.#waiters.push(waiter)
    this.#pendingBytes += bytes
    this.#unwrittenBytes += bytes
    this.#planSend()
  }

  #planSend(): void {
    if (this.#sendPlanned || this.#groupsAhead >= GROUPS_AHEAD) return
    this.#sendPlanned = true
    this.#soon(this.#send)
  }

  readonly #send = (): void => {
    this.#sendPlanned = false
    if (this.#builder.sets === 0) return
    const waiters = this.#waiters
    const bytes = this.#pendingBytes
    this.#waiters = []
    this.#pendingBytes = 0
    this.#groupsAhead++
    this.#port.group(this.#builder.take(), (outcome) => this.#settle(waiters, bytes, outcome))
  }

  #settle(waiters: readonly Waiter[], bytes: number, outcome: GroupOutcome): void {
    this.#groupsAhead--
    this.#unwrittenBytes -= bytes
    this.#problem = outcome.failures.find(({ code }) => code === 'unavailable')?.message
    if (outcome.failures.length === 0) for (const waiter of waiters) waiter?.resolve()
    else this.#settleSome(waiters, outcome.failures)
    if (this.#builder.sets > 0) this.#planSend()
    else if (this.#groupsAhead === 0) for (const drained of this.#whenDrained.splice(0)) drained()
  }

  #settleSome(waiters: readonly Waiter[], failures: readonly SetFailure[]): void {
    const failed = new Map(failures.map((failure) => [failure.set, failure]))
    waiters.forEach((waiter, set) => {
      const failure = failed.get(set)
      if (failure === undefined) return waiter?.resolve()
      if (waiter === undefined)
        this.#log.error('append failed', { reason: failure.message, code: failure.detail })
      else waiter.reject(errorOf(failure))
    })
  }
}

function errorOf(failure: SetFailure): EngineError {
  if (failure.code !== 'unavailable')
    return new EngineError(failure.code, `The change was not stored: ${failure.message}.`, {
      detail: failure.detail,
    })
  return new EngineError('unavailable', `The disk did not take a write: ${failure.message}.`, {
    detail: failure.detail,
    hint: 'Nothing of it was kept. Check that the disk of the data directory has room and is healthy.',
  })
}
