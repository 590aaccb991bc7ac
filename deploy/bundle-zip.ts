import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { ZipFile } from 'yazl'

/** One file to put into a zip. A link's content is its target. */
export interface ZipContent {
  readonly content: Buffer
  readonly kind: 'file' | 'executable' | 'link'
}

/** Files by their path in the zip, which uses `/`. */
export type ZipContents = Map<string, ZipContent>

const MODES = { file: 0o100644, executable: 0o100755, link: 0o120777 } as const
/** The oldest time a zip can say, in every time zone the same. */
const STABLE_TIME = new Date(1980, 0, 1)
/** Up to this much, files are stored as they are: faster both ways, and the same bytes under every zlib. */
const STORE_BELOW_BYTES = 40 * 1024 * 1024

/**
 * A zip whose bytes depend on nothing but paths, contents and modes: the same files give the same CodeSha256.
 */
export async function writeZip(contents: ZipContents): Promise<Buffer> {
  const paths = [...contents.keys()].toSorted()
  const totalBytes = [...contents.values()].reduce((total, one) => total + one.content.length, 0)
  const zip = new ZipFile()
  const failed = new Promise<never>((_, reject) => zip.on('error', reject))
  for (const path of paths) {
    const one = contents.get(path)
    if (one === undefined) continue
    zip.addBuffer(one.content, path, {
      mtime: STABLE_TIME,
      mode: MODES[one.kind],
      forceDosTimestamp: true,
      ...(totalBytes <= STORE_BELOW_BYTES || one.content.length === 0
        ? { compress: false }
        : { compress: true, compressionLevel: one.content.length > 1024 * 1024 ? 1 : 6 }),
    })
  }
  zip.end()
  return await Promise.race([collect(zip.outputStream), failed])
}

async function collect(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer) // yazl's stream is in byte mode
  return Buffer.concat(chunks)
}

/** More files than any function has; a folder above that is the wrong folder. */
const MAX_FILES = 100_000

/** Reads a file or link into a zip's contents. */
export function readContent(path: string): ZipContent {
  const stat = lstatSync(path)
  if (stat.isSymbolicLink()) return { content: Buffer.from(readlinkSync(path)), kind: 'link' }
  return { content: readFileSync(path), kind: (stat.mode & 0o111) === 0 ? 'file' : 'executable' }
}

/**
 * Adds the files below `folder` to `contents` under `prefix` ('' or ending in `/`). `wanted` is asked with
 * the path relative to `folder` for files and, with a `/` at the end, for folders.
 */
export function addFolder(
  contents: ZipContents,
  folder: string,
  prefix: string,
  wanted: (relativePath: string) => boolean,
): void {
  const visit = (relative: string): void => {
    const entries = readdirSync(join(folder, relative), { withFileTypes: true })
    for (const entry of entries.toSorted((left, right) => (left.name < right.name ? -1 : 1))) {
      const path = relative + entry.name
      if (entry.isDirectory()) {
        if (wanted(`${path}/`)) visit(`${path}/`)
        continue
      }
      if (!(entry.isFile() || entry.isSymbolicLink()) || !wanted(path)) continue
      if (contents.size >= MAX_FILES) throw new Error(`${folder} holds more than ${MAX_FILES} files.`)
      contents.set(prefix + path, readContent(join(folder, path)))
    }
  }
  visit('')
}
