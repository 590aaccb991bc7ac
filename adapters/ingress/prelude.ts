import { headOf, PRELUDE_END, type ReplyHead } from './reply.ts'

/** Bound of what is kept while the end of a prelude is awaited. */
export const MAX_PRELUDE_BYTES = 32_768

/** What is known after some bytes of a stream with a prelude. */
export type PreludeStep =
  | { kind: 'more' }
  | { kind: 'broken' }
  /** `rest` is the first of the body; may be empty. */
  | { kind: 'head'; head: ReplyHead; rest: Buffer }

/**
 * Reads the prelude of one stream from its chunks, wherever they are cut, also inside the eight NUL bytes.
 */
export class PreludeReader {
  #kept: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): PreludeStep {
    const searchFrom = Math.max(0, this.#kept.length - PRELUDE_END.length + 1)
    this.#kept = this.#kept.length === 0 ? chunk : Buffer.concat([this.#kept, chunk])
    const end = this.#kept.indexOf(PRELUDE_END, searchFrom)
    if (end < 0) return { kind: this.#kept.length > MAX_PRELUDE_BYTES ? 'broken' : 'more' }
    const head = end > MAX_PRELUDE_BYTES ? undefined : headOf(this.#kept.subarray(0, end))
    if (head === undefined) return { kind: 'broken' }
    return { kind: 'head', head, rest: this.#kept.subarray(end + PRELUDE_END.length) }
  }
}
