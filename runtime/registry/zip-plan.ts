import { posix } from 'node:path'
import { inflateRawSync } from 'node:zlib'
import { fromBufferPromise, getFileNameLowLevel, type Entry, type ZipFile } from 'yauzl'
import { EngineError, messageOf } from '../errors.ts'

/** What an unpacked zip may come to. */
export interface ZipLimits {
  /** Bytes of all files together. */
  readonly maxUnpackedBytes: number
  readonly maxEntries: number
  /** Folders within folders. */
  readonly maxDepth: number
}

/** Lambda's limit on unpacked code; the others are ours. */
export const ZIP_LIMITS: ZipLimits = { maxUnpackedBytes: 262_144_000, maxEntries: 100_000, maxDepth: 64 }

/** One file of a checked zip: where its bytes lie and what they must come to. */
export interface PlannedFile {
  readonly path: string
  readonly dataStart: number
  readonly packedBytes: number
  readonly sizeBytes: number
  readonly deflated: boolean
  readonly crc32: number
  readonly executable: boolean
}

/** Everything a checked zip will write, before anything is written. */
export interface ZipPlan {
  readonly directories: readonly string[]
  readonly files: readonly PlannedFile[]
  readonly links: readonly { readonly path: string; readonly target: string }[]
}

/** Refuses a zip in Lambda's words; `reason` says to a person what is wrong with it. */
export const badZip = (reason: string, cause?: unknown): EngineError =>
  new EngineError(
    'invalid',
    'Could not unzip uploaded file. Please check your file, then try to upload again.',
    {
      detail: 'bad-zip',
      hint: `The zip was refused: ${reason}.`,
      cause,
    },
  )

/**
 * Checks a zip's directory against `limits` and against every trick that writes outside a folder: names
 * that climb or are absolute, links that leave, names that differ only by case or form, headers that
 * contradict each other.
 *
 * Throws EngineError 'invalid' with detail 'bad-zip' or 'unzipped-too-large'.
 */
export async function planZip(zip: Buffer, limits: ZipLimits): Promise<ZipPlan> {
  let reader: ZipFile
  try {
    reader = await fromBufferPromise(zip, { decodeStrings: false, validateEntrySizes: true })
  } catch (error) {
    throw badZip(messageOf(error), error)
  }
  const plan = new Plan(zip, limits)
  try {
    if (reader.entryCount > limits.maxEntries) throw badZip(`it has more than ${limits.maxEntries} entries`)
    for await (const entry of reader.eachEntry()) await plan.take(reader, entry)
  } catch (error) {
    throw error instanceof EngineError ? error : badZip(messageOf(error), error)
  } finally {
    reader.close()
  }
  return plan.finish()
}

type Kind = 'file' | 'directory' | 'link'

const FILE_TYPE = 0o170000
const KIND_OF_TYPE: Readonly<Record<number, Kind>> = {
  0: 'file',
  0o100000: 'file',
  0o040000: 'directory',
  0o120000: 'link',
}
const MADE_ON_UNIX: ReadonlySet<number> = new Set([3, 19])
const STORED = 0
const DEFLATED = 8
const MAX_LINK_BYTES = 1024
const MAX_PATH_BYTES = 1024
const MAX_NAME_BYTES = 255

/** What has been read of the zip's directory so far. */
class Plan {
  readonly #zip: Buffer
  readonly #limits: ZipLimits
  /** By folded name: the exact spelling and kind, to catch names that would meet on another file system. */
  readonly #taken = new Map<string, { path: string; kind: Kind }>()
  readonly #directories: string[] = []
  readonly #files: PlannedFile[] = []
  readonly #links: { path: string; target: string }[] = []
  #unpackedBytes = 0

  constructor(zip: Buffer, limits: ZipLimits) {
    this.#zip = zip
    this.#limits = limits
  }

