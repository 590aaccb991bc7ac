import { EngineError } from '../errors.ts'

/** Changes of one thing that may wait for the one before them. */
const MAX_WAITING = 100

/**
 * Runs work with the same key one after another, so that what a change was checked against still holds when
 * it is written.
 */
export class Serial {
  readonly #tails = new Map<string, { waiting: number; last: Promise<unknown> }>()

  /** Resolves as `work` does. Rejects 'throttled' when too much already waits under this key. */
  run<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    const tail = this.#tails.get(key) ?? { waiting: 0, last: Promise.resolve() }
    if (tail.waiting >= MAX_WAITING)
      return Promise.reject(
        new EngineError('throttled', `${MAX_WAITING} changes of ${key} are already waiting.`, {
          detail: 'changes',
        }),
      )
    tail.waiting += 1
    this.#tails.set(key, tail)
    const result = this.#after(tail.last, key, tail, work)
    tail.last = result.catch(() => undefined) // whoever handed the work in learns of its failure
    return result
  }

  async #after<Result>(
    before: Promise<unknown>,
    key: string,
    tail: { waiting: number },
    work: () => Promise<Result>,
  ): Promise<Result> {
    await before
    try {
      return await work()
    } finally {
      tail.waiting -= 1
      if (tail.waiting === 0) this.#tails.delete(key)
    }
  }

  /** Resolves when everything handed in so far has ended. */
  async drained(): Promise<void> {
    while (this.#tails.size > 0) await Promise.all([...this.#tails.values()].map((tail) => tail.last))
  }
}
