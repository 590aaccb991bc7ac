import { open, type FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { ReadableStream as NodeStream } from 'node:stream/web'
import { EngineError } from '../../runtime/errors.ts'
import { writeDraft } from '../../runtime/objects/draft.ts'
import type { Segments } from '../../runtime/objects/segments.ts'
import { decode } from '../../runtime/sdk/codec/decode.ts'
import { encode } from '../../runtime/sdk/codec/encode.ts'

/** A value that is to become JSON is read into the engine: no more than this. */
const MAX_READ_BYTES = 64 * 1024 * 1024

/** A large value: bytes to be streamed, or a value that was read. */
export type LargeValue = { readonly bytes: Response } | { readonly value: unknown }

/**
 * The value of the segment that `body` names. Bytes, a typed array's among them, are a streamed response; the
 * rest is read. Throws EngineError 'not-found' (detail 'object-lost') and 'too-large'.
 */
export async function openLarge(segments: Segments, body: Buffer): Promise<LargeValue> {
  const reading = segments.openForReading(body)
  let file: FileHandle | undefined
  let isStreaming = false
  try {
    file = await open(reading.path, 'r')
    const { parts, valueBytes } = reading.segment
    const [head, ...rest] = parts
    const [only] = rest
    if (head === undefined) throw new EngineError('internal', 'A segment has no parts.')
    if (head[1] > MAX_READ_BYTES) throw tooLarge(valueBytes)
    const encoded = await readPart(file, head)
    if (only !== undefined && rest.length === 1 && isBinary(encoded)) {
      isStreaming = true
      return { bytes: streamed(file, only, () => reading[Symbol.dispose]()) }
    }
    if (valueBytes > MAX_READ_BYTES) throw tooLarge(valueBytes)
    const opened = file
    const read = await Promise.all(rest.map((part) => readPart(opened, part)))
    return { value: decode(encoded, { parts: read }) }
  } finally {
    if (!isStreaming) {
      await file?.close()
      reading[Symbol.dispose]()
    }
  }
}

/** Bytes of a request as a value of their own, written as they come. Throws what `writeDraft` throws. */
export function storeBytes(
  segments: Segments,
  source: AsyncIterable<Uint8Array>,
  expectedBytes: number,
): Promise<Buffer> {
  const { head } = encode(new Uint8Array(1), { outOfBandBytes: 1 })
  return writeDraft(segments, head, source, expectedBytes)
}

/** Whether a value is the bytes of its one part, and nothing around them. */
function isBinary(encoded: Buffer): boolean {
  const shape = decode(encoded, { parts: [new Uint8Array(0)] })
  return ArrayBuffer.isView(shape) || shape instanceof ArrayBuffer
}

function streamed(file: FileHandle, [offset, bytes]: readonly [number, number], onEnd: () => void): Response {
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(bytes) }
  if (bytes === 0) {
    void file.close().then(onEnd, onEnd)
    return new Response(null, { headers })
  }
  const source = file.createReadStream({ start: offset, end: offset + bytes - 1, highWaterMark: 1 << 20 })
  source.once('close', onEnd)
  // The cast: Node's web streams and the DOM's are the same objects under two names.
  const body = Readable.toWeb(source) as NodeStream as unknown as ReadableStream
  return new Response(body, { headers })
}

async function readPart(file: FileHandle, [offset, bytes]: readonly [number, number]): Promise<Buffer> {
  const part = Buffer.alloc(bytes)
  for (let done = 0; done < bytes;) {
    const { bytesRead } = await file.read(part, done, bytes - done, offset + done)
    if (bytesRead === 0) throw new EngineError('internal', 'A segment is shorter than the value in it.')
    done += bytesRead
  }
  return part
}

const tooLarge = (sizeBytes: number): EngineError =>
  new EngineError(
    'too-large',
    `The value has ${sizeBytes} bytes, and up to ${MAX_READ_BYTES} are made JSON of.`,
    { hint: 'Get it with the SDK, or store bytes: they are streamed.' },
  )
