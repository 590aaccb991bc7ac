import { ObjectLost } from '../../../sdk/errors.ts'
import { ObjectRef, type RefSource } from '../../../sdk/object-ref.ts'
import { FLAG } from '../../frames.ts'
import { itemRefId, STREAM_STOP, STREAM_TAKEN } from '../../stream-items.ts'
import type { Invocation } from '../invocation.ts'
import type { Asking, Calls } from './calls.ts'
import { ItemReader, ItemStream } from './item-stream.ts'
import type { Lending } from './lending.ts'
import type { LargeValues, Values } from './values.ts'

/** Whoever waits for a cell; told once, when it has a value, an error, or was released. */
export interface CellWaiter {
  settled(cell: RefCell): void
}

/** What cells share. */
export interface CellHome {
  readonly calls: Calls
  readonly values: Values
  /** Absent: this process's code has no processor to lend. */
  readonly lending: Lending | undefined
  /** The invocation whose code runs; undefined outside of any. */
  current(): Invocation | undefined
}

type CellState = 'unasked' | 'pending' | 'settled' | 'released'

const NOTHING = Buffer.alloc(0)
/** A smaller answer is copied out of the chunk that it came in, which would be kept for it. */
const MAX_COPIED_BYTES = 8 * 1024

/** Locations that nobody opened: what lies there is given back. */
const unopened = new FinalizationRegistry<{ large: LargeValues; location: Buffer }>(({ large, location }) =>
  large.drop(location),
)

/**
 * What a ref stands for in this process: the value as bytes once it is here, and who waits for it. A ref of
 * this process's own call is pending from the start; one that came from elsewhere is asked for when somebody
 * wants its value.
 */
export class RefCell implements RefSource, Asking {
  readonly #home: CellHome
  /** What a person calls it, for messages; '' for one of which only the id is known. */
  readonly #what: string
  #state: CellState
  #flags = 0
  #body: Buffer = NOTHING
  #waiters: CellWaiter[] = []
  #stream: ItemStream | undefined
  /** The same in every process. Set right after the request that makes it. */
  id: string
  /** The request of the task that makes it, which may have items; 0 for anything else. */
  taskNumber = 0
  /** The call that it was given to keeps it: asking for its value does not. */
  isKept = false

  constructor(home: CellHome, id: string, what: string, state: 'unasked' | 'pending') {
    this.#home = home
    this.id = id
    this.#what = what
    this.#state = state
  }

  get hasSettled(): boolean {
    return this.#state === 'settled' || this.#state === 'released'
  }

  /** There is an error in place of a value. */
  get hasFailed(): boolean {
    return this.#state === 'released' || (this.#flags & FLAG.error) !== 0
  }

  /** `the result of task "count" (o1-5)`. */
  get description(): string {
    return this.#what === '' ? `the value of ref ${this.id}` : `${this.#what} (${this.id})`
  }

  /** Tells `waiter` when it has settled, asking for the value if need be. Not for one that has. */
  whenSettled(waiter: CellWaiter): void {
    this.#waiters.push(waiter)
    if (this.#state !== 'unasked') return
    this.#state = 'pending'
    const kept = this.isKept ? '\nkept' : ''
    this.#home.calls.ask(`get\n${this.#home.current()?.id ?? 0}\n${this.id}${kept}`, this)
  }

  ignore(waiter: CellWaiter): void {
    this.#waiters = this.#waiters.filter((one) => one !== waiter)
  }

  /** The value, made anew each time. Throws the error that came in its place, and ObjectLost. */
  take(): unknown {
    const { values } = this.#home
    if (this.#state === 'released') throw new ObjectLost(`Ref ${this.id} was released in this process.`)
    if (this.#flags & FLAG.error) throw values.decodeError(this.#body)
    const value = values.decode(this.#flags, this.#body)
    // From now on it is given back by whoever opened it, when nothing refers to the location any more.
    if (this.#flags & FLAG.object) unopened.unregister(this)
    return value
  }

  answered(flags: number, body: Buffer): void {
    if (this.#state === 'released') this.#giveBack(flags, body)
    else this.settle(flags, body.length > MAX_COPIED_BYTES ? body : Buffer.from(body))
    this.#stream?.end()
  }

  item(flags: number, body: Buffer): void {
    if (this.#state === 'released') this.#giveBack(flags, body)
    else this.#streamed().push(flags, Buffer.from(body))
  }

  /** It has this value, location or error from now on. */
  settle(flags: number, body: Buffer): void {
    this.#state = 'settled'
    this.#flags = flags
    this.#body = body
    const { large } = this.#home.values
    if (flags & FLAG.object && large !== undefined) unopened.register(this, { large, location: body }, this)
    this.#tellWaiters()
  }

  /** What it stands for lies elsewhere: it is asked for when somebody wants it. */
  forget(): void {
    this.#state = 'unasked'
    if (this.#waiters.length === 0) return
    this.#state = 'pending'
    this.#home.calls.ask(`get\n${this.#home.current()?.id ?? 0}\n${this.id}`, this)
  }

  release(): void {
    if (this.#state === 'released') return
    if (this.#state === 'settled') this.#giveBack(this.#flags, this.#body)
    this.#state = 'released'
    this.#body = NOTHING
    this.#stream?.stop()
    this.#home.calls.tell(`release\n${this.id}`)
    this.#tellWaiters()
  }

  /** The items of a streaming task, each a ref. */
  iterate(ref: ObjectRef): AsyncIterator<ObjectRef> {
    if (this.taskNumber === 0)
      throw new TypeError(`Ref ${this.id} has no items. Those of a task are for the process that called it.`)
    const stream = this.#streamed()
    if (this.hasSettled) stream.end()
    return new ItemReader(stream, ref)
  }

  #streamed(): ItemStream {
    const { calls, lending } = this.#home
    this.#stream ??= new ItemStream({
      lending,
      current: () => this.#home.current(),
      makeItem: (index, flags, body) => this.#item(index, flags, body),
      taken: (count) => calls.tell(`${STREAM_TAKEN}\n${this.taskNumber}\n${count}`),
      stop: () => calls.tell(`${STREAM_STOP}\n${this.taskNumber}`),
      throwFailure: () => {
        if (this.hasFailed) this.take()
      },
    })
    return this.#stream
  }

  #item(index: number, flags: number, body: Buffer): ObjectRef {
    const cell = new RefCell(
      this.#home,
      itemRefId(this.id, index),
      `item ${index} of ${this.#what}`,
      'pending',
    )
    cell.settle(flags, body)
    return new ObjectRef(cell)
  }

  #tellWaiters(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter.settled(this)
  }

  #giveBack(flags: number, body: Buffer): void {
    if ((flags & FLAG.object) === 0) return
    unopened.unregister(this)
    this.#home.values.large?.drop(body)
  }
}
