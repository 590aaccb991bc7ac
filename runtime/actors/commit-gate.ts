import { EngineError } from '../errors.ts'
import { fenceActor } from '../store/actors.ts'
import type { Change, Store } from '../store/store.ts'

/** What waits until everything handed in before it, and with it, is on disk. */
export interface Gated {
  committed(): void
  /** It is not, and never will be. */
  lost(error: EngineError): void
}

/**
 * The way of one activation's writes to disk, and of its replies past them: a reply leaves when its own
 * writes, and all that the call can have seen, are committed. Writes that come while earlier ones are on
 * their way go together in one set, led by the fence that refuses them once a later activation has begun.
 * After a failure nothing passes any more.
 */
export class CommitGate {
  readonly #store: Pick<Store, 'commit'>
  readonly #actorId: number
  readonly #epoch: number
  readonly #onFailure: (error: EngineError) => void
  readonly #onAlarm: (dueAtMs: number) => void
  #changes: Change[] = []
  /** Where in `#changes` the last write of a key is. */
  readonly #latest = new Map<string, number>()
  #waiting: Gated[] = []
  #inFlight: Gated[] | undefined
  #planned = false
  #failure: EngineError | undefined
  #alarmDueAtMs = Infinity
  #whenIdle: (() => void)[] = []

  constructor(options: {
    store: Pick<Store, 'commit'>
    actorId: number
    epoch: number
    onFailure: (error: EngineError) => void
    /** An alarm that is set now is due then. */
    onAlarm: (dueAtMs: number) => void
  }) {
    this.#store = options.store
    this.#actorId = options.actorId
    this.#epoch = options.epoch
    this.#onFailure = options.onFailure
    this.#onAlarm = options.onAlarm
  }

  /** Nothing is on its way. */
  get isIdle(): boolean {
    return this.#inFlight === undefined && this.#changes.length === 0
  }

  /** The write with which the activation begins. It needs no fence: it is one. */
  begin(change: Change): void {
    this.#send([change], [])
  }

  /** Writes; `gated` passes when they are on disk. */
  hand(changes: readonly Change[], gated: Gated, alarmDueAtMs = Infinity): void {
    if (changes.length === 0) return this.pass(gated)
    if (this.#failure !== undefined) return gated.lost(this.#failure)
    for (const change of changes) this.#add(change)
    this.#alarmDueAtMs = Math.min(this.#alarmDueAtMs, alarmDueAtMs)
    this.#waiting.push(gated)
    if (this.#planned || this.#inFlight !== undefined) return
    this.#planned = true
    queueMicrotask(this.#flush) // behind all that came with the same chunk
  }

  /** Passes behind everything that was handed in: at once when nothing is on its way. */
  pass(gated: Gated): void {
    if (this.#failure !== undefined) gated.lost(this.#failure)
    else if (this.isIdle) gated.committed()
    else if (this.#changes.length > 0) this.#waiting.push(gated)
    else this.#inFlight?.push(gated)
  }

  /** Calls back once nothing is on its way. */
  whenIdle(then: () => void): void {
    if (this.isIdle) then()
    else this.#whenIdle.push(then)
  }

  /** The last write of an entry is the one that counts. */
  #add(change: Change): void {
    const [statement, , key] = change
    if (statement === 'deleteActorValues') this.#latest.clear()
    if ((statement !== 'putActorValue' && statement !== 'deleteActorValue') || typeof key !== 'string') {
      this.#changes.push(change)
      return
    }
    const at = this.#latest.get(key)
    if (at === undefined) this.#latest.set(key, this.#changes.push(change) - 1)
    else this.#changes[at] = change
  }

  readonly #flush = (): void => {
    this.#planned = false
    if (this.#changes.length === 0 || this.#inFlight !== undefined) return
    const changes = this.#changes
    const waiting = this.#waiting
    this.#changes = []
    this.#waiting = []
    this.#latest.clear()
    changes.unshift(fenceActor(this.#actorId, this.#epoch))
    this.#send(changes, waiting)
  }

  #send(changes: readonly Change[], gated: Gated[]): void {
    const alarmDueAtMs = this.#alarmDueAtMs
    this.#alarmDueAtMs = Infinity
    this.#inFlight = gated
    this.#store.commit(changes).then(
      () => {
        if (alarmDueAtMs < Infinity) this.#onAlarm(alarmDueAtMs)
        this.#settled()
      },
      (error: unknown) => this.#failed(error),
    )
  }

  #settled(): void {
    const passed = this.#inFlight ?? []
    this.#inFlight = undefined
    this.#flush()
    for (const gated of passed) gated.committed()
    this.#tellIdle()
  }

  #failed(thrown: unknown): void {
    const error =
      thrown instanceof EngineError
        ? thrown
        : new EngineError('internal', 'The store failed.', { cause: thrown })
    this.#failure = error
    const lost = [...(this.#inFlight ?? []), ...this.#waiting]
    this.#inFlight = undefined
    this.#changes = []
    this.#waiting = []
    this.#onFailure(error)
    for (const gated of lost) gated.lost(error)
    this.#tellIdle()
  }

  #tellIdle(): void {
    if (this.isIdle) for (const then of this.#whenIdle.splice(0)) then()
  }
}
