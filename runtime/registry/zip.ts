import { createHash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { crc32, createInflateRaw, inflateRawSync } from 'node:zlib'
import { EngineError } from '../errors.ts'
import { badZip, planZip, type PlannedFile, type ZipLimits } from './zip-plan.ts'

/** One unpacked file; `path` is relative and uses `/`. */
export interface UnpackedFile {
  readonly path: string
  readonly sizeBytes: number
  /** Hex. */
  readonly sha256: string
  readonly executable: boolean
}

/** What was unpacked: enough to lay the same tree out again and to check it. */
export interface UnpackedTree {
  /** Parents before their children. */
  readonly directories: readonly string[]
  readonly files: readonly UnpackedFile[]
  readonly links: readonly { readonly path: string; readonly target: string }[]
}

/**
 * Unpacks a zip into `directory`, which must not exist yet. Nothing is written before every name, link
 * and declared size has been checked, and no file ever grows past the size it declared. Files become
 * 0444, or 0555 where the zip says executable; everything is synced to disk before this resolves.
 *
 * Blocks its thread while it inflates: call it on the packager thread. After a failure the folder may be
 * half full. Throws EngineError 'invalid' with detail 'bad-zip' or 'unzipped-too-large'.
 */
export async function unpackZip(zip: Buffer, directory: string, limits: ZipLimits): Promise<UnpackedTree> {
  const plan = await planZip(zip, limits)
  mkdirSync(directory, { mode: 0o700 })
  for (const path of plan.directories) mkdirSync(join(directory, path))
  const files: UnpackedFile[] = []
  for (const planned of plan.files) files.push(await writeFile(zip, planned, join(directory, planned.path)))
  // Links come last, so that no file is ever written through one.
  for (const link of plan.links) symlinkSync(link.target, join(directory, link.path))
  for (const path of plan.directories) chmodSync(join(directory, path), 0o755)
  chmodSync(directory, 0o755)
  await syncAll(
    [...files.map((file) => file.path), ...plan.directories, ''].map((path) => join(directory, path)),
  )
  return { directories: plan.directories, files, links: plan.links }
}

/** Past this a file is inflated as a stream, so that its bytes are never in memory all at once. */
const STREAM_ABOVE_BYTES = 32 * 1024 * 1024

async function writeFile(zip: Buffer, planned: PlannedFile, path: string): Promise<UnpackedFile> {
  const packed = zip.subarray(planned.dataStart, planned.dataStart + planned.packedBytes)
  const hash = createHash('sha256')
  let checksum = 0
  let sizeBytes = 0
  const file = openSync(
    path,
    constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW,
  )
  try {
    for await (const chunk of inflate(packed, planned)) {
      sizeBytes += chunk.length
      if (sizeBytes > planned.sizeBytes) throw badZip(`"${planned.path}" is larger than it declares`)
      hash.update(chunk)
      checksum = crc32(chunk, checksum)
      for (let offset = 0; offset < chunk.length;) offset += writeSync(file, chunk, offset)
    }
    fchmodSync(file, planned.executable ? 0o555 : 0o444)
  } finally {
    closeSync(file)
  }
  if (sizeBytes !== planned.sizeBytes) throw badZip(`"${planned.path}" is smaller than it declares`)
  if (checksum !== planned.crc32) throw badZip(`"${planned.path}" does not match its checksum`)
  return { path: planned.path, sizeBytes, sha256: hash.digest('hex'), executable: planned.executable }
}

async function* inflate(packed: Buffer, planned: PlannedFile): AsyncGenerator<Buffer> {
  if (!planned.deflated) {
    if (packed.length > 0) yield packed
    return
  }
  try {
    if (planned.sizeBytes <= STREAM_ABOVE_BYTES) {
      const inflated = inflateRawSync(packed, { maxOutputLength: Math.max(planned.sizeBytes, 1) })
      if (inflated.length > 0) yield inflated
      return
    }
    const stream = createInflateRaw({ chunkSize: 1024 * 1024 })
    stream.end(packed)
    for await (const chunk of stream) yield chunk as Buffer // the stream is in byte mode
  } catch (error) {
    if (error instanceof EngineError) throw error
    throw badZip(`"${planned.path}" cannot be inflated`, error)
  }
}

const SYNCS_AT_ONCE = 8

/** Syncs files and folders; several at once, because the disk commits them in groups. */
async function syncAll(paths: readonly string[]): Promise<void> {
  const left = paths.values()
  const work = async (): Promise<void> => {
    for (const path of left) {
      const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
      try {
        await handle.sync()
      } finally {
        await handle.close()
      }
    }
  }
  await Promise.all(Array.from({ length: SYNCS_AT_ONCE }, work))
}

/** Syncs the folder that holds `path`, so that a rename into it survives a power cut. */
export const syncParent = (path: string): Promise<void> => syncAll([dirname(path)])

/** Syncs `path` itself. */
export const syncPath = (path: string): Promise<void> => syncAll([path])
