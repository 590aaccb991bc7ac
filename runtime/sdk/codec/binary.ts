import { types } from 'node:util'
import { BINARY, ELEMENT_BYTES, type BinaryKind } from './format.ts'
import { damaged } from './input.ts'

/** Which kind of binary object it is, also of another realm or a class that extends one; undefined: none. */
export function kindOf(value: ArrayBufferView | ArrayBufferLike): BinaryKind | undefined {
  if (Buffer.isBuffer(value)) return 'Buffer'
  if (types.isAnyArrayBuffer(value)) return 'ArrayBuffer'
  if (types.isDataView(value)) return 'DataView'
  const name = (value as Uint8Array)[Symbol.toStringTag] as BinaryKind // the name of a typed array's class
  return BINARY.includes(name) ? name : undefined
}

/**
 * A binary object of a kind, by its number, over `size` bytes of `buffer`. Throws a RangeError where it
 * cannot be.
 */
export function makeBinary(kind: number, buffer: ArrayBufferLike, offset: number, size: number): unknown {
  const elementBytes = ELEMENT_BYTES[kind]
  if (elementBytes === undefined || size % elementBytes !== 0)
    throw damaged('its bytes are no whole elements')
  const length = size / elementBytes
  switch (BINARY[kind]) {
    case 'ArrayBuffer':
      return buffer
    case 'Buffer':
      // Never shared: it is written as an ArrayBuffer.
      return Buffer.from(buffer as ArrayBuffer, offset, length)
    case 'Uint8Array':
      return new Uint8Array(buffer, offset, length)
    case 'Int8Array':
      return new Int8Array(buffer, offset, length)
    case 'Uint8ClampedArray':
      return new Uint8ClampedArray(buffer, offset, length)
    case 'Int16Array':
      return new Int16Array(buffer, offset, length)
    case 'Uint16Array':
      return new Uint16Array(buffer, offset, length)
    case 'Int32Array':
      return new Int32Array(buffer, offset, length)
    case 'Uint32Array':
      return new Uint32Array(buffer, offset, length)
    case 'Float32Array':
      return new Float32Array(buffer, offset, length)
    case 'Float64Array':
      return new Float64Array(buffer, offset, length)
    case 'BigInt64Array':
      return new BigInt64Array(buffer, offset, length)
    case 'BigUint64Array':
      return new BigUint64Array(buffer, offset, length)
    case 'DataView':
      return new DataView(buffer, offset, length)
    case undefined:
      throw damaged('nothing has that kind of bytes')
  }
}
