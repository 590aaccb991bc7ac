import { ActorError } from '../../../sdk/actor-errors.ts'
import type { ActorStorage, StorageRange } from '../../../sdk/actor-types.ts'
import { ACTOR_LIMITS } from '../../actor-messages.ts'
import { callIn, type ActorCall } from './actor-call.ts'
import type { StorageCache } from './storage-cache.ts'
import { Stored, type StorageCodec } from './stored.ts'

/** Text that UTF-8 cannot hold. */
const LONE_SURROGATE = /\p{Cs}/u

/** What an actor's storage works with. */
export interface StorageParts {
  readonly codec: StorageCodec
  readonly cache: StorageCache
  /** The call that the running code belongs to. */
  readonly current: () => ActorCall | undefined
  /** Runs `body` as a part of `call` that writes for itself. */
  readonly runInside: <T>(call: ActorCall, body: (part: ActorCall) => Promise<T>) => Promise<T>
  /** Commits what a call has written so far; resolves when it is on disk. */
  readonly commit: (call: ActorCall) => Promise<void>
}

/** `this.storage` of an actor: what is committed, under what the running call has written. */
export class CallStorage implements ActorStorage {
  readonly #parts: StorageParts

  constructor(parts: StorageParts) {
    this.#parts = parts
  }

  async get<T>(key: string): Promise<T | undefined> {
    const found = await this.#find(callIn(this.#parts.current()), checkedKey(key))
    return found?.value as T | undefined // what the caller says it has put there
  }

  async put(key: string, value: unknown): Promise<void> {
    const layer = callIn(this.#parts.current()).writable()
    if (value === undefined)
      throw new ActorError('NotStorable', `undefined cannot be stored under "${key}": use storage.delete().`)
    layer.write(checkedKey(key), Stored.of(this.#parts.codec, value))
  }

  async delete(key: string): Promise<boolean> {
    const call = callIn(this.#parts.current())
    call.writable()
    const found = await this.#find(call, checkedKey(key))
    if (found === undefined) return false
    call.writable().write(key, undefined)
    return true
  }

  async list<T>(range: StorageRange = {}): Promise<Map<string, T>> {
    checkRange(range)
    const { layer } = callIn(this.#parts.current())
    return (await this.#parts.cache.list(range, layer)) as Map<string, T> // as `get`
  }

  async transaction<T>(body: () => T | Promise<T>): Promise<T> {
    const call = callIn(this.#parts.current())
    call.writable()
    const run = Promise.resolve(call.transactions).then(() => this.#transact(call, body))
    call.transactions = run.catch(() => undefined)
    return run
  }

  async flush(): Promise<void> {
    const call = callIn(this.#parts.current())
    if (call.writable().parent === undefined) return this.#parts.commit(call)
    throw new ActorError(
      'CallEnded',
      'storage.flush() cannot commit a part of what counts as a whole: it was called in a transaction, or in ' +
        'a call that another call of this actor waits for.',
    )
  }

  /** What the call has written before goes to disk with it: the order of writes is never changed. */
  async #transact<T>(call: ActorCall, body: () => T | Promise<T>): Promise<T> {
    call.writable()
    const result = await this.#parts.runInside(call, async (part) => {
      const result = await body()
      call.writable()
      part.writable().mergeDown()
      return result
    })
    if (call.writable().parent === undefined) await this.#parts.commit(call)
    return result
  }

  #find({ layer }: ActorCall, key: string): Stored | undefined | Promise<Stored | undefined> {
    const written = layer === undefined ? 'nothing' : layer.find(key)
    return written === 'nothing' ? this.#parts.cache.get(key) : written
  }
}

/** Throws an ActorError 'NotStorable' for what cannot be the key of an entry. */
function checkedKey(key: unknown): string {
  const { keyBytes } = ACTOR_LIMITS
  const isText = typeof key === 'string' && key !== ''
  if (
    isText &&
    (key.length * 3 <= keyBytes || Buffer.byteLength(key) <= keyBytes) &&
    !LONE_SURROGATE.test(key)
  )
    return key
  throw new ActorError('NotStorable', `A key of storage is a text of 1 to ${keyBytes} bytes.`)
}

function checkRange({ prefix, start, end, limit }: StorageRange): void {
  for (const [name, text] of Object.entries({ prefix, start, end }))
    if (text !== undefined && typeof text !== 'string')
      throw new TypeError(`\`${name}\` of a list is a text.`)
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 0))
    throw new TypeError('`limit` of a list is a whole number.')
}
