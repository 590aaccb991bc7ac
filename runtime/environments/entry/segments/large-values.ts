import fs from 'node:fs'
import { join } from 'node:path'
import {
  endOf,
  layOut,
  MAX_SEGMENT_BYTES,
  readLocation,
  writeLocation,
  type Location,
  type SegmentPlace,
} from '../../../objects/location.ts'
import { readRoom, ROOM_FILE, type Room } from '../../../objects/room.ts'
import type { ObjectFolders } from '../../../objects/segment-folders.ts'
import { ObjectLost, ObjectStoreFull } from '../../../sdk/errors.ts'
import { Collection } from './collection.ts'
import { openMapper, type Mapper } from './mapper.ts'
import { takeSpare } from './spare-file.ts'

/** What large values need of the rest of an environment. */
export interface LargeValuesParts {
  readonly folders: ObjectFolders
  /** Where the engine puts what maps memory, as this process sees it; absent: values are read. */
  readonly mapperPath?: string | undefined
  /** Tells the engine that segments are closed: `name:times,…`. */
  readonly giveBack: (text: string) => void
}

/** A value that the engine gave this process once. */
interface Delivery {
  readonly file: string
  /** How often it is mapped. */
  open: number
  /** Its location may still be opened. */
  isKept: boolean
  isGivenBack: boolean
}

/** The kernel writes no more at once. */
const MAX_WRITE_BYTES = 2 ** 30

/**
 * Large values of this process: `place` writes one into a segment, whose location travels in its place, and
 * `map` opens one that another process wrote. The memory of a mapped value is the kernel's and shared by
 * all who map it, until somebody writes to it: then the page written to is that process's own.
 */
export class LargeValues {
  readonly #parts: LargeValuesParts
  #mapper: Mapper | undefined
  #roomFile: number | undefined
  #count = 0
  /** By the location as it came: whoever keeps that may open the value again. */
  readonly #deliveries = new WeakMap<Buffer, Delivery>()
  readonly #kept = new FinalizationRegistry<Delivery>((delivery) => this.#letGo(delivery))
  readonly #collection = new Collection()

  constructor(parts: LargeValuesParts) {
    this.#parts = parts
  }

  /**
   * Writes the parts of a value, the encoded value first, and says where. Throws ObjectStoreFull, and a
   * RangeError for more than a segment takes.
   */
  place(parts: readonly Uint8Array[], refs: readonly string[]): Buffer {
    const layout = layOut(parts.map((part) => part.byteLength))
    const sizeBytes = endOf(layout)
    if (sizeBytes > MAX_SEGMENT_BYTES)
      throw new RangeError(
        `A value of ${sizeBytes} bytes is larger than an object may be (${MAX_SEGMENT_BYTES}). Cut it into several.`,
      )
    const room = this.#room()
    const write = (where: SegmentPlace): Buffer =>
      writeLocation({ file: this.#write(where, sizeBytes, layout, parts), where, parts: layout, refs })
    if (this.#parts.folders.memory !== null && sizeBytes <= room.memoryBytes) {
      try {
        return write('memory')
      } catch (error) {
        if (!isNoSpace(error)) throw error
      }
    }
    if (this.#parts.folders.disk === null || sizeBytes > room.diskBytes) throw full(sizeBytes, room)
    try {
      return write('disk')
    } catch (error) {
      throw isNoSpace(error) ? full(sizeBytes, room) : error
    }
  }

  /**
   * The parts of a value that this process was given. Each has memory of its own, which may be written to;
   * nobody else sees that, not even who maps it again. It can be opened as long as `location`, this very
   * buffer, is kept and not dropped. Throws ObjectLost.
   */
  map(location: Buffer): Uint8Array[] {
    const { file, where, parts } = readLocation(location)
    const delivery = this.#deliveryOf(location, file)
    this.#mapper ??= openMapper(this.#parts.mapperPath)
    let handle: number
    try {
      handle = fs.openSync(join(this.#folder(where), file), 'r')
    } catch (error) {
      throw new ObjectLost(`The object is lost: its segment cannot be opened (${codeOf(error)}).`)
    }
    delivery.open += 1
    const close = (): void => {
      delivery.open -= 1
      this.#giveBackWhenUnused(delivery)
    }
    try {
      return this.#mapper.open(handle, parts, close)
    } catch (error) {
      close()
      throw error
    } finally {
      fs.closeSync(handle)
    }
  }

  /** A value that this process was given and will not open again; what is open stays so. */
  drop(location: Buffer): void {
    this.#letGo(this.#deliveryOf(location, readLocation(location).file))
  }

  #deliveryOf(location: Buffer, file: string): Delivery {
    const known = this.#deliveries.get(location)
    if (known !== undefined) return known
    const delivery = { file, open: 0, isKept: true, isGivenBack: false }
    this.#deliveries.set(location, delivery)
    this.#kept.register(location, delivery)
    this.#collection.opened()
    return delivery
  }

  #letGo(delivery: Delivery): void {
    delivery.isKept = false
    this.#giveBackWhenUnused(delivery)
  }

  #giveBackWhenUnused(delivery: Delivery): void {
    if (delivery.isKept || delivery.open > 0 || delivery.isGivenBack) return
    delivery.isGivenBack = true
    this.#collection.closed()
    this.#parts.giveBack(`${delivery.file}:1`)
  }

  #folder(where: SegmentPlace): string {
    const folder = this.#parts.folders[where]
    if (folder === null) throw new ObjectLost(`The object is lost: it lies in ${where}, which is not here.`)
    return folder
  }

  #write(
    where: SegmentPlace,
    sizeBytes: number,
    layout: Location['parts'],
    parts: readonly Uint8Array[],
  ): string {
    this.#count += 1
    const name = `w${this.#count}`
    const folder = this.#folder(where)
    const path = join(folder, name)
    const isWarm = where === 'memory' && takeSpare(folder, sizeBytes, path)
    const handle = fs.openSync(path, isWarm ? 'r+' : 'wx', 0o600)
    try {
      parts.forEach((part, index) => writeAll(handle, part, layout[index]?.[0] ?? 0))
      return name
    } catch (error) {
      fs.rmSync(path, { force: true })
      throw error
    } finally {
      fs.closeSync(handle)
    }
  }

  #room(): Room {
    const { memory, disk } = this.#parts.folders
    const bytes = Buffer.alloc(16)
    try {
      this.#roomFile ??= fs.openSync(join(memory ?? disk ?? '', ROOM_FILE), 'r')
      fs.readSync(this.#roomFile, bytes, 0, bytes.length, 0)
      return readRoom(bytes)
    } catch (error) {
      throw new ObjectStoreFull(`There is no room for large values in this environment (${codeOf(error)}).`)
    }
  }
}

function writeAll(handle: number, part: Uint8Array, position: number): void {
  for (let done = 0; done < part.byteLength;) {
    const bytes = Math.min(part.byteLength - done, MAX_WRITE_BYTES)
    done += fs.writeSync(handle, part, done, bytes, position + done)
  }
}

function full(sizeBytes: number, { memoryBytes, diskBytes }: Room): ObjectStoreFull {
  const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`
  return new ObjectStoreFull(
    `There is no room for an object of ${megabytes(sizeBytes)}: ${megabytes(memoryBytes)} of shared ` +
      `memory and ${megabytes(diskBytes)} of disk are left. Release refs that are not needed, or raise ` +
      `LAMBENT_OBJECT_STORE_MB and LAMBENT_OBJECT_SPILL_MB.`,
  )
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error)

const isNoSpace = (error: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes(codeOf(error))
