import { AsyncLocalStorage } from 'node:async_hooks'
import type { Invocation } from './invocation.ts'

/**
 * Which invocation the running code belongs to. With one invocation at a time that is a plain variable;
 * asynchronous storage costs on every promise and is entered only where it decides something: at concurrency
 * above one, or when the package uses the SDK.
 */
export class CallScope {
  #storage: AsyncLocalStorage<Invocation> | undefined
  #running: Invocation | undefined
  #latest: Invocation | undefined
  readonly #concurrent: boolean

  constructor(concurrency: number) {
    this.#concurrent = concurrency > 1
    if (this.#concurrent) this.trackAsync()
  }

  /** From now on every invocation is entered with asynchronous storage. */
  trackAsync(): void {
    this.#storage ??= new AsyncLocalStorage()
  }

  run<T>(invocation: Invocation, body: () => T): T {
    this.#running = invocation
    this.#latest = invocation
    return this.#storage === undefined ? body() : this.#storage.run(invocation, body)
  }

  leave(invocation: Invocation): void {
    if (this.#running === invocation) this.#running = undefined
  }

  /** The invocation this code was called from; undefined outside of one. */
  current(): Invocation | undefined {
    const entered = this.#storage?.getStore()
    if (entered !== undefined || this.#concurrent) return entered
    return this.#running
  }

  /**
   * The invocation a log line belongs to. With one at a time it stays the latest one after it has ended, as
   * on AWS, until the next begins.
   */
  logged(): Invocation | undefined {
    if (this.#storage === undefined) return this.#latest
    return this.#storage.getStore() ?? (this.#concurrent ? undefined : this.#latest)
  }
}