  async take(reader: ZipFile, entry: Entry): Promise<void> {
    const raw = getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, true)
    const path = checkedPath(raw, this.#limits.maxDepth)
    if (path === '') return // "./" itself
    const mode = MADE_ON_UNIX.has(entry.versionMadeBy >>> 8) ? entry.externalFileAttributes >>> 16 : 0
    const kind = raw.endsWith('/') ? 'directory' : KIND_OF_TYPE[mode & FILE_TYPE]
    if (kind === undefined) throw badZip(`"${path}" is neither a file, a folder nor a link`)
    if (entry.isEncrypted()) throw badZip(`"${path}" is encrypted`)
    const local = await reader.readLocalFileHeaderPromise(entry)
    if (!local.fileName.equals(entry.fileNameRaw))
      throw badZip(`"${path}" has another name in its own header`)
    for (const parent of parentsOf(path)) this.#claim(parent, 'directory')
    this.#claim(path, kind)
    if (kind === 'directory') return
    if (entry.compressionMethod !== STORED && entry.compressionMethod !== DEFLATED)
      throw badZip(`"${path}" is packed with method ${entry.compressionMethod}, which is not supported`)
    this.#unpackedBytes += entry.uncompressedSize
    if (this.#unpackedBytes > this.#limits.maxUnpackedBytes) throw tooLarge(this.#limits.maxUnpackedBytes)
    const planned: PlannedFile = {
      path,
      dataStart: local.fileDataStart,
      packedBytes: entry.compressedSize,
      sizeBytes: entry.uncompressedSize,
      deflated: entry.compressionMethod === DEFLATED,
      crc32: entry.crc32,
      executable: (mode & 0o111) !== 0,
    }
    if (kind === 'link') this.#links.push({ path, target: readTarget(this.#zip, planned) })
    else this.#files.push(planned)
  }

  finish(): ZipPlan {
    const links = new Set(this.#links.map((link) => link.path))
    for (const link of this.#links) checkTarget(link.path, link.target, links)
    return { directories: this.#directories, files: this.#files, links: this.#links }
  }

  #claim(path: string, kind: Kind): void {
    const folded = path.normalize('NFC').toUpperCase().toLowerCase()
    const other = this.#taken.get(folded)
    if (other === undefined) {
      if (this.#taken.size >= this.#limits.maxEntries)
        throw badZip(`it makes more than ${this.#limits.maxEntries} files and folders`)
      this.#taken.set(folded, { path, kind })
      if (kind === 'directory') this.#directories.push(path)
      return
    }
    if (other.path !== path) throw badZip(`"${path}" and "${other.path}" differ only by case or form`)
    if (kind !== 'directory' || other.kind !== 'directory') throw badZip(`"${path}" is there twice`)
  }
}

/** The relative path a name stands for; '' for the root itself. */
function checkedPath(name: string, maxDepth: number): string {
  const shown = JSON.stringify(name.slice(0, 200))
  if (name.includes('\0')) throw badZip(`${shown} holds a NUL`)
  if (name.includes('\\')) throw badZip(`${shown} holds a backslash`)
  if (name.startsWith('/') || /^[a-z]:/i.test(name)) throw badZip(`${shown} is an absolute path`)
  if (name.includes('\uFFFD')) throw badZip(`${shown} is not valid UTF-8`)
  const path = name.replace(/^(?:\.\/)+/, '').replace(/\/$/, '')
  if (path === '' || path === '.') {
    if (name.endsWith('/')) return ''
    throw badZip('an entry has no name')
  }
  const parts = path.split('/')
  if (parts.length - 1 > maxDepth) throw badZip(`${shown} is nested deeper than ${maxDepth} folders`)
  for (const part of parts) {
    if (part === '' || part === '.' || part === '..') throw badZip(`${shown} is not a plain relative path`)
    if (Buffer.byteLength(part) > MAX_NAME_BYTES)
      throw badZip(`${shown} holds a name over ${MAX_NAME_BYTES} bytes`)
  }
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    throw badZip(`${shown} is longer than ${MAX_PATH_BYTES} bytes`)
  return path
}

/** `a/b/c` → `a`, `a/b`. */
function parentsOf(path: string): string[] {
  const parents: string[] = []
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1))
    parents.push(path.slice(0, slash))
  return parents
}

function readTarget(zip: Buffer, planned: PlannedFile): string {
  if (planned.sizeBytes === 0 || planned.sizeBytes > MAX_LINK_BYTES)
    throw badZip(`the link "${planned.path}" has a target of ${planned.sizeBytes} bytes`)
  const packed = zip.subarray(planned.dataStart, planned.dataStart + planned.packedBytes)
  const target = planned.deflated ? inflateRawSync(packed, { maxOutputLength: MAX_LINK_BYTES }) : packed
  return target.toString('utf8')
}

/**
 * A link may point anywhere inside the folder. Its target must not pass through another link:
 * `a/link/../x` is inside by its letters, yet leaves when `a/link` points up.
 */
function checkTarget(path: string, target: string, links: ReadonlySet<string>): void {
  const leaves = badZip(`the link "${path}" points out of the folder`)
  if (target.includes('\0') || target.includes('\\') || posix.isAbsolute(target)) throw leaves
  const at = path.split('/').slice(0, -1)
  const steps = target.split('/').filter((step) => step !== '' && step !== '.')
  for (const [index, step] of steps.entries()) {
    if (step !== '..') at.push(step)
    else if (at.pop() === undefined) throw leaves
    if (index < steps.length - 1 && links.has(at.join('/'))) throw leaves
  }
  if (at.join('/') === path) throw badZip(`the link "${path}" points at itself`)
}

const tooLarge = (maxBytes: number): EngineError =>
  new EngineError('invalid', `Unzipped size must be smaller than ${maxBytes} bytes`, {
    detail: 'unzipped-too-large',
  })
