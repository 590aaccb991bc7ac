import { types } from 'node:util'
import { ObjectRef } from '../object-ref.ts'
import { classNameOf } from './error-classes.ts'
import { kindOf } from './binary.ts'
import { BINARY, ERROR_MEMBERS, EXT } from './format.ts'
import { Output } from './output.ts'
import { unsupported, whyUnsupported } from './unsupported.ts'

/** A value as bytes. */
export interface Encoded {
  /** `room` bytes for whoever sends it, then the encoded value. */
  readonly head: Buffer
  /** Bytes that were kept out of `head`: views of the value's own memory, in order. */
  readonly parts: readonly Uint8Array[]
  /** Ids of the refs that the value holds, each once. */
  readonly refIds: readonly string[]
}

/** How to encode. */
export interface EncodeOptions {
  /** Binary objects from this size on go to `parts`; none when absent. */
  readonly outOfBandBytes?: number
  /** Bytes to leave free in front. */
  readonly room?: number
}

/**
 * Encodes what structured clone takes, Errors and refs included: types, sharing and cycles are kept; class
 * instances become plain objects. Throws `UnsupportedValue` with the place of what cannot be sent.
 * @see format.ts
 */
export function encode(value: unknown, options: EncodeOptions = {}): Encoded {
  const { outOfBandBytes = Infinity, room = 0 } = options
  // A getter of the value may encode something itself.
  const encoder = idle ?? new Encoder()
  idle = undefined
  try {
    return encoder.encode(value, outOfBandBytes, room)
  } catch (error) {
    if (error === UNSUPPORTED || isStackOverflow(error)) throw unsupported(value, error === UNSUPPORTED)
    throw error
  } finally {
    encoder.forget()
    idle = encoder
  }
}

let idle: Encoder | undefined

/** Up to this many objects a list is searched faster than a map. */
const MAX_LISTED = 12
const NONE: readonly never[] = []
/** Thrown inside, where the place of what is at fault is not known. */
const UNSUPPORTED = new Error('A value cannot be encoded.')

const isStackOverflow = (error: unknown): boolean =>
  error instanceof RangeError && error.message.startsWith('Maximum call stack')

class Encoder {
  readonly #out = new Output()
  #outOfBandBytes = Infinity
  /** Objects in the order they began. */
  readonly #objects: object[] = []
  /** Their numbers, once there are many. */
  #numbers: Map<object, number> | undefined
  #parts: Uint8Array[] | undefined
  #refIds: string[] | undefined

  encode(value: unknown, outOfBandBytes: number, room: number): Encoded {
    this.#outOfBandBytes = outOfBandBytes
    this.#out.begin(room)
    this.#write(value)
    return { head: this.#out.end(), parts: this.#parts ?? NONE, refIds: this.#refIds ?? NONE }
  }

  /** Nothing of a value is kept. */
  forget(): void {
    this.#objects.length = 0
    this.#numbers = undefined
    this.#parts = undefined
    this.#refIds = undefined
    this.#out.forget()
  }

  #write(value: unknown): void {
    switch (typeof value) {
      case 'string':
        return this.#out.text(value)
      case 'number':
        return this.#out.number(value)
      case 'boolean':
        return this.#out.constant(value ? 0xc3 : 0xc2)
      case 'undefined':
        return this.#out.mark(EXT.undefined)
      case 'bigint':
        return this.#out.bigint(value)
      case 'object':
        return value === null ? this.#out.constant(0xc0) : this.#object(value)
      default:
        throw UNSUPPORTED
    }
  }

