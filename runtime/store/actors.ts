import type { Scope } from './journal.ts'
import { checksumOf } from './events.ts'
import type { Change } from './store.ts'

/**
 * Tables of actors: who there is, what each has stored, which alarms are set, and the replies that were given
 * to calls with an idempotency key. `epoch` is that of the last activation: whatever an earlier one hands in
 * is refused.
 */
export const actorsSchema = `
CREATE TABLE actors (
  id INTEGER PRIMARY KEY,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  function_name TEXT NOT NULL,
  class_name TEXT NOT NULL,
  key TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  pinned INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  last_active_at_ms INTEGER NOT NULL,
  last_error TEXT,
  UNIQUE (account, region, function_name, class_name, key)
) STRICT;
CREATE INDEX actors_pinned ON actors (id) WHERE pinned = 1;
CREATE TABLE actor_storage (
  actor_id INTEGER NOT NULL,
  key TEXT NOT NULL,
  crc INTEGER NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (actor_id, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE actor_alarms (
  actor_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  token INTEGER NOT NULL,
  due_at_ms INTEGER NOT NULL,
  schedule TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  failed TEXT,
  payload BLOB NOT NULL,
  PRIMARY KEY (actor_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX actor_alarms_due ON actor_alarms (due_at_ms) WHERE failed IS NULL;
CREATE TABLE actor_replies (
  sequence INTEGER PRIMARY KEY,
  actor_id INTEGER NOT NULL,
  idempotency_key TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  reply BLOB NOT NULL,
  UNIQUE (actor_id, idempotency_key)
) STRICT;
CREATE INDEX actor_replies_age ON actor_replies (created_at_ms);
`

/** Named writes of this family: name -> SQL. */
export const actorStatements = {
  // an older epoch becomes NULL, which the column refuses: the whole set fails
  activateActor: `INSERT INTO actors (id, account, region, function_name, class_name, key, epoch, pinned,
      created_at_ms, last_active_at_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (account, region, function_name, class_name, key) DO UPDATE SET
      epoch = CASE WHEN excluded.epoch > epoch THEN excluded.epoch END, pinned = excluded.pinned,
      last_active_at_ms = excluded.last_active_at_ms`,
  // writes nothing; without a row of this id and epoch NULL is refused, and with it the whole set
  fenceActor: `INSERT INTO actors (id, account, region, function_name, class_name, key, epoch, pinned,
      created_at_ms, last_active_at_ms)
    VALUES (?, '', '', '', '', '', (SELECT epoch FROM actors WHERE id = ? AND epoch = ?), 0, 0, 0)
    ON CONFLICT (id) DO NOTHING`,
  touchActor: 'UPDATE actors SET last_active_at_ms = ?, last_error = ? WHERE id = ?',
  putActorValue: `INSERT INTO actor_storage (actor_id, key, crc, value) VALUES (?, ?, ?, ?)
    ON CONFLICT (actor_id, key) DO UPDATE SET crc = excluded.crc, value = excluded.value`,
  deleteActorValue: 'DELETE FROM actor_storage WHERE actor_id = ? AND key = ?',
  deleteActorValues: 'DELETE FROM actor_storage WHERE actor_id = ?',
  setActorAlarm: `INSERT INTO actor_alarms (actor_id, name, token, due_at_ms, schedule, attempt, failed, payload)
    VALUES (?, ?, ?, ?, ?, 0, NULL, ?)
    ON CONFLICT (actor_id, name) DO UPDATE SET token = excluded.token, due_at_ms = excluded.due_at_ms,
      schedule = excluded.schedule, attempt = 0, failed = NULL, payload = excluded.payload`,
  clearActorAlarm: 'DELETE FROM actor_alarms WHERE actor_id = ? AND name = ?',
  clearActorAlarms: 'DELETE FROM actor_alarms WHERE actor_id = ?',
  // these leave alone what was set anew meanwhile
  endActorAlarm: 'DELETE FROM actor_alarms WHERE actor_id = ? AND name = ? AND token = ?',
  moveActorAlarm: `UPDATE actor_alarms SET due_at_ms = ?, attempt = ?
    WHERE actor_id = ? AND name = ? AND token = ?`,
  failActorAlarm:
    'UPDATE actor_alarms SET failed = ?, attempt = ? WHERE actor_id = ? AND name = ? AND token = ?',
  putActorReply: `INSERT INTO actor_replies (actor_id, idempotency_key, created_at_ms, flags, crc, reply)
    VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (actor_id, idempotency_key) DO UPDATE SET created_at_ms = excluded.created_at_ms,
      flags = excluded.flags, crc = excluded.crc, reply = excluded.reply`,
  purgeActorReplies: `DELETE FROM actor_replies WHERE sequence IN
    (SELECT sequence FROM actor_replies WHERE created_at_ms < ? ORDER BY created_at_ms LIMIT 1000)`,
  deleteActorReplies: 'DELETE FROM actor_replies WHERE actor_id = ?',
  deleteActor: 'DELETE FROM actors WHERE id = ?',
} as const satisfies Record<string, string>

