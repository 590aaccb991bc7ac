import type { Database } from 'better-sqlite3'
import type { Clock } from '../clock.ts'
import type { EngineError } from '../errors.ts'
import {
  callMeta,
  unpackKeys,
  unpackWrites,
  type ActorCallMode,
  ACTOR_CALL,
} from '../environments/actor-messages.ts'
import { FLAG } from '../environments/frames.ts'
import type { Invocation, InvocationObserver } from '../environments/invocation.ts'
import type { ProcessExit } from '../environments/launcher.ts'
import { putActorReply } from '../store/actors.ts'
import type { Change } from '../store/store.ts'
import type { ActorCall } from './actor-call.ts'
import type { CommitGate, Gated } from './commit-gate.ts'
import { endOf } from './failures.ts'
import { answerAlarms, answerList, answerRead, rowsOf } from './storage-answers.ts'

/** How an activation ended by itself. */
export type ActivationEnd =
  /** As it was told to, or by its own wish. */
  | { readonly kind: 'slept' }
  /** Its code threw outside of any call: `error` is an error as it travels. */
  | { readonly kind: 'failed'; readonly error: Buffer }
  /** Its package could not be loaded: `error` is Lambda's error JSON. */
  | { readonly kind: 'not-loaded'; readonly error: Buffer }
  | { readonly kind: 'crashed'; readonly how: string }
  /** It never ran. */
  | { readonly kind: 'refused'; readonly error: EngineError }

/** Who an activation belongs to. */
export interface ActivationOwner {
  /** Takes calls from now on. */
  awoke(activation: Activation): void
  /** One of its calls is done: there may be room for another. */
  replied(activation: Activation): void
  /** Alarms of these names were set anew or cleared. */
  alarmsChanged(names: readonly string[]): void
  /** It is over. Calls that it had not answered are in `unanswered`, in order. */
  ended(activation: Activation, end: ActivationEnd, unanswered: readonly ActorCall[]): void
  /** Others need what its process holds: whether it goes to sleep now. */
  rests(activation: Activation): boolean
  /** Says something for a connection of a client. */
  socket(id: string, verb: string, payload: Buffer): void
}

/** What an activation works with. */
export interface ActivationParts {
  readonly clock: Clock
  readonly reader: Database
  readonly newToken: () => number
  /** Takes it back from the scheduler: it has not begun. */
  readonly withdraw: (invocation: Invocation) => void
  readonly owner: ActivationOwner
  readonly actorId: number
  readonly epoch: number
  readonly gate: CommitGate
}

/** As many calls are sent ahead as run in this time, so that few are cut off when the process ends. */
const AHEAD_MS = 5
const MOST_AHEAD = 128
/** Calls take that long until it is known better. */
const CAUTIOUS_MS = 5

/**
 * One life of an actor in a process, from its start to its sleep or death: what the engine says to it and
 * hears of it. Whatever is heard after its end does not count.
 */
export class Activation implements InvocationObserver {
  readonly epoch: number
  readonly gate: CommitGate
  /** Set before it is handed to the scheduler. */
  invocation: Invocation | undefined
  readonly #parts: ActivationParts
  /** Handed to the process and not answered, in order. */
  readonly #sent = new Map<number, ActorCall>()
  #turns = 0
  #nextId = 1
  #awake = false
  #over = false
  /** What an exclusive call took lately, smoothed. */
  #recentMs = CAUTIOUS_MS
  /** When the process began the exclusive call that it runs, as far as is known. */
  #turnSince = 0

  constructor(parts: ActivationParts) {
    this.#parts = parts
    this.epoch = parts.epoch
    this.gate = parts.gate
  }

