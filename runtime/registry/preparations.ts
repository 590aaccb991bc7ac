import { messageOf } from '../errors.ts'
import type { FunctionVersion } from './types.ts'

/** Preparations that run at once; more wait, no more than there are unsettled versions. */
const WORKERS = 4

/**
 * Makes a version ready to run: its Node.js is there, its code cache is made. Rejects with why it cannot run.
 */
export type Prepare = (version: FunctionVersion, signal: AbortSignal) => Promise<void>

interface Job {
  readonly version: FunctionVersion
  /** Called once with why preparation failed, or undefined; not called after `close`. */
  done(failure: string | undefined): Promise<void>
}

/** Prepares versions in the background, a few at a time, in the order they were handed in. */
export class Preparations {
  readonly #prepare: Prepare
  readonly #waiting: Job[] = []
  readonly #running = new Set<Promise<void>>()
  readonly #closing = new AbortController()

  constructor(prepare: Prepare) {
    this.#prepare = prepare
  }

  start(job: Job): void {
    if (this.#closing.signal.aborted) return
    this.#waiting.push(job)
    this.#next()
  }

  /**
   * Aborts what runs, forgets what waits (it is found again at the next start) and resolves when nothing
   * runs.
   */
  async close(): Promise<void> {
    this.#closing.abort(new Error('The engine is stopping.'))
    this.#waiting.length = 0
    await Promise.all(this.#running)
  }

  #next(): void {
    while (this.#running.size < WORKERS) {
      const job = this.#waiting.shift()
      if (job === undefined) return
      const run = this.#run(job).finally(() => {
        this.#running.delete(run)
        this.#next()
      })
      this.#running.add(run)
    }
  }

  async #run(job: Job): Promise<void> {
    const { signal } = this.#closing
    let failure: string | undefined
    try {
      await this.#prepare(job.version, signal)
    } catch (error) {
      failure = messageOf(error)
    }
    if (!signal.aborted) await job.done(failure)
  }
}
