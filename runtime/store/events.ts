import { crc32 } from 'node:zlib'
import type { Database } from 'better-sqlite3'
import type { Scope } from './journal.ts'
import type { Change } from './store.ts'
import { statementsOf } from './reading.ts'

/** Accepted asynchronous events that have no outcome yet; a row here is work that is owed. */
export const eventsSchema = `
CREATE TABLE events (
  sequence INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  function_id TEXT NOT NULL,
  function_name TEXT NOT NULL,
  qualifier TEXT NOT NULL,
  trace_id TEXT NOT NULL,
  client_context TEXT NOT NULL,
  tenant_id TEXT NOT NULL,
  accepted_at_ms INTEGER NOT NULL,
  due_at_ms INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  last_error_json TEXT,
  crc INTEGER NOT NULL,
  payload_bytes INTEGER NOT NULL,
  payload BLOB NOT NULL
) STRICT;

CREATE TABLE quarantined_events (
  id TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  function_id TEXT NOT NULL,
  function_name TEXT NOT NULL,
  qualifier TEXT NOT NULL,
  accepted_at_ms INTEGER NOT NULL,
  quarantined_at_ms INTEGER NOT NULL,
  reason TEXT NOT NULL,
  crc INTEGER NOT NULL,
  payload BLOB NOT NULL
) STRICT;
`

