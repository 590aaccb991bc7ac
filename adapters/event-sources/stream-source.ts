import type { ShardPosition } from '../../runtime/registry/event-source-record.ts'
import type { Filterable } from './record-filter.ts'

/** A part of a stream, whose records come in order. */
export interface Shard {
  readonly id: string
  /** Shards it was made from by splitting or merging: their records come before its own. */
  readonly parents: readonly string[]
  /** It takes no more records. */
  readonly closed: boolean
}

/** One record of a stream. */
export interface StreamRecord {
  readonly sequence: string
  /** Records with the same key are never processed at once. */
  readonly key: string
  readonly arrivedAtMs: number
  readonly sizeBytes: number
  /** As functions see it. */
  readonly record: Readonly<Record<string, unknown>>
  readonly filterable: Filterable
}

/** What one read gives. */
export interface StreamPage {
  readonly records: readonly StreamRecord[]
  /** Where to go on; undefined at the end of a closed shard. */
  readonly next: string | undefined
}

/** A stream of shards, whichever service keeps it. */
export interface StreamSource {
  /** Under which the service's failure records tell about a batch. */
  readonly batchInfoName: string
  /** How those write the arrival of a record. */
  timestamp(atMs: number): string
  /** Records that one read gives at most. */
  readonly maxRead: number
  /** Shards that are still there, in no order. */
  shards(signal: AbortSignal): Promise<Shard[]>
  /** A place to read from. Rejects as the service does: see `isExpired` and `isTrimmed`. */
  iterator(shardId: string, position: ShardPosition, signal: AbortSignal): Promise<string>
  read(shardId: string, iterator: string, limit: number, signal: AbortSignal): Promise<StreamPage>
}

/** An iterator that was not used for too long: another one must be asked for. */
export const isExpired = (error: unknown): boolean =>
  error instanceof Error && error.name === 'ExpiredIteratorException'

/** Records behind this position are gone: reading goes on with the oldest that is there. */
export const isTrimmed = (error: unknown): boolean =>
  error instanceof Error && error.name === 'TrimmedDataAccessException'
