import { chmod, copyFile, unlink } from 'node:fs/promises'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { SegmentPlace } from './location.ts'
import type { SegmentFolders } from './segment-folders.ts'
import type { Segment } from './segment.ts'

/** From this share of shared memory on, what was not used for longest moves to disk. */
const HIGH_WATER = 0.8

/**
 * Moves segments from shared memory to disk, least recently used first, so that there is room in memory
 * for new ones. One that is open stays: its memory would not come free. From disk a segment is mapped as
 * it is, since the kernel keeps in memory what of it is used.
 */
export class Spilling {
  readonly #folders: SegmentFolders
  readonly #log: Log
  readonly #segments: ReadonlyMap<string, Segment>
  readonly #limits: Readonly<Record<SegmentPlace, number>>
  readonly #used: Record<SegmentPlace, number>
  readonly #onMoved: () => void
  #running: Promise<void> | undefined

  /** `segments` in the order of their use, and what they use: kept up to date here. */
  constructor(options: {
    folders: SegmentFolders
    log: Log
    segments: ReadonlyMap<string, Segment>
    limits: Readonly<Record<SegmentPlace, number>>
    used: Record<SegmentPlace, number>
    onMoved: () => void
  }) {
    this.#folders = options.folders
    this.#log = options.log
    this.#segments = options.segments
    this.#limits = options.limits
    this.#used = options.used
    this.#onMoved = options.onMoved
  }

  /** Begins to spill when memory is short. */
  check(): void {
    if (this.#running !== undefined || this.#next() === undefined) return
    this.#running = this.#run().finally(() => (this.#running = undefined))
  }

  /** What could move to disk now. */
  spillableBytes(): number {
    let bytes = 0
    for (const segment of this.#segments.values()) if (this.#mayMove(segment)) bytes += segment.sizeBytes
    return Math.min(bytes, this.#limits.disk - this.#used.disk)
  }

  /** Resolves when nothing is on its way. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  async #run(): Promise<void> {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      if (!(await this.#move(next))) return
    }
  }

  #next(): Segment | undefined {
    if (this.#used.memory <= this.#limits.memory * HIGH_WATER) return undefined
    for (const segment of this.#segments.values()) if (this.#mayMove(segment)) return segment
    return undefined
  }

  #mayMove({ place, leases, uses, isSpilling, sizeBytes }: Segment): boolean {
    const isIdle = place === 'memory' && leases === 0 && uses > 0 && !isSpilling
    return isIdle && this.#used.disk + sizeBytes <= this.#limits.disk
  }

  /** False when the disk does not take it. */
  async #move(segment: Segment): Promise<boolean> {
    const { name, sizeBytes } = segment
    const from = this.#folders.segmentPath('memory', name)
    const to = this.#folders.segmentPath('disk', name)
    segment.isSpilling = true
    this.#used.disk += sizeBytes
    let failure: unknown
    try {
      await copyFile(from, to)
      await chmod(to, 0o444)
    } catch (error) {
      failure = error
    }
    segment.isSpilling = false
    // Somebody opened it meanwhile: it stays. Nobody wants it any more: neither file is needed.
    const moves = failure === undefined && segment.leases === 0 && !segment.isGone
    if (moves) {
      segment.place = 'disk'
      this.#used.memory -= sizeBytes
    } else this.#used.disk -= sizeBytes
    this.#onMoved()
    const surplus = segment.isGone ? [from, to] : [moves ? from : to]
    await Promise.all(surplus.map((path) => unlink(path).catch(() => {}))) // or with the tree
    if (failure === undefined) return true
    this.#log.error('an object could not be moved to disk', { segment: name, message: messageOf(failure) })
    return false
  }
}
