import type { Clock, Timer } from '../clock.ts'
import { ACTOR_LIMITS } from '../environments/actor-messages.ts'
import type { Invocation } from '../environments/invocation.ts'
import { EngineError } from '../errors.ts'
import type { Log } from '../log.ts'
import { pinnedActors } from '../store/actor-reading.ts'
import { purgeActorReplies, type ActorAddress } from '../store/actors.ts'
import type { Scope } from '../store/journal.ts'
import type { Store } from '../store/store.ts'
import { Activation } from './activation.ts'
import type { ActorCall, CallRequest } from './actor-call.ts'
import { Actor } from './actor.ts'
import type { ActorCode, ActorParts } from './actor-parts.ts'
import type { ActorStateName } from './actor-state.ts'
import { Alarms } from './alarms.ts'
import type { CallRecords } from './call-desk.ts'
import { findCircle } from './circles.ts'
import { cancelled, deadlock } from './failures.ts'

/** What the directory works with. */
export interface DirectoryParts {
  readonly clock: Clock
  readonly log: Log
  readonly store: Pick<Store, 'commit' | 'append' | 'reader' | 'bootEpoch'>
  readonly codeOf: (address: ActorAddress) => ActorCode | Promise<ActorCode>
  readonly submit: (invocation: Invocation) => void
  readonly withdraw: (invocation: Invocation) => void
  readonly encodeLoadError: (errorJson: Buffer) => Buffer
  readonly records?: CallRecords
  readonly changed?: (address: ActorAddress, state: ActorStateName, reason: string) => void
}

/** Who serves connections of clients to actors. */
export interface SocketHost {
  /** JSON of those that are open to an actor; '' for none. */
  socketsOf(actor: Actor): string
  /** An actor says something for one of them. */
  said(actor: Actor, id: string, verb: string, payload: Buffer): void
}

const LOOK_EVERY_MS = 250
/** A call that waits longer than this is looked at: whether it waits for itself. */
const CIRCLE_AFTER_MS = 250
const PURGE_EVERY_MS = 60_000
const REPLY_KEPT_MS = 86_400_000
/** Numbers that one engine can give. */
const NUMBERS = 2 ** 31

/**
 * Which actors are in memory: those that have an activation, or are waited for. All others are rows, if they
 * ever were awake.
 */
export class ActorDirectory {
  readonly alarms: Alarms
  /** Set once there is one. */
  sockets: SocketHost | undefined
  readonly #parts: DirectoryParts
  readonly #actorParts: ActorParts<Actor>
  readonly #actors = new Map<string, Actor>()
  /** Calls made by calls, in order, that were not looked at yet. */
  #chained: ActorCall[] = []
  readonly #timers: Timer[]
  #lastNumber: number
  #closing = false
  #whenQuiet: (() => void)[] = []

