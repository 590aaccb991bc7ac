import type { Database } from 'better-sqlite3'
import { statementsOf } from './reading.ts'
import type { Change } from './store.ts'

/** Tables of event source mappings, and of how far each has come in the shards of its stream. */
export const eventSourcesSchema = `
CREATE TABLE event_sources (
  id TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  function_name TEXT NOT NULL,
  qualifier TEXT,
  kind TEXT NOT NULL,
  source_arn TEXT,
  enabled INTEGER NOT NULL,
  state TEXT NOT NULL,
  settings_json TEXT NOT NULL,
  tags_json TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  modified_at_ms INTEGER NOT NULL,
  last_result TEXT
) STRICT;
CREATE TABLE event_source_checkpoints (
  source_id TEXT NOT NULL,
  shard_id TEXT NOT NULL,
  position_json TEXT NOT NULL,
  window_json TEXT,
  PRIMARY KEY (source_id, shard_id)
) STRICT, WITHOUT ROWID;
`

/** Named writes of this family: name -> SQL. */
export const eventSourceStatements = {
  putEventSource: `INSERT INTO event_sources (id, account, region, function_name, qualifier, kind, source_arn,
      enabled, state, settings_json, tags_json, created_at_ms, modified_at_ms, last_result)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET function_name = excluded.function_name, qualifier = excluded.qualifier,
      enabled = excluded.enabled, state = excluded.state, settings_json = excluded.settings_json,
      tags_json = excluded.tags_json, modified_at_ms = excluded.modified_at_ms,
      last_result = excluded.last_result`,
  setEventSourceResult: 'UPDATE event_sources SET last_result = ? WHERE id = ?',
  deleteEventSource: 'DELETE FROM event_sources WHERE id = ?',
  // a mapping that was deleted meanwhile leaves nothing behind
  putEventSourceCheckpoint: `INSERT INTO event_source_checkpoints (source_id, shard_id, position_json, window_json)
    SELECT id, ?, ?, ? FROM event_sources WHERE id = ?
    ON CONFLICT (source_id, shard_id) DO UPDATE SET position_json = excluded.position_json,
      window_json = excluded.window_json`,
  deleteEventSourceCheckpoint: 'DELETE FROM event_source_checkpoints WHERE source_id = ? AND shard_id = ?',
  deleteEventSourceCheckpoints: 'DELETE FROM event_source_checkpoints WHERE source_id = ?',
} as const satisfies Record<string, string>

/** A row of `event_sources`. */
export interface EventSourceRow {
  readonly id: string
  readonly account: string
  readonly region: string
  readonly function_name: string
  readonly qualifier: string | null
  readonly kind: string
  readonly source_arn: string | null
  readonly enabled: number
  readonly state: string
  readonly settings_json: string
  readonly tags_json: string
  readonly created_at_ms: number
  readonly modified_at_ms: number
  readonly last_result: string | null
}

/** A row of `event_source_checkpoints`. */
export interface CheckpointRow {
  readonly shard_id: string
  readonly position_json: string
  readonly window_json: string | null
}

/** The write that makes a mapping or replaces what may change of it. */
export const putEventSource = (row: EventSourceRow): Change => [
  'putEventSource',
  row.id,
  row.account,
  row.region,
  row.function_name,
  row.qualifier,
  row.kind,
  row.source_arn,
  row.enabled,
  row.state,
  row.settings_json,
  row.tags_json,
  row.created_at_ms,
  row.modified_at_ms,
  row.last_result,
]

/** The write that notes how reading it, or running its function, went last. */
export const setEventSourceResult = (id: string, result: string): Change => [
  'setEventSourceResult',
  result,
  id,
]

/** The writes that remove a mapping and all that it remembers. */
export const deleteEventSource = (id: string): Change[] => [
  ['deleteEventSource', id],
  ['deleteEventSourceCheckpoints', id],
]

/** The write that says how far a mapping has come in a shard. */
export const putCheckpoint = (sourceId: string, row: CheckpointRow): Change => [
  'putEventSourceCheckpoint',
  row.shard_id,
  row.position_json,
  row.window_json,
  sourceId,
]

/** The write that forgets a shard. */
export const deleteCheckpoint = (sourceId: string, shardId: string): Change => [
  'deleteEventSourceCheckpoint',
  sourceId,
  shardId,
]

/** All mappings; done once, when the engine starts. */
export const readEventSources = (reader: Database): EventSourceRow[] =>
  // the cast: the table above is STRICT and typed beside it
  statementsOf(reader).all('SELECT * FROM event_sources', []) as EventSourceRow[]

/** How far a mapping has come: one row per shard that it has seen. */
export const readCheckpoints = (reader: Database, sourceId: string): CheckpointRow[] =>
  // the cast: as above
  statementsOf(reader).all(
    'SELECT shard_id, position_json, window_json FROM event_source_checkpoints WHERE source_id = ?',
    [sourceId],
  ) as CheckpointRow[]
