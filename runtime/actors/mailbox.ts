import type { ActorCall } from './actor-call.ts'

/** Taken calls are cut off the front once there are so many. */
const TRIM_AT = 1024

/** Calls that wait for one actor, in order. Its bound is kept by whoever puts them in. */
export class Mailbox {
  #calls: ActorCall[] = []
  #taken = 0

  get size(): number {
    return this.#calls.length - this.#taken
  }

  push(call: ActorCall): void {
    this.#calls.push(call)
  }

  shift(): ActorCall | undefined {
    const call = this.#calls[this.#taken]
    if (call === undefined) return undefined
    this.#taken += 1
    if (this.#taken === this.#calls.length) {
      this.#calls = []
      this.#taken = 0
    } else if (this.#taken === TRIM_AT) {
      this.#calls = this.#calls.slice(TRIM_AT)
      this.#taken = 0
    }
    return call
  }

  /** What was taken out too early comes first again, in its order. */
  putBack(calls: readonly ActorCall[]): void {
    if (calls.length === 0) return
    this.#calls = [...calls, ...this.#calls.slice(this.#taken)]
    this.#taken = 0
  }

  /** Takes out those that `matches`, in order. */
  take(matches: (call: ActorCall) => boolean): ActorCall[] {
    const taken: ActorCall[] = []
    const kept: ActorCall[] = []
    for (const call of this.#calls.slice(this.#taken)) (matches(call) ? taken : kept).push(call)
    if (taken.length === 0) return taken
    this.#calls = kept
    this.#taken = 0
    return taken
  }

  [Symbol.iterator](): Iterator<ActorCall> {
    return this.#calls.slice(this.#taken)[Symbol.iterator]()
  }
}
