import type { Database } from 'better-sqlite3'
import type { ActorAddress, ActorRow, ActorSummary, StoredAlarm, StoredReply } from './actors.ts'
import { checksumOf } from './events.ts'
import type { Scope } from './journal.ts'
import { statementsOf } from './reading.ts'

const ACTORS = `SELECT id, account, region, function_name, class_name, key, epoch, created_at_ms, last_active_at_ms,
  last_error FROM actors`

/** The actor of an address, if it was ever awake. */
export function findActor(reader: Database, address: ActorAddress): ActorRow | undefined {
  const { scope, functionName, className, key } = address
  const sql = `${ACTORS} WHERE account = ? AND region = ? AND function_name = ? AND class_name = ? AND key = ?`
  const [row] = statementsOf(reader).rows(sql, [scope.account, scope.region, functionName, className, key])
  return row === undefined ? undefined : rowOf(row as ActorTuple) // the columns of ACTORS
}

/** The actor of an id. */
export function findActorById(reader: Database, id: number): ActorRow | undefined {
  const [row] = statementsOf(reader).rows(`${ACTORS} WHERE id = ?`, [id])
  return row === undefined ? undefined : rowOf(row as ActorTuple) // the columns of ACTORS
}

/** Actors that are never asleep. Done once, when the engine starts. */
export const pinnedActors = (reader: Database): ActorRow[] =>
  statementsOf(reader)
    .rows(`${ACTORS} WHERE pinned = 1`, [])
    .map((row) => rowOf(row as ActorTuple)) // the columns of ACTORS

/** Actors of one account and region, of one function and class where these are given, behind an id. */
export function listActors(
  reader: Database,
  query: { scope: Scope; functionName: string | undefined; className: string | undefined; afterId: number },
  limit: number,
): ActorSummary[] {
  const { scope, functionName = null, className = null, afterId } = query
  const sql = `${ACTORS} WHERE id > ? AND account = ? AND region = ? AND (? IS NULL OR function_name = ?)
    AND (? IS NULL OR class_name = ?) ORDER BY id LIMIT ?`
  const parameters = [afterId, scope.account, scope.region, functionName, functionName, className, className]
  return statementsOf(reader)
    .rows(sql, [...parameters, limit])
    .map((row) => summaryOf(reader, rowOf(row as ActorTuple))) // the columns of ACTORS
}

/** An actor with what it stores. */
export function summaryOf(reader: Database, row: ActorRow): ActorSummary {
  const statements = statementsOf(reader)
  const storage = statements.get(SIZE, [row.id]) as { bytes: number } // sums answer one row
  const alarms = statements.get(
    'SELECT count(*) AS amount, min(due_at_ms) AS next FROM actor_alarms WHERE actor_id = ? AND failed IS NULL',
    [row.id],
  ) as { amount: number; next: number | null } // as above
  return { ...row, storageBytes: storage.bytes, alarms: alarms.amount, nextAlarmAtMs: alarms.next }
}

/** SQLite knows lengths without reading the values. */
const SIZE = `SELECT count(*) AS amount, coalesce(sum(length(CAST(key AS BLOB)) + length(value)), 0) AS bytes
  FROM actor_storage WHERE actor_id = ?`

/** An entry as it is kept, verified. */
export interface StoredValue {
  readonly key: string
  readonly value: Buffer
}

/** All entries of an actor, unless they are more than `maxBytes` together. Throws as `readActorValues`. */
export function readSmallStorage(
  reader: Database,
  actorId: number,
  maxBytes: number,
): StoredValue[] | undefined {
  const statements = statementsOf(reader)
  const { amount, bytes } = statements.get(SIZE, [actorId]) as { amount: number; bytes: number } // one row
  if (bytes + amount * ENTRY_BYTES > maxBytes) return undefined
  if (amount === 0) return []
  return statements.rows(`${VALUES} ORDER BY key`, [actorId]).map((row) => valueOf(row as ValueTuple))
}

const VALUES = 'SELECT key, crc, value FROM actor_storage WHERE actor_id = ?'
/** What an entry costs on its way beside its bytes. */
const ENTRY_BYTES = 8

/** Single entries. Throws an Error when one is damaged: nobody may go on with half of what was stored. */
export function readActorValues(reader: Database, actorId: number, keys: readonly string[]): StoredValue[] {
  const statements = statementsOf(reader)
  return keys.flatMap((key) => {
    const [row] = statements.rows(`${VALUES} AND key = ?`, [actorId, key])
    return row === undefined ? [] : [valueOf(row as ValueTuple)]
  })
}

