import type { Clock, Timer } from '../clock.ts'
import { EngineError, isEngineError, messageOf, type ErrorCode } from '../errors.ts'
import type { Log } from '../log.ts'
import {
  loadOwedDeliveries,
  readEndedEvent,
  retryDelivery,
  settleDelivery,
  type DeliveryHead,
} from '../store/ended-events.ts'
import type { Change, Store } from '../store/store.ts'
import { outcomeArn, type DeliverOutcome, type OutgoingOutcome } from './event-outcome.ts'

/** Deliveries that may be owed at once; outcomes past it are recorded as undeliverable. */
const MAX_OWED = 1_000_000
/** Deliveries under way at once, to one target and to all of them. */
const PER_TARGET = 8
const IN_ALL = 32
const FIRST_PAUSE_MS = 1000
const LAST_PAUSE_MS = 300_000
const ATTEMPT_LIMIT_MS = 30_000
const LOAD_PAGE = 10_000
const COMPACT_AT = 1024
const COMMIT_RETRY_MS = 1000
const ERROR_LENGTH = 1024
/** A target that refuses like this is asked three times: it may be about to be made. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set(['not-found', 'forbidden'])
const MAX_REFUSALS = 3
/** A message that is refused like this is refused for good. */
const FINAL_REFUSALS: ReadonlySet<ErrorCode> = new Set(['invalid', 'too-large', 'unsupported'])

/** A delivery that is given up. */
export interface LostDelivery extends DeliveryHead {
  readonly functionName: string
  readonly reason: string
}

interface Entry {
  readonly head: DeliveryHead
  /** Monotonic: from when on its age counts. */
  readonly sinceMs: number
}

/** One target: what waits for it, and whether it is left alone for a while. */
interface TargetQueue {
  readonly target: string
  waiting: Entry[]
  next: number
  running: number
  pause: Timer | undefined
  /** Pauses in a row. */
  pauses: number
}

/**
 * Outcomes that are owed to destinations and dead-letter targets: on disk together with the outcome itself,
 * gone from there when the target has taken them, at least once each. A target that fails is left alone for a
 * while, which holds up no other; what cannot be delivered in time is recorded as such.
 */
export class Outbox {
  readonly #store: Store
  readonly #clock: Clock
  readonly #log: Log
  readonly #deliver: DeliverOutcome
  readonly #maxAgeMs: number
  readonly #onLost: (lost: LostDelivery) => void
  readonly #targets = new Map<string, TargetQueue>()
  readonly #stopping = new AbortController()
  #size = 0
  #running = 0
  #whenQuiet: (() => void) | undefined

  constructor(parts: {
    readonly store: Store
    readonly clock: Clock
    readonly log: Log
    readonly deliver: DeliverOutcome
    /** How long a delivery is tried. */
    readonly maxAgeMs: number
    readonly onLost: (lost: LostDelivery) => void
  }) {
    this.#store = parts.store
    this.#clock = parts.clock
    this.#log = parts.log
    this.#deliver = parts.deliver
    this.#maxAgeMs = parts.maxAgeMs
    this.#onLost = parts.onLost
  }

  /** Deliveries that are owed. */
  get size(): number {
    return this.#size
  }

  /** Why no more can be owed; undefined while there is room. */
  get problem(): string | undefined {
    return this.#size < MAX_OWED ? undefined : `${this.#size} deliveries are owed already.`
  }

  /** Takes up a delivery that is on disk. */
  add(head: DeliveryHead): void {
    this.#push(head, this.#clock.monotonicMs())
    this.#pump()
  }

