/**
 * How values travel between Lambent's own calls. Both sides use this file; the engine reads only what leads a
 * value and never decodes one on the way.
 *
 * A value is the ids of the refs that it holds, then the bytes that the codec of the SDK made:
 *
 *     0   u32 LE  bytes of the ids
 *     4   ids, joined by commas (empty: it holds none)
 *     …   the encoded value
 *
 * An error is the same with the name of its class in place of the ids.
 */
const LEAD_BYTES = 4

/** A value from the ids of the refs it holds and its encoded bytes. */
export function packValue(refIds: readonly string[], encoded: Uint8Array): Buffer {
  return packLed(refIds.join(','), encoded)
}

/** An error from its class name and its encoded bytes. */
export function packError(name: string, encoded: Uint8Array): Buffer {
  return packLed(name, encoded)
}

/** What leads a value or an error, and what is encoded. Throws a RangeError for bytes that are neither. */
export function unpackLed(bytes: Buffer): { lead: string; encoded: Buffer } {
  const leadBytes = bytes.length < LEAD_BYTES ? Number.NaN : bytes.readUInt32LE(0)
  if (!(LEAD_BYTES + leadBytes <= bytes.length)) throw new RangeError('A value is cut off.')
  const end = LEAD_BYTES + leadBytes
  return {
    lead: leadBytes === 0 ? '' : bytes.toString('utf8', LEAD_BYTES, end),
    encoded: bytes.subarray(end),
  }
}

/** Ids of the refs that a value holds. */
export function refsOf(value: Buffer): readonly string[] {
  if (value.length >= LEAD_BYTES && value.readUInt32LE(0) === 0) return NO_IDS
  const { lead } = unpackLed(value)
  return lead === '' ? NO_IDS : lead.split(',')
}

/** Class name of an error. */
export const errorNameOf = (error: Buffer): string => unpackLed(error).lead

/** The value of a ref that an argument names, or where it lies. */
export interface Attachment {
  readonly refId: string
  /** FLAG.object: `body` is a location; FLAG.error: an error. */
  readonly flags: number
  readonly body: Buffer
}

/**
 * The payload of a task: its arguments (a value: an array; FLAG.object: its location) and the values of those
 * that are refs.
 *
 *     u32 LE bytes of the arguments, the arguments, then per attachment:
 *     u8 flags, u8 bytes of the id, u32 LE bytes of the body, the id, the body
 *
 * Flags of the arguments other than 0 are an attachment without an id and a body.
 */
export function packTask(args: Buffer, attachments: readonly Attachment[], argsFlags = 0): Buffer {
  if (attachments.length === 0 && argsFlags === 0) {
    const whole = Buffer.allocUnsafe(LEAD_BYTES + args.length)
    whole.writeUInt32LE(args.length, 0)
    args.copy(whole, LEAD_BYTES)
    return whole
  }
  const lead = Buffer.allocUnsafe(LEAD_BYTES)
  lead.writeUInt32LE(args.length, 0)
  const parts = [lead, args]
  const marked =
    argsFlags === 0 ? attachments : [{ refId: '', flags: argsFlags, body: EMPTY }, ...attachments]
  for (const { refId, flags, body } of marked) {
    const head = Buffer.allocUnsafe(6 + refId.length)
    head[0] = flags
    head[1] = refId.length
    head.writeUInt32LE(body.length, 2)
    head.write(refId, 6, 'latin1')
    parts.push(head, body)
  }
  return Buffer.concat(parts)
}

/** Reads what `packTask` wrote. Throws a RangeError for anything else. */
export function unpackTask(payload: Buffer): {
  args: Buffer
  argsFlags: number
  attachments: Attachment[]
} {
  const argsEnd = LEAD_BYTES + payload.readUInt32LE(0)
  if (argsEnd > payload.length) throw new RangeError('The arguments of a task are cut off.')
  const attachments: Attachment[] = []
  let argsFlags = 0
  let offset = argsEnd
  while (offset < payload.length) {
    const idEnd = offset + 6 + payload.readUInt8(offset + 1)
    const end = idEnd + payload.readUInt32LE(offset + 2)
    if (end > payload.length) throw new RangeError('What a task was given is cut off.')
    const flags = payload.readUInt8(offset)
    const refId = payload.toString('latin1', offset + 6, idEnd)
    if (refId === '') argsFlags = flags
    else attachments.push({ flags, refId, body: payload.subarray(idEnd, end) })
    offset = end
  }
  return { args: payload.subarray(LEAD_BYTES, argsEnd), argsFlags, attachments }
}

const EMPTY = Buffer.alloc(0)
const NO_IDS: readonly string[] = []

function packLed(lead: string, encoded: Uint8Array): Buffer {
  const leadBytes = lead === '' ? 0 : Buffer.byteLength(lead)
  const out = Buffer.allocUnsafe(LEAD_BYTES + leadBytes + encoded.length)
  out.writeUInt32LE(leadBytes, 0)
  if (leadBytes > 0) out.write(lead, LEAD_BYTES)
  out.set(encoded, LEAD_BYTES + leadBytes)
  return out
}
