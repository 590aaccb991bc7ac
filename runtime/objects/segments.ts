import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  openSync,
  closeSync,
  renameSync,
  rmSync,
  unlink,
  writeSync,
} from 'node:fs'
import type { Clock } from '../clock.ts'
import { EngineError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import {
  endOf,
  MAX_SEGMENT_BYTES,
  readLocation,
  writeLocation,
  type Location,
  type SegmentPlace,
} from './location.ts'
import { writeRoom } from './room.ts'
import type { ObjectFolders, SegmentFolders } from './segment-folders.ts'
import { Segment } from './segment.ts'
import { objectLost, objectTooLarge, storeFull, type SegmentUsage } from './object-errors.ts'
import { SpareSegments } from './spare-segments.ts'
import { Spilling } from './spilling.ts'

/** An environment that segments come from and go to. */
interface Guest {
  readonly uid: number | null
  /** Whose code it runs: values of one do not meet values of another in one file. Undefined: nobody's yet. */
  domain: string | undefined
  /** Segments it was given and has not given back, with how often. */
  readonly leases: Map<string, number>
}

/** A quarter of the memory may lie ready to be written anew. */
const SPARE_SHARE = 4
/** What processes wrote at the same time may exceed the limit by this share of it. */
const OVERSHOOT_SHARE = 8

/**
 * Large values between processes. A process writes a segment, the engine takes the file over and links it to
 * whoever is given the value: it moves names and counts, never bytes.
 */
export class Segments {
  readonly #folders: SegmentFolders
  readonly #log: Log
  readonly #limits: Readonly<Record<SegmentPlace, number>>
  readonly #used: Record<SegmentPlace, number> = { memory: 0, disk: 0 }
  readonly #spares: SpareSegments
  readonly #spilling: Spilling
  readonly #guests = new Map<string, Guest>()
  /** Least recently used first. */
  readonly #segments = new Map<string, Segment>()
  /** Nobody inside the engine can name them any more. */
  readonly #names = new FinalizationRegistry<Segment>((segment) => {
    segment.wasHeld = true
    this.#freeWhenUnused(segment)
  })
  readonly #roomFile: number
  #isClosed = false
  #count = 0

  constructor(options: {
    folders: SegmentFolders
    limits: Readonly<Record<SegmentPlace, number>>
    clock: Clock
    log: Log
  }) {
    const { folders, limits, clock, log } = options
    this.#folders = folders
    this.#log = log
    this.#limits = folders.hasMemory ? limits : { memory: 0, disk: limits.disk }
    this.#spares = new SpareSegments({ folders, clock, maxBytes: this.#limits.memory / SPARE_SHARE })
    this.#spilling = new Spilling({
      folders,
      log,
      segments: this.#segments,
      limits: this.#limits,
      used: this.#used,
      onMoved: () => this.#tellRoom(),
    })
    this.#roomFile = openSync(folders.roomPath, 'w', 0o644)
    chmodSync(folders.roomPath, 0o644)
    this.#tellRoom()
  }

  get usage(): SegmentUsage {
    return {
      count: this.#segments.size,
      memory: {
        usedBytes: this.#used.memory,
        limitBytes: this.#limits.memory,
        spareBytes: this.#spares.bytes,
      },
      disk: { usedBytes: this.#used.disk, limitBytes: this.#limits.disk },
    }
  }

  /**
   * Makes the folders of an environment that is about to start; `uid` is the user it runs as, null for
   * ours.
   */
  openEnvironment(id: string, uid: number | null): ObjectFolders {
    const folders = this.#folders.make(id, uid)
    this.#guests.set(id, { uid, domain: undefined, leases: new Map() })
    return folders
  }

  /** Whose code an environment runs. */
  assign(id: string, domain: string): void {
    const guest = this.#guests.get(id)
    if (guest !== undefined) guest.domain = domain
  }

  /** The processes of an environment are gone. */
  endEnvironment(id: string): void {
    const guest = this.#guests.get(id)
    if (guest === undefined) return
    this.#guests.delete(id)
    this.#spares.ended(id)
    for (const [name, times] of guest.leases) this.#endLeases(name, times)
    this.#folders.remove(id)
  }

  /**
   * Takes over the segment whose location an environment tells, and returns what it is called inside the
   * engine. It is freed when all who called `retain` have called `release` and nobody has it open; what
   * nobody has retained or opened, when the result is garbage.
   *
   * Throws a RangeError for what no environment of ours says, and EngineError 'throttled' (detail
   * 'object-store-full').
   */
  adopt(environmentId: string, body: Buffer, lead: Buffer = NOTHING): Buffer {
    const guest = this.#guests.get(environmentId)
    if (guest === undefined) throw new RangeError('An environment that is gone tells of a value.')
    const location = readLocation(body)
    const path = this.#folders.environmentPath(location.where, environmentId, location.file)
    const found = lstatSync(path, { throwIfNoEntry: false })
    // One that has other names is shared with somebody already.
    if (found === undefined || !found.isFile() || found.nlink !== 1 || found.size < endOf(location.parts))
      throw new RangeError('There is no value where an environment says.')
    this.#spares.taken(found.ino)
    const segment = this.#admit(path, location, location.where, found.size, environmentId)
    return this.#name(segment, lead)
  }

  /**
   * Takes over a file that the engine has written where `draftPath` told. As `adopt`.
   */
  adoptDraft(
    path: string,
    place: SegmentPlace,
    parts: Location['parts'],
    refs: readonly string[] = [],
  ): Buffer {
    const found = lstatSync(path)
    return this.#name(this.#admit(path, { parts, refs }, place, found.size, ''), NOTHING)
  }

  /**
   * Where the engine may write a value of about this size. Throws EngineError 'throttled' (detail
   * 'object-store-full') and 'too-large'.
   */
  draftPath(sizeBytes: number): { path: string; place: SegmentPlace } {
    if (sizeBytes > MAX_SEGMENT_BYTES) throw objectTooLarge(sizeBytes)
    const fits = (place: SegmentPlace): boolean => this.#used[place] + sizeBytes <= this.#limits[place]
    const place = (['memory', 'disk'] as const).find(fits)
    if (place === undefined) throw storeFull(sizeBytes, this.usage)
    this.#count += 1
    return { path: this.#folders.segmentPath(place, `draft-${this.#count}`), place }
  }

  /**
   * Throws EngineError 'too-large' and 'throttled' (detail 'object-store-full') for a draft that grows too
   * large.
   */
  assertFits(place: SegmentPlace, sizeBytes: number): void {
    if (sizeBytes > MAX_SEGMENT_BYTES) throw objectTooLarge(sizeBytes)
    if (this.#used[place] + sizeBytes > this.#limits[place]) throw storeFull(sizeBytes, this.usage)
  }

  /** The segment that `body` names. Throws EngineError 'not-found' (detail 'object-lost'). */
  find(body: Buffer): Segment {
    const segment = this.#segments.get(body.toString('latin1'))
    if (segment === undefined) throw objectLost('its segment is gone')
    return segment
  }

  /** One more names the segment. */
  retain(body: Buffer): void {
    const segment = this.find(body)
    segment.uses += 1
    segment.wasHeld = true
  }

  /** One less names it; the last one frees it. */
  release(body: Buffer): void {
    const segment = this.find(body)
    segment.uses -= 1
    this.#freeWhenUnused(segment)
  }

  /**
   * Gives an environment a segment: it is linked into its folder until it is given back or the environment
   * ends. The location to tell it. Throws EngineError 'not-found' (detail 'object-lost') and
   * 'unavailable' for an environment that is gone.
   */
  lend(body: Buffer, environmentId: string): Buffer {
    const segment = this.find(body)
    const guest = this.#guests.get(environmentId)
    if (guest === undefined) throw new EngineError('unavailable', 'The environment is gone.')
    const times = guest.leases.get(segment.name) ?? 0
    if (times === 0) this.#link(segment, environmentId)
    guest.leases.set(segment.name, times + 1)
    segment.leases += 1
    segment.wasHeld = true
    const maker = this.#guests.get(segment.maker)
    if (maker !== guest && (maker?.domain === undefined || maker.domain !== guest.domain))
      segment.wasAbroad = true
    this.#touch(segment)
    const { name: file, place: where, parts, refs } = segment
    return writeLocation({ file, where, parts, refs })
  }

  /**
   * An environment has closed segments: `name:times,…`. Throws a RangeError for what it does not have.
   */
  giveBack(environmentId: string, text: string): void {
    const guest = this.#guests.get(environmentId)
    if (guest === undefined) return
    for (const item of text.split(',')) {
      const [name = '', timesText] = item.split(':')
      const times = Number(timesText)
      const held = guest.leases.get(name) ?? 0
      const segment = this.#segments.get(name)
      if (segment === undefined || !(Number.isInteger(times) && times > 0 && times <= held))
        throw new RangeError('An environment gives back what it does not have.')
      if (times < held) guest.leases.set(name, held - times)
      else {
        guest.leases.delete(name)
        // At once, so that the next link is a new one; the memory goes with the segment's own name.
        rmSync(this.#folders.environmentPath(segment.place, environmentId, name), { force: true })
      }
      this.#endLeases(name, times)
    }
  }

  /** Keeps a segment where it is while the engine reads it. */
  openForReading(body: Buffer): { readonly path: string; readonly segment: Segment } & Disposable {
    const segment = this.find(body)
    segment.leases += 1
    this.#touch(segment)
    let isOpen = true
    return {
      segment,
      path: this.#folders.segmentPath(segment.place, segment.name),
      [Symbol.dispose]: () => {
        if (!isOpen) return
        isOpen = false
        this.#endLeases(segment.name, 1)
      },
    }
  }

  /** Resolves when nothing is on its way to disk. */
  async settled(): Promise<void> {
    await this.#spilling.settled()
  }

  /** Removes everything; environments are gone by now. */
  async close(): Promise<void> {
    await this.settled()
    this.#isClosed = true
    closeSync(this.#roomFile)
    await this.#folders.close()
  }

  #admit(
    from: string,
    location: Pick<Location, 'parts' | 'refs'>,
    place: SegmentPlace,
    sizeBytes: number,
    maker: string,
  ): Segment {
    try {
      if (sizeBytes > MAX_SEGMENT_BYTES) throw objectTooLarge(sizeBytes)
      this.#assertRoom(place, sizeBytes)
    } catch (error) {
      unlink(from, () => {})
      throw error
    }
    this.#count += 1
    const segment = new Segment({ name: `s${this.#count}`, location, place, sizeBytes, maker })
    const path = this.#folders.segmentPath(place, segment.name)
    renameSync(from, path)
    const uid = this.#guests.get(maker)?.uid ?? null
    if (uid !== null) chownSync(path, process.getuid?.() ?? 0, process.getgid?.() ?? 0)
    chmodSync(path, 0o444) // whoever is given a link may read it, and nobody writes to it
    this.#segments.set(segment.name, segment)
    this.#used[place] += sizeBytes
    this.#tellRoom()
    setImmediate(() => this.#spilling.check())
    return segment
  }

  /**
   * `lead`, then what the segment is called: in memory of its own, which tells when nobody has it any
   * more.
   */
  #name(segment: Segment, lead: Buffer): Buffer {
    const body = Buffer.allocUnsafeSlow(lead.length + segment.name.length)
    lead.copy(body)
    body.write(segment.name, lead.length, 'latin1')
    this.#names.register(body.buffer, segment)
    return body
  }

  /** Processes look before they write; those that wrote at the same time are borne with. */
  #assertRoom(place: SegmentPlace, sizeBytes: number): void {
    const limit = this.#limits[place]
    if (place === 'memory' && this.#used.memory + this.#spares.bytes + sizeBytes > limit)
      this.#spares.giveAllBack()
    const over = this.#used[place] + sizeBytes - limit
    const bearable = limit / OVERSHOOT_SHARE + (place === 'memory' ? this.#spilling.spillableBytes() : 0)
    if (over > bearable) throw storeFull(sizeBytes, this.usage)
  }

  #link(segment: Segment, environmentId: string): void {
    const { place, name } = segment
    try {
      linkSync(
        this.#folders.segmentPath(place, name),
        this.#folders.environmentPath(place, environmentId, name),
      )
    } catch (error) {
      this.#log.error('a segment cannot be handed on', { segment: name, place, message: messageOf(error) })
      throw objectLost(`its segment in ${place} cannot be opened: ${messageOf(error)}`)
    }
  }

  #touch(segment: Segment): void {
    this.#segments.delete(segment.name)
    this.#segments.set(segment.name, segment)
  }

  #endLeases(name: string, times: number): void {
    const segment = this.#segments.get(name)
    if (segment === undefined) return
    segment.leases -= times
    this.#freeWhenUnused(segment)
    if (segment.leases === 0 && !segment.isGone) this.#spilling.check()
  }

  #freeWhenUnused(segment: Segment): void {
    if (segment.uses > 0 || segment.leases > 0 || segment.isGone || !segment.wasHeld) return
    segment.isGone = true
    this.#segments.delete(segment.name)
    this.#used[segment.place] -= segment.sizeBytes
    this.#tellRoom()
    if (segment.isSpilling || this.#handBack(segment)) return
    unlink(this.#folders.segmentPath(segment.place, segment.name), () => {}) // or with the tree
  }

  #handBack(segment: Segment): boolean {
    const maker = this.#guests.get(segment.maker)
    if (maker?.domain === undefined || this.#used.memory > this.#limits.memory / 2) return false
    const path = this.#folders.segmentPath(segment.place, segment.name)
    const found = lstatSync(path, { throwIfNoEntry: false })
    // Where a link is left, somebody could still open it.
    return found?.nlink === 1 && this.#spares.offer(segment, found.ino, maker.uid)
  }

  #tellRoom(): void {
    if (this.#isClosed) return
    const free = (place: SegmentPlace): number => Math.max(0, this.#limits[place] - this.#used[place])
    writeSync(
      this.#roomFile,
      writeRoom({ memoryBytes: free('memory'), diskBytes: free('disk') }),
      0,
      undefined,
      0,
    )
  }
}

const NOTHING = Buffer.alloc(0)
