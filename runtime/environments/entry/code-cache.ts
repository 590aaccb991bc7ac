import fs from 'node:fs'
import { isAbsolute, join, relative, sep } from 'node:path'
import { cachedDataVersionTag } from 'node:v8'
import { crc32 } from 'node:zlib'

/**
 * The code cache of a package: what V8 made of its CommonJS files, so that a cold start need not compile them
 * again.
 *
 *     0   8 bytes  magic and version of this format
 *     8   u32 LE   length of the header
 *     12  JSON     Header
 *     …            the cached data of each file, in the header's order
 *
 * V8 checks only the length of a source and trusts the cached bytes, so both carry a CRC here: the cache then
 * is as good as the folder it lies in.
 */
const MAGIC = 'LMBCODE1'
const PREFIX_BYTES = MAGIC.length + 4

/** No cache grows past this; files that do not fit are compiled anew at every start. */
export const MAX_CODE_CACHE_BYTES = 64 * 1_048_576

interface Header {
  node: string
  architecture: string
  /** Of V8's version and flags. */
  v8: number
  /** Where the files lay: V8 keeps the names it compiled them under, and stacks show those. */
  taskRoot: string
  files: FileEntry[]
}

interface FileEntry {
  /** Relative to the task root, with forward slashes. */
  path: string
  sourceCrc: number
  dataBytes: number
  dataCrc: number
}

/** One compiled file. */
export interface CompiledFile {
  /** Absolute. */
  path: string
  createCachedData: () => Buffer
}

const { readFileSync } = fs

/**
 * Packs what V8 has compiled so far, for the next start; empty when there is nothing. The cache is for code
 * that lies
 * in `shownRoot`, which is where the files seemed to lie when they were compiled.
 */
export function packCodeCache(taskRoot: string, files: Iterable<CompiledFile>, shownRoot = taskRoot): Buffer {
  const entries: FileEntry[] = []
  const blobs: Buffer[] = []
  let totalBytes = 0
  for (const file of files) {
    const path = pathInside(taskRoot, file.path)
    if (path === undefined) continue
    const data = file.createCachedData()
    if (totalBytes + data.length > MAX_CODE_CACHE_BYTES) continue
    totalBytes += data.length
    blobs.push(data)
    // As Node.js hands sources over: without a byte order mark.
    const source = readFileSync(file.path, 'utf8').replace(/^\uFEFF/, '')
    entries.push({ path, sourceCrc: crc32(source), dataBytes: data.length, dataCrc: crc32(data) })
  }
  if (entries.length === 0) return Buffer.alloc(0)
  const header: Header = { ...thisPlatform(), taskRoot: shownRoot, files: entries }
  const json = Buffer.from(JSON.stringify(header))
  const prefix = Buffer.alloc(PREFIX_BYTES)
  prefix.write(MAGIC, 'latin1')
  prefix.writeUInt32LE(json.length, MAGIC.length)
  return Buffer.concat([prefix, json, ...blobs])
}

/** A cache made earlier, as far as it fits this Node.js. */
export class CodeCache {
  readonly #taskRoot: string
  readonly #files: Map<string, FileEntry & { data: Buffer }>
  #used = 0
  #rejected = 0

  /**
   * Reads a cache; one that is damaged, or was made for another Node.js or another place, counts as rejected
   * and
   * gives nothing.
   */
  constructor(path: string, taskRoot: string) {
    this.#taskRoot = taskRoot
    const files = readCodeCache(path, taskRoot)
    this.#files = files ?? new Map()
    if (files === undefined) this.#rejected = 1
  }

  /** The cached data of a file with exactly this source. */
  lookup(file: string, source: string): Buffer | undefined {
    const path = pathInside(this.#taskRoot, file)
    const entry = path === undefined ? undefined : this.#files.get(path)
    if (entry === undefined) return undefined
    if (crc32(source) === entry.sourceCrc && crc32(entry.data) === entry.dataCrc) return entry.data
    this.#rejected++
    return undefined
  }

  /** V8's word on data that `lookup` gave. */
  report(rejected: boolean): void {
    if (rejected) this.#rejected++
    else this.#used++
  }

  /** Rejected as soon as any part was: the engine then asks for a new one. */
  get outcome(): 'used' | 'rejected' | 'none' {
    if (this.#rejected > 0) return 'rejected'
    return this.#used > 0 ? 'used' : 'none'
  }
}

const thisPlatform = (): Omit<Header, 'files' | 'taskRoot'> => ({
  node: process.version,
  architecture: process.arch,
  v8: cachedDataVersionTag(),
})

function readCodeCache(
  path: string,
  taskRoot: string,
): Map<string, FileEntry & { data: Buffer }> | undefined {
  try {
    const whole = readFileSync(path)
    if (whole.length > MAX_CODE_CACHE_BYTES + PREFIX_BYTES + MAX_CODE_CACHE_BYTES) return undefined
    if (whole.toString('latin1', 0, MAGIC.length) !== MAGIC) return undefined
    const headerEnd = PREFIX_BYTES + whole.readUInt32LE(MAGIC.length)
    // written by packCodeCache
    const header = JSON.parse(whole.toString('utf8', PREFIX_BYTES, headerEnd)) as Header
    const platform = thisPlatform()
    if (header.node !== platform.node || header.architecture !== platform.architecture) return undefined
    if (header.v8 !== platform.v8 || header.taskRoot !== taskRoot) return undefined
    const files = new Map<string, FileEntry & { data: Buffer }>()
    let offset = headerEnd
    for (const entry of header.files) {
      files.set(entry.path, { ...entry, data: whole.subarray(offset, offset + entry.dataBytes) })
      offset += entry.dataBytes
    }
    return offset === whole.length ? files : undefined
  } catch {
    // Unreadable, cut short or not ours: the code runs without it, and the engine hears `rejected`.
    return undefined
  }
}

function pathInside(taskRoot: string, file: string): string | undefined {
  const path = relative(taskRoot, file)
  if (path === '' || path.startsWith('..') || isAbsolute(path)) return undefined
  return sep === '/' ? path : join(path).replaceAll(sep, '/')
}
