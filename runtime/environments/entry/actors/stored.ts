import { ActorError } from '../../../sdk/actor-errors.ts'
import { ACTOR_LIMITS } from '../../actor-messages.ts'

/** Makes bytes of values and values of bytes; what it gives shares nothing with what it was given. */
export interface StorageCodec {
  /** Throws an ActorError 'NotStorable' for what cannot be stored, such as a ref. */
  encode(value: unknown): Buffer
  decode(bytes: Buffer): unknown
}

type Plain = string | number | boolean | bigint | null

/** Longer texts are encoded at once, so that one that is too long is refused where it is written. */
const MAX_PLAIN_TEXT = 4096

/** A value as storage holds it: as bytes, or as itself where nobody could change it. */
export class Stored {
  readonly #codec: StorageCodec
  #plain: Plain | undefined
  #bytes: Buffer | undefined

  private constructor(codec: StorageCodec, plain: Plain | undefined, bytes: Buffer | undefined) {
    this.#codec = codec
    this.#plain = plain
    this.#bytes = bytes
  }

  /** A copy of `value`. Throws an ActorError 'NotStorable' for what cannot be stored. */
  static of(codec: StorageCodec, value: unknown): Stored {
    if (isPlain(value)) return new Stored(codec, value, undefined)
    const bytes = codec.encode(value)
    if (bytes.length > ACTOR_LIMITS.valueBytes)
      throw new ActorError(
        'NotStorable',
        `A stored value may take ${ACTOR_LIMITS.valueBytes} bytes; this one takes ${bytes.length}.`,
      )
    return new Stored(codec, undefined, bytes)
  }

  /** From the bytes of another `Stored`. */
  static read(codec: StorageCodec, bytes: Buffer): Stored {
    return new Stored(codec, undefined, bytes)
  }

  /** A copy. */
  get value(): unknown {
    if (this.#plain !== undefined) return this.#plain
    const value = this.#codec.decode(this.bytes)
    if (isPlain(value)) this.#plain = value
    return value
  }

  /** Made when they are first needed: what a call overwrites again is never encoded. */
  get bytes(): Buffer {
    this.#bytes ??= this.#codec.encode(this.#plain)
    return this.#bytes
  }

  /** About what it takes in memory, at least what its bytes take. */
  get sizeBytes(): number {
    if (this.#bytes !== undefined) return this.#bytes.length
    return typeof this.#plain === 'string' ? 16 + this.#plain.length * 3 : 32
  }
}

function isPlain(value: unknown): value is Plain {
  switch (typeof value) {
    case 'number':
    case 'boolean':
      return true
    case 'string':
      return value.length <= MAX_PLAIN_TEXT
    case 'bigint':
      return value >= -0x8000000000000000n && value <= 0x7fffffffffffffffn
    default:
      return value === null
  }
}
