import { setMaxListeners } from 'node:events'
import type { Clock } from '../../runtime/clock.ts'
import type { Log } from '../../runtime/log.ts'
import type { EventSourceRecord } from '../../runtime/registry/event-source-record.ts'
import { Backoff, pause } from './backoff.ts'
import { BATCH_BYTES } from './batch-buffer.ts'
import { refusalNow, type InvocationParts } from './batch-invocation.ts'
import type { Poller } from './host.ts'
import { QueueBatchRun } from './queue-batch-run.ts'
import { filterableMessage, queueMessage, type QueueMessage } from './queue-record.ts'
import { CALL_MESSAGES, type Queue } from './queue.ts'
import { createRecordFilter, type Filterable } from './record-filter.ts'
import type { SourceArn } from './source-arn.ts'
import { problemOf } from './source-failure.ts'

/** What a queue's poller is built of. */
export interface QueuePollerParts extends InvocationParts {
  readonly record: EventSourceRecord
  readonly source: SourceArn
  readonly queue: Queue
  readonly clock: Clock
  readonly log: Log
  /** How long one call waits for messages. */
  readonly waitSeconds: number
  /** Whether the function's own limit leaves room for one more invocation. */
  readonly hasRoom: () => boolean
  readonly onResult: (result: string) => void
}

/** Batches at once: to begin with; one more for each that finds work waiting, half after a throttle. */
const FIRST_CONCURRENCY = 5
const MOST_CONCURRENCY = 32
/** A call that waits no longer than this is waited for at a stop. */
const SHORT_WAIT_SECONDS = 2
const FIRST_PAUSE_MS = 500
const LAST_PAUSE_MS = 30_000
const VISIBILITY_AGE_MS = 60_000

/**
 * Receives messages while a batch can run, gathers them into batches, and runs each. What is not wanted is
 * deleted; what fails is left to the queue. Only as much is in memory as batches run, and one that gathers.
 */
export class QueuePoller implements Poller {
  readonly ready: Promise<void>
  readonly #parts: QueuePollerParts
  readonly #filter: (record: Filterable) => boolean
  readonly #reading = new AbortController()
  /** Breaks off calls, too. */
  readonly #receiving = new AbortController()
  readonly #abandoned = new AbortController()
  readonly #running = new Set<Promise<void>>()
  readonly #backoff = new Backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS)
  readonly #loop: Promise<void>
  #begun: () => void = () => undefined
  /** Called when a batch has ended, and at a stop. */
  #freed: () => void = () => undefined
  #concurrency: number
  /** The function could not be invoked when that was looked at last. */
  #isRefused = false
  #visibility = { ms: 30_000, readAtMs: -Infinity }

