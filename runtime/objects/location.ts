/**
 * Where a large value lies, as JSON, in place of the value itself. Both sides use this file.
 *
 * A process that makes one writes a file into its folder and tells the file's name. A process that is given
 * one finds a file of that name in its folder. The engine itself knows it by the segment's name alone.
 */
export interface Location {
  /** Name of the file in the process's own folder. */
  readonly file: string
  /** Which of its folders: that in shared memory, or that on disk. */
  readonly where: SegmentPlace
  /** Offset and length of each part of the value in the file, in bytes. The first is the encoded value. */
  readonly parts: readonly (readonly [offset: number, bytes: number])[]
  /** Ids of the refs that the value holds. */
  readonly refs: readonly string[]
}

/** Where segments can lie. */
export type SegmentPlace = 'memory' | 'disk'

/** Where parts begin: what a typed array of any kind, and a processor's cache line, wants. */
export const PART_ALIGNMENT = 64

/** More bytes than this are no value: V8 makes no larger ArrayBuffer of memory that is not its own. */
export const MAX_SEGMENT_BYTES = 2 ** 32 - 4096

/** A location's text is short, or it is none. */
const MAX_LOCATION_BYTES = 4 * 1024 * 1024
const FILE_NAME = /^[a-z][a-z0-9-]{0,40}$/

/** How a location travels. */
export const writeLocation = (location: Location): Buffer => Buffer.from(JSON.stringify(location))

/** Reads what `writeLocation` wrote. Throws a RangeError for anything else. */
export function readLocation(body: Buffer): Location {
  const value = parse(body) as Partial<Location> | null // checked below
  const { file, where, parts, refs } = value ?? {}
  const named = typeof file === 'string' && FILE_NAME.test(file) && (where === 'memory' || where === 'disk')
  const listed = Array.isArray(parts) && parts.length > 0 && parts.every(isPart)
  const held = Array.isArray(refs) && refs.every((id) => typeof id === 'string')
  if (!named || !listed || !held) throw new RangeError('The place of a value is not complete.')
  return { file, where, parts, refs }
}

/** Bytes from the start of the file up to the end of the last part. */
export const endOf = (parts: Location['parts']): number =>
  parts.reduce((end, [offset, bytes]) => Math.max(end, offset + bytes), 0)

/** Where parts of these lengths lie in one file. */
export function layOut(lengths: readonly number[]): Location['parts'] {
  let offset = 0
  return lengths.map((bytes) => {
    const part = [offset, bytes] as const
    offset += Math.ceil(bytes / PART_ALIGNMENT) * PART_ALIGNMENT
    return part
  })
}

function isPart(part: unknown): boolean {
  const isLength = (value: unknown): boolean =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
  return Array.isArray(part) && part.length === 2 && part.every(isLength) && part[0] % PART_ALIGNMENT === 0
}

function parse(body: Buffer): unknown {
  if (body.length > MAX_LOCATION_BYTES) throw new RangeError('The place of a value is too long.')
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (error) {
    throw new RangeError('The place of a value is not JSON.', { cause: error })
  }
}
