import { EngineError, isEngineError } from '../errors.ts'
import { valuesFull } from './object-errors.ts'
import type { SegmentPlace } from './location.ts'
import type { Segments } from './segments.ts'

/** More refs than this are refused: a program that forgets none of them ends before the engine does. */
const MAX_OBJECTS = 2_000_000

/** Values that lie in the engine itself may take so much; large ones lie in segments. */
const MAX_VALUE_BYTES = 1024 ** 3

/** What a table keeps its objects with. */
export interface ObjectTableParts {
  /** Where large values lie; absent: every value lies in the engine. */
  readonly segments?: Pick<Segments, 'retain' | 'release' | 'find'> | undefined
  /** Writes an error as it travels, for a value that cannot be kept. */
  readonly encode?: ((error: EngineError) => Buffer) | undefined
  readonly maxValueBytes?: number | undefined
}

/** Who is told what became of a ref. */
export interface ObjectWaiter {
  /** Called once; `entry` has its flags and its body. */
  settled(entry: ObjectEntry): void
}

/** What makes the value of a ref, as long as it is not there. */
export interface ObjectProducer {
  /** Ends it early: what waits gives up at once, what runs is asked to, or killed with `force`. */
  cancel(how: { force: boolean; recursive: boolean }): void
}

/**
 * One ref. It is pending until its value, an error, or the place of a large value is there, in the form in
 * which they travel: `flags` as in the frames (1: an error, 16: a location) and a body. It is kept as long as
 * anybody pins it.
 */
export class ObjectEntry {
  readonly id: string
  /** Whose it is; undefined: nobody's who has an account. */
  readonly account: string | undefined
  /** -1 while it is pending. */
  flags = -1
  body: Buffer = NOTHING
  producer: ObjectProducer | undefined
  /** Refs that its value holds: they live as long as it does. */
  inner: readonly ObjectEntry[] = NONE
  pins = 0
  #waiters: ObjectWaiter[] | undefined

  constructor(id: string, account?: string) {
    this.id = id
    this.account = account
  }

  get isSettled(): boolean {
    return this.flags >= 0
  }

  /** Tells `waiter` at once when it is settled, and otherwise as soon as it is. */
  whenSettled(waiter: ObjectWaiter): void {
    if (this.isSettled) waiter.settled(this)
    else if (this.#waiters === undefined) this.#waiters = [waiter]
    else this.#waiters.push(waiter)
  }

  /** `waiter` does not want to know any more. */
  ignore(waiter: ObjectWaiter): void {
    const index = this.#waiters?.indexOf(waiter) ?? -1
    if (index >= 0) this.#waiters?.splice(index, 1)
  }

  /** From the table: there is something now. */
  settle(flags: number, body: Buffer): void {
    this.flags = flags
    this.body = body
    this.producer = undefined
    const waiters = this.#waiters
    this.#waiters = undefined
    if (waiters !== undefined) for (const waiter of waiters) waiter.settled(this)
  }
}

/** As in the flags of frames: the body is an error. */
export const ERROR_FLAG = 1
/** As in the flags of frames: the body is the engine's name of a segment. */
export const OBJECT_FLAG = 16

const NOTHING = Buffer.alloc(0)
const NONE: readonly ObjectEntry[] = []

/** Somebody who holds refs, and lets go of all that are left when it ends: an invocation, a caller. */
export class RefHolder {
  readonly #table: ObjectTable
  readonly #held = new Set<ObjectEntry>()

  constructor(table: ObjectTable) {
    this.#table = table
  }

  get size(): number {
    return this.#held.size
  }

