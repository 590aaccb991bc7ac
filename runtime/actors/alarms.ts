import type { Clock, Timer } from '../clock.ts'
import { ACTOR_ERROR, alarmCallName } from '../environments/actor-messages.ts'
import { nextDue } from '../environments/alarm-schedule.ts'
import { messageOf, type EngineError } from '../errors.ts'
import type { Log } from '../log.ts'
import { dueAlarms, findActorById, nextAlarmAfter } from '../store/actor-reading.ts'
import {
  endActorAlarm,
  failActorAlarm,
  moveActorAlarm,
  type ActorAddress,
  type StoredAlarm,
} from '../store/actors.ts'
import type { Change, Store } from '../store/store.ts'
import type { CallRequest, CallSink, Ring } from './actor-call.ts'
import { QUARANTINE_MS } from './restarts.ts'

/** Alarms that ring at once; others wait their turn. */
const MOST_RINGING = 1000
/** A ringing that failed so often is given up. */
const MOST_ATTEMPTS = 6
const FIRST_RETRY_MS = 2000
/** After the store refused something. */
const AFTER_FAILURE_MS = 1000

/** What alarms work with. */
export interface AlarmParts {
  readonly clock: Clock
  readonly log: Log
  readonly store: Pick<Store, 'commit' | 'reader'>
  readonly call: (address: ActorAddress, request: CallRequest) => void
}

/**
 * Rings the alarms of all actors: rows with a time, one timer for the first of them. An alarm rings at least
 * once. The reply of the actor and what becomes of the row are one commit; a ringing that throws, or that a
 * crash cuts off, is repeated after 2 s, 4 s, 8 s and so on, and given up after the sixth.
 */
export class Alarms {
  readonly #parts: AlarmParts
  /** Tokens of those that ring now. */
  readonly #ringing = new Set<number>()
  #timer: Timer | undefined
  /** Unix epoch ms. */
  #armedFor = Infinity
  #closed = false

  constructor(parts: AlarmParts) {
    this.#parts = parts
  }

  get ringing(): number {
    return this.#ringing.size
  }

  /** Rings what is due, whatever set it, and what comes due from now on. */
  open(): void {
    this.#look()
  }

  /** There is an alarm that is due then. */
  arm(dueAtMs: number): void {
    if (this.#closed || dueAtMs >= this.#armedFor) return
    this.#timer?.cancel()
    this.#armedFor = dueAtMs
    this.#timer = this.#parts.clock.after(Math.max(0, dueAtMs - this.#parts.clock.nowMs()), () =>
      this.#look(),
    )
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  #look(): void {
    this.#timer?.cancel()
    this.#armedFor = Infinity
    if (this.#closed) return
    const { clock, store } = this.#parts
    const now = clock.nowMs()
    const room = MOST_RINGING - this.#ringing.size
    if (room > 0)
      for (const alarm of dueAlarms(store.reader, now, MOST_RINGING))
        if (!this.#ringing.has(alarm.token) && this.#ringing.size < MOST_RINGING) this.#ring(alarm)
    const next = nextAlarmAfter(store.reader, now)
    if (next !== undefined) this.arm(next)
  }

  #ring(alarm: StoredAlarm): void {
    const { store, call } = this.#parts
    const address = findActorById(store.reader, alarm.actorId)
    if (address === undefined) return // it is being destroyed
    this.#ringing.add(alarm.token)
    const ring = this.#ringOf(alarm)
    const sink: CallSink = {
      answered: () => this.#over(alarm),
      failed: (error) => this.#failed(alarm, error),
    }
    const name = alarmCallName(alarm.name, alarm.attempt + 1)
    call(address, { kind: 'alarm', name, args: alarm.payload, flags: 0, ring, sink })
  }

  #ringOf(alarm: StoredAlarm): Ring {
    return {
      name: alarm.name,
      heard: () => [this.#next(alarm)],
      missed: (reason) => this.#missed(alarm, reason),
    }
  }

  /** It was heard, or given up: when it rings again, if it does. */
  #next(alarm: StoredAlarm): Change {
    if (alarm.schedule === '') return endActorAlarm(alarm)
    try {
      return moveActorAlarm(alarm, nextDue(alarm.schedule, this.#parts.clock.nowMs()), 0)
    } catch (error) {
      return failActorAlarm(alarm, alarm.attempt, messageOf(error))
    }
  }

  #missed(alarm: StoredAlarm, reason: string): Change[] {
    const attempt = alarm.attempt + 1
    if (attempt < MOST_ATTEMPTS) {
      const delayMs = FIRST_RETRY_MS * 2 ** (attempt - 1)
      return [moveActorAlarm(alarm, this.#parts.clock.nowMs() + delayMs, attempt)]
    }
    this.#parts.log.warn('an alarm of an actor was given up', {
      alarm: alarm.name,
      attempts: attempt,
      reason,
    })
    if (alarm.schedule !== '') return [this.#next(alarm)]
    return [failActorAlarm(alarm, attempt, `It failed ${attempt} times, last because ${reason}.`)]
  }

  /** Nothing of it was committed. */
  #failed(alarm: StoredAlarm, error: EngineError): void {
    if (this.#closed || error.code === 'unavailable') return this.#over(alarm, AFTER_FAILURE_MS)
    const { clock, store } = this.#parts
    const changes =
      error.detail === ACTOR_ERROR.quarantined
        ? [moveActorAlarm(alarm, clock.nowMs() + QUARANTINE_MS, alarm.attempt)] // that is no attempt
        : this.#missed(alarm, error.message)
    store.commit(changes).then(
      () => this.#over(alarm),
      () => this.#over(alarm, AFTER_FAILURE_MS),
    )
  }

  #over(alarm: StoredAlarm, delayMs = 0): void {
    this.#ringing.delete(alarm.token)
    this.arm(this.#parts.clock.nowMs() + delayMs)
  }
}
