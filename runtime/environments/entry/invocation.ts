import type { InvokeMeta } from '../frames.ts'
import { after, MAX_TIMER_MS, nowMs } from './clock.ts'
import type { ResponseStream } from './stream.ts'

/** One invocation from its frame to its answer. */
export class Invocation {
  readonly id: number
  readonly meta: InvokeMeta
  readonly payload: Buffer
  state: 'queued' | 'running' | 'answered' = 'queued'
  startedAtMs = 0
  /** Called when the event loop is empty and there is still no answer; undefined lets the process end. */
  onEmptyLoop: (() => void) | undefined
  /** The response stream of a streaming handler. */
  stream: ResponseStream | undefined
  /** It waits for what only the engine can bring: the connection keeps the process alive. */
  waitsForEngine = false
  /** What the handler was given as context. */
  context: object | undefined
  /** The call of an actor that this is, when it is one. */
  part: object | undefined
  /** Values that user code put into `awslambda.InvokeStore`. */
  stored: Map<PropertyKey, unknown> | undefined
  #controller: AbortController | undefined
  #abortReason: Error | undefined
  #cancelDeadline: (() => void) | undefined

  constructor(id: number, meta: InvokeMeta, payload: Buffer) {
    this.id = id
    this.meta = meta
    this.payload = payload
  }

  /**
   * Milliseconds until the deadline. Without a time limit, and for any later deadline, it is 2147483647: the
   * longest delay that `setTimeout` takes, because handlers pass this on to timers.
   */
  remainingMs(): number {
    const { deadlineMs } = this.meta
    return deadlineMs === 0 ? MAX_TIMER_MS : Math.min(deadlineMs - nowMs(), MAX_TIMER_MS)
  }

  /** Aborts when the engine says so or at the deadline. Made on first use. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason)
      else if (this.meta.deadlineMs !== 0 && this.state === 'running')
        this.#cancelDeadline = after(this.remainingMs(), () =>
          this.abort(new DOMException('The invocation reached its time limit.', 'TimeoutError')),
        )
    }
    return this.#controller.signal
  }

  abort(reason: Error): void {
    if (this.state === 'answered') return
    this.#abortReason ??= reason
    this.#controller?.abort(this.#abortReason)
    this.stream?.discard()
  }

  markAnswered(): void {
    this.state = 'answered'
    this.onEmptyLoop = undefined
    this.#cancelDeadline?.()
  }
}
