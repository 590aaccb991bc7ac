import { UnsupportedValue } from './errors.ts'

/** What a ref stands for in the process that holds it. */
export interface RefSource {
  /** The same in every process. */
  readonly id: string
  /** This process needs the value no longer. A second call changes nothing. */
  release(): void
  /** The items of a streaming task; whoever takes them keeps `ref`. Absent: it has none. */
  iterate?(ref: ObjectRef): AsyncIterator<unknown>
}

/**
 * Stands for a value that is made, or lies, elsewhere: give it to `get`, or to another task or actor. It is
 * not a promise, so returning it or passing it on does not wait. It ends with the invocation that made it
 * unless it was returned or passed on; an actor's lasts until `release`, which `using` calls.
 */
export class ObjectRef<T = unknown> {
  /** Only the type of the value is here. */
  declare readonly value?: T
  readonly #source: RefSource

  constructor(source: RefSource) {
    this.#source = source
  }

  get id(): string {
    return this.#source.id
  }

  /** The value is not needed here any more. `get` of a released ref fails. */
  release(): void {
    this.#source.release()
  }

  [Symbol.dispose](): void {
    this.#source.release()
  }

  /** A ref in a JSON result would be a dead text: nobody could get its value. */
  toJSON(): never {
    throw new UnsupportedValue(
      `A ref (${this.id}) has no JSON form. Return its value: await get(ref), or send it as an argument.`,
      '',
    )
  }

  /** What a ref stands for; for what makes refs. */
  static sourceOf(ref: ObjectRef): RefSource {
    return ref.#source
  }
}

// Only what a streaming task returns is typed as iterable; which task is one shows when it runs.
Object.defineProperty(ObjectRef.prototype, Symbol.asyncIterator, {
  value(this: ObjectRef): AsyncIterator<unknown> {
    const items = ObjectRef.sourceOf(this).iterate?.(this)
    if (items === undefined) throw new TypeError(`Ref ${this.id} has no items: it is no streaming task's.`)
    return items
  },
  writable: true,
  configurable: true,
})