  hold(entry: ObjectEntry): void {
    if (this.#held.has(entry)) return
    this.#held.add(entry)
    this.#table.pin(entry)
  }

  /** Lets go of one; nothing happens when it is not held. */
  release(entry: ObjectEntry): void {
    if (this.#held.delete(entry)) this.#table.unpin(entry)
  }

  end(): void {
    for (const entry of this.#held) this.#table.unpin(entry)
    this.#held.clear()
  }
}

/** All refs that anybody knows, by id, with how many hold each. A ref that nobody holds is forgotten. */
export class ObjectTable {
  readonly #entries = new Map<string, ObjectEntry>()
  readonly #segments: ObjectTableParts['segments']
  readonly #encode: (error: EngineError) => Buffer
  readonly #maxValueBytes: number
  #valueBytes = 0

  constructor(parts: ObjectTableParts = {}) {
    this.#segments = parts.segments
    this.#encode = parts.encode ?? ((error) => Buffer.from(error.message))
    this.#maxValueBytes = parts.maxValueBytes ?? MAX_VALUE_BYTES
  }

  get size(): number {
    return this.#entries.size
  }

  /** Bytes of the values that lie in the engine itself. */
  get valueBytes(): number {
    return this.#valueBytes
  }

  /** All of them, oldest first. */
  get entries(): Iterable<ObjectEntry> {
    return this.#entries.values()
  }

  /**
   * A pending one of an account, held by `holder`. Throws EngineError 'throttled' (too many) and 'invalid'
   * (known id).
   */
  create(id: string, holder: RefHolder, account?: string): ObjectEntry {
    if (this.#entries.size >= MAX_OBJECTS)
      throw new EngineError('throttled', `${this.#entries.size} objects are kept already.`, {
        hint: 'Release refs that are not needed any more.',
      })
    if (this.#entries.has(id)) throw new EngineError('invalid', `There is an object "${id}" already.`)
    const entry = new ObjectEntry(id, account)
    this.#entries.set(id, entry)
    holder.hold(entry)
    return entry
  }

  find(id: string): ObjectEntry | undefined {
    return this.#entries.get(id)
  }

  /**
   * Its value is there; `innerIds` are the refs that the value holds. With OBJECT_FLAG the body is the
   * engine's name of a segment, which is kept as long as the entry is. A value for which there is no room
   * becomes an error.
   */
  resolve(entry: ObjectEntry, flags: number, body: Buffer, innerIds: readonly string[] = []): void {
    if (entry.isSettled) return
    try {
      this.#take(flags, body)
    } catch (error) {
      if (!isEngineError(error)) throw error
      return this.#settle(entry, ERROR_FLAG, this.#encode(error))
    }
    const ids = flags & OBJECT_FLAG ? (this.#segments?.find(body).refs ?? innerIds) : innerIds
    if (ids.length > 0) {
      const inner = ids.flatMap((id) => this.#entries.get(id) ?? [])
      for (const one of inner) this.pin(one)
      entry.inner = inner
    }
    this.#settle(entry, flags, body)
  }

  /** It failed; `body` is an error as it travels. */
  reject(entry: ObjectEntry, body: Buffer): void {
    if (!entry.isSettled) this.#settle(entry, ERROR_FLAG, body)
  }

  /** Where the value of one that is settled lies, and its size. */
  whereIs({ flags, body }: ObjectEntry): { place: 'engine' | SegmentPlace; sizeBytes: number } {
    const segment = flags & OBJECT_FLAG ? this.#segments?.find(body) : undefined
    if (segment === undefined) return { place: 'engine', sizeBytes: body.length }
    return { place: segment.place, sizeBytes: segment.valueBytes }
  }

  /**
   * Keeps the segment of a body with OBJECT_FLAG, for whoever holds it outside of an entry; anything else
   * needs no keeping. Throws EngineError 'not-found' (detail 'object-lost').
   */
  keep(flags: number, body: Buffer): void {
    if (flags & OBJECT_FLAG) this.#segments?.retain(body)
  }

  /** Ids of the refs in the value of a segment. */
  refsIn(body: Buffer): readonly string[] {
    return this.#segments?.find(body).refs ?? []
  }

  /** Ends what `keep` began. */
  letGo(flags: number, body: Buffer): void {
    if (flags & OBJECT_FLAG) this.#segments?.release(body)
  }

  pin(entry: ObjectEntry): void {
    entry.pins += 1
  }

  unpin(entry: ObjectEntry): void {
    entry.pins -= 1
    if (entry.pins === 0 && entry.isSettled) this.#forget(entry)
  }

  #settle(entry: ObjectEntry, flags: number, body: Buffer): void {
    entry.settle(flags, body)
    if (entry.pins === 0) this.#forget(entry)
  }

  #forget(entry: ObjectEntry): void {
    if (!this.#entries.delete(entry.id)) return
    for (const one of entry.inner) this.unpin(one)
    entry.inner = NONE
    if ((entry.flags & ERROR_FLAG) !== 0) return
    this.letGo(entry.flags, entry.body)
    if ((entry.flags & OBJECT_FLAG) === 0) this.#valueBytes -= entry.body.length
  }

  #take(flags: number, body: Buffer): void {
    if (flags & OBJECT_FLAG) return this.keep(flags, body)
    if (this.#valueBytes + body.length > this.#maxValueBytes)
      throw valuesFull(this.#valueBytes, this.#maxValueBytes)
    this.#valueBytes += body.length
  }
}
