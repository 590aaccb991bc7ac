import { setMaxListeners } from 'node:events'
import { crc32 } from 'node:zlib'
import type {
  ShardCheckpoint,
  ShardPosition,
  WindowState,
} from '../../runtime/registry/event-source-record.ts'
import { Backoff, pause } from './backoff.ts'
import { BATCH_BYTES } from './batch-buffer.ts'
import type { Filterable } from './record-filter.ts'
import { ShardLane } from './shard-lane.ts'
import { ShardProgress } from './shard-progress.ts'
import { problemOf } from './source-failure.ts'
import type { StreamBatchParts } from './stream-batch-run.ts'
import {
  isExpired,
  isTrimmed,
  type StreamPage,
  type StreamRecord,
  type StreamSource,
} from './stream-source.ts'

/** What one shard is read with. */
export interface ShardReaderParts extends Omit<StreamBatchParts, 'onDone' | 'source'> {
  readonly source: StreamSource
  readonly start: ShardCheckpoint
  /** Where reading begins this time; after a failure, and the next time, it is where `start` says. */
  readonly firstPosition: ShardPosition
  readonly isWanted: (record: Filterable) => boolean
  readonly save: (checkpoint: ShardCheckpoint) => Promise<void>
}

/** Between reads of a shard that has nothing new; the service's own pollers read as often. */
const IDLE_MS = 1000
/** Between reads of a shard that had something new just now. */
const BUSY_MS = 200
const BUSY_FOR_MS = 5000
const MIN_READ = 100
const FIRST_PAUSE_MS = 500
const LAST_PAUSE_MS = 30_000
/** Records that were skipped are noted this often: reading them again costs nothing but time. */
const SKIPPED_SAVE_MS = 10_000

/** Reads a shard into its lanes, no further ahead than they can hold, and notes how far they have come. */
export class ShardReader {
  /** Resolves when it is known where reading begins, or cannot be found out now. */
  readonly ready: Promise<void>
  readonly #parts: ShardReaderParts
  readonly #lanes: readonly ShardLane[]
  readonly #progress = new ShardProgress()
  /** A lane could not go on: its progress could not be written. */
  readonly #failed = new AbortController()
  readonly #stopping: AbortSignal
  readonly #backoff = new Backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS)
  #begun: () => void = () => undefined
  #freed: () => void = () => undefined
  #position: ShardPosition
  #window: WindowState | null
  #saved: string | undefined
  #savedAtMs: number

