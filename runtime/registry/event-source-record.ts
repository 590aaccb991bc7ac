import type { Scope } from '../store/journal.ts'

/** What a mapping reads from. */
export type SourceKind = 'queue' | 'shards' | 'table-stream' | 'log' | 'broker' | 'document-stream'

/** Where reading a stream begins. */
export type StartingPosition =
  { readonly kind: 'oldest' } | { readonly kind: 'latest' } | { readonly kind: 'time'; readonly atMs: number }

/** How records are read, gathered into batches, and what happens to batches that fail. */
export interface EventSourceSettings {
  readonly batchSize: number
  readonly batchWindowMs: number
  /** Texts of patterns, one of which a record must match; null: all records pass. */
  readonly filters: readonly string[] | null
  /** The function says which records of a batch failed. */
  readonly itemFailures: boolean
  /** Batches of a queue at once; null: not limited by the mapping. */
  readonly maxConcurrency: number | null
  /** Null for queues. */
  readonly startingPosition: StartingPosition | null
  /** Batches of one shard at once. */
  readonly parallelization: number
  /** A batch that fails is tried in two halves. */
  readonly bisect: boolean
  /** Null: no limit. */
  readonly maxRecordAgeMs: number | null
  /** Null: no limit. */
  readonly maxRetries: number | null
  /** 0: none. */
  readonly tumblingWindowMs: number
  /** ARN, or a Kafka topic's URL; null: records that are given up are lost. */
  readonly onFailure: string | null
  /** Stored as it was sent, and shown again: members that mean nothing here, by their wire name. */
  readonly kept: Readonly<Record<string, unknown>>
}

/** A mapping's state: it is in one of the first two, or on its way. */
export type SourceState =
  'enabled' | 'disabled' | 'creating' | 'enabling' | 'disabling' | 'updating' | 'deleting'

/** One event source mapping. A change makes a new object. */
export interface EventSourceRecord {
  readonly id: string
  readonly scope: Scope
  readonly functionName: string
  /** As the caller gave it; undefined: `$LATEST`, and its ARN carries no qualifier. */
  readonly qualifier: string | undefined
  readonly kind: SourceKind
  /** Null where the source has none. */
  readonly sourceArn: string | null
  /** What its owner wants. */
  readonly enabled: boolean
  readonly state: SourceState
  readonly settings: EventSourceSettings
  readonly tags: Readonly<Record<string, string>>
  readonly createdAtMs: number
  readonly modifiedAtMs: number
  /** How the last batch or the last attempt to read ended; null before the first. */
  readonly lastResult: string | null
}

/** Where a mapping goes on in a shard. */
export type ShardPosition =
  | { readonly kind: 'start'; readonly from: StartingPosition; readonly sinceMs: number }
  | { readonly kind: 'after'; readonly sequence: string }
  | { readonly kind: 'end' }

/** What a tumbling window has gathered so far. */
export interface WindowState {
  readonly startMs: number
  readonly state: unknown
}

/** How far a mapping has come in one shard. */
export interface ShardCheckpoint {
  readonly shardId: string
  readonly position: ShardPosition
  readonly window: WindowState | null
}

/** Whether it is on its way, so that nothing may be changed now. */
export const isTransitional = (state: SourceState): boolean => state !== 'enabled' && state !== 'disabled'
