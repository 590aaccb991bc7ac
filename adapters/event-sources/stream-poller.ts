import { setMaxListeners } from 'node:events'
import type {
  EventSourceRecord,
  ShardCheckpoint,
  ShardPosition,
} from '../../runtime/registry/event-source-record.ts'
import type { EventSources } from '../../runtime/registry/event-sources.ts'
import { aborted, Backoff } from './backoff.ts'
import type { Poller } from './host.ts'
import { createRecordFilter } from './record-filter.ts'
import { ShardReader, type ShardReaderParts } from './shard-reader.ts'
import { problemOf, problemText } from './source-failure.ts'
import type { Shard, StreamSource } from './stream-source.ts'

/** What a stream's poller is built of. */
export interface StreamPollerParts extends Omit<
  ShardReaderParts,
  'shardId' | 'stopping' | 'start' | 'firstPosition' | 'isWanted' | 'save' | 'source'
> {
  readonly record: EventSourceRecord
  readonly source: StreamSource
  readonly eventSources: Pick<EventSources, 'checkpoints' | 'saveCheckpoints' | 'dropCheckpoints'>
}

/** Shards are looked for this often, and whenever one ends: that is when others begin. */
const LOOK_EVERY_MS = 60_000
const FIRST_PAUSE_MS = 500
const LAST_PAUSE_MS = 30_000
/** Shards of one stream that are read. */
const MAX_SHARDS = 1000

/** Reads every shard of a stream, each after the ones that it was made from. */
export class StreamPoller implements Poller {
  readonly ready: Promise<void>
  readonly #parts: StreamPollerParts
  readonly #stopping = new AbortController()
  readonly #checkpoints: Map<string, ShardCheckpoint>
  readonly #readers = new Map<string, Promise<void>>()
  readonly #backoff = new Backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS)
  readonly #loop: Promise<void>
  #begun: () => void = () => undefined
  #wake: () => void = () => undefined
  /** A shard has ended since shards were looked for. */
  #isDue = false
  #abandoned = false

  constructor(parts: StreamPollerParts) {
    const { eventSources, record } = parts
    this.#parts = parts
    setMaxListeners(0, this.#stopping.signal)
    this.#checkpoints = new Map(eventSources.checkpoints(record.id).map((one) => [one.shardId, one]))
    this.ready = new Promise((resolve) => (this.#begun = resolve))
    this.#loop = this.#follow()
  }

  async stop(abandon: AbortSignal): Promise<void> {
    this.#stopping.abort()
    this.#wake()
    const ended = (async () => {
      await this.#loop
      await Promise.all(this.#readers.values())
    })()
    await Promise.race([ended, aborted(abandon)])
    // what was let go of must not move the mapping's checkpoints any more
    this.#abandoned = abandon.aborted
  }

  async #follow(): Promise<void> {
    const { source, onResult } = this.#parts
    while (!this.#stopping.signal.aborted) {
      let waitMs = LOOK_EVERY_MS
      this.#isDue = false
      try {
        const shards = await source.shards(this.#stopping.signal)
        this.#backoff.reset()
        if (shards.length > MAX_SHARDS)
          onResult(problemText(`Only ${MAX_SHARDS} of ${shards.length} shards are read.`))
        await this.#readAll(shards.slice(0, MAX_SHARDS))
      } catch (error) {
        if (this.#stopping.signal.aborted) break
        onResult(problemOf(error))
        waitMs = this.#backoff.next()
      }
      this.#begun()
      await this.#sleep(waitMs)
    }
    this.#begun()
  }

  /** Starts what may be read now and is not; forgets what is no more. */
  async #readAll(shards: readonly Shard[]): Promise<void> {
    const isFirst = this.#checkpoints.size === 0
    const fromStart = await this.#addNew(shards, isFirst)
    const byId = new Map(shards.map((shard) => [shard.id, shard]))
    const begun: Promise<void>[] = []
    for (const shard of shards) {
      const checkpoint = this.#checkpoints.get(shard.id)
      if (checkpoint === undefined || checkpoint.position.kind === 'end' || this.#readers.has(shard.id))
        continue
      if (shard.parents.some((parent) => byId.has(parent) && !this.#isDone(parent))) continue
      begun.push(this.#read(checkpoint, fromStart.get(shard.id)))
    }
    await Promise.all(begun)
    const gone = [...this.#checkpoints.values()].filter(
      ({ shardId, position }) => position.kind === 'end' && !byId.has(shardId),
    )
    if (gone.length === 0) return
    await this.#parts.eventSources.dropCheckpoints(
      this.#parts.record.id,
      gone.map(({ shardId }) => shardId),
    )
    for (const { shardId } of gone) this.#checkpoints.delete(shardId)
  }

  /**
   * Notes where shards begin that were not there before. Reading the newest has no place to go back to, so
   * the time is noted; what it starts with is in the answer.
   */
  async #addNew(shards: readonly Shard[], isFirst: boolean): Promise<Map<string, ShardPosition>> {
    const { record, clock, eventSources } = this.#parts
    const from = (isFirst ? record.settings.startingPosition : null) ?? { kind: 'oldest' as const }
    const sinceMs = from.kind === 'latest' ? clock.nowMs() : 0
    const fromStart = new Map<string, ShardPosition>()
    const added: ShardCheckpoint[] = []
    for (const { id: shardId, closed } of shards) {
      if (this.#checkpoints.has(shardId)) continue
      const skipped = from.kind === 'latest' && closed
      const position = skipped ? { kind: 'end' as const } : { kind: 'start' as const, from, sinceMs }
      added.push({ shardId, position, window: null })
      if (!skipped) fromStart.set(shardId, { kind: 'start', from, sinceMs: 0 })
    }
    if (added.length > 0) await eventSources.saveCheckpoints(record.id, added)
    for (const checkpoint of added) this.#checkpoints.set(checkpoint.shardId, checkpoint)
    return fromStart
  }

  #isDone(shardId: string): boolean {
    return this.#checkpoints.get(shardId)?.position.kind === 'end'
  }

  /** Resolves when its reading has begun. */
  #read(start: ShardCheckpoint, firstPosition = start.position): Promise<void> {
    const { eventSources, record, log } = this.#parts
    const { shardId } = start
    const reader = new ShardReader({
      ...this.#parts,
      shardId,
      start,
      firstPosition,
      stopping: this.#stopping.signal,
      isWanted: createRecordFilter(record.settings.filters),
      save: async (checkpoint) => {
        if (this.#abandoned) return
        await eventSources.saveCheckpoints(record.id, [checkpoint])
        this.#checkpoints.set(shardId, checkpoint)
      },
    })
    const running = reader
      .run()
      .then(() => {
        this.#isDue = true
        this.#wake()
      })
      .catch((error: unknown) => {
        log.error('shard not read any more', { eventSourceId: record.id, shardId, error })
        this.#parts.onResult(problemOf(error))
      })
      .finally(() => this.#readers.delete(shardId))
    this.#readers.set(shardId, running)
    return reader.ready
  }

  async #sleep(delayMs: number): Promise<void> {
    if (this.#stopping.signal.aborted || this.#isDue) return
    await new Promise<void>((resolve) => {
      const timer = this.#parts.clock.after(delayMs, resolve)
      this.#wake = () => {
        timer.cancel()
        resolve()
      }
    })
    this.#wake = () => undefined
  }
}
