import type { ObjectRef } from './object-ref.ts'
import { isActorClass, isCallableName, methodNames, type Actor, type ActorClass } from './actor.ts'
import type { ActorCallOptions, ActorHook } from './actor-types.ts'
import type { Remotely } from './task.ts'

/** What the outside can call on an actor: its methods, neither hooks nor what begins with an underscore. */
export type ActorMethods<A> = {
  [
    K in keyof A as K extends keyof Actor | ActorHook
      ? never
      : K extends `_${string}`
        ? never
        : A[K] extends (...args: never[]) => unknown
          ? K
          : never
  ]: A[K]
}

/**
 * An actor as others see it: every method gives a promise, a generator's items come one by one. A ref as an
 * argument stands for its value.
 */
export type ActorHandle<A> = {
  readonly [K in keyof ActorMethods<A>]: ActorMethods<A>[K] extends (...args: infer P) => infer R
    ? R extends AsyncGenerator<infer Item, unknown, unknown>
      ? (...args: Remotely<P>) => AsyncIterable<Item>
      : (...args: Remotely<P>) => Promise<Awaited<R>>
    : never
}

/** A handle whose methods give refs at once. */
export type ActorRefs<Handle> = {
  readonly [K in keyof Handle]: Handle[K] extends (...args: infer P) => Promise<infer R>
    ? (...args: P) => ObjectRef<R>
    : never
}

/** `actor` as functions import it. */
export interface ActorFunction {
  /** The actor of that class and key. It need not be made: the first call wakes it. */
  <A extends Actor>(Class: ActorClass<A>, key: string, options?: ActorCallOptions): ActorHandle<A>
  /** One of another function: `actor<Tally>('word-count/Tally', key)`. */
  <A extends Actor>(name: string, key: string, options?: ActorCallOptions): ActorHandle<A>
  /** The same actor, called with other options. */
  with<Handle extends object>(handle: Handle, options: ActorCallOptions): Handle
  /** The same actor; its methods give refs at once. */
  remote<Handle extends object>(handle: Handle): ActorRefs<Handle>
}

/** The face of `handles`. */
export function actorFunction(handles: ActorHandles): ActorFunction {
  const make = (target: unknown, key: string, options?: ActorCallOptions): object =>
    handles.of(target, key, options)
  return Object.assign(make, {
    with: (handle: object, options: ActorCallOptions) => handles.with(handle, options),
    remote: (handle: object) => handles.remote(handle),
  }) as unknown as ActorFunction // its types say what the handles look like
}

/** Whose methods a handle calls, and how. */
export interface ActorAddress {
  /** Name or name:qualifier; '' for the caller's own. */
  readonly functionName: string
  readonly className: string
  readonly key: string
  readonly options: ActorCallOptions
}

/** What carries calls to actors: inside an environment its connection, outside HTTP. */
export interface ActorCalls {
  call(address: ActorAddress, method: string, args: unknown[]): Promise<unknown>
  /** The same for a method that may be a generator. */
  open(address: ActorAddress, method: string, args: unknown[]): OpenCall
  /** At once: a ref to what the call will give. */
  remote(address: ActorAddress, method: string, args: unknown[]): unknown
  /** The name that `Class` is exported by; undefined: it is not. */
  exportOf(Class: ActorClass): string | undefined
}

/** A call whose method may be a generator: its items, as far as it has any, and how it ends. */
export interface OpenCall {
  readonly result: Promise<unknown>
  readonly items: AsyncIterable<unknown>
}

type Send = (address: ActorAddress, method: string, args: unknown[]) => unknown

const ADDRESS = Symbol('address')
const CLASS = Symbol('class')

/** A handle as it is: its methods are its prototype's. */
interface Handle {
  readonly [ADDRESS]: ActorAddress
  /** Undefined: only its name is known. */
  readonly [CLASS]: ActorClass | undefined
}

/** Text that UTF-8 cannot hold. */
const LONE_SURROGATE = /\p{Cs}/u
const MAX_KEY_BYTES = 2048
const NAME = /^([a-zA-Z0-9-_]{1,64}(?::[a-zA-Z0-9$_-]{1,128})?)\/([\p{ID_Start}$_][\p{ID_Continue}$]*)$/u

/** Makes handles whose calls go through `calls`. */
export class ActorHandles {
  readonly #calls: ActorCalls
  readonly #calling = new WeakMap<ActorClass, object>()
  readonly #remoting = new WeakMap<ActorClass, object>()

  constructor(calls: ActorCalls) {
    this.#calls = calls
  }

  /** A handle; `target` is the class or `'function/Class'`. Throws a TypeError for anything else. */
  of(target: unknown, key: string, options: ActorCallOptions = {}): object {
    checkKey(key)
    if (isActorClass(target)) {
      return this.#known(target, this.#own(target, key, options))
    }
    const named = typeof target === 'string' ? NAME.exec(target) : null
    if (named === null)
      throw new TypeError("Name an actor by its class, or by a text such as 'word-count/Tally'.")
    const [, functionName = '', className = ''] = named
    return this.#named({ functionName, className, key, options })
  }