  constructor(parts: QueuePollerParts) {
    this.#parts = parts
    setMaxListeners(0, this.#reading.signal, this.#receiving.signal, this.#abandoned.signal)
    this.#filter = createRecordFilter(parts.record.settings.filters)
    this.#concurrency = Math.min(FIRST_CONCURRENCY, this.#mostConcurrent)
    this.ready = new Promise((resolve) => (this.#begun = resolve))
    this.#loop = this.#poll()
  }

  async stop(abandon: AbortSignal): Promise<void> {
    this.#reading.abort()
    this.#freed()
    // A queue may hand out messages to a call that was broken off, and hide them for nobody.
    if (this.#parts.waitSeconds > SHORT_WAIT_SECONDS) this.#receiving.abort()
    const letGo = (): void => this.#abandoned.abort()
    if (abandon.aborted) letGo()
    abandon.addEventListener('abort', letGo, { once: true, signal: this.#abandoned.signal })
    await this.#loop
    await Promise.all(this.#running)
  }

  get #mostConcurrent(): number {
    return this.#parts.record.settings.maxConcurrency ?? MOST_CONCURRENCY
  }

  async #poll(): Promise<void> {
    const { signal } = this.#reading
    while (!signal.aborted) {
      try {
        if (await this.#mayReceive()) await this.#receiveBatch()
        this.#begun()
      } catch (error) {
        if (signal.aborted) return
        this.#begun()
        this.#parts.queue.forget()
        this.#parts.onResult(problemOf(error))
        this.#visibility.readAtMs = -Infinity
        await pause(this.#parts.clock, this.#backoff.next(), signal)
      }
    }
    this.#begun()
  }

  /** Receiving counts against a message, so it waits until the function could run. */
  async #mayReceive(): Promise<boolean> {
    const { clock, hasRoom, log, record } = this.#parts
    const { signal } = this.#reading
    if (this.#running.size >= this.#concurrency) {
      await new Promise<void>((resolve) => (this.#freed = resolve))
      return false
    }
    const refusal = refusalNow(this.#parts, record)
    if (refusal !== undefined) {
      // Queues show nothing of their functions; whoever wonders finds it in the log.
      if (!this.#isRefused)
        log.warn('event source waits for its function', { eventSourceId: record.id, reason: refusal.message })
      this.#isRefused = true
      this.#begun()
      await pause(clock, this.#backoff.next(), signal)
      return false
    }
    this.#isRefused = false
    if (hasRoom()) return true
    await pause(clock, FIRST_PAUSE_MS, signal)
    return false
  }

  async #receiveBatch(): Promise<void> {
    await this.#learnVisibility()
    this.#begun()
    const gathered = await this.#gather()
    this.#backoff.reset()
    if (this.#reading.signal.aborted) return await this.#giveBack(gathered)
    const [first = [], ...more] = batchesOf(gathered.wanted)
    if (first.length > 0 || gathered.unwanted.length > 0) this.#run(first, gathered)
    for (const messages of more) this.#run(messages, { ...gathered, unwanted: [] })
  }

  async #giveBack({ wanted, unwanted }: Gathered): Promise<void> {
    await this.#parts.queue.hide(
      [...wanted, ...unwanted].map(({ receiptHandle }) => receiptHandle),
      0,
    )
  }

  #run(messages: readonly QueueMessage[], { unwanted, receivedAtMs, full }: Gathered): void {
    const run = new QueueBatchRun({
      ...this.#parts,
      messages,
      unwanted,
      receivedAtMs,
      visibilityMs: this.#visibility.ms,
      stopping: this.#reading.signal,
      abandoned: this.#abandoned.signal,
      onThrottle: () => (this.#concurrency = Math.max(1, Math.floor(this.#concurrency / 2))),
    })
    const running = run.finish().finally(() => {
      this.#running.delete(running)
      if (full) this.#concurrency = Math.min(this.#concurrency + 1, this.#mostConcurrent)
      this.#freed()
    })
    this.#running.add(running)
  }

  /** One batch: what is there, or what comes within the window. */
  async #gather(): Promise<Gathered> {
    const { clock, record, source, waitSeconds } = this.#parts
    const { batchSize, batchWindowMs } = record.settings
    const { signal } = this.#reading
    const wanted: QueueMessage[] = []
    const unwanted: QueueMessage[] = []
    let bytes = 0
    let receivedAtMs = clock.monotonicMs()
    let deadlineMs: number | undefined
    for (;;) {
      const leftMs = deadlineMs === undefined ? undefined : deadlineMs - clock.monotonicMs()
      const seconds = leftMs === undefined ? waitSeconds : Math.floor(leftMs / 1000)
      const messages = await this.#receiveSome(batchSize - wanted.length, seconds, wanted.length > 0)
      for (const message of messages) {
        const received = queueMessage(message, source, batchWindowMs > 0)
        if (this.#filter(filterableMessage(received))) wanted.push(received)
        else unwanted.push(received)
        bytes += received.sizeBytes
      }
      // A message must not come back while others are waited for.
      if (messages.length > 0 && deadlineMs === undefined) {
        receivedAtMs = clock.monotonicMs()
        deadlineMs = receivedAtMs + Math.min(batchWindowMs, this.#visibility.ms / 2)
      }
      const full = wanted.length >= batchSize || bytes >= BATCH_BYTES / 2
      const restMs = deadlineMs === undefined ? 0 : deadlineMs - clock.monotonicMs()
      if (full || deadlineMs === undefined || restMs <= 0 || signal.aborted)
        return { wanted, unwanted, receivedAtMs, full: full || messages.length === CALL_MESSAGES }
      // Queues wait whole seconds only.
      if (messages.length === 0 && restMs < 1000) await pause(clock, restMs, signal)
      else if (messages.length === 0) await pause(clock, EMPTY_PAUSE_MS, signal)
    }
  }

  /** A batch that is gathering is not lost because the next call fails. */
  async #receiveSome(
    count: number,
    seconds: number,
    gathering: boolean,
  ): Promise<Awaited<ReturnType<Queue['receive']>>> {
    try {
      return await this.#parts.queue.receive(count, Math.max(0, seconds), this.#receiving.signal)
    } catch (error) {
      if (!gathering) throw error
      this.#parts.log.debug('receiving failed while a batch gathers', { error })
      return []
    }
  }

  /** How long messages stay hidden may change; it is asked for now and then. */
  async #learnVisibility(): Promise<void> {
    const nowMs = this.#parts.clock.monotonicMs()
    if (nowMs - this.#visibility.readAtMs < VISIBILITY_AGE_MS) return
    this.#visibility = { ms: await this.#parts.queue.visibilityMs(this.#reading.signal), readAtMs: nowMs }
    this.#parts.onResult('OK')
  }
}

/** What came of the calls for one batch. */
interface Gathered {
  readonly wanted: readonly QueueMessage[]
  readonly unwanted: readonly QueueMessage[]
  /** When its first message came, on the monotonic clock. */
  readonly receivedAtMs: number
  /** There is more where it came from. */
  readonly full: boolean
}

/** Between calls that a queue answers at once although they may wait. */
const EMPTY_PAUSE_MS = 100

/** Parts of what was gathered that one invocation can carry: large messages come ten at a time. */
function batchesOf(messages: readonly QueueMessage[]): QueueMessage[][] {
  const batches: QueueMessage[][] = []
  let bytes = Infinity
  for (const message of messages) {
    bytes += message.sizeBytes
    if (bytes > BATCH_BYTES) {
      batches.push([])
      bytes = message.sizeBytes
    }
    batches.at(-1)?.push(message)
  }
  return batches
}
