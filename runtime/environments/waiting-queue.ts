import type { Invocation } from './invocation.ts'

/** Slots at the front that were taken are dropped when there are this many, so that `shift` stays cheap. */
const COMPACT_AT = 1024

/** First in, first out, with cheap ends. Its bound is the scheduler's: it counts all queues together. */
export class WaitingQueue {
  #items: (Invocation | undefined)[] = []
  #head = 0

  get size(): number {
    return this.#items.length - this.#head
  }

  push(invocation: Invocation): void {
    this.#items.push(invocation)
  }

  /** Back to the front: it had been handed over and never started. */
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

  /** Takes out everything that `matches`, in order. */
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

  *[Symbol.iterator](): Iterator<Invocation> {
    for (let index = this.#head; index < this.#items.length; index++) {
      const item = this.#items[index]
      if (item !== undefined) yield item
    }
  }
}
