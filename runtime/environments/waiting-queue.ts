import type { Invocation } from './invocation.ts'

/** Slots at the front that were taken are dropped when there are this many, so that `shift` stays cheap. */
const COMPACT_AT = 1024

/** First in, first out, with cheap ends. */
class Line {
  #items: (Invocation | undefined)[] = []
  #head = 0

  get size(): number {
    return this.#items.length - this.#head
  }

  push(invocation: Invocation): void {
    this.#items.push(invocation)
  }

  unshift(invocation: Invocation): void {
    if (this.#head > 0) this.#items[--this.#head] = invocation
    else this.#items.unshift(invocation)
  }

  peek(): Invocation | undefined {
    return this.#items[this.#head]
  }

  shift(): Invocation | undefined {
    const first = this.#items[this.#head]
    if (first === undefined) return undefined
    this.#items[this.#head++] = undefined
    if (this.#head >= COMPACT_AT) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return first
  }

  remove(matches: (invocation: Invocation) => boolean): Invocation[] {
    const removed: Invocation[] = []
    const kept: Invocation[] = []
    for (const item of this.#items.slice(this.#head)) {
      if (item !== undefined) (matches(item) ? removed : kept).push(item)
    }
    if (removed.length > 0) {
      this.#items = kept
      this.#head = 0
    }
    return removed
  }

  /** Takes out the first that `matches` among the first `most`. */
  take(matches: (invocation: Invocation) => boolean, most: number): Invocation | undefined {
    const end = Math.min(this.#items.length, this.#head + most)
    for (let index = this.#head; index < end; index++) {
      const item = this.#items[index]
      if (item === undefined || !matches(item)) continue
      this.#items.splice(index, 1)
      return item
    }
    return undefined
  }

  *[Symbol.iterator](): Iterator<Invocation> {
    for (let index = this.#head; index < this.#items.length; index++) {
      const item = this.#items[index]
      if (item !== undefined) yield item
    }
  }
}

/**
 * What waits for an environment: deeper work first, lest what it was asked for by waits for ever, and work of
 * the same depth in order. Its bound is whoever's puts it in.
 */
export class WaitingQueue {
  readonly #flat = new Line()
  /** By depth; empty where nothing but handlers waits. */
  readonly #deeper: Line[] = []
  #deeperSize = 0

  get size(): number {
    return this.#flat.size + this.#deeperSize
  }

  push(invocation: Invocation): void {
    const { depth = 0 } = invocation.input
    if (depth === 0) return this.#flat.push(invocation)
    this.#lineOf(depth).push(invocation)
    this.#deeperSize += 1
  }

  /** Back to the front: it had been handed over and never started. */
  unshift(invocation: Invocation): void {
    const { depth = 0 } = invocation.input
    if (depth === 0) return this.#flat.unshift(invocation)
    this.#lineOf(depth).unshift(invocation)
    this.#deeperSize += 1
  }

  peek(): Invocation | undefined {
    return this.#deeperSize === 0 ? this.#flat.peek() : this.#deepest()?.peek()
  }

  shift(): Invocation | undefined {
    if (this.#deeperSize === 0) return this.#flat.shift()
    this.#deeperSize -= 1
    return this.#deepest()?.shift()
  }

  /** Takes out everything that `matches`, in order. */
  remove(matches: (invocation: Invocation) => boolean): Invocation[] {
    const deeper =
      this.#deeperSize === 0 ? [] : this.#deeper.toReversed().flatMap((line) => line.remove(matches))
    this.#deeperSize -= deeper.length
    return [...deeper, ...this.#flat.remove(matches)]
  }

  /** Takes out the first of this depth that `matches`, looking at `most` of them. */
  take(depth: number, matches: (invocation: Invocation) => boolean, most: number): Invocation | undefined {
    const line = depth === 0 ? this.#flat : this.#deeper[depth - 1]
    const found = line?.take(matches, most)
    if (found !== undefined && depth > 0) this.#deeperSize -= 1
    return found
  }

  *[Symbol.iterator](): Iterator<Invocation> {
    if (this.#deeperSize > 0) for (const line of this.#deeper.toReversed()) yield* line
    yield* this.#flat
  }

  #lineOf(depth: number): Line {
    while (this.#deeper.length < depth) this.#deeper.push(new Line())
    return this.#deeper[depth - 1] as Line // there now
  }

  #deepest(): Line | undefined {
    while (this.#deeper.at(-1)?.size === 0) this.#deeper.pop()
    return this.#deeper.at(-1)
  }
}
