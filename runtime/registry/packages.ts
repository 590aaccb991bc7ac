import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { entryPath } from '../entries.ts'
import { EngineError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Rng } from '../rng.ts'
import {
  CACHE_NAME,
  describePackage,
  filesOf,
  linkTree,
  manifestPath,
  PACKAGE_ID,
  ZIP_NAME,
  type PackageManifest,
} from './package-folder.ts'
import { createPackagerThread, type PackagerThread } from './package-worker.ts'
import type { CodePackage } from './types.ts'
import type { UnpackedTree } from './zip.ts'
import { ZIP_LIMITS, type ZipLimits } from './zip-plan.ts'

/** Code packages by content. Unzipping, hashing and copying of anything big happens on a worker thread. */
export interface CodePackages {
  /**
   * Verifies, unpacks and keeps a zip; the same bytes give the same package. Durable when it resolves.
   *
   * Rejects 'invalid' with detail 'bad-zip' (not a zip, unsafe names or links, case clashes),
   * 'unzipped-too-large' or 'zip-too-large': past `maxZipBytes`, or past what these packages take otherwise.
   */
  add(zip: Uint8Array, options?: { readonly maxZipBytes?: number }): Promise<CodePackage>
  /**
   * A package kept earlier, checked against its manifest. Rejects 'not-found', or 'internal' when it is
   * damaged.
   */
  get(id: string): Promise<CodePackage>
  /** Where the files of a package lie, whether it is there or not. */
  directoryOf(id: string): string
  /**
   * Puts the package's files into `directory` (exists, empty) by hard links, or copies where links cannot
   * go.
   */
  link(codePackage: CodePackage, directory: string): Promise<void>
  /** Where the code cache for this Node version lies, once there is one. */
  codeCachePath(codePackage: CodePackage, nodeVersion: string, functionId?: string): string | undefined
  /**
   * Keeps a code cache. One that a function's own process made after a run is for that function alone: V8
   * believes
   * what is in it. Without `functionId` it is for everyone who has this package, so it must have been made by
   * us.
   */
  saveCodeCache(
    codePackage: CodePackage,
    nodeVersion: string,
    bytes: Uint8Array,
    functionId?: string,
  ): Promise<void>
  /**
   * Removes packages that are not in `keep` and were added more than an hour ago, and left-over temporary
   * folders.
   */
  sweep(keep: ReadonlySet<string>): Promise<void>
}

/** The packages of one data folder. */
export interface KeptPackages extends CodePackages {
  /**
   * Reads every byte of a package. Rejects 'not-found', or 'internal' when anything differs from what was
   * added.
   */
  verify(id: string): Promise<void>
  /** Ends the threads. */
  close(): Promise<void>
}

/** Where packages are kept, with what limits, and what that needs. */
export interface CodePackagesOptions {
  /** `<data>/packages`; made when it is not there. */
  readonly directory: string
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
  /** Lambda's 50 MB unless told otherwise. */
  readonly maxZipBytes?: number
  /** Lambda's limits unless told otherwise. */
  readonly limits?: Partial<ZipLimits>
}

const MAX_ZIP_BYTES = 52_428_800
/** Up to this many files a package is linked on the caller's thread: cheaper than asking another one. */
const LINK_HERE_FILES = 16
/** Packages remembered; past it the oldest are read from disk again. */
const MAX_REMEMBERED = 4096
const STAGING = '.staging'
const UNUSED_AGE_MS = 3_600_000

/** Opens the packages of `directory` and removes what an earlier engine left half done there. */
export async function createCodePackages(options: CodePackagesOptions): Promise<KeptPackages> {
  const staging = join(options.directory, STAGING)
  await mkdir(options.directory, { recursive: true, mode: 0o711 })
  await rm(staging, { recursive: true, force: true })
  await mkdir(staging, { mode: 0o700 })
  return new PackageStore(options, staging)
}

interface Remembered {
  readonly codePackage: CodePackage
  /** Kept only where linking happens here. */
  readonly smallTree: UnpackedTree | undefined
}

class PackageStore implements KeptPackages {
  readonly #options: CodePackagesOptions
  readonly #limits: ZipLimits
  readonly #staging: string
  /** One unpacks, the other links: a cold start must not wait for a big upload. */
  readonly #unpacker: PackagerThread
  readonly #linker: PackagerThread
  readonly #remembered = new Map<string, Remembered>()
  readonly #adding = new Map<string, Promise<CodePackage>>()
  readonly #caches = new Set<string>()

  constructor(options: CodePackagesOptions, staging: string) {
    this.#options = options
    this.#limits = { ...ZIP_LIMITS, ...options.limits }
    this.#staging = staging
    const program = entryPath('packager.js')
    this.#unpacker = createPackagerThread(program)
    this.#linker = createPackagerThread(program)
  }

