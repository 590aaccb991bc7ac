import { open, rm } from 'node:fs/promises'
import { layOut } from './location.ts'
import type { Segments } from './segments.ts'

/**
 * Writes a value whose bytes come from outside into a segment as they come: `head` is the encoded value,
 * whose one part is everything in `source`. What the segment is called inside the engine, as
 * `Segments.adopt` says. Throws EngineError 'throttled' (detail 'object-store-full') and 'too-large'.
 */
export async function writeDraft(
  segments: Segments,
  head: Uint8Array,
  source: AsyncIterable<Uint8Array>,
  expectedBytes: number,
): Promise<Buffer> {
  const [, [offset] = [0]] = layOut([head.length, 0])
  const { path, place } = segments.draftPath(offset + expectedBytes)
  const file = await open(path, 'wx', 0o600)
  try {
    let bytes = 0
    await file.write(head, 0, head.length, 0)
    for await (const chunk of source) {
      segments.assertFits(place, offset + bytes + chunk.length)
      await writeAll(file, chunk, offset + bytes)
      bytes += chunk.length
    }
    await file.truncate(offset + bytes) // an empty part ends where nothing is written
    return segments.adoptDraft(path, place, [
      [0, head.length],
      [offset, bytes],
    ])
  } catch (error) {
    await rm(path, { force: true })
    throw error
  } finally {
    await file.close()
  }
}

async function writeAll(
  file: Awaited<ReturnType<typeof open>>,
  chunk: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < chunk.length;) {
    const { bytesWritten } = await file.write(chunk, done, chunk.length - done, position + done)
    done += bytesWritten
  }
}