  constructor(parts: ShardReaderParts) {
    const { record, start, clock } = parts
    this.#parts = parts
    this.#position = parts.firstPosition
    this.#window = start.window
    this.#savedAtMs = clock.monotonicMs()
    this.ready = new Promise((resolve) => (this.#begun = resolve))
    const { tumblingWindowMs, parallelization } = record.settings
    // what a window gathers has one order
    const lanes = tumblingWindowMs > 0 ? 1 : parallelization
    this.#stopping = AbortSignal.any([parts.stopping, this.#failed.signal])
    setMaxListeners(0, this.#stopping)
    const laneParts: StreamBatchParts = {
      ...parts,
      stopping: this.#stopping,
      onDone: (...done) => this.#done(...done),
    }
    this.#lanes = Array.from({ length: lanes }, () => new ShardLane(laneParts, start.window))
  }

  /** Resolves with true when all of the shard is done, with false when the mapping stops before. */
  async run(): Promise<boolean> {
    const free = (): void => this.#freed()
    this.#stopping.addEventListener('abort', free, { once: true })
    const processed = Promise.all(this.#lanes.map((lane) => lane.run())).catch((error: unknown) =>
      this.#failed.abort(error),
    )
    const ended = await this.#read()
    this.#begun()
    if (ended) for (const lane of this.#lanes) lane.end()
    await processed
    if (this.#failed.signal.aborted) throw this.#failed.signal.reason
    const all = ended && this.#progress.open === 0
    if (all) await this.#save({ kind: 'end' })
    else if (this.#progress.passed !== this.#saved) await this.#save()
    return all
  }

  /** Resolves with true at the end of the shard. */
  async #read(): Promise<boolean> {
    const { clock, onResult, start } = this.#parts
    const stopping = this.#stopping
    let iterator: string | undefined
    let busyUntilMs = 0
    while (!stopping.aborted) {
      try {
        if (iterator === undefined) {
          iterator = await this.#iterator()
          if (this.#position.kind === 'start') this.#position = start.position
        }
        this.#begun()
        const { records, next } = await this.#page(iterator)
        this.#backoff.reset()
        await this.#take(records)
        if (next === undefined) return true
        iterator = next
        const nowMs = clock.monotonicMs()
        if (records.length > 0) busyUntilMs = nowMs + BUSY_FOR_MS
        if (records.length < this.#limit)
          await pause(clock, nowMs < busyUntilMs ? BUSY_MS : IDLE_MS, stopping)
        await this.#room()
      } catch (error) {
        if (stopping.aborted) return false
        this.#begun()
        iterator = undefined
        if (isExpired(error)) continue
        if (isTrimmed(error)) this.#position = { kind: 'start', from: { kind: 'oldest' }, sinceMs: 0 }
        onResult(problemOf(error))
        await pause(clock, this.#backoff.next(), stopping)
      }
    }
    return false
  }

  #iterator(): Promise<string> {
    const { source, shardId } = this.#parts
    return source.iterator(shardId, this.#position, this.#stopping)
  }

  #page(iterator: string): Promise<StreamPage> {
    const { source, shardId } = this.#parts
    return source.read(shardId, iterator, this.#limit, this.#stopping)
  }

  get #limit(): number {
    const { source, record } = this.#parts
    return Math.min(source.maxRead, Math.max(MIN_READ, record.settings.batchSize * this.#lanes.length))
  }

  async #take(records: readonly StreamRecord[]): Promise<void> {
    const { isWanted, clock } = this.#parts
    for (const record of records) {
      this.#progress.read(record.sequence)
      this.#position = { kind: 'after', sequence: record.sequence }
      if (isWanted(record.filterable)) this.#laneOf(record).push(record)
      else this.#progress.done(record.sequence)
    }
    const isDue = clock.monotonicMs() - this.#savedAtMs >= SKIPPED_SAVE_MS
    if (isDue && this.#progress.open === 0 && this.#progress.passed !== this.#saved) await this.#save()
  }

  #laneOf({ key }: StreamRecord): ShardLane {
    const lane = this.#lanes.length === 1 ? 0 : crc32(key) % this.#lanes.length
    return this.#lanes[lane] as ShardLane // there is one for every remainder
  }

  /** Resolves when the lanes can take another page. */
  async #room(): Promise<void> {
    while (!this.#stopping.aborted && this.#isFull())
      await new Promise<void>((resolve) => (this.#freed = resolve))
  }

  #isFull(): boolean {
    const bytes = this.#lanes.reduce((sum, lane) => sum + lane.bytes, 0)
    return this.#progress.open >= 2 * this.#limit || bytes >= 2 * BATCH_BYTES
  }

  async #done(records: readonly StreamRecord[], window: WindowState | null): Promise<void> {
    for (const { sequence } of records) this.#progress.done(sequence)
    const moved = this.#progress.passed !== this.#saved || window !== this.#window
    this.#window = window
    this.#freed()
    if (moved) await this.#save()
  }

  async #save(position?: ShardPosition): Promise<void> {
    const { save, shardId, clock, start } = this.#parts
    const { passed } = this.#progress
    this.#saved = passed
    this.#savedAtMs = clock.monotonicMs()
    const reached = passed === undefined ? start.position : { kind: 'after' as const, sequence: passed }
    await save({ shardId, position: position ?? reached, window: this.#window })
  }
}