  /** The same actor, called with other options. */
  with(handle: object, options: ActorCallOptions): object {
    const { [ADDRESS]: address, [CLASS]: Class } = asHandle(handle)
    const merged = { ...address.options, ...options }
    if (Class === undefined) return this.#named({ ...address, options: merged })
    return this.#known(Class, this.#own(Class, address.key, merged))
  }

  /** The same actor; its methods give refs at once. */
  remote(handle: object): object {
    const { [ADDRESS]: address, [CLASS]: Class } = asHandle(handle)
    const send: Send = (...call) => this.#calls.remote(...call)
    if (Class === undefined) return byName(address, send)
    return withPrototype(address, Class, this.#remoting, () => send)
  }

  /** At module level no class has a name yet: it is looked up by the first call. */
  #own(Class: ActorClass, key: string, options: ActorCallOptions): ActorAddress {
    const calls = this.#calls
    return {
      functionName: '',
      get className() {
        const className = calls.exportOf(Class)
        if (className !== undefined) return className
        throw new TypeError(
          `The actor class "${Class.name}" is not exported by this function's main file: export it there, ` +
            "or call it by its name, actor('function/Class', key).",
        )
      },
      key,
      options,
    }
  }

  #known(Class: ActorClass, address: ActorAddress): object {
    return withPrototype(address, Class, this.#calling, (isGenerator) =>
      isGenerator ? (...call) => itemsOf(this.#calls.open(...call)) : (...call) => this.#calls.call(...call),
    )
  }

  #named(address: ActorAddress): object {
    return byName(address, (...call) => either(this.#calls.open(...call)))
  }
}

/** A handle's methods are made once for each class; no Proxy stands between a call and its frame. */
function withPrototype(
  address: ActorAddress,
  Class: ActorClass,
  known: WeakMap<ActorClass, object>,
  sendOf: (isGenerator: boolean) => Send,
): object {
  let prototype = known.get(Class)
  if (prototype === undefined) {
    prototype = {}
    for (const name of methodNames(Class)) {
      const send = sendOf(isGeneratorMethod(Class, name))
      Object.defineProperty(prototype, name, {
        value(this: Handle, ...args: unknown[]) {
          return send(this[ADDRESS], name, args)
        },
      })
    }
    known.set(Class, prototype)
  }
  return Object.defineProperties(Object.create(prototype) as object, {
    [ADDRESS]: { value: address },
    [CLASS]: { value: Class },
  })
}

/**
 * Where only a name is known, so are the methods only when they are called: nothing but a Proxy can look like
 * the class then.
 */
function byName(address: ActorAddress, send: Send): object {
  const facts: Handle = { [ADDRESS]: address, [CLASS]: undefined }
  const methods = new Map<string, unknown>()
  return new Proxy(facts, {
    get(target, name) {
      if (typeof name === 'symbol') return Reflect.get(target, name) as unknown
      // What asks every object for these (await, JSON, templates) must not find a method.
      if (name === 'then' || name === 'toJSON' || name in Object.prototype)
        return Reflect.get(Object.prototype, name) as unknown
      if (!isCallableName(name)) return undefined
      const known = methods.get(name)
      if (known !== undefined) return known
      const method = (...args: unknown[]): unknown => send(address, name, args)
      methods.set(name, method)
      return method
    },
  })
}

/** Whoever takes the items learns from them how the call ended. */
function itemsOf({ result, items }: OpenCall): AsyncIterable<unknown> {
  result.catch(() => undefined)
  return items
}

/** A promise that can also be iterated, for a method that may be either. */
const either = (call: OpenCall): Promise<unknown> =>
  Object.defineProperty(call.result, Symbol.asyncIterator, {
    value: () => itemsOf(call)[Symbol.asyncIterator](),
  })

const isGeneratorMethod = (Class: ActorClass, name: string): boolean =>
  Object.prototype.toString.call((Class.prototype as unknown as Record<string, unknown>)[name]) ===
  '[object AsyncGeneratorFunction]'

function asHandle(value: object): Handle {
  const handle = value as Handle // any object can be asked for a symbol
  if (typeof value !== 'object' || value === null || handle[ADDRESS] === undefined)
    throw new TypeError('Give a handle that actor(…) made.')
  return handle
}

function checkKey(key: unknown): asserts key is string {
  if (
    typeof key !== 'string' ||
    key === '' ||
    Buffer.byteLength(key) > MAX_KEY_BYTES ||
    LONE_SURROGATE.test(key)
  )
    throw new TypeError(`The key of an actor is a text of 1 to ${MAX_KEY_BYTES} bytes.`)
}
