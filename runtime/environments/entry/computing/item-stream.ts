import type { ObjectRef } from '../../../sdk/object-ref.ts'
import { STREAM_WINDOW } from '../../stream-items.ts'
import type { Invocation } from '../invocation.ts'
import type { Lending } from './lending.ts'

/** Where items come from. */
export interface ItemSource {
  readonly lending: Pick<Lending, 'began' | 'resume'> | undefined
  current(): Invocation | undefined
  makeItem(index: number, flags: number, body: Buffer): ObjectRef
  /** So many more were taken. */
  taken(count: number): void
  /** Nobody takes any more. */
  stop(): void
  /** Throws the error that the stream ended with, if it did. */
  throwFailure(): void
}

/** Items are credited by so many: the producer never comes to rest while there is somebody who takes them. */
const CREDIT_ITEMS = STREAM_WINDOW / 2

type Turn = IteratorResult<ObjectRef, undefined>

/** The items of a streaming task in the order they were made. The producer runs a few ahead, no more. */
export class ItemStream implements AsyncIterableIterator<ObjectRef, undefined> {
  readonly #source: ItemSource
  readonly #items: ObjectRef[] = []
  #came = 0
  #uncredited = 0
  #state: 'open' | 'ended' | 'stopped' = 'open'
  #wakeUp: (() => void)[] = []

  constructor(source: ItemSource) {
    this.#source = source
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** One came. */
  push(flags: number, body: Buffer): void {
    const item = this.#source.makeItem(this.#came++, flags, body)
    if (this.#state === 'stopped') return item.release()
    this.#items.push(item)
    this.#wake()
  }

  /** None will come any more. */
  end(): void {
    if (this.#state === 'open') this.#state = 'ended'
    this.#wake()
  }

  /** Nobody wants more of them. */
  stop(): void {
    if (this.#state === 'open') this.#source.stop()
    this.#state = 'stopped'
    for (const item of this.#items.splice(0)) item.release()
    this.#wake()
  }

  async next(): Promise<Turn> {
    while (this.#items.length === 0 && this.#state === 'open') await this.#oneMore()
    const item = this.#items.shift()
    if (item !== undefined) {
      this.#credit()
      return { done: false, value: item }
    }
    if (this.#state === 'ended') {
      this.#state = 'stopped'
      this.#source.throwFailure()
    }
    return { done: true, value: undefined }
  }

  return(): Promise<Turn> {
    this.stop()
    return Promise.resolve({ done: true, value: undefined })
  }

  #oneMore(): Promise<void> {
    const { lending } = this.#source
    const invocation = this.#source.current()
    lending?.began(invocation)
    return new Promise((resolve) => {
      this.#wakeUp.push(() => (lending === undefined ? resolve() : lending.resume(invocation, resolve)))
    })
  }

  #credit(): void {
    this.#uncredited += 1
    if (this.#uncredited < CREDIT_ITEMS || this.#state !== 'open') return
    this.#source.taken(this.#uncredited)
    this.#uncredited = 0
  }

  #wake(): void {
    const waiting = this.#wakeUp
    this.#wakeUp = []
    for (const wake of waiting) wake()
  }
}

/** Takes items, and keeps their task's ref meanwhile: it must not be given up as forgotten. */
export class ItemReader implements AsyncIterableIterator<ObjectRef, undefined> {
  readonly ref: ObjectRef
  /** How often it was asked. Counted behind the wait, so that what waits keeps this object. */
  turns = 0
  readonly #stream: ItemStream

  constructor(stream: ItemStream, ref: ObjectRef) {
    this.#stream = stream
    this.ref = ref
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<Turn> {
    const turn = await this.#stream.next()
    this.turns += 1
    return turn
  }

  return(): Promise<Turn> {
    return this.#stream.return()
  }
}
