import type { Location, SegmentPlace } from './location.ts'

/**
 * One file that holds a large value. It is kept as long as a ref names it, arguments hold it or somebody has
 * it open; what is written in it never changes before that ends.
 */
export class Segment {
  /** Its name on this engine, and that of its file. */
  readonly name: string
  /** Where the parts of the value lie in it, and the refs that the value holds. */
  readonly parts: Location['parts']
  readonly refs: readonly string[]
  /** What its file takes; more than its value where the file was used before. */
  readonly sizeBytes: number
  /** The environment that wrote it; '' for the engine itself. */
  readonly maker: string
  place: SegmentPlace
  /** Refs and arguments that name it. */
  uses = 0
  /** How often it is open: in environments, and for readers of the engine's own. */
  leases = 0
  /** Somebody had it who is not of its maker's function: its memory is never written again. */
  wasAbroad = false
  /** Somebody has kept it, or had it: when nobody does any more, nobody will. */
  wasHeld = false
  /** It is being copied to disk. */
  isSpilling = false
  isGone = false

  constructor(parts: {
    name: string
    location: Pick<Location, 'parts' | 'refs'>
    place: SegmentPlace
    sizeBytes: number
    maker: string
  }) {
    this.name = parts.name
    this.parts = parts.location.parts
    this.refs = parts.location.refs
    this.place = parts.place
    this.sizeBytes = parts.sizeBytes
    this.maker = parts.maker
  }

  /** How it is called inside the engine, in place of a value. */
  get body(): Buffer {
    return Buffer.from(this.name, 'latin1')
  }

  /** Bytes of the value. */
  get valueBytes(): number {
    return this.parts.reduce((sum, [, bytes]) => sum + bytes, 0)
  }
}
