import type { Clock } from '../../runtime/clock.ts'
import { isEngineError } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { EventSourceRecord, WindowState } from '../../runtime/registry/event-source-record.ts'
import type { Targets } from '../aws/targets.ts'
import { Backoff, pause } from './backoff.ts'
import { invokeBatch, type BatchAnswer, type InvocationParts } from './batch-invocation.ts'
import { failureKey, failureRecord, type GivenUp } from './failure-record.ts'
import { verdictOf } from './item-failures.ts'
import { problemText } from './source-failure.ts'
import { afterFailure, expiresInMs, splitExpired, type PendingBatch } from './stream-retry.ts'
import type { StreamRecord, StreamSource } from './stream-source.ts'
import { afterAnswer, windowMembers } from './tumbling-window.ts'

/** What batches of one shard are run with. */
export interface StreamBatchParts extends InvocationParts {
  readonly record: EventSourceRecord
  readonly source: Pick<StreamSource, 'batchInfoName' | 'timestamp'>
  readonly shardId: string
  readonly targets: Targets
  readonly clock: Clock
  readonly log: Log
  /** Nothing new is begun. */
  readonly stopping: AbortSignal
  /** These are done: with it, what their window has gathered. Resolves when that is on disk. */
  readonly onDone: (records: readonly StreamRecord[], window: WindowState | null) => Promise<void>
  readonly onResult: (result: string) => void
}

type Ran = Exclude<BatchAnswer, { kind: 'refused' }>

const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 20_000
const FIRST_PAUSE_MS = 500
const LAST_PAUSE_MS = 30_000
const DELIVERY_TRIES = 5
const FUNCTION_FAILED = 'PROBLEM: Function call failed'

/**
 * One batch of a shard until all of its records are done: processed, or given up and told to the destination.
 * A throttle, and a function that is not there, are no attempts; the shard waits.
 */
export class StreamBatchRun {
  readonly #parts: StreamBatchParts
  readonly #end: 'open' | 'final' | 'early'
  #window: WindowState | null
  #tooLarge = false
  #last: Ran | undefined

  constructor(parts: StreamBatchParts, window: WindowState | null, end: 'open' | 'final' | 'early' = 'open') {
    this.#parts = parts
    this.#window = window
    this.#end = end
  }

  /** What its window has gathered with it. */
  get window(): WindowState | null {
    return this.#window
  }

  /** Its window has gathered more than it may. */
  get tooLarge(): boolean {
    return this.#tooLarge
  }

