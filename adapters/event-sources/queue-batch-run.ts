import type { Clock, Timer } from '../../runtime/clock.ts'
import type { Log } from '../../runtime/log.ts'
import type { EventSourceRecord } from '../../runtime/registry/event-source-record.ts'
import { Backoff, pause } from './backoff.ts'
import { invokeBatch, type BatchAnswer, type InvocationParts } from './batch-invocation.ts'
import { verdictOf } from './item-failures.ts'
import type { QueueMessage } from './queue-record.ts'
import type { Queue } from './queue.ts'

/** What one batch of a queue is run with. */
export interface QueueBatchParts extends InvocationParts {
  readonly record: EventSourceRecord
  readonly queue: Pick<Queue, 'delete' | 'hide'>
  readonly clock: Clock
  readonly log: Log
  readonly messages: readonly QueueMessage[]
  /** Messages that no pattern wants: they are deleted. */
  readonly unwanted: readonly QueueMessage[]
  /** When its first message came, on the monotonic clock. */
  readonly receivedAtMs: number
  readonly visibilityMs: number
  /** Nothing new is begun: what was throttled so far goes back to the queue. */
  readonly stopping: AbortSignal
  /** Nobody waits for the batch any more. */
  readonly abandoned: AbortSignal
  readonly onThrottle: () => void
  readonly onResult: (result: string) => void
}

const FIRST_PAUSE_MS = 500
const LAST_PAUSE_MS = 10_000
const DELETE_TRIES = 4

/**
 * One batch of messages: runs the function, deletes what succeeded and leaves the rest to the queue, which
 * shows it again after its visibility timeout. A throttle is no attempt: the messages stay hidden meanwhile.
 */
export class QueueBatchRun {
  readonly #parts: QueueBatchParts
  #heartbeat: Timer | undefined

  constructor(parts: QueueBatchParts) {
    this.#parts = parts
  }

  /** Resolves when nothing more is to be done. Never rejects. */
  async finish(): Promise<void> {
    const { messages, unwanted, log, record } = this.#parts
    try {
      await this.#delete(unwanted)
      if (messages.length === 0) return
      this.#keepHidden()
      const answer = await this.#answer()
      this.#heartbeat?.cancel()
      await this.#settle(answer)
    } catch (error) {
      log.warn('batch of a queue not finished', { eventSourceId: record.id, error })
    } finally {
      this.#heartbeat?.cancel()
    }
  }

  /** The answer of a function that ran, after as many throttles as it takes; what refuses it for good. */
  async #answer(): Promise<BatchAnswer> {
    const { record, messages, clock, stopping, onThrottle, log } = this.#parts
    const backoff = new Backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS)
    const event = { Records: messages.map((message) => message.record) }
    for (;;) {
      const answer = await invokeBatch(this.#parts, record, event)
      if (answer.kind !== 'refused' || answer.reason === 'stopping' || answer.reason === 'missing')
        return answer
      if (answer.reason === 'throttled') onThrottle()
      log.debug('batch waits', { eventSourceId: record.id, reason: answer.message })
      if (!(await pause(clock, backoff.next(), stopping))) return answer
    }
  }

  async #settle(answer: BatchAnswer): Promise<void> {
    const { messages, queue, record, onResult, log } = this.#parts
    if (answer.kind === 'refused') {
      // It did not run: somebody else may have the messages at once.
      return await queue.hide(handlesOf(messages), 0)
    }
    if (answer.kind === 'function-error') {
      log.debug('batch failed', { eventSourceId: record.id, requestId: answer.requestId })
      return
    }
    const ids = new Set(messages.map(({ id }) => id))
    const verdict = record.settings.itemFailures ? verdictOf(answer.payload, ids) : ALL_SUCCEEDED
    if (verdict.kind === 'failed') return
    const failed = verdict.kind === 'partly-failed' ? verdict.ids : NONE
    await this.#delete(messages.filter(({ id }) => !failed.has(id)))
    onResult('OK')
  }

  /** What cannot be deleted comes back: delivery is at least once. */
  async #delete(messages: readonly QueueMessage[]): Promise<void> {
    const { queue, clock, log, record, abandoned } = this.#parts
    let left = handlesOf(messages)
    const backoff = new Backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS)
    for (let tries = 1; left.length > 0; tries++) {
      try {
        left = await queue.delete(left)
        if (left.length === 0) return
        if (tries >= DELETE_TRIES) throw new Error(`The queue did not delete ${left.length} messages.`)
      } catch (error) {
        if (tries >= DELETE_TRIES || abandoned.aborted) {
          return log.warn('messages not deleted', { eventSourceId: record.id, messages: left.length, error })
        }
      }
      await pause(clock, backoff.next(), abandoned)
    }
  }

  /** A batch that takes long is hidden again, each time when half of its time is over. */
  #keepHidden(): void {
    const { clock, queue, messages, receivedAtMs, visibilityMs, log } = this.#parts
    if (visibilityMs === 0) return
    const heldMs = clock.monotonicMs() - receivedAtMs
    const extend = (): void => {
      queue
        .hide(handlesOf(messages), visibilityMs)
        .catch((error: unknown) => log.debug('messages not hidden any longer', { error }))
      this.#heartbeat = clock.after(visibilityMs / 2, extend)
    }
    this.#heartbeat = clock.after(Math.max(0, visibilityMs / 2 - heldMs), extend)
  }
}

const ALL_SUCCEEDED = { kind: 'succeeded' } as const
const NONE: ReadonlySet<string> = new Set()

const handlesOf = (messages: readonly QueueMessage[]): string[] =>
  messages.map(({ receiptHandle }) => receiptHandle)
