import { FRAME, HEADER_BYTES, writeHeader } from '../../frames.ts'

/** A `said` frame of an invocation. `meta` is ASCII: operations, numbers, and ids that the gateway made. */
export function saidFrame(
  invocationId: number,
  meta: string,
  payload: readonly Buffer[],
  flags: number,
): Buffer {
  let bodyBytes = meta.length
  for (const part of payload) bodyBytes += part.length
  const whole = Buffer.allocUnsafe(HEADER_BYTES + bodyBytes)
  writeHeader(whole, 0, FRAME.said, flags, invocationId, bodyBytes, meta.length)
  whole.write(meta, HEADER_BYTES, 'latin1')
  let offset = HEADER_BYTES + meta.length
  for (const part of payload) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}
