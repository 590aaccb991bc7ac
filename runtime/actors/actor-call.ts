import type { ActorCallKind, ActorCallMode } from '../environments/actor-messages.ts'
import type { Timer } from '../clock.ts'
import type { Invocation } from '../environments/invocation.ts'
import type { EngineError } from '../errors.ts'
import type { Change } from '../store/store.ts'
import type { ActorAddress } from '../store/actors.ts'
import type { Gated } from './commit-gate.ts'
import { notStored } from './failures.ts'

/** Who is told how a call ended; exactly one of the two, once. */
export interface CallSink {
  /** FLAG.error: `body` is an error of the method; FLAG.object: a location. */
  answered(flags: number, body: Buffer): void
  failed(error: EngineError): void
  /** One item of a streaming call. */
  item?(flags: number, index: number, body: Buffer): void
}

/** What an alarm's call changes beside what the actor writes, in the same commit as its reply. */
export interface Ring {
  readonly name: string
  heard(): Change[]
  missed(reason: string): Change[]
}

/** The refs that the arguments of a call hold. */
export interface CallRefs {
  /** The activation that gets the call holds them from now on, too. */
  handTo(invocation: Invocation): void
  /** The call does not need them any more. */
  end(): void
}

/** What is asked of an actor. */
export interface CallRequest {
  readonly kind: ActorCallKind
  /** See CallMessage.name. */
  readonly name: string
  /** A value, or with FLAG.object in `flags` a location. */
  readonly args: Buffer
  readonly flags: number
  readonly idempotencyKey?: string | undefined
  /** Times that it is made again after a crash. */
  readonly retries?: number | undefined
  readonly timeoutMs?: number | undefined
  /** The call whose code makes this one. */
  readonly parent?: ActorCall | undefined
  /** Its caller's code goes on meanwhile. */
  readonly detached?: boolean | undefined
  readonly ring?: Ring | undefined
  /** Refs in the arguments; absent: there are none. */
  readonly refs?: CallRefs | undefined
  readonly sink: CallSink
}

/** What a call needs of its actor. */
export interface CallOwner {
  readonly address: ActorAddress
  readonly activation: CallHost | undefined
  /**
   * The call is over for the actor: its reply has left, or it will never have one, or its caller, for the
   * reason in `error`, has not waited for it.
   */
  callEnded(call: ActorCall, flags: number, body: Buffer, error: EngineError | undefined): void
}

/** What runs an actor's calls. */
export interface CallHost {
  /** The exclusive call that it runs. */
  readonly turn: ActorCall | undefined
  /** Of a streaming call, so many more items were taken. */
  taken(call: ActorCall, count: number): void
  /** Nobody waits for a call that was sent any more. */
  abort(call: ActorCall): void
}

/** A call that a crash cut off is made again so often at most, whoever asks for it. */
const MOST_RERUNS = 10

/**
 * One call of an actor. `waiting` in the mailbox, `sent` to the process, `committing`: it has replied, and
 * the reply waits for what it shows to be on disk.
 */
export class ActorCall implements Gated {
  readonly request: CallRequest
  readonly actor: CallOwner
  state: 'waiting' | 'sent' | 'committing' | 'ended' = 'waiting'
  /** Its number in the activation that it was sent to. */
  id = 0
  mode: ActorCallMode = 'turn'
  /** Calls that its code waits for. */
  children: Set<ActorCall> | undefined
  /** Ends its wait. */
  timer: Timer | undefined
  /** Repeats with the same key that came meanwhile: they get the same reply. */
  followers: ActorCall[] | undefined
  /** Monotonic ms. */
  readonly queuedAt: number
  /** It was let in, and is no repeat: what becomes of it is a run. */
  isRun = false
  /** 1 for the first. */
  attempt = 1
  /** The activation that it was sent to last. */
  invocation: Invocation | undefined
  /** When its process began it, as far as is known, monotonic ms; 0: it has not. */
  startedAt = 0
  /** What it took in its process; undefined until it has replied. */
  ranMs: number | undefined
  #runsLeft: number
  /** Its caller knows the outcome, or that there will be none. */
  #told = false
  /** Why its caller waits no longer. */
  #givenUp: EngineError | undefined
  #flags = 0
  #body: Buffer = NOTHING

  constructor(actor: CallOwner, request: CallRequest, nowMonotonicMs: number) {
    this.actor = actor
    this.request = request
    this.queuedAt = nowMonotonicMs
    this.#runsLeft = request.idempotencyKey === undefined ? (request.retries ?? 0) : MOST_RERUNS
    const { parent } = request
    if (parent === undefined) return
    parent.children ??= new Set()
    parent.children.add(this)
  }

  get isTold(): boolean {
    return this.#told
  }

  /** A crash cut it off: whether it is made again. */
  takeRerun(): boolean {
    if (this.#told && this.followers === undefined) return false
    if (this.#runsLeft <= 0) return false
    this.#runsLeft -= 1
    this.attempt += 1
    return true
  }

  /** It has replied; `committed` follows when the reply may leave. */
  reply(flags: number, body: Buffer): void {
    this.state = 'committing'
    this.#flags = flags
    this.#body = body
  }

  /** The reply may leave. */
  committed(): void {
    this.answer(this.#flags, this.#body)
  }

  /** What it wrote was not kept. */
  lost(error: EngineError): void {
    this.fail(notStored(this.actor.address, error))
  }

  /** Tells the caller, and whoever repeated the call, what it gave. */
  answer(flags: number, body: Buffer): void {
    const followers = this.#end(flags, body, this.#givenUp)
    if (this.#tell()) this.request.sink.answered(flags, body)
    if (followers !== undefined) for (const one of followers) one.answer(flags, body)
  }

  /** It will have no reply. */
  fail(error: EngineError): void {
    const followers = this.#end(0, NOTHING, this.#givenUp ?? error)
    if (this.#tell()) this.request.sink.failed(error)
    if (followers !== undefined) for (const one of followers) one.fail(error)
  }

  /** The caller waits no longer; the call itself may go on. */
  giveUp(error: EngineError): void {
    if (!this.#tell()) return
    this.#givenUp = error
    this.request.sink.failed(error)
  }

  #end(flags: number, body: Buffer, error: EngineError | undefined): ActorCall[] | undefined {
    if (this.state === 'ended') return undefined
    this.state = 'ended'
    const { followers } = this
    this.followers = undefined
    this.request.refs?.end()
    this.actor.callEnded(this, flags, body, error)
    return followers
  }

  #tell(): boolean {
    if (this.#told) return false
    this.#told = true
    this.timer?.cancel()
    this.request.parent?.children?.delete(this)
    return true
  }
}

const NOTHING = Buffer.alloc(0)
