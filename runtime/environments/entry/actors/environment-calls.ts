import type { ActorCalls, ActorAddress, OpenCall } from '../../../sdk/actor-handle.ts'
import type { ActorClass } from '../../../sdk/actor.ts'
import type { ActorCallOptions } from '../../../sdk/actor-types.ts'
import { parseDuration } from '../../../sdk/duration.ts'
import type { ObjectRef } from '../../../sdk/object-ref.ts'
import type { ActorRequestOptions } from '../../actor-messages.ts'
import { FLAG } from '../../frames.ts'
import { STREAM_STOP, STREAM_TAKEN } from '../../stream-items.ts'
import type { CellHome } from '../computing/ref-cell.ts'
import { topRefsOf, type SdkCalls } from '../computing/sdk-calls.ts'
import { callOf } from './actor-call.ts'

/** The part of a request that is the same for every call through a handle. */
interface Prepared {
  /** `\nfunction\nClass\nkey\n` */
  readonly target: string
  /** JSON, '' for none; for calls that are waited for, and for those that give refs. */
  readonly options: string
  readonly refOptions: string
  readonly signal: AbortSignal | undefined
}

/** Carries calls of actors from this process's code to the engine. */
export class EnvironmentActorCalls implements ActorCalls {
  readonly #home: CellHome
  readonly #sdkCalls: SdkCalls
  readonly #exportOf: (Class: ActorClass) => string | undefined
  readonly #prepared = new WeakMap<ActorAddress, Prepared>()

  constructor(home: CellHome, sdkCalls: SdkCalls, exportOf: (Class: ActorClass) => string | undefined) {
    this.#home = home
    this.#sdkCalls = sdkCalls
    this.#exportOf = exportOf
  }

  exportOf(Class: ActorClass): string | undefined {
    return this.#exportOf(Class)
  }

  async call(address: ActorAddress, method: string, args: unknown[]): Promise<unknown> {
    const { options, signal } = this.#prepare(address)
    signal?.throwIfAborted()
    const ref = this.#submit(address, method, options, args)
    if (signal === undefined) return this.#sdkCalls.get(ref)
    const cancel = (): void => this.#cancel(ref)
    signal.addEventListener('abort', cancel, { once: true })
    try {
      return await this.#sdkCalls.get(ref, { signal })
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  }

  remote(address: ActorAddress, method: string, args: unknown[]): ObjectRef {
    const { refOptions } = this.#prepare(address)
    return this.#submit(address, method, refOptions, args, true)
  }

  open(address: ActorAddress, method: string, args: unknown[]): OpenCall {
    const { calls, values } = this.#home
    const { options, signal } = this.#prepare(address)
    signal?.throwIfAborted()
    let settle = { resolve: (_value: unknown): void => {}, reject: (_error: unknown): void => {} }
    const result = new Promise((resolve, reject) => (settle = { resolve, reject }))
    const items = new Items({
      taken: () => calls.tell(`${STREAM_TAKEN}\n${number}\n1`),
      stop: () => calls.tell(`${STREAM_STOP}\n${number}`),
      result,
    })
    const number = calls.askWith(this.#meta(address, method, options, args), args, {
      answered: (flags, body) => {
        try {
          if (flags & FLAG.error) settle.reject(values.decodeError(body))
          else settle.resolve(values.decode(flags, body))
        } catch (error) {
          settle.reject(error)
        }
        items.end()
      },
      item: (flags, body) => {
        const kept = Buffer.from(body) // not with the chunk that it came in
        items.push(() => values.decode(flags, kept))
      },
    })
    signal?.addEventListener('abort', () => calls.tell(`actor-cancel\n${number}`), { once: true })
    return { result, items }
  }

  #cancel(ref: ObjectRef): void {
    this.#home.calls.tell(`actor-cancel\n${ref.id.slice(ref.id.lastIndexOf('-') + 1)}`)
  }

  #submit(
    address: ActorAddress,
    method: string,
    options: string,
    args: unknown[],
    isKept = false,
  ): ObjectRef {
    const meta = this.#meta(address, method, options, args)
    return this.#sdkCalls.submitCall(meta, args, nameOf(address, method), isKept)
  }

  #meta(address: ActorAddress, method: string, options: string, args: unknown[]): string {
    const current = this.#home.current()
    const call = callOf(current)?.message.id ?? 0
    const topRefs = topRefsOf(args)
    const more = topRefs === '' ? '' : `\n${topRefs}`
    return `actor\n${current?.id ?? 0}${this.#prepare(address).target}${method}\n${options}\n${call}${more}`
  }

  #prepare(address: ActorAddress): Prepared {
    let prepared = this.#prepared.get(address)
    if (prepared === undefined) {
      const { functionName, className, key, options } = address
      const wire = wireOptions(options)
      prepared = {
        target: `\n${functionName}\n${className}\n${encodeURIComponent(key)}\n`,
        options: Object.keys(wire).length === 0 ? '' : JSON.stringify(wire),
        refOptions: JSON.stringify({ ...wire, ref: true }),
        signal: options.signal,
      }
      this.#prepared.set(address, prepared)
    }
    return prepared
  }
}

/** Throws a TypeError for options that cannot be meant. */
function wireOptions({ timeout, idempotencyKey, retries }: ActorCallOptions): ActorRequestOptions {
  const timeoutMs = timeout === undefined ? null : parseDuration(timeout)
  if (retries !== undefined && !(Number.isSafeInteger(retries) && retries >= 0))
    throw new TypeError('`retries` of a call of an actor is a whole number.')
  return {
    ...(timeoutMs === null ? {} : { timeoutMs }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(retries === undefined ? {} : { retries }),
  }
}

const nameOf = ({ className, key }: ActorAddress, method: string): string =>
  `the result of ${className}.${method} of actor "${key.slice(0, 100)}"`

/** The items of one call; taken by one reader at a time. */
class Items implements AsyncIterableIterator<unknown> {
  readonly #call: { taken(): void; stop(): void; readonly result: Promise<unknown> }
  /** Not taken yet: as many as the producer may be ahead at most. */
  readonly #items: (() => unknown)[] = []
  #hasEnded = false
  #hasStopped = false
  #wake: (() => void) | undefined

  constructor(call: { taken(): void; stop(): void; readonly result: Promise<unknown> }) {
    this.#call = call
  }

  push(item: () => unknown): void {
    if (this.#hasStopped) return
    this.#items.push(item)
    this.#wake?.()
  }

  end(): void {
    this.#hasEnded = true
    this.#wake?.()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<unknown, undefined>> {
    while (this.#items.length === 0 && !this.#hasEnded && !this.#hasStopped)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    const item = this.#items.shift()
    if (item !== undefined) {
      if (!this.#hasEnded) this.#call.taken()
      return { done: false, value: item() }
    }
    if (!this.#hasStopped) await this.#call.result
    return { done: true, value: undefined }
  }

  /** The reader has enough. */
  return(): Promise<IteratorResult<unknown, undefined>> {
    if (!this.#hasEnded && !this.#hasStopped) this.#call.stop()
    this.#hasStopped = true
    this.#items.length = 0
    this.#wake?.()
    return Promise.resolve({ done: true, value: undefined })
  }
}
