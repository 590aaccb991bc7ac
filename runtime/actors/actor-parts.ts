import type { Clock } from '../clock.ts'
import type { Invocation } from '../environments/invocation.ts'
import type { ActorAddress } from '../store/actors.ts'
import type { Store } from '../store/store.ts'
import type { ActorShape } from './actor-options.ts'
import type { ActorStateName } from './actor-state.ts'
import type { CallRecords } from './call-desk.ts'

/**
 * What an activation of an actor is made from: looked up anew each time, so new code is used from then on.
 */
export interface ActorCode {
  readonly shape: ActorShape
  /** Whether this is still what would be found. */
  isCurrent(): boolean
  /** The rest of what an invocation says; its payload and observer are the activation's. */
  invocation(address: ActorAddress): Omit<Invocation['input'], 'payload' | 'observer'>
}

/** What all actors share. `Actor` is whatever stands for one. */
export interface ActorParts<Actor> {
  readonly clock: Clock
  readonly store: Pick<Store, 'commit' | 'append' | 'reader'>
  /** A number larger than any it has given, also to earlier engines on the same data. */
  readonly newNumber: () => number
  /** Throws or rejects with EngineError when there is none. */
  readonly codeOf: (address: ActorAddress) => ActorCode | Promise<ActorCode>
  /** Absent: nothing is written down. */
  readonly records?: CallRecords | undefined
  /** Hands an activation to the scheduler. Throws EngineError when it takes none. */
  readonly submit: (invocation: Invocation) => void
  /** Takes one back that has not begun. */
  readonly withdraw: (invocation: Invocation) => void
  /** An alarm is set that is due then, Unix epoch ms. */
  readonly armAlarm: (dueAtMs: number) => void
  /** What Lambda's error JSON is as an error between our own calls. */
  readonly encodeLoadError: (errorJson: Buffer) => Buffer
  /** Connections of clients to it, for a new activation; '' for none. */
  readonly socketsOf: (actor: Actor) => string
  readonly onSocket: (actor: Actor, id: string, verb: string, payload: Buffer) => void
  /** Nothing is left to remember: it is forgotten. */
  readonly forget: (actor: Actor) => void
  readonly changed: (actor: Actor, state: ActorStateName, reason: string) => void
}