  /** Resolves with true when all is done, with false when the mapping stops before. */
  async finish(records: readonly StreamRecord[]): Promise<boolean> {
    const pending: PendingBatch<StreamRecord>[] = [{ records, failures: 0 }]
    const backoff = new Backoff(FIRST_RETRY_MS, LAST_RETRY_MS)
    for (let batch = pending.shift(); batch !== undefined; batch = pending.shift()) {
      if (this.#parts.stopping.aborted) return false
      const live = await this.#dropExpired(batch)
      if (live.records.length === 0 && batch.records.length > 0) continue
      const answer = await this.#invoke(live)
      if (answer === undefined) return false
      if (answer === 'expired') {
        pending.unshift(live)
        continue
      }
      const firstFailed = this.#firstFailed(answer, live.records)
      if (firstFailed === undefined) {
        await this.#succeeded(answer, live.records)
        backoff.reset()
        continue
      }
      this.#parts.onResult(FUNCTION_FAILED)
      if (firstFailed > 0) await this.#parts.onDone(live.records.slice(0, firstFailed), this.#window)
      const step = afterFailure(live, firstFailed, this.#parts.record.settings)
      if (step.kind === 'give-up') await this.#giveUp('RetryAttemptsExhausted', step.batch, answer)
      else if (step.kind === 'split') pending.unshift(...step.batches)
      else {
        pending.unshift(step.batch)
        if (!(await this.#wait(backoff.next(), step.batch.records))) return false
      }
    }
    return true
  }

  /** The answer of a function that ran; undefined when the mapping stops before. */
  async #invoke({ records }: PendingBatch<StreamRecord>): Promise<Ran | 'expired' | undefined> {
    const { record, onResult } = this.#parts
    const backoff = new Backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS)
    for (;;) {
      const answer = await invokeBatch(this.#parts, record, this.#eventOf(records))
      if (answer.kind !== 'refused') return (this.#last = answer)
      if (answer.reason === 'stopping') return undefined
      onResult(problemText(answer.message))
      if (!(await this.#wait(backoff.next(), records))) return undefined
      if (this.#expiresInMs(records) === 0) return 'expired'
    }
  }

  /** Waits, but not beyond the age that records may have; false when the mapping stops. */
  async #wait(delayMs: number, records: readonly StreamRecord[]): Promise<boolean> {
    const { clock, stopping } = this.#parts
    return await pause(clock, Math.min(delayMs, this.#expiresInMs(records) ?? delayMs), stopping)
  }

  #expiresInMs(records: readonly StreamRecord[]): number | undefined {
    const { clock, record } = this.#parts
    return expiresInMs(records, clock.nowMs(), record.settings.maxRecordAgeMs)
  }

  #eventOf(records: readonly StreamRecord[]): Record<string, unknown> {
    const { record, shardId } = this.#parts
    const Records = records.map((one) => one.record)
    if (this.#window === null) return { Records }
    const of = { shardId, sourceArn: record.sourceArn ?? '' }
    return { Records, ...windowMembers(this.#window, record.settings.tumblingWindowMs, this.#end, of) }
  }

  /** Where the function failed; undefined when it did not. */
  #firstFailed(answer: Ran, records: readonly StreamRecord[]): number | undefined {
    if (answer.kind === 'function-error') return 0
    if (!this.#parts.record.settings.itemFailures) return undefined
    const verdict = verdictOf(answer.payload, new Set(records.map(({ sequence }) => sequence)))
    if (verdict.kind === 'succeeded') return undefined
    if (verdict.kind === 'failed') return 0
    return records.findIndex(({ sequence }) => verdict.ids.has(sequence))
  }

  async #succeeded({ payload }: Ran, records: readonly StreamRecord[]): Promise<void> {
    if (this.#window !== null) {
      const { window, tooLarge } = afterAnswer(this.#window, payload)
      this.#window = this.#end === 'open' ? window : null
      this.#tooLarge = this.#end === 'open' && tooLarge
    }
    await this.#parts.onDone(records, this.#window)
    this.#parts.onResult('OK')
  }

  async #dropExpired(batch: PendingBatch<StreamRecord>): Promise<PendingBatch<StreamRecord>> {
    const { clock, record } = this.#parts
    const { expired, live } = splitExpired(batch.records, clock.nowMs(), record.settings.maxRecordAgeMs)
    // counted as the service does: the attempt that is not made any more, too
    if (expired.length > 0)
      await this.#giveUp('RecordAgeExceeded', { records: expired, failures: batch.failures + 1 }, undefined)
    return { records: live, failures: batch.failures }
  }

  /** Tells the destination, then goes on behind these records. */
  async #giveUp(
    condition: GivenUp['condition'],
    { records, failures }: PendingBatch<StreamRecord>,
    answer: Ran | undefined,
  ): Promise<void> {
    const { rng, clock, onDone, log, record, shardId } = this.#parts
    if (records.length > 0) {
      log.warn('records given up', { eventSourceId: record.id, shardId, records: records.length, condition })
      await this.#tell({
        condition,
        requestId: (answer ?? this.#last)?.requestId ?? rng.uuid(clock.nowMs()),
        invokeCount: failures,
        response: answer === undefined ? undefined : responseOf(answer),
        records,
      })
    }
    if (this.#end !== 'open') this.#window = null
    await onDone(records, this.#window)
  }

  /** What cannot be delivered is lost, and logged. */
  async #tell(givenUp: GivenUp): Promise<void> {
    const { record, source, shardId, targets, clock, rng, log, stopping } = this.#parts
    const destination = record.settings.onFailure
    if (destination === null) return
    const nowMs = clock.nowMs()
    const isBucket = destination.startsWith('arn:aws:s3:')
    const payload = isBucket ? JSON.stringify(this.#eventOf(givenUp.records)) : undefined
    const body = JSON.stringify(failureRecord(givenUp, { record, source, shardId, nowMs, payload }))
    const message = isBucket
      ? { body, objectKey: failureKey(record, shardId, nowMs, rng.uuid(nowMs)) }
      : { body }
    const backoff = new Backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS)
    for (let tries = 1; ; tries++) {
      try {
        return await targets.deliver(record.scope, destination, message)
      } catch (error) {
        const passing = isEngineError(error, 'unavailable') || isEngineError(error, 'throttled')
        if (!passing || tries >= DELIVERY_TRIES || !(await pause(clock, backoff.next(), stopping)))
          return log.error('records given up are lost', { eventSourceId: record.id, destination, error })
      }
    }
  }
}

const responseOf = ({ kind, executedVersion }: Ran): GivenUp['response'] => ({
  executedVersion,
  functionError: kind === 'function-error' ? 'Unhandled' : null,
})
