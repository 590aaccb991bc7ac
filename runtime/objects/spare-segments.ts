import { chmodSync, chownSync, renameSync, unlink } from 'node:fs'
import type { Clock } from '../clock.ts'
import type { SegmentFolders } from './segment-folders.ts'
import type { Segment } from './segment.ts'

/** What begins the name of a file that a process may take and write anew: `spare-<bytes>-<number>`. */
export const SPARE_PREFIX = 'spare-'

/** Memory that nobody takes up again soon is given back. */
const KEPT_MS = 5000
/** Smaller ones cost nothing to make anew. */
const MIN_BYTES = 1024 * 1024
const MAX_SPARES = 64

interface Spare {
  readonly path: string
  readonly environmentId: string
  readonly inode: number
  readonly sizeBytes: number
}

/**
 * Segments that nobody needs any more, handed back to the process that wrote them: writing memory that is
 * there is several times as fast as making it. A process takes one by renaming it, so that giving it back
 * here and taking it there cannot both succeed. Never to another process than its maker: it may hold what
 * is left of the value.
 */
export class SpareSegments {
  readonly #folders: SegmentFolders
  readonly #clock: Clock
  readonly #maxBytes: number
  readonly #spares = new Map<number, Spare>()
  #bytes = 0
  #count = 0

  /** At most `maxBytes` in all. */
  constructor(options: { folders: SegmentFolders; clock: Clock; maxBytes: number }) {
    this.#folders = options.folders
    this.#clock = options.clock
    this.#maxBytes = options.maxBytes
  }

  /** Bytes that lie ready to be taken, or have been taken and not been told of yet. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Hands the file of a segment, which is nobody's any more, to its maker; false when that is not wanted. The
   * file is the maker's then.
   */
  offer(segment: Segment, inode: number, uid: number | null): boolean {
    const { sizeBytes } = segment
    if (segment.place !== 'memory' || sizeBytes < MIN_BYTES || segment.wasAbroad) return false
    if (this.#bytes + sizeBytes > this.#maxBytes || this.#spares.size >= MAX_SPARES) return false
    const from = this.#folders.segmentPath('memory', segment.name)
    this.#count += 1
    const name = `${SPARE_PREFIX}${sizeBytes}-${this.#count}`
    const path = this.#folders.environmentPath('memory', segment.maker, name)
    try {
      chmodSync(from, 0o600)
      if (uid !== null) chownSync(from, uid, uid)
      renameSync(from, path)
    } catch {
      return false // its maker is gone by now
    }
    this.taken(inode)
    const spare = { path, environmentId: segment.maker, inode, sizeBytes }
    this.#spares.set(inode, spare)
    this.#bytes += sizeBytes
    this.#clock.after(KEPT_MS, () => {
      if (this.#spares.get(inode) === spare) this.#giveBack(spare)
    })
    return true
  }

  /** A process has published this file: if it was a spare one, it is none any more. */
  taken(inode: number): void {
    const spare = this.#spares.get(inode)
    if (spare !== undefined) this.#forget(spare)
  }

  /** Gives all of them back: memory is needed. */
  giveAllBack(): void {
    for (const spare of this.#spares.values()) this.#giveBack(spare)
  }

  /** An environment is gone, and its folder with it. */
  ended(environmentId: string): void {
    for (const spare of this.#spares.values()) if (spare.environmentId === environmentId) this.#forget(spare)
  }

  #giveBack(spare: Spare): void {
    this.#forget(spare)
    // Off this thread, since the kernel takes its time over large ones. It fails when the process has
    // taken it: then it is counted again when it is published.
    unlink(spare.path, () => {})
  }

  #forget(spare: Spare): void {
    if (this.#spares.delete(spare.inode)) this.#bytes -= spare.sizeBytes
  }
}
