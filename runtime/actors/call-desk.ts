import type { Clock } from '../clock.ts'
import { FLAG } from '../environments/frames.ts'
import { EngineError } from '../errors.ts'
import type { FunctionVersion } from '../registry/types.ts'
import type { ActorAddress } from '../store/actors.ts'
import type { ActorCall, CallRequest } from './actor-call.ts'
import { DEFAULT_MAILBOX, type ActorShape } from './actor-options.ts'
import type { ActorRecord } from './actor-record.ts'
import type { CallOutcome } from './call-records.ts'
import { timedOut } from './failures.ts'
import { Mailbox } from './mailbox.ts'

/** Who writes calls down as runs. */
export interface CallRecords {
  /** Whether one that ended well is to be written down. */
  takeSuccess(): boolean
  ended(call: ActorCall, address: ActorAddress, version: FunctionVersion, outcome: CallOutcome): void
}

/** The calls of one actor that no process has: those that wait, and which of them repeat one another. */
export class CallDesk {
  readonly mailbox = new Mailbox()
  /** How the actor runs; undefined before its first activation. */
  shape: ActorShape | undefined
  readonly #clock: Clock
  readonly #address: ActorAddress
  readonly #records: CallRecords | undefined
  /** Calls in progress that have a key. */
  #keyed: Map<string, ActorCall> | undefined

  constructor(clock: Clock, address: ActorAddress, records: CallRecords | undefined) {
    this.#clock = clock
    this.#address = address
    this.#records = records
  }

  /** As many calls wait as may, so many run `beside` others; undefined: there is room for one more. */
  fullAt({ kind }: CallRequest, beside: number): number | undefined {
    const bound = this.shape?.mailbox ?? DEFAULT_MAILBOX
    return Math.max(this.mailbox.size, beside) < bound || kind === 'alarm' ? undefined : bound
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

  /** The caller waits as long as it says, or the class, if one of them does. */
  limit(call: ActorCall, owner: { giveUp(call: ActorCall, error: EngineError): void }): void {
    const timeoutMs = call.request.timeoutMs ?? this.shape?.timeoutMs ?? undefined
    if (timeoutMs === undefined) return
    call.timer ??= this.#clock.after(timeoutMs, () =>
      owner.giveUp(call, timedOut(this.#address, call.request.name, timeoutMs)),
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

  ended(call: ActorCall, flags: number, body: Buffer, error: EngineError | undefined): void {
    const { idempotencyKey } = call.request
    if (idempotencyKey !== undefined && this.#keyed?.get(idempotencyKey) === call)
      this.#keyed.delete(idempotencyKey)
    const records = this.#records
    if (records === undefined || !call.isRun) return
    const isWell = error === undefined && (flags & FLAG.error) === 0
    if (isWell && !records.takeSuccess()) return
    const version = this.shape?.version
    if (version !== undefined) records.ended(call, this.#address, version, { flags, body, error })
  }
}
