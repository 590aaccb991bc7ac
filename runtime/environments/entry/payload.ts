import { isUtf8 } from 'node:buffer'

/** A payload as the handler's event, or why it is not one. */
export type ParsedPayload = { ok: true; event: unknown } | { ok: false; reason: string }

/** Parses an invocation's payload; nothing at all stands for an empty object. */
export function parsePayload(payload: Buffer): ParsedPayload {
  if (payload.length === 0) return { ok: true, event: {} }
  if (!isUtf8(payload)) return { ok: false, reason: invalidUtf8(payload) }
  try {
    return { ok: true, event: JSON.parse(payload.toString('utf8')) }
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) }
  }
}

/** Names the first bad byte and where it stands, one-based. */
function invalidUtf8(payload: Buffer): string {
  let low = 0
  let high = payload.length
  // The longest valid prefix, by halves: a cut inside a good character is found to be invalid as well, so the
  // result may be up to three bytes early; step forward to the byte itself.
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (isUtf8(payload.subarray(0, middle))) low = middle
    else high = middle - 1
  }
  const before = payload.toString('utf8', 0, low)
  const line = before.split('\n').length
  const column = before.length - before.lastIndexOf('\n')
  const byte = (payload[low] ?? 0).toString(16)
  return `Invalid UTF-8 start byte 0x${byte} at line ${line}, column ${column}`
}
