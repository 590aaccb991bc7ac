import { crc32 } from 'node:zlib'

/** One message of AWS's event-stream encoding. Only string headers occur in Lambda's streams. */
export interface StreamMessage {
  readonly headers: ReadonlyMap<string, string>
  readonly payload: Buffer
}

const PRELUDE_BYTES = 12
const TRAILER_BYTES = 4
const MAX_MESSAGE_BYTES = 32 * 1024 * 1024
const STRING_HEADER = 7

/**
 * Cuts a byte stream into event-stream messages as they arrive and verifies both checksums.
 * Throws when the bytes are not such a stream or end inside a message.
 */
export async function* readEventStream(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<StreamMessage> {
  let held: Buffer = Buffer.alloc(0)
  for await (const chunk of bytes) {
    held = held.length === 0 ? Buffer.from(chunk) : Buffer.concat([held, chunk])
    while (held.length >= PRELUDE_BYTES) {
      const size = messageSize(held)
      if (held.length < size) break
      yield decodeMessage(held.subarray(0, size))
      held = held.subarray(size)
    }
  }
  if (held.length > 0)
    throw new Error(`The event stream ended inside a message, after ${held.length} bytes of it.`)
}

/** The size of the message at the start of `held`, once its prelude has proved itself. */
function messageSize(held: Buffer): number {
  const size = held.readUInt32BE(0)
  if (crc32(held.subarray(0, 8)) !== held.readUInt32BE(8)) {
    throw new Error('This is not an event stream: the checksum of a prelude is wrong.')
  }
  if (size < PRELUDE_BYTES + TRAILER_BYTES || size > MAX_MESSAGE_BYTES) {
    throw new Error(`An event-stream message claims ${size} bytes; the limit is ${MAX_MESSAGE_BYTES}.`)
  }
  return size
}

function decodeMessage(message: Buffer): StreamMessage {
  const end = message.length - TRAILER_BYTES
  if (crc32(message.subarray(0, end)) !== message.readUInt32BE(end)) {
    throw new Error('An event-stream message was damaged on its way: its checksum is wrong.')
  }
  const headersEnd = PRELUDE_BYTES + message.readUInt32BE(4)
  if (headersEnd > end) throw new Error('An event-stream message claims more headers than it has bytes.')
  return {
    headers: decodeHeaders(message.subarray(PRELUDE_BYTES, headersEnd)),
    payload: message.subarray(headersEnd, end),
  }
}

function decodeHeaders(bytes: Buffer): Map<string, string> {
  const headers = new Map<string, string>()
  let at = 0
  while (at < bytes.length) {
    const nameEnd = at + 1 + bytes.readUInt8(at)
    const name = bytes.toString('utf8', at + 1, nameEnd)
    const type = bytes.readUInt8(nameEnd)
    if (type !== STRING_HEADER) throw new Error(`Header "${name}" has type ${type}; only strings are known.`)
    const valueEnd = nameEnd + 3 + bytes.readUInt16BE(nameEnd + 1)
    headers.set(name, bytes.toString('utf8', nameEnd + 3, valueEnd))
    at = valueEnd
  }
  return headers
}
