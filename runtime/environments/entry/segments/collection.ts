import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { after, monotonicMs } from '../clock.ts'

/** First after this, then after twice as long each time. */
const FIRST_COLLECTION_MS = 100
const LONGEST_COLLECTION_MS = 60_000
/** Where the heap is large, a collection takes long: at most one part in so many of the time goes there. */
const COLLECTION_SHARE = 50

/**
 * Asks for a garbage collection now and then while values are open: a process that has nothing to do would
 * keep what it does not need any more for ever.
 */
export class Collection {
  #open = 0
  #delayMs = FIRST_COLLECTION_MS
  #leastMs = 0
  #cancel: (() => void) | undefined
  #collect: (() => void) | undefined

  opened(): void {
    this.#open += 1
    this.#delayMs = Math.max(FIRST_COLLECTION_MS, this.#leastMs)
    this.#cancel?.()
    this.#schedule()
  }

  closed(): void {
    this.#open -= 1
  }

  #schedule(): void {
    this.#cancel = after(this.#delayMs, () => {
      this.#cancel = undefined
      if (this.#open === 0) return
      this.#collect ??= collector()
      const startedAt = monotonicMs()
      this.#collect()
      this.#leastMs = (monotonicMs() - startedAt) * COLLECTION_SHARE
      this.#delayMs = Math.max(this.#leastMs, Math.min(this.#delayMs * 2, LONGEST_COLLECTION_MS))
      this.#schedule()
    })
  }
}

/** The garbage collector, which nothing else in this process gets to see. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void // the flag has made it
  setFlagsFromString('--no-expose-gc')
  return collect
}
