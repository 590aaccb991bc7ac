import fs from 'node:fs'
import { endOf, type Location } from '../../../objects/location.ts'

/** Opens the parts of a value that lies in a file. */
export interface Mapper {
  /** `onClosed` is called once, when nothing refers to any part any more. */
  open(handle: number, parts: Location['parts'], onClosed: () => void): Uint8Array[]
}

/** What of koffi is used: its native part is loaded by itself, since it lies beside this program. */
interface Koffi {
  load(path: null): { func(declaration: string): NativeFunction }
  view(pointer: bigint, bytes: number): ArrayBuffer
  errno(): number
}
interface NativeFunction {
  (...args: unknown[]): bigint
  async(...args: unknown[]): void
}

/** Maps memory where `koffiPath` can be loaded, and reads otherwise. */
export function openMapper(koffiPath: string | undefined): Mapper {
  const koffi = koffiPath === undefined || process.platform !== 'linux' ? undefined : loadKoffi(koffiPath)
  return koffi === undefined ? new Reader() : new MemoryMapper(koffi)
}

function loadKoffi(path: string): Koffi | undefined {
  const module = { exports: {} }
  try {
    process.dlopen(module, path)
    return module.exports as Koffi // the engine brought it along
  } catch {
    return undefined // made for another C library, say: reading does as well
  }
}

/** Copies the value into this process. */
class Reader implements Mapper {
  open(handle: number, parts: Location['parts'], onClosed: () => void): Uint8Array[] {
    const read = parts.map(([offset, bytes]) => readPart(handle, offset, bytes))
    onClosed()
    return read
  }
}

const MAX_READ_BYTES = 2 ** 30

function readPart(handle: number, offset: number, bytes: number): Uint8Array {
  const part = new Uint8Array(bytes)
  for (let done = 0; done < bytes;) {
    const read = fs.readSync(handle, part, done, Math.min(bytes - done, MAX_READ_BYTES), offset + done)
    if (read === 0) throw new RangeError('A segment is shorter than the value in it.')
    done += read
  }
  return part
}

const PROT_READ = 1
const PROT_WRITE = 2
const MAP_PRIVATE = 2
const ENOMEM = 12
const FAILED = 2n ** 64n - 1n

/** A mapping that is open, and how many of its parts something may still refer to. */
interface Mapping {
  readonly pointer: bigint
  readonly bytes: number
  readonly onClosed: () => void
  openParts: number
}

/**
 * Maps files privately: what is written goes to pages of this process's own, in copies that the kernel
 * makes. A mapping is undone when the garbage collector has found every part of it; nothing can refer to
 * it then.
 */
class MemoryMapper implements Mapper {
  readonly #koffi: Koffi
  readonly #mmap: NativeFunction
  readonly #munmap: NativeFunction
  readonly #registry = new FinalizationRegistry<Mapping>((mapping) => this.#partClosed(mapping))

  constructor(koffi: Koffi) {
    this.#koffi = koffi
    const library = koffi.load(null)
    this.#mmap = library.func('void* mmap(void*, size_t, int, int, int, int64_t)')
    this.#munmap = library.func('int munmap(void*, size_t)')
  }

  open(handle: number, parts: Location['parts'], onClosed: () => void): Uint8Array[] {
    const bytes = endOf(parts)
    if (bytes === 0) return new Reader().open(handle, parts, onClosed)
    if (fs.fstatSync(handle).size < bytes) throw new RangeError('A segment is shorter than the value in it.')
    const pointer = this.#map(handle, bytes)
    const mapping = { pointer, bytes, onClosed, openParts: parts.length }
    return parts.map(([offset, length]) => {
      if (length === 0) {
        mapping.openParts -= 1
        return new Uint8Array(0)
      }
      const buffer = this.#koffi.view(pointer + BigInt(offset), length)
      this.#registry.register(buffer, mapping)
      return new Uint8Array(buffer)
    })
  }

  #map(handle: number, bytes: number): bigint {
    const map = (protection: number): bigint => this.#mmap(null, bytes, protection, MAP_PRIVATE, handle, 0)
    let pointer = map(PROT_READ | PROT_WRITE)
    // A limit on this process's memory counts what it could write to.
    if (pointer === FAILED && this.#koffi.errno() === ENOMEM) pointer = map(PROT_READ)
    if (pointer === FAILED)
      throw new Error(`A value of ${bytes} bytes cannot be mapped: errno ${this.#koffi.errno()}.`)
    return pointer
  }

  #partClosed(mapping: Mapping): void {
    mapping.openParts -= 1
    if (mapping.openParts > 0) return
    // Away from this thread: it takes 66 ms per GB. Nothing else of the process is at this address by then.
    this.#munmap.async(mapping.pointer, mapping.bytes, () => mapping.onClosed())
  }
}