/** Entries in the order of their keys. `end` is the first key past them. Throws as `readActorValues`. */
export function readActorRange(
  reader: Database,
  actorId: number,
  range: { start: string; end: string | undefined; reverse: boolean },
  limit: number,
): StoredValue[] {
  const { start, end = null, reverse } = range
  const sql = `${VALUES} AND key >= ? AND (? IS NULL OR key < ?) ORDER BY key ${reverse ? 'DESC' : 'ASC'} LIMIT ?`
  return statementsOf(reader)
    .rows(sql, [actorId, start, end, end, limit])
    .map((row) => valueOf(row as ValueTuple))
}

const ALARMS = `SELECT actor_id, name, token, due_at_ms, schedule, attempt, failed, payload FROM actor_alarms`

/** Alarms of one actor, those that were given up included. */
export const readActorAlarms = (reader: Database, actorId: number): StoredAlarm[] =>
  statementsOf(reader)
    .rows(`${ALARMS} WHERE actor_id = ? ORDER BY name`, [actorId])
    .map((row) => alarmOf(row as AlarmTuple))

/** Alarms that are due, the longest first. */
export const dueAlarms = (reader: Database, nowMs: number, limit: number): StoredAlarm[] =>
  statementsOf(reader)
    .rows(`${ALARMS} WHERE failed IS NULL AND due_at_ms <= ? ORDER BY due_at_ms LIMIT ?`, [nowMs, limit])
    .map((row) => alarmOf(row as AlarmTuple))

/** When the next alarm after a time is due, Unix epoch ms; undefined: none is set. */
export function nextAlarmAfter(reader: Database, afterMs: number): number | undefined {
  const sql = 'SELECT min(due_at_ms) AS due FROM actor_alarms WHERE failed IS NULL AND due_at_ms > ?'
  const row = statementsOf(reader).get(sql, [afterMs]) as { due: number | null } // min answers one row
  return row.due ?? undefined
}

/** How many alarms an actor has. */
export function countActorAlarms(reader: Database, actorId: number): number {
  const sql = 'SELECT count(*) AS amount FROM actor_alarms WHERE actor_id = ?'
  return (statementsOf(reader).get(sql, [actorId]) as { amount: number }).amount // count(*) answers one row
}

/** The reply that a call with this key got since a time. Throws an Error when it is damaged. */
export function findActorReply(
  reader: Database,
  actorId: number,
  idempotencyKey: string,
  sinceMs: number,
): StoredReply | undefined {
  const row = statementsOf(reader).get(
    `SELECT flags, crc, reply FROM actor_replies
      WHERE actor_id = ? AND idempotency_key = ? AND created_at_ms >= ?`,
    [actorId, idempotencyKey, sinceMs],
  ) as { flags: number; crc: number; reply: Buffer } | undefined // the three columns
  if (row === undefined) return undefined
  if (checksumOf(idempotencyKey, row.reply) !== row.crc)
    throw new Error(`The reply that is kept for "${idempotencyKey}" is damaged.`)
  return { flags: row.flags, reply: row.reply }
}

type ActorTuple = readonly [
  id: number,
  account: string,
  region: string,
  functionName: string,
  className: string,
  key: string,
  epoch: number,
  createdAtMs: number,
  lastActiveAtMs: number,
  lastError: string | null,
]

const rowOf = (row: ActorTuple): ActorRow => ({
  id: row[0],
  scope: { account: row[1], region: row[2] },
  functionName: row[3],
  className: row[4],
  key: row[5],
  epoch: row[6],
  createdAtMs: row[7],
  lastActiveAtMs: row[8],
  lastError: row[9],
})

type ValueTuple = readonly [key: string, crc: number, value: Buffer]

function valueOf([key, crc, value]: ValueTuple): StoredValue {
  if (checksumOf(key, value) !== crc) throw new Error(`What is stored under "${key}" is damaged.`)
  return { key, value }
}

type AlarmTuple = readonly [
  actorId: number,
  name: string,
  token: number,
  dueAtMs: number,
  schedule: string,
  attempt: number,
  failed: string | null,
  payload: Buffer,
]

const alarmOf = (row: AlarmTuple): StoredAlarm => ({
  actorId: row[0],
  name: row[1],
  token: row[2],
  dueAtMs: row[3],
  schedule: row[4],
  attempt: row[5],
  failed: row[6],
  payload: row[7],
})
