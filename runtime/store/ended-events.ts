import type { Database } from 'better-sqlite3'
import { checksumOf, type EventPayload } from './events.ts'
import type { Scope } from './journal.ts'
import { statementsOf } from './reading.ts'
import type { Change } from './store.ts'

/**
 * Events whose outcome is on record and that are kept beyond it: failed ones, so that they can be replayed,
 * and those whose outcome is still owed to somebody. Every other event is gone with its run record.
 */
export const endedEventsSchema = `
CREATE TABLE ended_events (
  sequence INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  function_name TEXT NOT NULL,
  qualifier TEXT NOT NULL,
  client_context TEXT NOT NULL,
  tenant_id TEXT NOT NULL,
  reason TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  ended_at_ms INTEGER NOT NULL,
  is_kept INTEGER NOT NULL,
  owed INTEGER NOT NULL,
  executed_version TEXT,
  is_error INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  response BLOB,
  payload BLOB NOT NULL
) STRICT;
CREATE INDEX ended_events_settled ON ended_events (sequence, ended_at_ms) WHERE owed = 0;

CREATE TABLE ended_event_totals (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  size_bytes INTEGER NOT NULL
) STRICT;
INSERT INTO ended_event_totals (id, size_bytes) VALUES (1, 0);

CREATE TABLE deliveries (
  event_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  target TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  settled_at_ms INTEGER,
  last_error TEXT,
  PRIMARY KEY (event_id, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_owed ON deliveries (event_id, kind) WHERE state = 'owed';

CREATE TRIGGER ended_event_added AFTER INSERT ON ended_events BEGIN
  UPDATE ended_event_totals SET size_bytes = size_bytes + new.size_bytes;
END;
CREATE TRIGGER ended_event_removed AFTER DELETE ON ended_events BEGIN
  UPDATE ended_event_totals SET size_bytes = size_bytes - old.size_bytes;
  DELETE FROM deliveries WHERE event_id = old.id;
END;
`

/** The trace that an event belonged to; those that ended before this step have none. */
export const endedEventTracesSchema = `
ALTER TABLE ended_events ADD COLUMN trace_id TEXT NOT NULL DEFAULT '';
`

/** What a row costs beside its payload and response, about. */
const ROW_BYTES = 500

/** Named writes of this family: name -> SQL. */
export const endedEventStatements = {
  // Copied inside the database, so that the payload does not pass through the engine again.
  endEvent: `INSERT INTO ended_events (id, account, region, function_name, qualifier, trace_id, client_context,
      tenant_id, reason, attempts, ended_at_ms, is_kept, owed, executed_version, is_error, size_bytes, crc, response, payload)
    SELECT id, account, region, function_name, qualifier, ?, client_context, tenant_id,
      ?, ?, ?, ?, ?, ?, ?, payload_bytes + ?, crc, ?, payload FROM events WHERE id = ?`,
  addDelivery: `INSERT INTO deliveries (event_id, kind, target, state, attempts, created_at_ms, settled_at_ms,
      last_error) VALUES (?, ?, ?, ?, 0, ?, ?, ?)`,
  updateDelivery: `UPDATE deliveries SET state = ?, attempts = ?, settled_at_ms = ?, last_error = ?
    WHERE event_id = ? AND kind = ?`,
  settleEndedEvent: 'UPDATE ended_events SET owed = owed - 1 WHERE id = ?',
  forgetEndedEvent: `DELETE FROM ended_events WHERE id = ? AND owed = 0 AND is_kept = 0 AND NOT EXISTS
    (SELECT 1 FROM deliveries WHERE event_id = ended_events.id AND state = 'failed')`,
  trimEndedEvents: `DELETE FROM ended_events WHERE (SELECT size_bytes FROM ended_event_totals) > ?
    AND sequence IN (SELECT sequence FROM ended_events WHERE owed = 0 ORDER BY sequence LIMIT 20)`,
} as const satisfies Record<string, string>

/** How an accepted event ended. */
export interface EventEnd {
  readonly reason: string
  /** Attempts that were made. */
  readonly attempts: number
  readonly endedAtMs: number
  /** The trace that whoever is told of it goes on with; '' when there is none. */
  readonly traceId: string
  /** What the last attempt answered; undefined when there was none. */
  readonly response: EventResponse | undefined
}

/** What an attempt answered. */
export interface EventResponse {
  readonly executedVersion: string
  readonly isError: boolean
  readonly payload: Buffer
}

/** Who an outcome is told to: a destination gets a record about it, a dead-letter target the event itself. */
export type DeliveryKind = 'destination' | 'dead-letter'

/** An outcome that is owed to somebody. */
export interface DeliveryHead {
  readonly eventId: string
  readonly kind: DeliveryKind
  readonly target: string
  /** Attempts that have failed so far. */
  readonly attempts: number
  readonly createdAtMs: number
}

/** One delivery as it is shown. */
export interface DeliveryRecord extends DeliveryHead {
  readonly state: 'owed' | 'delivered' | 'failed'
  readonly lastError: string | null
}

/** An event whose outcome is on record, with its payload. */
export interface EndedEvent extends EventEnd {
  readonly id: string
  readonly scope: Scope
  readonly functionName: string
  readonly qualifier: string
  readonly clientContext: string
  readonly tenantId: string
  readonly payload: EventPayload
}

/** The write that keeps an event beyond its end; commit it before `deleteEvent` in one transaction. */
export const endEvent = (id: string, end: EventEnd, options: { isKept: boolean; owed: number }): Change => [
  'endEvent',
  end.traceId,
  end.reason,
  end.attempts,
  end.endedAtMs,
  options.isKept ? 1 : 0,
  options.owed,
  end.response?.executedVersion ?? null,
  end.response?.isError === true ? 1 : 0,
  ROW_BYTES + (end.response?.payload.length ?? 0),
  end.response?.payload ?? null,
  id,
]

