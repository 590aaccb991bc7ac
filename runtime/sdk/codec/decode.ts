import { ObjectRef, type RefSource } from '../object-ref.ts'
import { makeBinary } from './binary.ts'
import { rebuildError } from './error-classes.ts'
import { BINARY, ELEMENT_BYTES, EXT } from './format.ts'
import { damaged, Input } from './input.ts'

/** What decoding needs beside the bytes. */
export interface DecodeOptions {
  /** Bytes that were kept out of the head, in order. */
  readonly parts?: readonly Uint8Array[]
  /** What a ref's id stands for here. Absent: refs that can only be passed on. */
  readonly refOf?: (id: string) => RefSource
}

/**
 * The value that `encode` wrote. Binary objects of the head are copies; those in `parts` lie over that
 * memory. Throws a RangeError for bytes that hold no whole value, and never runs what they say.
 */
export function decode(head: Uint8Array, options: DecodeOptions = {}): unknown {
  const bytes = Buffer.isBuffer(head) ? head : Buffer.from(head.buffer, head.byteOffset, head.byteLength)
  try {
    return new Decoder(bytes, options).decode()
  } catch (error) {
    if (error instanceof RangeError && error.message.startsWith('Maximum call stack'))
      throw new RangeError('A value is nested too deeply to be read.', { cause: error })
    throw error
  }
}

const HOLE = Symbol('hole')
const NO_PARTS: readonly Uint8Array[] = []

class Decoder {
  readonly #in: Input
  readonly #parts: readonly Uint8Array[]
  readonly #refOf: ((id: string) => RefSource) | undefined
  readonly #objects: unknown[] = []

  constructor(bytes: Buffer, { parts = NO_PARTS, refOf }: DecodeOptions) {
    this.#in = new Input(bytes)
    this.#parts = parts
    this.#refOf = refOf
  }

  decode(): unknown {
    const value = this.#read()
    if (this.#in.at !== this.#in.bytes.length) throw damaged('something follows it')
    if (value === HOLE) throw damaged('it is a hole')
    return value
  }

  #read(): unknown {
    const first = this.#in.byte()
    if (first < 0x80) return first
    if (first >= 0xe0) return first - 0x100
    if (first < 0x90) return this.#members(first & 0x0f)
    if (first < 0xa0) return this.#array(first & 0x0f)
    if (first < 0xc0) return this.#in.text(first & 0x1f)
    return this.#readHeaded(first)
  }