  constructor(parts: DirectoryParts) {
    const { clock, store, log } = parts
    this.#parts = parts
    this.#lastNumber = store.bootEpoch * NUMBERS
    this.alarms = new Alarms({
      ...{ clock, store, log },
      call: (address, request) => void this.call(address, request),
    })
    this.#actorParts = {
      ...{ clock, store, codeOf: parts.codeOf, submit: parts.submit, withdraw: parts.withdraw },
      encodeLoadError: parts.encodeLoadError,
      records: parts.records,
      newNumber: () => ++this.#lastNumber,
      armAlarm: (dueAtMs) => this.alarms.arm(dueAtMs),
      socketsOf: (actor) => this.sockets?.socketsOf(actor) ?? '',
      onSocket: (actor, id, verb, payload) => this.sockets?.said(actor, id, verb, payload),
      forget: (actor) => this.#forget(actor),
      changed: ({ address }, state, reason) => parts.changed?.(address, state, reason),
    }
    this.#timers = [
      clock.every(LOOK_EVERY_MS, () => this.#look()),
      clock.every(PURGE_EVERY_MS, () => store.append([purgeActorReplies(clock.nowMs() - REPLY_KEPT_MS)])),
    ]
  }

  get size(): number {
    return this.#actors.size
  }

  /** Rings alarms from now on, and wakes the actors that never sleep. */
  open(): void {
    this.alarms.open()
    for (const address of pinnedActors(this.#parts.store.reader)) this.#at(address).wake()
  }

  /** Calls an actor. Throws EngineError 'invalid' for a key that none has. */
  call(address: ActorAddress, request: CallRequest): ActorCall {
    checkKey(address.key)
    return this.#call(this.#at(address), request)
  }

  /** As `call`, with the key as it travels. Throws a RangeError for one that is not encoded. */
  callEncoded(
    scope: Scope,
    functionName: string,
    className: string,
    encodedKey: string,
    request: CallRequest,
  ): ActorCall {
    const found = this.#actors.get(textOf(scope, functionName, className, encodedKey))
    if (found !== undefined) return this.#call(found, request)
    const key = decode(encodedKey)
    return this.call({ scope, functionName, className, key }, request)
  }

  /** The actor, if it is in memory. */
  find(address: ActorAddress): Actor | undefined {
    return this.#actors.get(keyOf(address))
  }

  /** Actors in memory. */
  all(): IterableIterator<Actor> {
    return this.#actors.values()
  }

  /** Ends its process. It wakes again with what it has stored. */
  kill(address: ActorAddress): void {
    this.find(address)?.kill()
  }

  /** Deletes it with all it has stored. Rejects as a commit does. */
  async destroy(address: ActorAddress): Promise<void> {
    await this.#at(address).destroy()
  }

  /** The caller of a call waits no longer. */
  cancel(call: ActorCall): void {
    if (call.actor instanceof Actor) call.actor.giveUp(call, cancelled(call.actor.address, call.request.name))
  }

  /**
   * A version was replaced: its actors go on with what came in its place. Call it before the scheduler
   * hears.
   */
  retire(versionKey: string): void {
    for (const actor of [...this.#actors.values()])
      if (actor.activation?.invocation?.version.key === versionKey) actor.retire()
  }

  /** Takes back the activations among these, whose version was replaced before they began. */
  reroute(invocations: readonly Invocation[]): void {
    const orphans = new Set(invocations.map(({ input }) => input.observer))
    for (const actor of [...this.#actors.values()])
      if (actor.activation !== undefined && orphans.has(actor.activation)) actor.orphaned()
  }

  /** Resolves when no call waits or runs. */
  async drain(): Promise<void> {
    if (!this.#isQuiet()) await new Promise<void>((resolve) => this.#whenQuiet.push(resolve))
  }

  /** Takes nothing any more and sends everybody to sleep; resolves when they are, or after `patienceMs`. */
  async close(patienceMs: number): Promise<void> {
    this.#closing = true
    this.alarms.close()
    for (const actor of [...this.#actors.values()]) actor.close()
    if (this.#actors.size > 0) {
      const asleep = new Promise<void>((resolve) => this.#whenQuiet.push(resolve))
      const patience = new Promise<void>((resolve) => void this.#parts.clock.after(patienceMs, resolve))
      await Promise.race([asleep, patience])
    }
    for (const timer of this.#timers) timer.cancel()
  }

  #call(actor: Actor, request: CallRequest): ActorCall {
    const call = actor.call(request)
    if (request.parent !== undefined && request.detached !== true && call.state !== 'ended')
      this.#chained.push(call)
    return call
  }

  #at(address: ActorAddress): Actor {
    const text = keyOf(address)
    let actor = this.#actors.get(text)
    if (actor === undefined) {
      actor = new Actor(this.#actorParts, address)
      if (this.#closing) actor.close()
      this.#actors.set(text, actor)
    }
    return actor
  }

  #forget(actor: Actor): void {
    const text = keyOf(actor.address)
    if (this.#actors.get(text) !== actor) return // another one has come in its place
    this.#actors.delete(text)
    if (this.#closing && this.#actors.size === 0) for (const then of this.#whenQuiet.splice(0)) then()
  }

  #look(): void {
    const now = this.#parts.clock.monotonicMs()
    this.#lookForCircles(now)
    for (const actor of this.#actors.values()) actor.look(now)
    if (!this.#closing && this.#whenQuiet.length > 0 && this.#isQuiet())
      for (const then of this.#whenQuiet.splice(0)) then()
  }

  #isQuiet(): boolean {
    for (const { waiting, activation } of this.#actors.values())
      if (waiting > 0 || (activation?.running ?? 0) > 0) return false
    return true
  }

  /** Whoever closes a circle is looked at after it: one look at each is enough. */
  #lookForCircles(now: number): void {
    let looked = 0
    for (const call of this.#chained) {
      if (now - call.queuedAt < CIRCLE_AFTER_MS) break
      looked += 1
      const circle = findCircle(call)
      if (circle !== undefined && call.actor instanceof Actor) call.actor.giveUp(call, deadlock(circle))
    }
    if (looked > 0) this.#chained = this.#chained.slice(looked)
  }
}

/** The call in whose code invocation `run` asks for something; undefined: no actor's. */
export function callIn(run: Invocation | undefined, callNumber: number): ActorCall | undefined {
  for (let one = run; one !== undefined; one = one.input.parent) {
    const { observer } = one.input
    if (observer instanceof Activation) return observer.callOf(one === run ? callNumber : 0)
  }
  return undefined
}

const textOf = ({ account, region }: Scope, functionName: string, className: string, key: string): string =>
  `${account}/${region}/${functionName}/${className}/${key}`

const keyOf = ({ scope, functionName, className, key }: ActorAddress): string =>
  textOf(scope, functionName, className, encodeURIComponent(key))

/** Throws EngineError 'invalid'. */
function checkKey(key: string): void {
  const bytes = Buffer.byteLength(key)
  if (bytes > 0 && bytes <= ACTOR_LIMITS.keyBytes && !LONE_SURROGATE.test(key)) return
  throw new EngineError('invalid', `A key of an actor is a text of 1 to ${ACTOR_LIMITS.keyBytes} bytes.`)
}

const LONE_SURROGATE = /\p{Surrogate}/u

function decode(encodedKey: string): string {
  try {
    const key = decodeURIComponent(encodedKey)
    if (encodeURIComponent(key) === encodedKey) return key
  } catch {
    // it says so below
  }
  throw new RangeError(`"${encodedKey}" is no encoded key of an actor.`)
}
