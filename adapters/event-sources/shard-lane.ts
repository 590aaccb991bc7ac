import type { WindowState } from '../../runtime/registry/event-source-record.ts'
import { BatchBuffer } from './batch-buffer.ts'
import { StreamBatchRun, type StreamBatchParts } from './stream-batch-run.ts'
import type { StreamRecord } from './stream-source.ts'
import { windowStart } from './tumbling-window.ts'

/** Records that were written shortly before a window's end are read shortly after it. */
const WINDOW_GRACE_MS = 2000

/** Batches of a shard that come one after another: all of them, or those of some keys. */
export class ShardLane {
  readonly #parts: StreamBatchParts
  readonly #buffer: BatchBuffer<StreamRecord>
  readonly #windowMs: number
  #window: WindowState | null
  #ended = false
  #wake: () => void = () => undefined

  constructor(parts: StreamBatchParts, window: WindowState | null) {
    const { settings } = parts.record
    this.#parts = parts
    this.#buffer = new BatchBuffer({ batchSize: settings.batchSize, windowMs: settings.batchWindowMs })
    this.#windowMs = settings.tumblingWindowMs
    this.#window = window
    parts.stopping.addEventListener('abort', () => this.#wake(), { once: true })
  }

  get size(): number {
    return this.#buffer.size
  }

  get bytes(): number {
    return this.#buffer.bytes
  }

  push(record: StreamRecord): void {
    this.#buffer.push(record, this.#parts.clock.monotonicMs())
    this.#wake()
  }

  /** Nothing more will come. */
  end(): void {
    this.#ended = true
    this.#wake()
  }

  /** Resolves when all is done after `end`, or the mapping stops. */
  async run(): Promise<void> {
    const { stopping, clock } = this.#parts
    while (!stopping.aborted) {
      const dueMs = this.#ended && this.size > 0 ? 0 : this.#buffer.dueInMs(clock.monotonicMs())
      const closesMs = this.#closesInMs()
      if (closesMs === 0) await this.#closeWindow('final')
      else if (dueMs === 0) await this.#processBatch()
      else if (this.#ended && this.size === 0 && this.#window === null) return
      else await this.#sleep(Math.min(dueMs ?? Infinity, closesMs ?? Infinity))
    }
  }

  /** 0 when the window that is open has all its records; undefined while none is open. */
  #closesInMs(): number | undefined {
    if (this.#window === null) return undefined
    const endMs = this.#window.startMs + this.#windowMs
    const next = this.#buffer.peek()
    if (next !== undefined) return next.arrivedAtMs >= endMs ? 0 : undefined
    return Math.max(0, endMs + WINDOW_GRACE_MS - this.#parts.clock.nowMs())
  }

  async #processBatch(): Promise<void> {
    const records = this.#buffer.take((first, next) => this.#isTogether(first, next))
    const [first] = records
    if (this.#windowMs > 0 && first !== undefined)
      this.#window ??= { startMs: windowStart(first.arrivedAtMs, this.#windowMs), state: {} }
    const run = new StreamBatchRun(this.#parts, this.#window)
    await run.finish(records)
    this.#window = run.window
    if (run.tooLarge) await this.#closeWindow('early')
  }

  #isTogether(first: StreamRecord, next: StreamRecord): boolean {
    if (this.#windowMs === 0) return true
    return windowStart(first.arrivedAtMs, this.#windowMs) === windowStart(next.arrivedAtMs, this.#windowMs)
  }

  /** The last invocation of a window has no records, and what it answers is not kept. */
  async #closeWindow(end: 'final' | 'early'): Promise<void> {
    const run = new StreamBatchRun(this.#parts, this.#window, end)
    if (await run.finish([])) this.#window = null
  }

  async #sleep(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = delayMs === Infinity ? undefined : this.#parts.clock.after(delayMs, resolve)
      this.#wake = () => {
        timer?.cancel()
        resolve()
      }
    })
    this.#wake = () => undefined
  }
}