  #readHeaded(first: number): unknown {
    switch (first) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
        return this.#bin(this.#in.byte())
      case 0xc5:
        return this.#bin(this.#in.u16())
      case 0xc6:
        return this.#bin(this.#in.u32())
      case 0xc9:
        return this.#extension(this.#in.u32(), this.#in.byte())
      case 0xcb:
        return this.#in.f64()
      case 0xcd:
        return this.#in.u16()
      case 0xce:
        return this.#in.u32()
      case 0xd2:
        return this.#in.i32()
      case 0xd4:
        return this.#extension(1, this.#in.byte())
      case 0xd6:
        return this.#extension(4, this.#in.byte())
      case 0xd7:
        return this.#extension(8, this.#in.byte())
      case 0xd9:
        return this.#in.text(this.#in.byte())
      case 0xda:
        return this.#in.text(this.#in.u16())
      case 0xdb:
        return this.#in.text(this.#in.u32())
      case 0xdd:
        return this.#array(this.#in.u32())
      case 0xdf:
        return this.#members(this.#in.u32())
      default:
        return this.#readForeign(first)
    }
  }

  /** What our own encoder does not write, but others of the format do. */
  #readForeign(first: number): unknown {
    switch (first) {
      case 0xc7:
        return this.#extension(this.#in.byte(), this.#in.byte())
      case 0xc8:
        return this.#extension(this.#in.u16(), this.#in.byte())
      case 0xca:
        return this.#in.f32()
      case 0xcc:
        return this.#in.byte()
      case 0xcf:
        return narrow(this.#in.u64())
      case 0xd0:
        return this.#in.i8()
      case 0xd1:
        return this.#in.i16()
      case 0xd3:
        return narrow(this.#in.i64())
      case 0xd5:
        return this.#extension(2, this.#in.byte())
      case 0xd8:
        return this.#extension(16, this.#in.byte())
      case 0xdc:
        return this.#array(this.#in.u16())
      case 0xde:
        return this.#members(this.#in.u16())
      default:
        throw damaged(`0x${first.toString(16)} begins nothing`)
    }
  }

  #name(): string {
    const name = this.#in.name() ?? this.#read()
    if (typeof name === 'string') return name
    if (typeof name === 'number') return String(name)
    throw damaged('a name is no text')
  }

  #begin(): number {
    return this.#objects.push(undefined) - 1
  }

  #bin(size: number): Uint8Array {
    const index = this.#begin()
    const at = this.#in.step(size)
    const value = new Uint8Array(size)
    value.set(this.#in.bytes.subarray(at, at + size))
    this.#objects[index] = value
    return value
  }

  #array(count: number): unknown[] {
    const value: unknown[] = []
    this.#objects.push(value)
    this.#in.counted(count)
    for (let index = 0; index < count; index++) {
      const element = this.#read()
      if (element === HOLE) value.length = index + 1
      else value.push(element)
    }
    return value
  }

  #members(count: number): Record<string, unknown> {
    const value: Record<string, unknown> = {}
    this.#objects.push(value)
    this.#in.counted(count)
    for (let index = 0; index < count; index++) {
      const name = this.#name()
      setMember(value, name, this.#value())
    }
    return value
  }

  #value(): unknown {
    const value = this.#read()
    if (value === HOLE) throw damaged('a hole lies outside of an array')
    return value
  }

  #extension(size: number, type: number): unknown {
    const end = this.#in.at + size
    if (end > this.#in.bytes.length) throw damaged('it is cut off')
    const value = this.#readExtension(type, size, end)
    if (this.#in.at !== end) throw damaged('an extension has another size than it says')
    return value
  }

  #readExtension(type: number, size: number, end: number): unknown {
    switch (type) {
      case EXT.undefined:
        this.#in.at = end
        return undefined
      case EXT.hole:
        this.#in.at = end
        return HOLE
      case EXT.backReference:
        return this.#cameBefore(this.#in.u32())
      case EXT.map:
        return this.#map()
      case EXT.set:
        return this.#set()
      case EXT.bigint:
        return this.#in.i64()
      case EXT.largeBigint:
        return this.#largeBigint(size)
      case EXT.utf16:
        return this.#in.bytes.toString('utf16le', this.#in.step(size), end)
      case EXT.error:
        return this.#error(end)
      default:
        return this.#readLeaf(type, size)
    }
  }

  /** An object that holds no other. */
  #readLeaf(type: number, size: number): unknown {
    const index = this.#begin()
    const value = this.#makeLeaf(type, size)
    this.#objects[index] = value
    return value
  }

  #makeLeaf(type: number, size: number): unknown {
    switch (type) {
      case EXT.date:
        return new Date(this.#in.f64())
      case EXT.regexp:
        return this.#regexp()
      case EXT.binary:
        return this.#binary(size)
      case EXT.outOfBand:
        return this.#outOfBand()
      case EXT.ref:
        return this.#ref(size)
      case EXT.boxed:
        return Object(this.#value())
      default:
        throw damaged(`nothing has the extension type ${type}`)
    }
  }

  #cameBefore(index: number): unknown {
    const value = this.#objects[index]
    if (value === undefined) throw damaged('it names an object that it does not have')
    return value
  }

  #map(): Map<unknown, unknown> {
    const value = new Map<unknown, unknown>()
    this.#objects.push(value)
    const count = this.#in.counted(this.#in.u32())
    for (let index = 0; index < count; index++) {
      const key = this.#value()
      value.set(key, this.#value())
    }
    return value
  }

  #set(): Set<unknown> {
    const value = new Set<unknown>()
    this.#objects.push(value)
    const count = this.#in.counted(this.#in.u32())
    for (let index = 0; index < count; index++) value.add(this.#value())
    return value
  }

  #largeBigint(size: number): bigint {
    if (size < 2) throw damaged('it is cut off')
    const at = this.#in.step(size)
    const magnitude = BigInt(`0x${this.#in.bytes.toString('hex', at + 1, at + size)}`)
    return this.#in.bytes[at] === 1 ? -magnitude : magnitude
  }

  #regexp(): RegExp {
    const source = this.#value()
    const flags = this.#value()
    try {
      return new RegExp(String(source), String(flags))
    } catch (error) {
      throw new RangeError('A value is damaged: a regular expression is none.', { cause: error })
    }
  }

  #ref(size: number): ObjectRef {
    const at = this.#in.step(size)
    const id = this.#in.bytes.toString('latin1', at, at + size)
    return new ObjectRef(this.#refOf?.(id) ?? { id, release() {} })
  }

  #binary(size: number): unknown {
    const kind = this.#in.byte()
    const at = this.#in.step(size - 1)
    const memory = new ArrayBuffer(size - 1)
    new Uint8Array(memory).set(this.#in.bytes.subarray(at, at + size - 1))
    return makeBinary(kind, memory, 0, size - 1)
  }

  #outOfBand(): unknown {
    const kind = this.#in.byte()
    const part = this.#parts[this.#in.u32()]
    if (part === undefined) throw damaged('a part of it is missing')
    const { buffer, byteOffset, byteLength } = part
    const aligned = byteOffset % (ELEMENT_BYTES[kind] ?? 1) === 0 && BINARY[kind] !== 'ArrayBuffer'
    if (aligned) return makeBinary(kind, buffer, byteOffset, byteLength)
    if (BINARY[kind] === 'ArrayBuffer' && byteOffset === 0 && byteLength === buffer.byteLength) return buffer
    return makeBinary(kind, new Uint8Array(part).buffer, 0, byteLength)
  }

  #error(end: number): Error {
    const index = this.#begin()
    const [className, name, message, stack] = [
      this.#value(),
      this.#value(),
      this.#value(),
      this.#value(),
    ].map(String)
    const error = rebuildError(className ?? '', name ?? '', message ?? '')
    this.#objects[index] = error
    if (stack !== undefined && stack !== '') define(error, 'stack', stack)
    while (this.#in.at < end) {
      const property = this.#name()
      const value = this.#value()
      if (property === 'cause' || property === 'errors') define(error, property, value)
      else
        Object.defineProperty(error, property, {
          value,
          writable: true,
          enumerable: true,
          configurable: true,
        })
    }
    return error
  }
}

/** A number where it can be one, as our own encoder writes it. */
const narrow = (value: bigint): number | bigint =>
  value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value

function setMember(target: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== '__proto__') target[name] = value
  else Object.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true })
}

/** Not enumerable, as an error's own are. */
function define(error: Error, name: string, value: unknown): void {
  Object.defineProperty(error, name, { value, writable: true, enumerable: false, configurable: true })
}