/** Which actor: its storage belongs to these, not to a version of the function. */
export interface ActorAddress {
  readonly scope: Scope
  readonly functionName: string
  readonly className: string
  readonly key: string
}

/** What is kept of an actor, beside what it stores. */
export interface ActorRow extends ActorAddress {
  readonly id: number
  readonly epoch: number
  readonly createdAtMs: number
  readonly lastActiveAtMs: number
  readonly lastError: string | null
}

/** One that is shown, with what it stores. */
export interface ActorSummary extends ActorRow {
  readonly storageBytes: number
  readonly alarms: number
  /** Unix epoch ms; null: none is set. */
  readonly nextAlarmAtMs: number | null
}

/** An alarm as it is kept. */
export interface StoredAlarm {
  readonly actorId: number
  readonly name: string
  /** Another one each time that it is set. */
  readonly token: number
  readonly dueAtMs: number
  readonly schedule: string
  /** Attempts that have failed. */
  readonly attempt: number
  readonly failed: string | null
  readonly payload: Buffer
}

/** A reply that a call with an idempotency key got. */
export interface StoredReply {
  readonly flags: number
  readonly reply: Buffer
}

/** The write with which an activation begins. It fails when a later one has begun. */
export const activateActor = (
  { scope, functionName, className, key }: ActorAddress,
  row: { id: number; epoch: number; pinned: boolean },
  nowMs: number,
): Change => [
  'activateActor',
  row.id,
  scope.account,
  scope.region,
  functionName,
  className,
  key,
  row.epoch,
  row.pinned ? 1 : 0,
  nowMs,
  nowMs,
]

/** Makes the set that it leads fail unless the actor's last activation is that of `epoch`. */
export const fenceActor = (id: number, epoch: number): Change => ['fenceActor', id, id, epoch]

/** The write that notes when an actor was last awake, and what went wrong with it. */
export const touchActor = (id: number, nowMs: number, lastError: string | null): Change => [
  'touchActor',
  nowMs,
  lastError,
  id,
]

/** The write of one entry. */
export const putActorValue = (id: number, key: string, value: Buffer): Change => [
  'putActorValue',
  id,
  key,
  checksumOf(key, value),
  value,
]

/** The write that removes one entry. */
export const deleteActorValue = (id: number, key: string): Change => ['deleteActorValue', id, key]

/** The write that removes all entries. */
export const deleteActorValues = (id: number): Change => ['deleteActorValues', id]

/** The write that sets an alarm, or replaces the one of that name. */
export const setActorAlarm = (
  actorId: number,
  alarm: Pick<StoredAlarm, 'name' | 'token' | 'dueAtMs' | 'schedule' | 'payload'>,
): Change => ['setActorAlarm', actorId, alarm.name, alarm.token, alarm.dueAtMs, alarm.schedule, alarm.payload]

/** The write that clears an alarm. */
export const clearActorAlarm = (actorId: number, name: string): Change => ['clearActorAlarm', actorId, name]

type AlarmIdentity = Pick<StoredAlarm, 'actorId' | 'name' | 'token'>

/** The write after an alarm that rings once has been heard. */
export const endActorAlarm = ({ actorId, name, token }: AlarmIdentity): Change => [
  'endActorAlarm',
  actorId,
  name,
  token,
]

/** The write that says when an alarm rings next, and how many attempts of this ringing have failed. */
export const moveActorAlarm = (alarm: AlarmIdentity, dueAtMs: number, attempt: number): Change => [
  'moveActorAlarm',
  dueAtMs,
  attempt,
  alarm.actorId,
  alarm.name,
  alarm.token,
]

/** The write that gives an alarm up. */
export const failActorAlarm = (alarm: AlarmIdentity, attempt: number, reason: string): Change => [
  'failActorAlarm',
  reason,
  attempt,
  alarm.actorId,
  alarm.name,
  alarm.token,
]

/** The write that keeps a reply for repeats of its call. */
export const putActorReply = (
  actorId: number,
  idempotencyKey: string,
  { flags, reply }: StoredReply,
  nowMs: number,
): Change => [
  'putActorReply',
  actorId,
  idempotencyKey,
  nowMs,
  flags,
  checksumOf(idempotencyKey, reply),
  reply,
]

/** The write that forgets replies from before a time, a thousand at once. */
export const purgeActorReplies = (beforeMs: number): Change => ['purgeActorReplies', beforeMs]

/** The writes that leave nothing of an actor. */
export const destroyActor = (id: number): Change[] => [
  ['deleteActorValues', id],
  ['clearActorAlarms', id],
  ['deleteActorReplies', id],
  ['deleteActor', id],
]