/** The write that owes an outcome to a target, or, with `failure`, records that it will never get there. */
export const addDelivery = (
  eventId: string,
  kind: DeliveryKind,
  target: string,
  nowMs: number,
  failure?: string,
): Change => [
  'addDelivery',
  eventId,
  kind,
  target,
  failure === undefined ? 'owed' : 'failed',
  nowMs,
  failure === undefined ? null : nowMs,
  failure ?? null,
]

/** The write after a delivery that failed and is tried again. */
export const retryDelivery = (head: DeliveryHead, attempts: number, error: string): Change => [
  'updateDelivery',
  'owed',
  attempts,
  null,
  error,
  head.eventId,
  head.kind,
]

/** The writes that end a delivery; an event that nothing is left to do for is forgotten with them. */
export const settleDelivery = (
  head: DeliveryHead,
  state: 'delivered' | 'failed',
  attempts: number,
  nowMs: number,
  error: string | null,
): Change[] => [
  ['updateDelivery', state, attempts, nowMs, error, head.eventId, head.kind],
  ['settleEndedEvent', head.eventId],
  ['forgetEndedEvent', head.eventId],
]

/** The write that makes room for an event when more than `limitBytes` are kept: the oldest go. */
export const trimEndedEvents = (limitBytes: number): Change => ['trimEndedEvents', limitBytes]

/** At most `limit` owed deliveries behind `after`, in order of event and kind. */
export function loadOwedDeliveries(
  reader: Database,
  after: Pick<DeliveryHead, 'eventId' | 'kind'> | undefined,
  limit: number,
): DeliveryHead[] {
  const sql = `SELECT event_id, kind, target, attempts, created_at_ms, state, last_error FROM deliveries
    WHERE state = 'owed' AND (event_id, kind) > (?, ?) ORDER BY event_id, kind LIMIT ?`
  const rows = statementsOf(reader).all(sql, [after?.eventId ?? '', after?.kind ?? '', limit])
  return (rows as DeliveryRow[]).map(deliveryOf) // the columns of the statement
}

/** What is or was owed for one event's outcome. */
export function readDeliveries(reader: Database, eventId: string): DeliveryRecord[] {
  const sql = `SELECT event_id, kind, target, attempts, created_at_ms, state, last_error FROM deliveries
    WHERE event_id = ? ORDER BY kind`
  return (statementsOf(reader).all(sql, [eventId]) as DeliveryRow[]).map(deliveryOf) // as above
}

/** One event that was kept beyond its end; undefined when it was not, or is not any more. */
export function readEndedEvent(reader: Database, id: string): EndedEvent | undefined {
  const sql = `SELECT id, account, region, function_name, qualifier, trace_id, client_context, tenant_id, reason,
    attempts, ended_at_ms, executed_version, is_error, crc, response, payload FROM ended_events WHERE id = ?`
  const row = statementsOf(reader).get(sql, [id]) as EndedEventRow | undefined // the columns of the statement
  if (row === undefined) return undefined
  const { executed_version: executedVersion, response } = row
  const isSound = checksumOf(id, row.payload) === row.crc
  return {
    id,
    scope: { account: row.account, region: row.region },
    functionName: row.function_name,
    qualifier: row.qualifier,
    traceId: row.trace_id,
    clientContext: row.client_context,
    tenantId: row.tenant_id,
    reason: row.reason,
    attempts: row.attempts,
    endedAtMs: row.ended_at_ms,
    response:
      executedVersion === null || response === null
        ? undefined
        : { executedVersion, isError: row.is_error === 1, payload: response },
    payload: isSound ? { kind: 'payload', payload: row.payload } : { kind: 'damaged' },
  }
}

/** Why an event ended, and whether its payload is still there; undefined when nothing of it is kept. */
export function readEndReason(reader: Database, id: string): string | undefined {
  const row = statementsOf(reader).get('SELECT reason FROM ended_events WHERE id = ?', [id])
  return (row as { reason: string } | undefined)?.reason // the one column
}

/** Bytes that ended events take, about. */
export function endedEventBytes(db: Database): number {
  const row = statementsOf(db).get('SELECT size_bytes FROM ended_event_totals', [])
  return (row as { size_bytes: number }).size_bytes // the table has its one row from its migration on
}

/**
 * Deletes up to `limit` of the oldest ended events that nobody waits for, only those that ended before
 * `beforeMs`; answers how many it deleted.
 */
export function deleteOldestEndedEvents(db: Database, beforeMs: number, limit: number): number {
  const sql = `DELETE FROM ended_events WHERE sequence IN (SELECT sequence FROM (SELECT sequence, ended_at_ms
    FROM ended_events WHERE owed = 0 ORDER BY sequence LIMIT ?) WHERE ended_at_ms < ?)`
  return statementsOf(db).run(sql, [limit, beforeMs])
}

interface EndedEventRow {
  account: string
  region: string
  function_name: string
  qualifier: string
  trace_id: string
  client_context: string
  tenant_id: string
  reason: string
  attempts: number
  ended_at_ms: number
  executed_version: string | null
  is_error: number
  crc: number
  response: Buffer | null
  payload: Buffer
}

interface DeliveryRow {
  event_id: string
  kind: DeliveryKind
  target: string
  attempts: number
  created_at_ms: number
  state: DeliveryRecord['state']
  last_error: string | null
}

const deliveryOf = (row: DeliveryRow): DeliveryRecord => ({
  eventId: row.event_id,
  kind: row.kind,
  target: row.target,
  attempts: row.attempts,
  createdAtMs: row.created_at_ms,
  state: row.state,
  lastError: row.last_error,
})