  /** True when the object came before, which has been written then. */
  #cameBefore(value: object): boolean {
    const objects = this.#objects
    let number: number | undefined
    if (this.#numbers !== undefined) number = this.#numbers.get(value)
    else {
      const index = objects.indexOf(value)
      number = index < 0 ? undefined : index
    }
    if (number !== undefined) {
      this.#out.backReference(number)
      return true
    }
    objects.push(value)
    if (this.#numbers !== undefined) this.#numbers.set(value, objects.length - 1)
    else if (objects.length > MAX_LISTED) this.#numbers = new Map(objects.map((one, index) => [one, index]))
    return false
  }

  #object(value: object): void {
    if (this.#cameBefore(value)) return
    if (Array.isArray(value)) return this.#array(value)
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) return this.#members(value)
    if (value instanceof ObjectRef) return this.#ref(value)
    if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return this.#binary(value)
    if (types.isMap(value)) return this.#map(value)
    if (types.isSet(value)) return this.#set(value)
    if (types.isDate(value)) return this.#date(value)
    if (types.isRegExp(value))
      return this.#out.extension(EXT.regexp, () => {
        this.#out.text(value.source)
        this.#out.text(value.flags)
      })
    if (types.isNativeError(value) || value instanceof Error) return this.#error(value)
    if (types.isBoxedPrimitive(value))
      return this.#out.extension(EXT.boxed, () => this.#write(value.valueOf()))
    if (whyUnsupported(value) !== undefined) throw UNSUPPORTED
    this.#members(value)
  }

  #array(value: readonly unknown[]): void {
    const { length } = value
    this.#out.countHead(length, 0x90, 0xdd)
    for (let index = 0; index < length; index++) {
      const element = value[index]
      if (element === undefined && !(index in value)) this.#out.mark(EXT.hole)
      else this.#write(element)
    }
  }

  #members(value: object): void {
    const names = Object.keys(value)
    const { length } = names
    this.#out.countHead(length, 0x80, 0xdf)
    for (let index = 0; index < length; index++) {
      const name = names[index] as string // in bounds
      this.#out.text(name)
      this.#write((value as Record<string, unknown>)[name]) // any object has members
    }
  }

  #ref(ref: ObjectRef): void {
    const { id } = ref
    this.#refIds ??= []
    if (!this.#refIds.includes(id)) this.#refIds.push(id)
    this.#out.extensionHead(EXT.ref, id.length)
    this.#out.latin1(id)
  }

  #map(value: ReadonlyMap<unknown, unknown>): void {
    this.#out.extension(EXT.map, () => {
      this.#out.u32(value.size)
      for (const [key, one] of value) {
        this.#write(key)
        this.#write(one)
      }
    })
  }

  #set(value: ReadonlySet<unknown>): void {
    this.#out.extension(EXT.set, () => {
      this.#out.u32(value.size)
      for (const one of value) this.#write(one)
    })
  }

  #date(value: Date): void {
    this.#out.extensionHead(EXT.date, 8)
    this.#out.f64(value.getTime())
  }

  #binary(value: ArrayBufferView | ArrayBufferLike): void {
    if (whyUnsupported(value) !== undefined) throw UNSUPPORTED
    const view = ArrayBuffer.isView(value) ? value : new Uint8Array(value)
    const content = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
    const name = kindOf(value)
    if (name === undefined) throw UNSUPPORTED
    const kind = BINARY.indexOf(name)
    if (content.length >= this.#outOfBandBytes) {
      this.#parts ??= []
      this.#out.extensionHead(EXT.outOfBand, 5)
      this.#out.constant(kind)
      this.#out.u32(this.#parts.length)
      this.#parts.push(content)
    } else if (BINARY[kind] === 'Uint8Array') this.#out.bin(content)
    else this.#out.binaryExtension(EXT.binary, kind, content)
  }

  /** An error always gets across: what of its members cannot be sent is left out. */
  #error(error: Error): void {
    this.#out.extension(EXT.error, () => {
      this.#out.text(classNameOf(error))
      for (const member of ERROR_MEMBERS) this.#out.text(readText(error, member))
      if ('cause' in error) this.#property(error, 'cause')
      if (error instanceof AggregateError) this.#property(error, 'errors')
      for (const name of Object.keys(error)) {
        if (ERROR_MEMBERS.has(name) || name === 'cause' || name === 'errors') continue
        this.#property(error, name)
      }
    })
  }

  #property(error: Error, name: string): void {
    const written = this.#out.written
    const objects = this.#objects.length
    const parts = this.#parts?.length ?? 0
    const refIds = this.#refIds?.length ?? 0
    try {
      this.#out.text(name)
      this.#write((error as unknown as Record<string, unknown>)[name]) // any object has members
    } catch {
      this.#out.rewind(written)
      for (const one of this.#objects.splice(objects)) this.#numbers?.delete(one)
      if (this.#parts !== undefined) this.#parts.length = parts
      if (this.#refIds !== undefined) this.#refIds.length = refIds
    }
  }
}

/** What an error's member says; '' where it is no text, or cannot be read. */
function readText(error: Error, member: string): string {
  try {
    const text = (error as unknown as Record<string, unknown>)[member] // any object has members
    return typeof text === 'string' ? text : ''
  } catch {
    return ''
  }
}
