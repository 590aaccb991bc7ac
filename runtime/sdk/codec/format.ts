/**
 * How values are written between Lambent's own calls: MessagePack, with these extension types for what it
 * does not know. Whatever is nested lies inside its extension, so that any reader of MessagePack can step
 * over it. Objects are numbered as they begin, from 0 on; `backReference` names one that came before, which
 * is how sharing and cycles are kept.
 */
export const EXT = {
  undefined: 0, // one byte, zero
  hole: 1, // one byte, zero: an element that an array does not have
  backReference: 2, // u32: number of the object
  map: 3, // u32 pairs, then keys and values
  set: 4, // u32 members, then these
  date: 5, // f64 ms; NaN for an invalid one
  bigint: 6, // i64
  largeBigint: 7, // u8: 1 when negative; then the magnitude, most significant byte first
  regexp: 8, // source, flags
  binary: 9, // u8 kind (BINARY), then the bytes
  outOfBand: 10, // u8 kind (BINARY), u32 index of the part that has the bytes
  error: 11, // class, name, message, stack; then properties as pairs of text and value
  ref: 12, // the id of an ObjectRef, latin1
  utf16: 13, // text that UTF-8 cannot hold, as UTF-16 LE
  boxed: 14, // a primitive as an object: the primitive
} as const

/** Kinds of binary objects, by number. A plain Uint8Array is MessagePack's own `bin`. */
export const BINARY = [
  'ArrayBuffer',
  'Buffer',
  'Uint8Array',
  'Int8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'DataView',
] as const

/** Name of a kind of binary object. */
export type BinaryKind = (typeof BINARY)[number]

/** Bytes of an element, by kind number. */
export const ELEMENT_BYTES: readonly number[] = [1, 1, 1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8, 1]

/** Members of an error that have a place of their own. */
export const ERROR_MEMBERS: ReadonlySet<string> = new Set(['name', 'message', 'stack'])
