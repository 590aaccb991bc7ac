import type { StorageRange } from '../../../sdk/actor-types.ts'
import { ACTOR_LIMITS, type StorageRangeQuery, type StorageRow } from '../../actor-messages.ts'
import { compareKeys, inRange } from './key-order.ts'
import { Stored, type StorageCodec } from './stored.ts'
import type { WriteLayer } from './write-layer.ts'

/** What is kept of a storage that is too large to be kept whole. */
const MAX_CACHED_BYTES = 8 * 1_048_576

/** Asks the engine for what is committed; every commit that was sent before counts. */
export interface StorageSource {
  read(key: string): Promise<Buffer | undefined>
  /** In order; fewer than the limit: there are no more. */
  list(query: StorageRangeQuery): Promise<readonly StorageRow[]>
}

/** An actor's storage as it is committed, as far as this process has seen it. */
export class StorageCache {
  readonly #codec: StorageCodec
  readonly #source: StorageSource
  /** Undefined values: known to be absent. In order of use where not all is kept. */
  readonly #entries = new Map<string, Stored | undefined>()
  readonly #asked = new Map<string, Promise<Stored | undefined>>()
  /** Whether what is not in `#entries` is not there. */
  readonly #isComplete: boolean
  #sorted: string[] | undefined
  #sizeBytes = 0

  constructor(parts: {
    codec: StorageCodec
    source: StorageSource
    rows: readonly StorageRow[]
    isComplete: boolean
  }) {
    this.#codec = parts.codec
    this.#source = parts.source
    this.#isComplete = parts.isComplete
    for (const { key, value } of parts.rows)
      this.#keep(key, value === undefined ? undefined : Stored.read(parts.codec, value))
  }

  /** What is committed under `key`; a promise when the engine has to be asked. */
  get(key: string): Stored | undefined | Promise<Stored | undefined> {
    const known = this.#entries.get(key)
    if (known !== undefined || this.#isComplete) return known
    if (this.#entries.has(key)) return undefined
    return this.#ask(key)
  }

  /** What is committed, with what `layer` has written over it, in order. */
  async list(range: StorageRange, layer: WriteLayer | undefined): Promise<Map<string, unknown>> {
    const written = new Map<string, Stored | undefined>()
    if (layer !== undefined)
      for (const { entries } of layer.upwards())
        for (const [key, value] of entries) if (inRange(key, range)) written.set(key, value)
    const limit = range.limit ?? Infinity
    // What is written may take committed entries away.
    const committed = await this.#committed(range, limit + written.size)
    const found = committed.filter(([key]) => !written.has(key))
    for (const [key, value] of written) if (value !== undefined) found.push([key, value])
    if (written.size > 0)
      found.sort(([left], [right]) =>
        range.reverse === true ? compareKeys(right, left) : compareKeys(left, right),
      )
    const values = new Map<string, unknown>()
    for (const [key, value] of found) {
      if (values.size >= limit) break
      values.set(key, value.value)
    }
    return values
  }

  /** Takes over what was sent to be committed. */
  apply(entries: ReadonlyMap<string, Stored | undefined>): void {
    for (const [key, value] of entries) {
      // An answer that is still under way is older.
      this.#asked.delete(key)
      this.#keep(key, value)
    }
  }

  async #ask(key: string): Promise<Stored | undefined> {
    const asked = this.#asked.get(key)
    if (asked !== undefined) return asked
    const answer = this.#source.read(key).then((bytes) => {
      const found = bytes === undefined ? undefined : Stored.read(this.#codec, bytes)
      if (this.#asked.get(key) === answer) {
        this.#asked.delete(key)
        this.#keep(key, found)
      }
      return found
    })
    this.#asked.set(key, answer)
    try {
      return await answer
    } catch (error) {
      if (this.#asked.get(key) === answer) this.#asked.delete(key)
      throw error
    }
  }

  async #committed(range: StorageRange, limit: number): Promise<[string, Stored][]> {
    if (!this.#isComplete) return this.#listed(range, limit)
    this.#sorted ??= [...this.#entries.keys()].sort(compareKeys)
    const keys = this.#sorted.filter((key) => inRange(key, range))
    if (range.reverse === true) keys.reverse()
    const found: [string, Stored][] = []
    for (const key of keys.slice(0, limit)) {
      const value = this.#entries.get(key)
      if (value !== undefined) found.push([key, value])
    }
    return found
  }

  /** Page by page. */
  async #listed(range: StorageRange, limit: number): Promise<[string, Stored][]> {
    const found: [string, Stored][] = []
    let rest = range
    while (found.length < limit) {
      const asked = Math.min(limit - found.length, ACTOR_LIMITS.listRows)
      const rows = await this.#source.list({ ...rest, limit: asked })
      for (const { key, value } of rows)
        if (value !== undefined) found.push([key, Stored.read(this.#codec, value)])
      const last = rows.at(-1)
      if (last === undefined || rows.length < asked) break
      // The first key behind the last one is that with one character more, the lowest there is.
      rest = range.reverse === true ? { ...range, end: last.key } : { ...range, start: `${last.key}\0` }
    }
    return found
  }

  #keep(key: string, value: Stored | undefined): void {
    const known = this.#entries.get(key)
    this.#sizeBytes += (value?.sizeBytes ?? 0) - (known?.sizeBytes ?? 0)
    if (this.#isComplete) {
      if ((known === undefined) !== (value === undefined)) this.#sorted = undefined
      if (value === undefined) this.#entries.delete(key)
      else this.#entries.set(key, value)
      return
    }
    if (!this.#entries.delete(key)) this.#sizeBytes += key.length
    this.#entries.set(key, value)
    for (const oldest of this.#entries.keys()) {
      if (this.#sizeBytes <= MAX_CACHED_BYTES || oldest === key) break
      this.#sizeBytes -= oldest.length + (this.#entries.get(oldest)?.sizeBytes ?? 0)
      this.#entries.delete(oldest)
    }
  }
}