/** Named writes of this family: name -> SQL. */
export const eventStatements = {
  insertEvent: `INSERT INTO events (id, account, region, function_id, function_name, qualifier, trace_id,
      client_context, tenant_id, accepted_at_ms, due_at_ms, attempt, last_error_json, crc, payload_bytes, payload)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  updateEventAttempt: 'UPDATE events SET attempt = ?, due_at_ms = ?, last_error_json = ? WHERE id = ?',
  deleteEvent: 'DELETE FROM events WHERE id = ?',
  quarantineEvent: `INSERT INTO quarantined_events (id, account, region, function_id, function_name, qualifier,
      accepted_at_ms, quarantined_at_ms, reason, crc, payload)
    SELECT id, account, region, function_id, function_name, qualifier, accepted_at_ms, ?, ?, crc, payload
    FROM events WHERE id = ? ON CONFLICT (id) DO NOTHING`,
} as const satisfies Record<string, string>

/** An event without its payload: what the engine keeps in memory of work that is owed. */
export interface EventHead {
  /** The request id; the same for all attempts, sorts by time of acceptance. */
  readonly id: string
  /** Order of acceptance among the events that are still there; 0 before it is stored. */
  readonly sequence: number
  readonly scope: Scope
  readonly functionId: string
  readonly functionName: string
  readonly qualifier: string
  readonly traceId: string
  readonly clientContext: string
  readonly tenantId: string
  readonly acceptedAtMs: number
  readonly dueAtMs: number
  /** Attempts that have failed so far. */
  readonly attempt: number
  readonly payloadBytes: number
}

/** An event with its payload. */
export interface StoredEvent extends EventHead {
  readonly payload: Buffer
}

/** The write that accepts an event. The payload must not change until the commit has resolved. */
export const insertEvent = (event: Omit<StoredEvent, 'sequence' | 'payloadBytes'>): Change => [
  'insertEvent',
  event.id,
  event.scope.account,
  event.scope.region,
  event.functionId,
  event.functionName,
  event.qualifier,
  event.traceId,
  event.clientContext,
  event.tenantId,
  event.acceptedAtMs,
  event.dueAtMs,
  event.attempt,
  null,
  checksumOf(event.id, event.payload),
  event.payload.length,
  event.payload,
]

/**
 * The write after a failed attempt: how many there were, when the next one is due, what the last one said.
 */
export const updateEventAttempt = (
  id: string,
  attempt: number,
  dueAtMs: number,
  lastErrorJson: string | null,
): Change => ['updateEventAttempt', attempt, dueAtMs, lastErrorJson, id]

/** The write that ends an event; commit it together with the run record. */
export const deleteEvent = (id: string): Change => ['deleteEvent', id]

/** The writes that set a damaged event aside; commit them together with a run record that says so. */
export const quarantineEvent = (id: string, reason: string, nowMs: number): Change[] => [
  ['quarantineEvent', nowMs, reason, id],
  ['deleteEvent', id],
]

/**
 * At most `limit` events behind `afterSequence` (0: from the first), in order of acceptance. Reads no
 * payloads.
 */
export function loadEventHeads(reader: Database, afterSequence: number, limit: number): EventHead[] {
  const sql = `${HEADS} WHERE sequence > ? ORDER BY sequence LIMIT ?`
  const rows = statementsOf(reader).rows(sql, [afterSequence, limit]) as HeadRow[] // the columns of HEADS
  let previous: EventHead | undefined
  return rows.map((row) => (previous = headOf(row, previous)))
}

/** What reading a payload found: it is there, its checksum does not match, or the event is gone. */
export type EventPayload = { kind: 'payload'; payload: Buffer } | { kind: 'damaged' } | { kind: 'missing' }

/** The payload of one event, verified. */
export function readEventPayload(reader: Database, id: string): EventPayload {
  const row = statementsOf(reader).get('SELECT crc, payload FROM events WHERE id = ?', [id]) as
    { crc: number; payload: Buffer } | undefined // the two columns
  if (row === undefined) return { kind: 'missing' }
  if (checksumOf(id, row.payload) !== row.crc) return { kind: 'damaged' }
  return { kind: 'payload', payload: row.payload }
}

/** What the last failed attempt of an event left; null when there was none, or the event is gone. */
export function readLastError(reader: Database, id: string): string | null {
  const row = statementsOf(reader).get('SELECT last_error_json FROM events WHERE id = ?', [id])
  return (row as { last_error_json: string | null } | undefined)?.last_error_json ?? null // the one column
}

/** The head of one event that has no outcome yet. */
export function readEventHead(reader: Database, id: string): EventHead | undefined {
  const [row] = statementsOf(reader).rows(`${HEADS} WHERE id = ?`, [id]) as HeadRow[] // the columns of HEADS
  return row === undefined ? undefined : headOf(row, undefined)
}

/**
 * Events without an outcome, newest first, at most `limit`; looks at 20,000 of them at most, because others
 * wait meanwhile.
 */
export function newestEventHeads(
  reader: Database,
  query: { scope?: Scope | undefined; functionName?: string | undefined; beforeId?: string | undefined },
  limit: number,
): EventHead[] {
  const { scope, functionName } = query
  const found: EventHead[] = []
  let before = query.beforeId ?? '~' // behind every id
  for (let seen = 0; seen < SEARCH_ROWS; seen += PAGE_ROWS) {
    const sql = `${HEADS} WHERE id < ? ORDER BY id DESC LIMIT ?`
    const rows = statementsOf(reader).rows(sql, [before, PAGE_ROWS]) as HeadRow[] // the columns of HEADS
    for (const row of rows) {
      const head = headOf(row, undefined)
      before = head.id
      if (functionName !== undefined && head.functionName !== functionName) continue
      const { account, region } = head.scope
      if (scope !== undefined && (account !== scope.account || region !== scope.region)) continue
      found.push(head)
      if (found.length === limit) return found
    }
    if (rows.length < PAGE_ROWS) break
  }
  return found
}

/** How many rows a search reads at once, and in all. */
const PAGE_ROWS = 1000
const SEARCH_ROWS = 20_000

/** As `loadEventHeads` with payloads; `damaged` are events to hand to `quarantineEvent`, never to forget. */
export function loadEvents(
  reader: Database,
  afterSequence: number,
  limit: number,
): { events: StoredEvent[]; damaged: EventHead[] } {
  const events: StoredEvent[] = []
  const damaged: EventHead[] = []
  for (const head of loadEventHeads(reader, afterSequence, limit)) {
    const found = readEventPayload(reader, head.id)
    if (found.kind === 'payload') events.push({ ...head, payload: found.payload })
    else if (found.kind === 'damaged') damaged.push(head)
  }
  return { events, damaged }
}

/** Events without an outcome, of one function or of all. Walks the table: for the start and for tests. */
export function countEvents(reader: Database, functionId?: string): number {
  const statements = statementsOf(reader)
  const row =
    functionId === undefined
      ? statements.get('SELECT count(*) AS amount FROM events', [])
      : statements.get('SELECT count(*) AS amount FROM events WHERE function_id = ?', [functionId])
  return (row as { amount: number }).amount // count(*) always answers one row
}

/** Events that were set aside because their payload was damaged. */
export function countQuarantinedEvents(reader: Database): number {
  const row = statementsOf(reader).get('SELECT count(*) AS amount FROM quarantined_events', [])
  return (row as { amount: number }).amount // count(*) always answers one row
}

/**
 * Seeded with the id, so that a payload under the wrong id is found out too; zlib forgets the seed for no
 * bytes.
 */
export const checksumOf = (id: string, payload: Uint8Array): number =>
  payload.length === 0 ? crc32(id) : crc32(payload, crc32(id))

const HEADS = `SELECT sequence, id, account, region, function_id, function_name, qualifier, trace_id, client_context,
  tenant_id, accepted_at_ms, due_at_ms, attempt, payload_bytes FROM events`

/** A row as a tuple: with a hundred thousand of them at a start, objects would cost twice the time. */
type HeadRow = readonly [
  sequence: number,
  id: string,
  account: string,
  region: string,
  functionId: string,
  functionName: string,
  qualifier: string,
  traceId: string,
  clientContext: string,
  tenantId: string,
  acceptedAtMs: number,
  dueAtMs: number,
  attempt: number,
  payloadBytes: number,
]

/** Shares with `previous` what is equal, so that a long queue of one function is light. */
function headOf(row: HeadRow, previous: EventHead | undefined): EventHead {
  const scope = previous?.scope
  const isSameScope = scope?.account === row[2] && scope.region === row[3]
  return {
    id: row[1],
    sequence: row[0],
    scope: isSameScope ? scope : { account: row[2], region: row[3] },
    functionId: previous?.functionId === row[4] ? previous.functionId : row[4],
    functionName: previous?.functionName === row[5] ? previous.functionName : row[5],
    qualifier: previous?.qualifier === row[6] ? previous.qualifier : row[6],
    traceId: row[7],
    clientContext: row[8],
    tenantId: row[9],
    acceptedAtMs: row[10],
    dueAtMs: row[11],
    attempt: row[12],
    payloadBytes: row[13],
  }
}
