import { crc32 } from 'node:zlib'

/**
 * Frames of `application/vnd.amazon.eventstream`: u32 total length, u32 headers length, u32 CRC of those
 * eight bytes,
 * headers, payload, u32 CRC of everything before; big-endian.
 *
 * @see https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream
 */
const PRELUDE_BYTES = 12
const CRC_BYTES = 4
const STRING_TYPE = 7

const chunkHeaders = headers({
  ':message-type': 'event',
  ':event-type': 'PayloadChunk',
  ':content-type': 'application/octet-stream',
})
const completeHeaders = headers({
  ':message-type': 'event',
  ':event-type': 'InvokeComplete',
  ':content-type': 'application/json',
})

/** One modelled event with a JSON payload, such as a log API's `sessionUpdate`. */
export const jsonEvent = (type: string, payload: unknown): Buffer =>
  message(
    headers({ ':message-type': 'event', ':event-type': type, ':content-type': 'application/json' }),
    Buffer.from(JSON.stringify(payload)),
  )

/** Bytes of the response, as they came. */
export const payloadChunk = (bytes: Uint8Array): Buffer => message(chunkHeaders, bytes)

/** The last frame: how the invocation ended. */
export const invokeComplete = (end: {
  ErrorCode?: string
  ErrorDetails?: string
  LogResult?: string
}): Buffer => message(completeHeaders, Buffer.from(JSON.stringify(end)))

function message(head: Buffer, payload: Uint8Array): Buffer {
  const total = PRELUDE_BYTES + head.length + payload.length + CRC_BYTES
  const out = Buffer.allocUnsafe(total)
  out.writeUInt32BE(total, 0)
  out.writeUInt32BE(head.length, 4)
  out.writeUInt32BE(crc32(out.subarray(0, 8)), 8)
  head.copy(out, PRELUDE_BYTES)
  out.set(payload, PRELUDE_BYTES + head.length)
  out.writeUInt32BE(crc32(out.subarray(0, total - CRC_BYTES)), total - CRC_BYTES)
  return out
}

function headers(values: Readonly<Record<string, string>>): Buffer {
  const parts: Buffer[] = []
  for (const [name, value] of Object.entries(values)) {
    const text = Buffer.from(value)
    const length = Buffer.alloc(2)
    length.writeUInt16BE(text.length)
    parts.push(Buffer.from([name.length]), Buffer.from(name), Buffer.from([STRING_TYPE]), length, text)
  }
  return Buffer.concat(parts)
}
