import { EXT } from './format.ts'

/** Small values share the memory they are written to; what is larger has its own. */
const SLAB_BYTES = 64 * 1024
/** Less room than this at the end of a slab is not worth a start. */
const MIN_START_BYTES = 1024
/** Texts up to this are written by hand, which is faster than a call out of JavaScript. */
const MAX_BY_HAND = 31

/**
 * Writes MessagePack, one value after another, to memory that grows. Whatever is no object is known here.
 */
export class Output {
  #bytes = Buffer.allocUnsafeSlow(SLAB_BYTES)
  #view = new DataView(this.#bytes.buffer)
  #start = 0
  #at = 0

  /** Begins a value behind `room` free bytes. */
  begin(room: number): void {
    if (this.#bytes.length - this.#at < MIN_START_BYTES + room) this.#useMemory(SLAB_BYTES + room)
    this.#start = this.#at
    this.#at += room
  }

  /** What was written since `begin`, the room included. */
  end(): Buffer {
    return this.#bytes.subarray(this.#start, this.#at)
  }

  /** Keeps no memory of a large value. */
  forget(): void {
    if (this.#bytes.length > SLAB_BYTES) this.#useMemory(SLAB_BYTES)
  }

  /** How much was written since `begin`, for going back to it. */
  get written(): number {
    return this.#at - this.#start
  }

  /** Takes back what was written behind the first `bytes`. */
  rewind(bytes: number): void {
    this.#at = this.#start + bytes
  }

  #useMemory(bytes: number): void {
    this.#bytes = Buffer.allocUnsafeSlow(bytes)
    this.#view = new DataView(this.#bytes.buffer)
    this.#at = 0
    this.#start = 0
  }

  /** Makes sure that `bytes` more can be written. */
  #need(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return
    const used = this.#at - this.#start
    const grown = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, 2 * used + bytes))
    this.#bytes.copy(grown, 0, this.#start, this.#at)
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
    this.#start = 0
    this.#at = used
  }

  number(value: number): void {
    this.#need(9)
    const bytes = this.#bytes
    if ((value | 0) === value && (value !== 0 || 1 / value > 0)) {
      if (value >= 0) {
        if (value < 0x80) bytes[this.#at++] = value
        else if (value < 0x10000) {
          bytes[this.#at++] = 0xcd
          bytes[this.#at++] = value >> 8
          bytes[this.#at++] = value & 0xff
        } else {
          bytes[this.#at] = 0xce
          this.#view.setUint32(this.#at + 1, value)
          this.#at += 5
        }
      } else if (value >= -0x20) bytes[this.#at++] = value & 0xff
      else {
        bytes[this.#at] = 0xd2
        this.#view.setInt32(this.#at + 1, value)
        this.#at += 5
      }
      return
    }
    bytes[this.#at] = 0xcb
    this.#view.setFloat64(this.#at + 1, value)
    this.#at += 9
  }

  bigint(value: bigint): void {
    if (BigInt.asIntN(64, value) === value) {
      this.#need(10)
      this.#bytes[this.#at] = 0xd7
      this.#bytes[this.#at + 1] = EXT.bigint
      this.#view.setBigInt64(this.#at + 2, value)
      this.#at += 10
      return
    }
    const hex = (value < 0n ? -value : value).toString(16)
    const magnitude = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
    this.binaryExtension(EXT.largeBigint, value < 0n ? 1 : 0, magnitude)
  }

  text(value: string): void {
    const { length } = value
    if (length <= MAX_BY_HAND) {
      this.#need(1 + MAX_BY_HAND)
      const bytes = this.#bytes
      const begin = this.#at + 1
      let index = 0
      for (; index < length; index++) {
        const code = value.charCodeAt(index)
        if (code >= 0x80) break
        bytes[begin + index] = code
      }
      if (index === length) {
        bytes[this.#at] = 0xa0 | length
        this.#at = begin + length
        return
      }
    }
    // Of ES2024.
    if (!(value as unknown as { isWellFormed(): boolean }).isWellFormed()) return this.#utf16(value)
    const size = Buffer.byteLength(value)
    this.#need(5 + size)
    this.#sized(size, 0xd9, 0xda, 0xdb)
    this.#at += this.#bytes.write(value, this.#at, size, 'utf8')
  }

  #utf16(value: string): void {
    this.#need(6 + value.length * 2)
    this.extensionHead(EXT.utf16, value.length * 2)
    this.#at += this.#bytes.write(value, this.#at, value.length * 2, 'utf16le')
  }

  /** The head of a text or of bytes, by the size of its length. */
  #sized(size: number, one: number, two: number, four: number): void {
    if (size < 0x100) {
      this.#bytes[this.#at++] = one
      this.#bytes[this.#at++] = size
    } else if (size < 0x10000) {
      this.#bytes[this.#at] = two
      this.#view.setUint16(this.#at + 1, size)
      this.#at += 3
    } else {
      this.#bytes[this.#at] = four
      this.#view.setUint32(this.#at + 1, size)
      this.#at += 5
    }
  }

  /** An extension that says all by its type. */
  mark(type: number): void {
    this.#need(3)
    this.#bytes[this.#at] = 0xd4
    this.#bytes[this.#at + 1] = type
    this.#bytes[this.#at + 2] = 0
    this.#at += 3
  }

  extensionHead(type: number, size: number): void {
    this.#need(6)
    this.#bytes[this.#at] = 0xc9
    this.#view.setUint32(this.#at + 1, size)
    this.#bytes[this.#at + 5] = type
    this.#at += 6
  }

  /** An extension whose size is known when `body` has written it. */
  extension(type: number, body: () => void): void {
    this.extensionHead(type, 0)
    const begin = this.#at - this.#start
    body()
    const size = this.#at - this.#start - begin
    this.#view.setUint32(this.#start + begin - 5, size)
  }

  binaryExtension(type: number, first: number, content: Uint8Array): void {
    this.extensionHead(type, 1 + content.length)
    this.#need(1 + content.length)
    this.#bytes[this.#at++] = first
    this.#bytes.set(content, this.#at)
    this.#at += content.length
  }

  constant(first: number): void {
    this.#need(1)
    this.#bytes[this.#at++] = first
  }

  /** The head of an array or a map: `few` for up to 15 of them, or `many`. */
  countHead(count: number, few: number, many: number): void {
    this.#need(5)
    if (count < 16) this.#bytes[this.#at++] = few | count
    else {
      this.#bytes[this.#at] = many
      this.#view.setUint32(this.#at + 1, count)
      this.#at += 5
    }
  }

  u32(value: number): void {
    this.#need(4)
    this.#view.setUint32(this.#at, value)
    this.#at += 4
  }

  f64(value: number): void {
    this.#need(8)
    this.#view.setFloat64(this.#at, value)
    this.#at += 8
  }

  latin1(text: string): void {
    this.#need(text.length)
    this.#at += this.#bytes.write(text, this.#at, text.length, 'latin1')
  }

  backReference(number: number): void {
    this.#need(6)
    this.#bytes[this.#at] = 0xd6
    this.#bytes[this.#at + 1] = EXT.backReference
    this.#view.setUint32(this.#at + 2, number)
    this.#at += 6
  }

  bin(content: Uint8Array): void {
    this.#need(5 + content.length)
    this.#sized(content.length, 0xc4, 0xc5, 0xc6)
    this.#bytes.set(content, this.#at)
    this.#at += content.length
  }
}
