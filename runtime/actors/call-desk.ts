import type { Clock } from '../clock.ts'
import { EngineError } from '../errors.ts'
import type { ActorAddress } from '../store/actors.ts'
import type { ActorCall } from './actor-call.ts'
import type { ActorRecord } from './actor-record.ts'
import { timedOut } from './failures.ts'
import { Mailbox } from './mailbox.ts'

/** The calls of one actor that no process has: those that wait, and which of them repeat one another. */
export class CallDesk {
  readonly mailbox = new Mailbox()
  readonly #clock: Clock
  readonly #address: ActorAddress
  /** Calls in progress that have a key. */
  #keyed: Map<string, ActorCall> | undefined

  constructor(clock: Clock, address: ActorAddress) {
    this.#clock = clock
    this.#address = address
  }

  /**
   * Whether a call with a key is a repeat: of one that is under way, whose reply it gets, or of an earlier
   * one.
   */
  isRepeat(call: ActorCall, record: Pick<ActorRecord, 'replyTo'>): boolean {
    const { idempotencyKey } = call.request
    if (idempotencyKey === undefined) return false
    const first = this.#keyed?.get(idempotencyKey)
    if (first !== undefined) {
      first.followers ??= []
      first.followers.push(call)
      return true
    }
    const kept = record.replyTo(idempotencyKey)
    if (kept !== undefined) {
      call.answer(kept.flags, kept.reply)
      return true
    }
    this.#keyed ??= new Map()
    this.#keyed.set(idempotencyKey, call)
    return false
  }

  /** The caller waits so long at most. */
  limit(call: ActorCall, timeoutMs: number, giveUp: (error: EngineError) => void): void {
    call.timer ??= this.#clock.after(timeoutMs, () =>
      giveUp(timedOut(this.#address, call.request.name, timeoutMs)),
    )
  }

  /** Takes out a call that waits and that nobody else wants. Whether it did. */
  drop(call: ActorCall): boolean {
    if (call.state !== 'waiting' || call.followers !== undefined) return false
    this.mailbox.take((one) => one === call)
    return true
  }

  /** Calls that were cut off, in order: those that may be made again wait first, the others fail. */
  cutOff(calls: readonly ActorCall[], error: EngineError): void {
    const again: ActorCall[] = []
    const over: ActorCall[] = []
    for (const call of calls) (call.takeRerun() ? again : over).push(call)
    this.requeue(again)
    for (const call of over) call.fail(error)
  }

  /** Calls that have not begun, in order: they wait first. */
  requeue(calls: readonly ActorCall[]): void {
    for (const call of calls) call.state = 'waiting'
    this.mailbox.putBack(calls)
  }

  failAll(error: EngineError): void {
    for (const call of this.mailbox.take(() => true)) call.fail(error)
  }

  answerAll(flags: number, body: Buffer): void {
    for (const call of this.mailbox.take(() => true)) call.answer(flags, body)
  }

  /** Alarms that wait to be heard were set anew or cleared: they do not ring. */
  alarmsChanged(names: readonly string[]): void {
    const changed = new Set(names)
    const rings = this.mailbox.take(
      ({ request }) => request.ring !== undefined && changed.has(request.ring.name),
    )
    for (const call of rings) call.fail(new EngineError('conflict', 'The alarm was set anew.'))
  }

  ended(call: ActorCall): void {
    const { idempotencyKey } = call.request
    if (idempotencyKey !== undefined && this.#keyed?.get(idempotencyKey) === call)
      this.#keyed.delete(idempotencyKey)
  }
}
