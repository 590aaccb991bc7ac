/** What one invocation may carry; the service invokes when this much has been gathered. */
export const BATCH_BYTES = 6_000_000

/** When what was gathered becomes a batch. */
export interface BatchLimits {
  readonly batchSize: number
  readonly windowMs: number
  readonly maxBytes?: number
}

/** What is gathered: anything whose size in the event is known. */
export interface Sized {
  readonly sizeBytes: number
}

/** Records that wait to become batches, in order. Its owner bounds what is put in. */
export class BatchBuffer<Item extends Sized> {
  readonly #limits: Required<BatchLimits>
  #waiting: { readonly item: Item; readonly sinceMs: number }[] = []
  #bytes = 0

  constructor({ batchSize, windowMs, maxBytes = BATCH_BYTES }: BatchLimits) {
    this.#limits = { batchSize, windowMs, maxBytes }
  }

  get size(): number {
    return this.#waiting.length
  }

  get bytes(): number {
    return this.#bytes
  }

  push(item: Item, nowMs: number): void {
    this.#waiting.push({ item, sinceMs: nowMs })
    this.#bytes += item.sizeBytes
  }

  /** Milliseconds until a batch is due, 0 when one is; undefined while nothing waits. */
  dueInMs(nowMs: number): number | undefined {
    const [first] = this.#waiting
    if (first === undefined) return undefined
    const { batchSize, windowMs, maxBytes } = this.#limits
    if (this.#waiting.length >= batchSize || this.#bytes >= maxBytes) return 0
    return Math.max(0, first.sinceMs + windowMs - nowMs)
  }

  /** The next batch: the longest beginning of what waits that fits, cut where `together` says no. */
  take(together: (first: Item, next: Item) => boolean = () => true): Item[] {
    const { batchSize, maxBytes } = this.#limits
    const batch: Item[] = []
    let bytes = 0
    for (const { item } of this.#waiting) {
      const [first] = batch
      if (first !== undefined && (batch.length >= batchSize || bytes + item.sizeBytes > maxBytes)) break
      if (first !== undefined && !together(first, item)) break
      batch.push(item)
      bytes += item.sizeBytes
    }
    this.#waiting = this.#waiting.slice(batch.length)
    this.#bytes -= bytes
    return batch
  }

  /** The next record, which stays. */
  peek(): Item | undefined {
    return this.#waiting[0]?.item
  }
}
