import { LimitReached } from '../../../sdk/errors.ts'
import { FLAG, FRAME, HEADER_BYTES, writeHeader } from '../../frames.ts'
import type { Connection } from '../connection.ts'
import type { Sendable, Values } from './values.ts'

/** Whoever waits for the answer of a request. */
export interface Asking {
  /**
   * The one and only answer: a value, a location or an error, as `flags` say. `body` lies in shared memory.
   */
  answered(flags: number, body: Buffer): void
  /** One item of several, in front of the answer. */
  item?(flags: number, body: Buffer): void
}

/** Bounds of what a process may have asked for. */
export interface CallLimits {
  /** Requests that may be unanswered at once. */
  readonly pending: number
  /** Bytes of requests that the engine may not have taken yet. */
  readonly unsentBytes: number
}

const LIMITS: CallLimits = { pending: 1_000_000, unsentBytes: 1024 ** 3 }
const MAX_NUMBER = 0xffffffff

/** What the code of this process asks the engine: requests by number, and their answers. */
export class Calls {
  readonly #connection: Pick<Connection, 'post' | 'unsentBytes'>
  readonly #values: Pick<Values, 'encode'>
  readonly #limits: CallLimits
  readonly #pending = new Map<number, Asking>()
  #last = 0
  /** Told when the first request begins to wait for its answer, and when none does any more. */
  onWaiting: (isWaiting: boolean) => void = () => {}

  constructor(
    connection: Pick<Connection, 'post' | 'unsentBytes'>,
    values: Pick<Values, 'encode'>,
    limits: CallLimits = LIMITS,
  ) {
    this.#connection = connection
    this.#values = values
    this.#limits = limits
  }

  get isWaiting(): boolean {
    return this.#pending.size > 0
  }

  /** Who waits for the answer of request `number`. */
  pending(number: number): Asking | undefined {
    return this.#pending.get(number)
  }

  /** Sends a request and returns its number. Throws LimitReached. */
  ask(meta: string, asking: Asking, payload?: Buffer, flags = 0): number {
    const number = this.#begin(asking)
    this.#send(number, meta, payload, flags)
    return number
  }

  /** Sends a request that has a value, and returns its number. Throws LimitReached, UnsupportedValue. */
  askWith(meta: string, value: unknown, asking: Asking): number {
    return this.askPacked(meta, this.#values.encode(value, roomFor(meta)), asking)
  }

  /** The same with what was packed behind `roomFor(meta)` bytes. */
  askPacked(meta: string, { bytes, flags }: Sendable, asking: Asking): number {
    const metaBytes = Buffer.byteLength(meta)
    const number = this.#begin(asking)
    writeHeader(bytes, 0, FRAME.request, flags, number, bytes.length - HEADER_BYTES, metaBytes)
    writeText(bytes, HEADER_BYTES, meta, metaBytes)
    this.#connection.post(bytes)
    return number
  }

  /** Sends a request that wants no answer. */
  tell(meta: string): void {
    this.#send(0, meta, undefined, 0)
  }

  /** Takes an `answer` frame. One that nobody waits for is dropped. */
  receive(number: number, flags: number, body: Buffer): void {
    const asking = this.#pending.get(number)
    if (asking === undefined) return
    if (flags & FLAG.streaming) return asking.item?.(flags & ~FLAG.streaming, body)
    this.#pending.delete(number)
    if (this.#pending.size === 0) this.onWaiting(false)
    asking.answered(flags, body)
  }

  #begin(asking: Asking): number {
    if (this.#pending.size >= this.#limits.pending)
      throw new LimitReached(
        `${this.#pending.size} calls of this process have not ended. Wait for some of them first.`,
      )
    if (this.#connection.unsentBytes > this.#limits.unsentBytes)
      throw new LimitReached(
        'The calls of this process are larger than the engine can take at once. Wait first.',
      )
    do this.#last = this.#last === MAX_NUMBER ? 1 : this.#last + 1
    while (this.#pending.has(this.#last))
    this.#pending.set(this.#last, asking)
    if (this.#pending.size === 1) this.onWaiting(true)
    return this.#last
  }

  #send(number: number, meta: string, payload: Buffer | undefined, flags: number): void {
    const metaBytes = Buffer.byteLength(meta)
    const payloadBytes = payload?.length ?? 0
    const bytes = Buffer.allocUnsafe(HEADER_BYTES + metaBytes + payloadBytes)
    writeHeader(bytes, 0, FRAME.request, flags, number, metaBytes + payloadBytes, metaBytes)
    writeText(bytes, HEADER_BYTES, meta, metaBytes)
    payload?.copy(bytes, HEADER_BYTES + metaBytes)
    this.#connection.post(bytes)
  }
}

/** What a frame with this meta needs in front of its payload. */
export const roomFor = (meta: string): number => HEADER_BYTES + Buffer.byteLength(meta)

/** Writes text whose bytes were counted: as many as characters means that there is nothing but ASCII. */
export function writeText(target: Buffer, offset: number, text: string, bytes: number): void {
  target.write(text, offset, bytes, bytes === text.length ? 'latin1' : 'utf8')
}
