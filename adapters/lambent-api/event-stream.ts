import type { Context } from 'hono'
import { streamSSE, type SSEMessage } from 'hono/streaming'
import type { Clock } from '../../runtime/clock.ts'

/** Bound of what waits for one slow reader. Past it messages are dropped, and the reader is told how many. */
export const MAX_WAITING_BYTES = 1_000_000
const HEARTBEAT_MS = 15_000

/** Takes one message for the reader; never blocks. */
export type Push = (message: SSEMessage & { data: string }) => void

/** How long streams live and who else ends them. */
export interface EventStreamLife {
  readonly clock: Clock
  /** Aborts when the listener stops: a stream would otherwise hold it open for ever. */
  readonly stopping: AbortSignal
}

/**
 * Answers with server-sent events until the reader leaves or the listener stops. `open` starts the source
 * and returns what ends it; it may push before it returns. A comment every 15 s keeps proxies from closing
 * a quiet stream.
 */
export function sendEvents(
  context: Context,
  life: EventStreamLife,
  open: (push: Push) => Disposable | Promise<Disposable>,
): Response {
  context.header('x-accel-buffering', 'no')
  return streamSSE(context, async (stream) => {
    const outbox = new Outbox()
    const end = (): void => outbox.close()
    stream.onAbort(end)
    life.stopping.addEventListener('abort', end, { once: true })
    if (life.stopping.aborted) end()
    const heartbeat = life.clock.every(HEARTBEAT_MS, () => outbox.beat())
    // Headers leave with the first bytes: a reader knows at once that it is connected.
    outbox.beat()
    try {
      using _source = await open((message) => outbox.push(message))
      for await (const message of outbox) {
        if (message === 'beat') await stream.write(': \n\n')
        else await stream.writeSSE(message)
      }
    } finally {
      heartbeat.cancel()
      life.stopping.removeEventListener('abort', end)
    }
  })
}

/** What waits to be written to one reader. */
class Outbox {
  #waiting: (SSEMessage & { data: string })[] = []
  #waitingBytes = 0
  #dropped = 0
  #beats = 0
  #closed = false
  #wake: () => void = () => {}

  push(message: SSEMessage & { data: string }): void {
    if (this.#closed) return
    if (this.#waitingBytes + message.data.length > MAX_WAITING_BYTES) {
      this.#dropped += 1
      return
    }
    this.#waiting.push(message)
    this.#waitingBytes += message.data.length
    this.#wake()
  }

  beat(): void {
    this.#beats = 1
    this.#wake()
  }

  close(): void {
    this.#closed = true
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<(SSEMessage & { data: string }) | 'beat'> {
    while (!this.#closed) {
      if (this.#waiting.length > 0) {
        const batch = this.#waiting
        this.#waiting = []
        for (const message of batch) {
          this.#waitingBytes -= message.data.length
          yield message
          if (this.#closed) return
        }
      } else if (this.#dropped > 0) {
        yield this.#notice()
      } else if (this.#beats > 0) {
        this.#beats = 0
        yield 'beat'
      } else {
        await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    }
  }

  #notice(): SSEMessage & { data: string } {
    const dropped = this.#dropped
    this.#dropped = 0
    const message = `${dropped} events were dropped here: this reader is slower than they come.`
    return { event: 'dropped', data: JSON.stringify({ dropped, message }) }
  }
}