  directoryOf(id: string): string {
    return filesOf(this.#options.directory, id)
  }

  async add(zip: Uint8Array, options: { readonly maxZipBytes?: number } = {}): Promise<CodePackage> {
    const maxZipBytes = options.maxZipBytes ?? this.#options.maxZipBytes ?? MAX_ZIP_BYTES
    if (zip.length > maxZipBytes)
      throw new EngineError('invalid', `Zip file must be smaller than ${maxZipBytes} bytes`, {
        detail: 'zip-too-large',
      })
    const id = await sha256(zip)
    const running = this.#adding.get(id)
    if (running !== undefined) return await running
    const adding = this.#keep(zip)
    this.#adding.set(id, adding)
    try {
      return await adding
    } finally {
      this.#adding.delete(id)
    }
  }

  async get(id: string): Promise<CodePackage> {
    const known = this.#remembered.get(id)
    if (known !== undefined) return known.codePackage
    return this.#remember(await this.#read(id, false))
  }

  async verify(id: string): Promise<void> {
    await this.#read(id, true)
  }

  async link(codePackage: CodePackage, directory: string): Promise<void> {
    const { id } = codePackage
    if (!this.#remembered.has(id)) await this.get(id)
    const tree = this.#remembered.get(id)?.smallTree
    if (tree !== undefined) linkTree(codePackage.directory, tree, directory)
    else
      await this.#linker.perform({ kind: 'link', directory: this.#options.directory, id, target: directory })
  }

  codeCachePath(codePackage: CodePackage, nodeVersion: string, functionId?: string): string | undefined {
    const own = functionId === undefined ? undefined : this.#existing(codePackage, nodeVersion, functionId)
    return own ?? this.#existing(codePackage, nodeVersion, undefined)
  }

  #existing(
    codePackage: CodePackage,
    nodeVersion: string,
    functionId: string | undefined,
  ): string | undefined {
    const path = this.#cachePath(codePackage, nodeVersion, functionId)
    if (this.#caches.has(path)) return path
    if (!existsSync(path)) return undefined
    if (this.#caches.size >= MAX_REMEMBERED) this.#caches.clear()
    this.#caches.add(path)
    return path
  }

  async saveCodeCache(
    codePackage: CodePackage,
    nodeVersion: string,
    bytes: Uint8Array,
    functionId?: string,
  ): Promise<void> {
    const path = this.#cachePath(codePackage, nodeVersion, functionId)
    const temporary = this.#temporaryPath()
    try {
      await writeSynced(temporary, bytes, 0o444)
      await rename(temporary, path) // V8 does not check a cache's bytes: it must be whole or absent
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
  }

  async sweep(keep: ReadonlySet<string>): Promise<void> {
    const { directory, clock, log } = this.#options
    const doomed: string[] = []
    for (const id of await readdir(directory)) {
      if (!PACKAGE_ID.test(id) || keep.has(id)) continue
      const addedAtMs = await modifiedAtMs(manifestPath(join(directory, id)))
      if (clock.nowMs() - addedAtMs < UNUSED_AGE_MS || this.#adding.has(id)) continue
      const temporary = this.#temporaryPath()
      this.#remembered.delete(id)
      // first out of sight, so that no half package is ever found
      await rename(join(directory, id), temporary)
      doomed.push(temporary)
    }
    if (doomed.length === 0) return
    await this.#unpacker.perform({ kind: 'remove', paths: doomed })
    log.info('packages removed', { count: doomed.length })
  }

  async close(): Promise<void> {
    await Promise.all([this.#unpacker.close(), this.#linker.close()])
  }

  async #keep(zip: Uint8Array): Promise<CodePackage> {
    const { directory, clock } = this.#options
    const staging = this.#temporaryPath()
    await mkdir(staging, { mode: 0o755 })
    try {
      await writeSynced(join(staging, ZIP_NAME), zip, 0o400)
      const addedAtMs = clock.nowMs()
      const work = { kind: 'keep', staging, directory, limits: this.#limits, addedAtMs } as const
      return this.#remember(await this.#unpacker.perform(work))
    } finally {
      // Moved away when the package is new; still there when it was known already or was refused.
      await rm(staging, { recursive: true, force: true })
    }
  }

  async #read(id: string, deep: boolean): Promise<PackageManifest | undefined> {
    if (!PACKAGE_ID.test(id)) throw new EngineError('not-found', `There is no code package ${id}.`)
    return await this.#linker.perform({ kind: 'get', directory: this.#options.directory, id, deep })
  }

  #remember(manifest: PackageManifest | undefined): CodePackage {
    if (manifest === undefined) throw new EngineError('internal', 'The packager thread gave no manifest.')
    const { id, tree } = manifest
    const codePackage = describePackage(this.#options.directory, manifest)
    const entries = tree.files.length + tree.directories.length + tree.links.length
    this.#remembered.set(id, { codePackage, smallTree: entries <= LINK_HERE_FILES ? tree : undefined })
    const [oldest] = this.#remembered.keys()
    if (this.#remembered.size > MAX_REMEMBERED && oldest !== undefined) this.#remembered.delete(oldest)
    return codePackage
  }

  #cachePath(codePackage: CodePackage, nodeVersion: string, functionId: string | undefined): string {
    const owner = functionId === undefined ? '' : `-${functionId.replace(/[^\w-]/g, '_')}`
    const name = `${nodeVersion.replace(/[^\w.-]/g, '_')}-${process.arch}${owner}.cache`
    return join(this.#options.directory, codePackage.id, CACHE_NAME, name)
  }

  #temporaryPath(): string {
    return join(this.#staging, this.#options.rng.bytes(8).toString('hex'))
  }
}

/** Zero when there is no such file: a package without a manifest is of no use to anybody. */
async function modifiedAtMs(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0
    throw error
  }
}

/** Asynchronous from this size on: hashing a megabyte takes a millisecond. */
const HASH_ELSEWHERE_BYTES = 1024 * 1024

async function sha256(bytes: Uint8Array): Promise<string> {
  if (bytes.length <= HASH_ELSEWHERE_BYTES) return createHash('sha256').update(bytes).digest('hex')
  // Web Crypto hashes on the thread pool. Its types refuse views of shared memory, which nobody hands in.
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)
  return Buffer.from(digest).toString('hex')
}

async function writeSynced(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode)
  try {
    await file.writeFile(bytes)
    await file.chmod(mode)
    await file.sync()
  } finally {
    await file.close()
  }
}
