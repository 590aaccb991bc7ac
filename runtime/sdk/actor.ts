import type { ActorAlarms, ActorHook, ActorOptions, ActorSocket, ActorStorage } from './actor-types.ts'
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
 * One call runs at a time, except for the methods named in `static concurrent`, which see what is committed
 * and may not write. `static options` says what it needs (ActorOptions), `ActorHooks` what it may have.
 *
 * Neither these statics nor the hooks are declared here: a subclass then has them without `override`.
 */
export class Actor {
  static readonly [BRAND] = true
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
}

/** An actor class, as packages export them. */
export type ActorClass<A extends Actor = Actor> = new () => A

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
const HOOKS: readonly ActorHook[] = ['start', 'stop', 'alarm', 'connect', 'message', 'disconnect']

const RESERVED: ReadonlySet<string> = new Set([
  ...HOOKS,
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

/** Names of the methods that a class lets run beside others; checked when its package was loaded. */
export const concurrentOf = (Class: ActorClass): readonly string[] =>
  (Class as { concurrent?: readonly string[] }).concurrent ?? [] // any class can be asked

/**
 * What a class says of itself, for the manifest of its package: its options, its concurrent methods beside
 * them. Throws a TypeError for statics that cannot be meant.
 */
export function manifestOf(Class: ActorClass): Record<string, unknown> {
  // any class can be asked
  const { options = {}, concurrent = [] } = Class as unknown as { options?: unknown; concurrent?: unknown }
  const refuse = (what: string): TypeError => new TypeError(`Actor class "${Class.name}": ${what}.`)
  if (typeof options !== 'object' || options === null) throw refuse('static options is not an object')
  if (!Array.isArray(concurrent)) throw refuse('static concurrent is not a list of method names')
  const methods = methodNames(Class)
  for (const name of concurrent as unknown[])
    if (typeof name !== 'string' || !methods.includes(name))
      throw refuse(`static concurrent names "${String(name)}", which is no method that others can call`)
  const { placementGroup: group } = options as ActorOptions // the engine checks them
  return {
    ...options,
    ...(typeof group === 'object' ? { placementGroup: group.name } : {}),
    ...(concurrent.length > 0 ? { concurrent } : {}),
  }
}
