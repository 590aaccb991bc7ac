import type { ActorAlarms, ActorOptions, ActorSocket, ActorStorage, Alarm } from './actor-types.ts'
import type { Context } from './types.ts'

/** What an activation gives its actor. */
export interface ActorSeat {
  readonly key: string
  readonly storage: ActorStorage
  readonly alarms: ActorAlarms
  /** That of the call that runs. */
  readonly context: () => Context
  readonly sockets: () => ActorSocket[]
  readonly exit: () => void
}

/** Says of a class that it is an actor, whichever copy of this file it extends. */
const BRAND = Symbol.for('lambent.actor.v1')

/** Read by the constructor below: a subclass need not know that there is something to pass on. */
let offered: ActorSeat | undefined

/**
 * A stateful object, one for each key: `class Tally extends Actor`. It is made when it is first called, and
 * sleeps when nobody calls it; what it has put into `storage` outlives that, its fields are only a cache.
 * One call runs at a time, except for the methods named in `static concurrent`.
 */
export class Actor {
  static readonly [BRAND] = true
  static options?: ActorOptions
  /** Methods that run beside others. They see what is committed and may not write. */
  static concurrent?: readonly string[]

  readonly key: string
  readonly storage: ActorStorage
  readonly alarms: ActorAlarms
  readonly #seat: ActorSeat

  constructor() {
    const seat = offered
    if (seat === undefined)
      throw new TypeError('An actor is not made with `new`: call it through actor(Class, key).')
    offered = undefined
    this.#seat = seat
    this.key = seat.key
    this.storage = seat.storage
    this.alarms = seat.alarms
  }

  /** The context of the call that runs. */
  get context(): Context {
    return this.#seat.context()
  }

  /** Open connections of clients. */
  get sockets(): ActorSocket[] {
    return this.#seat.sockets()
  }

  /** Sleeps as soon as what runs has ended; the next call wakes it anew. */
  exit(): void {
    this.#seat.exit()
  }

  /** Runs once before the first call of an activation. */
  start?(): unknown
  /** Runs before the actor sleeps, for a few seconds at most. */
  stop?(): unknown
  /** Runs when an alarm rings. */
  alarm?(alarm: Alarm): unknown
  /** Runs when a client connects; throwing turns it away. A class without it takes no connections. */
  connect?(socket: ActorSocket): unknown
  /** Runs for each message of a client: a text or bytes. */
  message?(socket: ActorSocket, data: string | Uint8Array): unknown
  /** Runs when a connection has ended. */
  disconnect?(socket: ActorSocket): unknown
}

/** An actor class, as packages export them. */
export type ActorClass<A extends Actor = Actor> = (new () => A) & Pick<typeof Actor, 'options' | 'concurrent'>

/** Whether a package's export is an actor class. */
export const isActorClass = (value: unknown): value is ActorClass =>
  typeof value === 'function' && (value as { [BRAND]?: unknown })[BRAND] === true // any function can be asked

/** Makes an actor of `Class` with its seat. Only for what runs activations. */
export function seatActor(Class: ActorClass, seat: ActorSeat): Actor {
  offered = seat
  try {
    return new Class()
  } finally {
    offered = undefined
  }
}

/** What an activation calls by itself: nobody else can. */
export const ACTOR_HOOKS = ['start', 'stop', 'alarm', 'connect', 'message', 'disconnect'] as const
export type ActorHook = (typeof ACTOR_HOOKS)[number]

const RESERVED: ReadonlySet<string> = new Set([
  ...ACTOR_HOOKS,
  ...['constructor', 'key', 'storage', 'alarms', 'context', 'sockets', 'exit', 'then'],
])

/** Whether a name can be that of a method that others call. */
export const isCallableName = (name: string): boolean =>
  name !== '' &&
  !name.startsWith('_') &&
  !name.startsWith('#') &&
  !RESERVED.has(name) &&
  !(name in Object.prototype)

/** Names of the methods that others can call on `Class`, its parents' included. */
export function methodNames(Class: ActorClass): string[] {
  const names = new Set<string>()
  for (
    let level = Class.prototype as object;
    isOwnLevel(level);
    level = Object.getPrototypeOf(level) as object
  )
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(level)))
      if (typeof value === 'function' && isCallableName(name)) names.add(name)
  return [...names]
}

/** Below the base class, of whichever copy. */
const isOwnLevel = (level: object | null): level is object =>
  level !== null &&
  level !== Object.prototype &&
  !Object.hasOwn((level as { constructor: object }).constructor, BRAND) // a prototype has one
