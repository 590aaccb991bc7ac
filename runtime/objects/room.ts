/**
 * How much more may be written, told to every process by a file in its folder: two numbers (f64 LE), bytes in
 * shared memory and bytes on disk. It is advice: the engine decides when it takes a segment over. Both sides
 * use this file.
 */
export interface Room {
  readonly memoryBytes: number
  readonly diskBytes: number
}

/** Its name in the folder of every process. */
export const ROOM_FILE = 'room'
const ROOM_BYTES = 16

/** How room is written down. */
export function writeRoom({ memoryBytes, diskBytes }: Room): Buffer {
  const bytes = Buffer.allocUnsafe(ROOM_BYTES)
  bytes.writeDoubleLE(memoryBytes, 0)
  bytes.writeDoubleLE(diskBytes, 8)
  return bytes
}

/** Reads what `writeRoom` wrote. Throws a RangeError for anything else. */
export const readRoom = (bytes: Buffer): Room => ({
  memoryBytes: bytes.readDoubleLE(0),
  diskBytes: bytes.readDoubleLE(8),
})
