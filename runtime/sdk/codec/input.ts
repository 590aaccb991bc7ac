const MAX_CACHED_NAME = 24
const NAME_SLOTS = 512
/** Names of members met lately: most values have the same ones. */
const names: string[] = Array.from({ length: NAME_SLOTS }, () => '')

/** Reads bytes one after another, and never past their end: it throws a RangeError there. */
export class Input {
  readonly bytes: Buffer
  readonly #view: DataView
  at = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Where `bytes` begin that are stepped over. */
  step(bytes: number): number {
    const at = this.at
    if (at + bytes > this.bytes.length) throw damaged('it is cut off')
    this.at = at + bytes
    return at
  }

  byte(): number {
    return this.bytes[this.step(1)] as number // in bounds: it was stepped over
  }

  u16(): number {
    return this.#view.getUint16(this.step(2))
  }

  u32(): number {
    return this.#view.getUint32(this.step(4))
  }

  /** A count of what takes a byte at least: more cannot follow. */
  counted(count: number): number {
    if (count > this.bytes.length - this.at) throw damaged('it is cut off')
    return count
  }

  text(size: number): string {
    const at = this.step(size)
    return size === 0 ? '' : this.bytes.toString('utf8', at, at + size)
  }

  /** A member's name: one that was met before is not made again. Undefined for a long one. */
  name(): string | undefined {
    const first = this.byte()
    if (first < 0xa0 || first > 0xa0 + MAX_CACHED_NAME) {
      this.at -= 1
      return undefined
    }
    const size = first - 0xa0
    const at = this.step(size)
    if (size === 0) return ''
    const bytes = this.bytes
    // In bounds.
    const slot = ((bytes[at] as number) * 31 + (bytes[at + size - 1] as number) * 7 + size) % NAME_SLOTS
    const known = names[slot] as string // as many as slots
    if (known.length === size) {
      let index = 0
      while (index < size && known.charCodeAt(index) === bytes[at + index]) index++
      if (index === size && isAscii(bytes, at, size)) return known
    }
    const name = bytes.toString('utf8', at, at + size)
    if (name.length === size) names[slot] = name
    return name
  }

  i8(): number {
    return this.#view.getInt8(this.step(1))
  }
  i16(): number {
    return this.#view.getInt16(this.step(2))
  }
  i32(): number {
    return this.#view.getInt32(this.step(4))
  }
  f32(): number {
    return this.#view.getFloat32(this.step(4))
  }
  f64(): number {
    return this.#view.getFloat64(this.step(8))
  }
  i64(): bigint {
    return this.#view.getBigInt64(this.step(8))
  }
  u64(): bigint {
    return this.#view.getBigUint64(this.step(8))
  }
}

/** The error for bytes that hold no whole value. */
export const damaged = (how: string): RangeError => new RangeError(`A value is damaged: ${how}.`)

const isAscii = (bytes: Buffer, at: number, size: number): boolean => {
  // In bounds.
  for (let index = at; index < at + size; index++) if ((bytes[index] as number) >= 0x80) return false
  return true
}
