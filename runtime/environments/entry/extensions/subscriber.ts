import type { Clock, Timer } from '../../../clock.ts'
import type { Destination, Subscription } from './subscription.ts'
import { eventText, type TelemetryEvent } from './telemetry-event.ts'

/** Hands one batch over; resolves with whether its destination took it. Never rejects. */
export type SendBatch = (destination: Destination, body: string) => Promise<boolean>

/** What waits for a slow subscriber is at most this many times what it asked to have buffered. */
const MAX_BACKLOG = 2
/** A batch that was not taken is sent again after this, and then after twice as long, up to the longest. */
const FIRST_RETRY_MS = 100
const LONGEST_RETRY_MS = 5_000
const DROP_REASON = 'Consumer seems to have fallen behind as it has not acknowledged receipt of logs.'

/**
 * One subscription: gathers events into batches by count, size and age, sends one batch at a time, and drops
 * what comes in while too much waits. What was dropped is told in its place.
 */
export class Subscriber {
  readonly name: string
  readonly subscription: Subscription
  readonly #clock: Clock
  readonly #send: SendBatch
  #waiting: string[] = []
  #waitingBytes = 0
  #droppedRecords = 0
  #droppedBytes = 0
  #timer: Timer | undefined
  #sending = false
  /** A batch that was not taken and is sent again when the timer fires. */
  #unsent: readonly string[] | undefined
  #retryMs = FIRST_RETRY_MS
  /** Set once nothing more may be gathered: whatever there is goes out at once. */
  #draining: (() => void) | undefined
  #closed = false

  constructor(options: { name: string; subscription: Subscription; clock: Clock; send: SendBatch }) {
    this.name = options.name
    this.subscription = options.subscription
    this.#clock = options.clock
    this.#send = options.send
  }

  /** Takes an event in if it is of a kind that was asked for. */
  offer(event: TelemetryEvent): void {
    const { api, schemaVersion, categories } = this.subscription
    if (this.#closed || !categories.includes(event.category)) return
    const text = eventText(api, schemaVersion, event)
    if (text === undefined) return
    const bytes = Buffer.byteLength(text)
    if (this.#isFull(bytes)) {
      this.#droppedRecords += 1
      this.#droppedBytes += bytes
      return
    }
    this.#tellDrops(event.timeMs)
    this.#push(text, bytes)
    this.#schedule()
  }

  /** Sends whatever waits; resolves when it was taken, or when `close` is called. */
  drain(): Promise<void> {
    this.#tellDrops(this.#clock.nowMs())
    const done = new Promise<void>((resolve) => (this.#draining = resolve))
    if (this.#unsent === undefined) this.#flush()
    else this.#sendAgain()
    return done
  }

  /** Drops whatever waits and sends nothing any more. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#unsent = undefined
    this.#waiting = []
    this.#waitingBytes = 0
    this.#draining?.()
  }

  #isFull(bytes: number): boolean {
    const { maxItems, maxBytes } = this.subscription
    const most = { items: maxItems * MAX_BACKLOG, bytes: maxBytes * MAX_BACKLOG }
    return (
      this.#waiting.length > 0 &&
      (this.#waiting.length >= most.items || this.#waitingBytes + bytes > most.bytes)
    )
  }

  #tellDrops(timeMs: number): void {
    if (this.#droppedRecords === 0) return
    const record = {
      reason: DROP_REASON,
      droppedRecords: this.#droppedRecords,
      droppedBytes: this.#droppedBytes,
    }
    this.#droppedRecords = 0
    this.#droppedBytes = 0
    const { api, schemaVersion } = this.subscription
    const text = eventText(api, schemaVersion, {
      category: 'platform',
      timeMs,
      type: 'platform.logsDropped',
      record,
    })
    if (text !== undefined) this.#push(text, Buffer.byteLength(text))
  }

  #push(text: string, bytes: number): void {
    this.#waiting.push(text)
    this.#waitingBytes += bytes
  }

  #schedule(): void {
    const { maxItems, maxBytes, timeoutMs } = this.subscription
    if (this.#sending) return
    const due = this.#waiting.length >= maxItems || this.#waitingBytes >= maxBytes
    if (due || this.#draining !== undefined) return this.#flush()
    if (this.#waiting.length > 0) this.#timer ??= this.#clock.after(timeoutMs, () => this.#flush())
  }

  #flush(): void {
    if (this.#sending || this.#closed) return
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#waiting.length === 0) return this.#draining?.()
    this.#sending = true
    this.#deliver(this.#take())
  }

  /** As much from the front as one batch may hold; at least one. */
  #take(): string[] {
    const { maxItems, maxBytes } = this.subscription
    let count = 0
    let bytes = 0
    for (const text of this.#waiting) {
      const size = Buffer.byteLength(text)
      if (count === maxItems || (count > 0 && bytes + size > maxBytes)) break
      count += 1
      bytes += size
    }
    this.#waitingBytes -= bytes
    return this.#waiting.splice(0, count)
  }

  #deliver(batch: readonly string[]): void {
    const { destination } = this.subscription
    const body = destination.protocol === 'TCP' ? `${batch.join('\n')}\n` : `[${batch.join(',')}]`
    void this.#send(destination, body).then((taken) => {
      if (this.#closed) return
      if (taken) {
        this.#sending = false
        this.#retryMs = FIRST_RETRY_MS
        return this.#schedule()
      }
      this.#unsent = batch
      this.#timer = this.#clock.after(this.#retryMs, () => this.#sendAgain())
      this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS)
    })
  }

  #sendAgain(): void {
    const batch = this.#unsent
    this.#timer?.cancel()
    this.#timer = undefined
    this.#unsent = undefined
    if (batch !== undefined) this.#deliver(batch)
  }
}
