/**
 * Which records of a shard are done. Records are processed by several at once, so they end in any order; what
 * may be skipped after a restart are those before the first that is not done.
 */
export class ShardProgress {
  readonly #waiting: { readonly sequence: string; done: boolean }[] = []
  readonly #bySequence = new Map<string, { done: boolean }>()
  #head = 0
  #passed: string | undefined

  /** The last record before which, and with which, all are done; undefined when the first is not. */
  get passed(): string | undefined {
    return this.#passed
  }

  /** Records that were read and are not done. */
  get open(): number {
    return this.#bySequence.size
  }

  /** A record that was read, in the order of the shard. */
  read(sequence: string): void {
    const entry = { sequence, done: false }
    this.#waiting.push(entry)
    this.#bySequence.set(sequence, entry)
  }

  done(sequence: string): void {
    const entry = this.#bySequence.get(sequence)
    if (entry === undefined) return
    entry.done = true
    this.#bySequence.delete(sequence)
    for (let first = this.#waiting[this.#head]; first?.done === true; first = this.#waiting[this.#head]) {
      this.#passed = first.sequence
      this.#head += 1
    }
    if (this.#head > 1000 || this.#head === this.#waiting.length) {
      this.#waiting.splice(0, this.#head)
      this.#head = 0
    }
  }
}
