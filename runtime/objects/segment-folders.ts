import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { rm } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Rng } from '../rng.ts'
import type { SegmentPlace } from './location.ts'
import { ROOM_FILE } from './room.ts'

/** Where a process puts segments and finds those it is given: absolute folders, null where there is none. */
export interface ObjectFolders {
  readonly memory: string | null
  readonly disk: string | null
}

const NAME = /^lambent-([0-9a-f]{12})-[0-9a-f]{8}$/
const OWNER_FILE = 'owner.json'

/** The engine that made a folder: a pid alone may be somebody else's by now, or of another container. */
interface Owner {
  readonly pid: number
  readonly startedAt: string
  readonly pidNamespace: string
}

/**
 * The folders that segments lie in: one tree in shared memory and one in the data directory. Each holds the
 * segments themselves, and a folder per environment with hard links to those that it was given.
 */
export class SegmentFolders {
  /** The trees; in memory: undefined where there is no shared memory. */
  readonly #roots: { readonly memory: string | undefined; readonly disk: string }
  readonly #log: Log
  readonly #removals = new Set<Promise<void>>()

  /**
   * Makes both trees and removes, off everybody's path, what engines left that are gone. The caller holds the
   * lock on the data directory. A `memoryBase` of null does without shared memory.
   */
  constructor(options: { dataDirectory: string; memoryBase?: string | null; rng: Rng; log: Log }) {
    const { dataDirectory, memoryBase = '/dev/shm', rng } = options
    this.#log = options.log
    const data = createHash('sha256').update(dataDirectory).digest('hex').slice(0, 12)
    const name = `lambent-${data}-${rng.bytes(4).toString('hex')}`
    const diskBase = join(dataDirectory, 'objects')
    mkdirSync(diskBase, { recursive: true, mode: 0o700 })
    for (const left of readdirSync(diskBase)) this.#remove(join(diskBase, left))
    this.#roots = {
      memory: memoryBase === null ? undefined : this.#openMemory(memoryBase, name, data),
      disk: join(diskBase, name),
    }
    makeTree(this.#roots.disk)
  }

  get hasMemory(): boolean {
    return this.#roots.memory !== undefined
  }

  /** Bytes that the file system of a place has in all and has left; none where there is no such place. */
  space(place: SegmentPlace): { totalBytes: number; freeBytes: number } {
    const root = this.#roots[place]
    if (root === undefined) return { totalBytes: 0, freeBytes: 0 }
    const { bsize, blocks, bavail } = statfsSync(root)
    return { totalBytes: bsize * blocks, freeBytes: bsize * bavail }
  }

  /** Where a segment itself lies. */
  segmentPath(place: SegmentPlace, name: string): string {
    return join(this.#root(place), 'segments', name)
  }

  /** Where an environment sees a file of this name. */
  environmentPath(place: SegmentPlace, environmentId: string, name: string): string {
    return join(this.#root(place), 'environments', environmentId, name)
  }

  /** A file that every environment reads. */
  get roomPath(): string {
    return join(this.#root(this.hasMemory ? 'memory' : 'disk'), ROOM_FILE)
  }

  /** The folders of a new environment, which belong to `uid` (to us when null). */
  make(environmentId: string, uid: number | null): ObjectFolders {
    const make = (place: SegmentPlace): string => {
      const path = join(this.#root(place), 'environments', environmentId)
      mkdirSync(path, { mode: 0o700 })
      if (uid !== null) chownSync(path, uid, uid)
      return path
    }
    const folders = { memory: this.hasMemory ? make('memory') : null, disk: make('disk') }
    if (existsSync(this.roomPath)) linkSync(this.roomPath, join(folders.memory ?? folders.disk, ROOM_FILE))
    return folders
  }

  /** Removes what an environment that is gone had. */
  remove(environmentId: string): void {
    for (const root of [this.#roots.memory, this.#roots.disk])
      if (root !== undefined) this.#remove(join(root, 'environments', environmentId))
  }

  /** Removes everything. */
  async close(): Promise<void> {
    for (const root of [this.#roots.memory, this.#roots.disk]) if (root !== undefined) this.#remove(root)
    while (this.#removals.size > 0) await Promise.all(this.#removals)
  }

  #root(place: SegmentPlace): string {
    const root = this.#roots[place]
    if (root === undefined) throw new Error('There is no shared memory here.')
    return root
  }

  /** Undefined where nothing can be made: then everything lies on disk. */
  #openMemory(base: string, name: string, data: string): string | undefined {
    const path = join(base, name)
    try {
      this.#sweep(base, data)
      makeTree(path)
      const owner: Owner = {
        pid: process.pid,
        startedAt: startOf(process.pid) ?? '',
        pidNamespace: namespace(),
      }
      writeFileSync(join(path, OWNER_FILE), JSON.stringify(owner))
      return path
    } catch (error) {
      this.#log.warn('there is no shared memory; large values lie on disk', {
        base,
        message: messageOf(error),
      })
      return undefined
    }
  }

  /** Removes the trees of this data directory, whose lock we hold, and those of engines that are gone. */
  #sweep(base: string, data: string): void {
    for (const left of readdirSync(base)) {
      const [, directory] = NAME.exec(left) ?? []
      const path = join(base, left)
      if (directory === undefined || !isOurs(path)) continue
      if (directory === data || isAbandoned(path)) this.#remove(path)
    }
  }

  #remove(path: string): void {
    const removal = rm(path, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 })
      .catch((error: unknown) => this.#log.debug('objects were left behind', { path, error }))
      .finally(() => this.#removals.delete(removal))
    this.#removals.add(removal)
  }
}

function makeTree(path: string): void {
  mkdirSync(path, { mode: 0o711 })
  chmodSync(path, 0o711)
  mkdirSync(join(path, 'segments'), { mode: 0o700 })
  mkdirSync(join(path, 'environments'), { mode: 0o711 })
}

/** A folder of that name that somebody else made is not ours to remove. */
function isOurs(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false })
  return found !== undefined && found.isDirectory() && found.uid === process.getuid?.()
}

/** Whether the engine that made a tree is surely gone. */
function isAbandoned(path: string): boolean {
  try {
    // Written by an engine like this one.
    const owner = JSON.parse(readFileSync(join(path, OWNER_FILE), 'utf8')) as Owner
    return owner.pidNamespace === namespace() && startOf(owner.pid) !== owner.startedAt
  } catch {
    return false // it is being made, or it is no tree of ours
  }
}

/** When a process started, as the kernel counts; undefined when there is none. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name, in brackets, may hold anything; the 22nd field of all is the 20th behind it.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

/** Pids mean the same to all within one. */
function namespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}
