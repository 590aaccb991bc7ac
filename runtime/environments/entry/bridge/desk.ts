import { decodeInvokeMeta, FRAME, frame } from '../../frames.ts'
import type { Connection } from '../connection.ts'
import { HeldInvocation } from './held-invocation.ts'

/** Invocations that may wait for the runtime; the engine sends a few ahead. */
const MAX_QUEUED = 1024

/** Invocations between the engine and a runtime: those that wait, in order, and those it works on. */
export class Desk {
  readonly concurrency: number
  /** By the engine's number. */
  readonly running = new Map<number, HeldInvocation>()
  readonly #connection: Connection
  readonly #onWork: () => void
  readonly #queue: HeldInvocation[] = []
  #open = false
  #onIdle: (() => void) | undefined

  /** `onWork` is called when there may be something to hand out. */
  constructor(options: { connection: Connection; concurrency: number; onWork: () => void }) {
    this.#connection = options.connection
    this.concurrency = options.concurrency
    this.#onWork = options.onWork
  }

  /** Hands out nothing before. */
  open(): void {
    this.#open = true
    this.#onWork()
  }

  /** Hands out nothing until it is opened again. */
  pause(): void {
    this.#open = false
  }

  /** Takes an `invoke` frame. */
  accept(id: number, metaBytes: number, body: Buffer): void {
    if (this.#queue.length >= MAX_QUEUED)
      throw new RangeError(`More than ${MAX_QUEUED} invocations wait in one environment.`)
    const meta = decodeInvokeMeta(body.toString('utf8', 0, metaBytes))
    this.#queue.push(new HeldInvocation(id, meta, body.subarray(metaBytes)))
    this.#onWork()
  }

  /** Gives an invocation back that was not handed out. */
  recall(id: number): void {
    const index = this.#queue.findIndex((invocation) => invocation.id === id)
    if (index < 0) return
    this.#queue.splice(index, 1)
    this.#connection.send(frame(FRAME.recalled, '', id))
  }

  /** The next one, as running; undefined while there is none or the runtime has enough. */
  take(): HeldInvocation | undefined {
    if (!this.#open || this.running.size >= this.concurrency) return undefined
    const invocation = this.#queue.shift()
    if (invocation !== undefined) this.running.set(invocation.id, invocation)
    return invocation
  }

  /** It was answered. */
  finish(invocation: HeldInvocation): void {
    this.running.delete(invocation.id)
    this.#onWork()
    if (this.running.size > 0 || this.#queue.length > 0) return
    const callback = this.#onIdle
    this.#onIdle = undefined
    callback?.()
  }

  whenIdle(callback: () => void): void {
    if (this.running.size === 0 && this.#queue.length === 0) callback()
    else this.#onIdle = callback
  }
}