  /** Takes up what an earlier engine owed. */
  resume(): void {
    const nowMs = this.#clock.nowMs()
    const monotonicMs = this.#clock.monotonicMs()
    let last: DeliveryHead | undefined
    for (;;) {
      const heads = loadOwedDeliveries(this.#store.reader, last, LOAD_PAGE)
      for (const head of heads) this.#push(head, monotonicMs - Math.max(0, nowMs - head.createdAtMs))
      if (heads.length < LOAD_PAGE) break
      last = heads.at(-1)
    }
    if (this.#size > 0)
      this.#log.info('deliveries of an earlier run are taken up', { deliveries: this.#size })
    this.#pump()
  }

  /** Breaks off what is under way, which stays owed; resolves when nothing is. */
  close(): Promise<void> {
    this.#stopping.abort(new EngineError('unavailable', 'The engine is stopping.'))
    for (const queue of this.#targets.values()) queue.pause?.cancel()
    if (this.#running === 0) return Promise.resolve()
    return new Promise((resolve) => (this.#whenQuiet = resolve))
  }

  #push(head: DeliveryHead, sinceMs: number): void {
    let queue = this.#targets.get(head.target)
    if (queue === undefined) {
      queue = { target: head.target, waiting: [], next: 0, running: 0, pause: undefined, pauses: 0 }
      this.#targets.set(head.target, queue)
    }
    queue.waiting.push({ head, sinceMs })
    this.#size += 1
  }

  /** One of each target in turn, so that a long queue does not keep a short one waiting. */
  #pump(): void {
    if (this.#stopping.signal.aborted) return
    for (let started = true; started && this.#running < IN_ALL;) {
      started = false
      for (const queue of this.#targets.values()) {
        if (this.#running >= IN_ALL) return
        // After a pause one goes ahead to see whether the target is back.
        if (queue.pause !== undefined || queue.running >= (queue.pauses > 0 ? 1 : PER_TARGET)) continue
        const entry = queue.waiting[queue.next]
        if (entry === undefined) continue
        queue.next += 1
        if (queue.next >= COMPACT_AT) {
          queue.waiting = queue.waiting.slice(queue.next)
          queue.next = 0
        }
        started = true
        void this.#run(queue, entry)
      }
    }
  }

  async #run(queue: TargetQueue, entry: Entry): Promise<void> {
    queue.running += 1
    this.#running += 1
    try {
      await this.#attempt(queue, entry)
    } catch (error) {
      this.#log.error('a delivery failed in an unforeseen way', { target: queue.target, error })
      queue.waiting.push(entry)
      this.#pause(queue)
    }
    queue.running -= 1
    this.#running -= 1
    if (queue.running === 0 && queue.pause === undefined && queue.next === queue.waiting.length)
      this.#targets.delete(queue.target)
    this.#pump()
    if (this.#running === 0) this.#whenQuiet?.()
  }

  async #attempt(queue: TargetQueue, entry: Entry): Promise<void> {
    const { head } = entry
    const event = readEndedEvent(this.#store.reader, head.eventId)
    if (event === undefined || event.payload.kind !== 'payload') {
      const reason = event === undefined ? 'The event is gone.' : 'The stored payload is damaged.'
      return await this.#lose(entry, head.attempts, event?.functionName ?? '', reason)
    }
    const { payload } = event.payload
    const outgoing = { ...head, functionArn: outcomeArn(event), event: { ...event, payload } }
    const failure = await this.#failureOf(outgoing)
    if (failure === undefined) {
      queue.pauses = 0
      this.#size -= 1
      return await this.#commit(
        settleDelivery(head, 'delivered', head.attempts + 1, this.#clock.nowMs(), null),
      )
    }
    if (this.#stopping.signal.aborted) return // it stays owed, and this was no attempt
    const attempts = head.attempts + 1
    const { code, message } = failure
    const ageMs = this.#clock.monotonicMs() - entry.sinceMs
    if (
      FINAL_REFUSALS.has(code) ||
      (REFUSALS.has(code) && attempts >= MAX_REFUSALS) ||
      ageMs >= this.#maxAgeMs
    )
      return await this.#lose(entry, attempts, event.functionName, message)
    queue.waiting.push({ ...entry, head: { ...head, attempts } })
    this.#pause(queue)
    await this.#commit([retryDelivery(head, attempts, message.slice(0, ERROR_LENGTH))])
  }

  /** Delivers; returns what went wrong, undefined when nothing did. */
  async #failureOf(outgoing: OutgoingOutcome): Promise<EngineError | undefined> {
    const late = new AbortController()
    const timer = this.#clock.after(ATTEMPT_LIMIT_MS, () =>
      late.abort(
        new EngineError('timeout', `${outgoing.target} did not answer within ${ATTEMPT_LIMIT_MS} ms.`),
      ),
    )
    try {
      await this.#deliver(outgoing, AbortSignal.any([late.signal, this.#stopping.signal]))
      return undefined
    } catch (error) {
      return isEngineError(error) ? error : new EngineError('internal', messageOf(error), { cause: error })
    } finally {
      timer.cancel()
    }
  }

  async #lose({ head }: Entry, attempts: number, functionName: string, reason: string): Promise<void> {
    this.#size -= 1
    const { eventId, kind, target } = head
    this.#log.error('an outcome could not be delivered', { runId: eventId, kind, target, attempts, reason })
    this.#onLost({ ...head, attempts, functionName, reason })
    const error = reason.slice(0, ERROR_LENGTH)
    await this.#commit(settleDelivery(head, 'failed', attempts, this.#clock.nowMs(), error))
  }

  #pause(queue: TargetQueue): void {
    if (queue.pause !== undefined || this.#stopping.signal.aborted) return
    const delayMs = Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(queue.pauses, 10))
    queue.pauses += 1
    queue.pause = this.#clock.after(delayMs, () => {
      queue.pause = undefined
      this.#pump()
    })
  }

  async #commit(changes: readonly Change[]): Promise<void> {
    for (;;) {
      try {
        return await this.#store.commit(changes)
      } catch (error) {
        // Unrecorded, it is delivered once more after the next start.
        if (this.#stopping.signal.aborted) return
        this.#log.error('the end of a delivery could not be recorded', { message: messageOf(error) })
        await this.#clock.sleep(COMMIT_RETRY_MS)
      }
    }
  }
}
