import { decode } from '../../../sdk/codec/decode.ts'
import { encode, type Encoded } from '../../../sdk/codec/encode.ts'
import { errorNameOf } from '../../../sdk/codec/error-classes.ts'
import type { RefSource } from '../../../sdk/object-ref.ts'
import { packError, packValue, unpackLed } from '../../call-payload.ts'
import { FLAG } from '../../frames.ts'

/** Where values lie that are too large for a frame. */
export interface LargeValues {
  /** Writes the parts of a value, the encoded value first, and says where; `refs`: ids that it holds. */
  place(parts: readonly Uint8Array[], refs: readonly string[]): Buffer
  /** The parts of a value that lies elsewhere. They may be written to: nobody else sees that. */
  map(location: Buffer): Uint8Array[]
  /** A value that this process was given and does not look at. */
  drop(location: Buffer): void
}

/** A value, or where it lies, as it travels. */
export interface Sendable {
  /** Room for whoever sends it, then the value or its location. */
  readonly bytes: Buffer
  /** FLAG.object for a location. */
  readonly flags: number
}

/** Values and binary objects from this size on do not travel in frames where there is another way. */
export const LARGE_BYTES = 128 * 1024

/** Length of the ids that lead a value. */
const LEAD_BYTES = 4

/** Values of this process as they come and go. */
export class Values {
  /** Absent: every value travels in its frame. */
  large: LargeValues | undefined
  readonly #withRefs: { refOf: (id: string) => RefSource }

  /** `refOf` gives refs that come inside of values their meaning. */
  constructor(refOf: (id: string) => RefSource) {
    this.#withRefs = { refOf }
  }

  /** Throws `UnsupportedValue`, and what there is no room for a large value. */
  encode(value: unknown, room = 0): Sendable {
    return this.pack(this.measure(value, room), room)
  }

  /** Encodes with large binary objects kept apart, where there is a place for them. For `pack`. */
  measure(value: unknown, room: number): Encoded {
    const behindLead = room + LEAD_BYTES
    return encode(
      value,
      this.large === undefined ? { room: behindLead } : { room: behindLead, outOfBandBytes: LARGE_BYTES },
    )
  }

  isLarge({ head, parts }: Encoded): boolean {
    return this.large !== undefined && (parts.length > 0 || head.length >= LARGE_BYTES)
  }

  /** What was measured, ready to be sent behind `room` bytes. */
  pack(encoded: Encoded, room: number): Sendable {
    if (this.isLarge(encoded)) return this.#place(encoded, room)
    const { head, refIds } = encoded
    if (refIds.length === 0) {
      head.writeUInt32LE(0, room)
      return { bytes: head, flags: 0 }
    }
    const packed = packValue(refIds, head.subarray(room + LEAD_BYTES))
    return { bytes: behind(room, packed), flags: 0 }
  }

  /** A value that must not become a location. */
  encodeInline(value: unknown): Buffer {
    const { head, refIds } = encode(value)
    return packValue(refIds, head)
  }

  /** An error as it travels: whatever was thrown. */
  encodeError(thrown: unknown): Buffer {
    const name = errorNameOf(thrown)
    try {
      return packError(name, encode(thrown).head)
    } catch {
      // It is no error, and cannot be sent: a function, say.
      return packError(name, encode(new Error(`${name} was thrown: ${textOf(thrown)}`)).head)
    }
  }

  /** A value or a location, as the flags of its frame say. Throws `ObjectLost`, and RangeErrors. */
  decode(flags: number, body: Buffer): unknown {
    if ((flags & FLAG.object) === 0)
      return body.length === 0 ? undefined : decode(unpackLed(body).encoded, this.#withRefs)
    if (this.large === undefined) throw new RangeError('A large value came to where none can be opened.')
    const [head, ...parts] = this.large.map(body)
    if (head === undefined) throw new RangeError('A large value has no parts.')
    return decode(head, { parts, ...this.#withRefs })
  }

  /** What was thrown elsewhere. */
  decodeError(body: Buffer): unknown {
    return decode(unpackLed(body).encoded, this.#withRefs)
  }

  #place({ head, parts, refIds }: Encoded, room: number): Sendable {
    if (this.large === undefined) throw new RangeError('There is no place for large values.')
    const location = this.large.place([head.subarray(room + LEAD_BYTES), ...parts], refIds)
    return { bytes: behind(room, location), flags: FLAG.object }
  }
}

function behind(room: number, body: Buffer): Buffer {
  if (room === 0) return body
  const bytes = Buffer.allocUnsafe(room + body.length)
  body.copy(bytes, room)
  return bytes
}

function textOf(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return typeof thrown
  }
}