  get isAwake(): boolean {
    return this.#awake && !this.#over
  }
  /** Nothing runs. */
  get isQuiet(): boolean {
    return this.#sent.size === 0
  }
  get running(): number {
    return this.#sent.size
  }
  /** Calls that its process has. */
  get calls(): Iterable<ActorCall> {
    return this.#sent.values()
  }
  /** A process has it. */
  get isHosted(): boolean {
    return this.invocation?.state === 'running'
  }
  /** Calls that run beside others. */
  get beside(): number {
    return this.#sent.size - this.#turns
  }
  /** Whether one more exclusive call may be sent. */
  get hasRoom(): boolean {
    if (this.#turns === 0) return true
    return this.#turns < Math.min(MOST_AHEAD, Math.max(1, Math.floor(AHEAD_MS / this.#recentMs)))
  }
  /** The exclusive call that the process runs. */
  get turn(): ActorCall | undefined {
    if (this.#turns > 0) for (const call of this.#sent.values()) if (call.mode === 'turn') return call
    return undefined
  }

  /** The call of that number; without one, the call that its code most likely runs in. */
  callOf(id: number): ActorCall | undefined {
    if (id > 0) return this.#sent.get(id)
    return this.turn ?? this.#sent.values().next().value
  }

  send(call: ActorCall, mode: ActorCallMode, outer = 0): void {
    const { kind, name, args, flags, idempotencyKey, refs } = call.request
    const id = this.#nextId++
    call.id = id
    call.mode = mode
    call.state = 'sent'
    this.#sent.set(id, call)
    call.invocation = this.invocation
    if (mode !== 'turn') call.startedAt = this.#parts.clock.monotonicMs()
    else if (++this.#turns === 1) this.#turnSince = this.#parts.clock.monotonicMs()
    if (refs !== undefined && this.invocation !== undefined) refs.handTo(this.invocation)
    const lent = this.invocation?.host?.values?.lend(flags, args) ?? { flags, body: args }
    if (lent.flags & FLAG.error) {
      queueMicrotask(() => this.#replied(id, FLAG.error, 0, lent.body)) // its arguments are lost
      return
    }
    const all = idempotencyKey === undefined ? flags : flags | ACTOR_CALL.keyed
    this.#tell(callMeta({ id, kind, mode, outer, flags: all, name }), lent.body)
  }

  /** The caller of a call that was sent waits no longer. */
  abort(call: ActorCall): void {
    if (this.#sent.has(call.id)) this.#tell(`abort\n${call.id}`)
  }

  /** Items of a streaming call were taken. */
  taken(call: ActorCall, count: number): void {
    if (this.#sent.has(call.id)) this.#tell(`taken\n${call.id}\n${count}`)
  }

  /** Sends it to sleep. No call may run. */
  stop(): void {
    this.#tell('stop')
  }

  /** Ends it at once: in a process of its own with that. Returns the calls that it had not answered. */
  end(): ActorCall[] {
    if (this.#over) return []
    const unanswered = this.#close()
    const { invocation } = this
    if (invocation?.state === 'running') invocation.host?.expire(invocation)
    else if (invocation !== undefined) this.#parts.withdraw(invocation)
    return unanswered
  }

  // -- from the process

  said(invocation: Invocation, flags: number, metaBytes: number, body: Buffer): void {
    if (this.#over) return this.#endLate(invocation)
    const fields = body.toString('utf8', 0, metaBytes).split('\n')
    const payload = body.subarray(metaBytes)
    switch (fields[0]) {
      case 'reply':
        return this.#replied(Number(fields[1]), flags, Number(fields[2]), payload)
      case 'awake':
        if (this.#awake) return
        this.#awake = true
        return this.#parts.owner.awoke(this)
      case 'item':
        return this.#sent.get(Number(fields[1]))?.request.sink.item?.(flags, Number(fields[2]), payload)
      case 'read':
        return this.#answer('rows', fields[1], (reader, id) => answerRead(reader, id, unpackKeys(payload)))
      case 'list':
        return this.#answer('rows', fields[1], (reader, id) =>
          answerList(reader, id, payload.toString('utf8')),
        )
      case 'alarms':
        return this.#answer('alarms', fields[1], answerAlarms)
      case 'flush':
        return this.#flush(fields[1] ?? '', payload)
      case 'socket':
        return this.#parts.owner.socket(fields[1] ?? '', fields[2] ?? '', payload)
      default:
        throw new RangeError(`An actor says "${fields[0]}", which nobody understands.`)
    }
  }

  answered(_invocation: Invocation, isError: boolean, _meta: unknown, payload: Buffer): void {
    if (this.#over) return
    if (isError) return this.#ended({ kind: 'failed', error: payload })
    this.#hand(payload, IGNORED)
    this.#ended({ kind: 'slept' })
  }

  lost(_invocation: Invocation, exit: ProcessExit): void {
    this.#ended({ kind: 'crashed', how: endOf(exit) })
  }

  initFailed(_invocation: Invocation, error: Buffer): void {
    this.#ended({ kind: 'not-loaded', error })
  }

  refused(_invocation: Invocation, error: EngineError): void {
    this.#ended({ kind: 'refused', error })
  }

  yields(): boolean {
    return !this.#over && this.#parts.owner.rests(this)
  }

  notJson(_invocation: Invocation, reason: string): void {
    this.#ended({ kind: 'crashed', how: reason })
  }

  streamStarted(): void {
    throw new RangeError('An actor answers with no stream.')
  }
  streamData(): void {
    throw new RangeError('An actor answers with no stream.')
  }
  streamEnded(): void {
    throw new RangeError('An actor answers with no stream.')
  }
  settled(): void {
    // nobody waits for extensions of an actor's process
  }

  // -- inside

  #tell(meta: string, payload: Buffer = NOTHING): void {
    const { invocation } = this
    invocation?.host?.message(invocation, meta, payload)
  }

  #replied(id: number, flags: number, writesBytes: number, payload: Buffer): void {
    const call = this.#sent.get(id)
    if (call === undefined) return // it was answered before
    if (!(writesBytes >= 0 && writesBytes <= payload.length))
      throw new RangeError('A reply of an actor is cut off.')
    this.#sent.delete(id)
    if (call.mode === 'turn') this.#turnEnded(call)
    else call.ranMs = this.#parts.clock.monotonicMs() - call.startedAt
    const { idempotencyKey, ring } = call.request
    const isError = (flags & FLAG.error) !== 0
    const result = payload.subarray(writesBytes)
    const changes: Change[] = []
    if (ring !== undefined) changes.push(...(isError ? ring.missed(ringError(result)) : ring.heard()))
    if (idempotencyKey !== undefined) changes.push(this.#keep(idempotencyKey, flags, result))
    call.reply(flags, result)
    const writes = isError ? NOTHING : payload.subarray(0, writesBytes)
    if (writes.length > 0 || changes.length > 0) this.#hand(writes, call, changes)
    else this.gate.pass(call)
    this.#parts.owner.replied(this)
  }

  #turnEnded(call: ActorCall): void {
    this.#turns -= 1
    const now = this.#parts.clock.monotonicMs()
    call.startedAt = this.#turnSince
    call.ranMs = now - this.#turnSince
    this.#recentMs += (call.ranMs - this.#recentMs) / 8
    this.#turnSince = now
  }

  #keep(idempotencyKey: string, flags: number, reply: Buffer): Change {
    if ((flags & FLAG.object) !== 0)
      throw new RangeError('The reply of a call with an idempotency key is given as a location.')
    return putActorReply(this.#parts.actorId, idempotencyKey, { flags, reply }, this.#parts.clock.nowMs())
  }

  /** Hands writes in, `before` them what the engine itself changes. */
  #hand(writes: Buffer, gated: Gated, before: readonly Change[] = NONE): void {
    if (writes.length === 0) return this.gate.hand(before, gated)
    const rows = rowsOf(this.#parts.actorId, unpackWrites(writes), this.#parts.newToken)
    if (rows.alarmNames.length > 0) this.#parts.owner.alarmsChanged(rows.alarmNames)
    this.gate.hand(
      before.length === 0 ? rows.changes : [...before, ...rows.changes],
      gated,
      rows.alarmDueAtMs,
    )
  }

  #flush(question: string, writes: Buffer): void {
    this.#hand(writes, {
      committed: () => this.#tell(`done\n${question}`),
      lost: (error) => this.#tell(`failed\n${question}`, Buffer.from(error.message)),
    })
  }

  /** Behind everything that was handed in before, so that the answer shows it. */
  #answer(kind: string, question = '', answer: (reader: Database, actorId: number) => Buffer): void {
    this.gate.pass({
      committed: () => {
        if (this.#over) return
        try {
          this.#tell(`${kind}\n${question}`, answer(this.#parts.reader, this.#parts.actorId))
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error)
          this.#tell(`failed\n${question}`, Buffer.from(message))
        }
      },
      lost: (error) => this.#tell(`failed\n${question}`, Buffer.from(error.message)),
    })
  }

  #ended(end: ActivationEnd): void {
    if (this.#over) return
    this.#parts.owner.ended(this, end, this.#close())
  }

  #close(): ActorCall[] {
    this.#over = true
    const { turn } = this
    if (turn !== undefined) turn.startedAt = this.#turnSince
    const unanswered = [...this.#sent.values()]
    this.#sent.clear()
    this.#turns = 0
    return unanswered
  }

  /** It was ended before it ran, and now it runs. */
  #endLate(invocation: Invocation): void {
    if (invocation.state === 'running' && !invocation.timedOut) invocation.host?.expire(invocation)
  }
}

/** An error of an alarm, as it is noted: its class name leads it. */
function ringError(error: Buffer): string {
  const bytes = error.length < 4 ? 0 : error.readUInt32LE(0)
  return `${error.toString('utf8', 4, Math.min(4 + bytes, error.length))} was thrown`
}

const NOTHING = Buffer.alloc(0)
const NONE: readonly Change[] = []
const IGNORED: Gated = { committed: () => {}, lost: () => {} }
