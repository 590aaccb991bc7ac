import type { Database } from 'better-sqlite3'
import {
  ACTOR_LIMITS,
  packRows,
  type ActorWrite,
  type AlarmRow,
  type StorageRangeQuery,
} from '../environments/actor-messages.ts'
import { readActorAlarms, readActorRange, readActorValues } from '../store/actor-reading.ts'
import {
  clearActorAlarm,
  deleteActorValue,
  deleteActorValues,
  putActorValue,
  setActorAlarm,
} from '../store/actors.ts'
import type { Change } from '../store/store.ts'

/** Answers to what activations ask about their storage, and rows made of what they write. */

/** The entries of `keys`, those included that are not there. */
export function answerRead(reader: Database, actorId: number, keys: readonly string[]): Buffer {
  const found = new Map(readActorValues(reader, actorId, keys).map(({ key, value }) => [key, value]))
  return packRows(keys.map((key) => ({ key, value: found.get(key) })))
}

/** The entries of a range, as a `list` describes it. Throws a RangeError for what is none. */
export function answerList(reader: Database, actorId: number, text: string): Buffer {
  const query = parse(text)
  const { prefix = '', reverse = false, limit } = query
  let start = query.start ?? ''
  let end = query.end
  if (prefix !== '') {
    if (less(start, prefix)) start = prefix
    const past = pastPrefix(prefix)
    if (past !== undefined && (end === undefined || less(past, end))) end = past
  }
  const most = Math.min(limit, ACTOR_LIMITS.listRows)
  return packRows(readActorRange(reader, actorId, { start, end, reverse }, most))
}

/** The alarms that are set. */
export function answerAlarms(reader: Database, actorId: number): Buffer {
  const rows = readActorAlarms(reader, actorId).map(
    ({ name, dueAtMs, schedule, payload, failed }): AlarmRow => ({
      name,
      dueAtMs,
      schedule,
      payload: payload.toString('base64'),
      ...(failed === null ? {} : { failed }),
    }),
  )
  return Buffer.from(JSON.stringify(rows))
}

/** Rows of what an actor wrote, and what they mean for its alarms. */
export interface WrittenRows {
  readonly changes: Change[]
  /** When the first alarm among them is due, Unix epoch ms; Infinity: there is none. */
  readonly alarmDueAtMs: number
  /** Alarms that were set or cleared. */
  readonly alarmNames: readonly string[]
}

/** `newToken` numbers alarms. Throws a RangeError for what is over a bound. */
export function rowsOf(actorId: number, writes: readonly ActorWrite[], newToken: () => number): WrittenRows {
  const changes: Change[] = []
  const alarmNames: string[] = []
  let alarmDueAtMs = Infinity
  for (const write of writes) {
    switch (write.kind) {
      case 'put':
        if (write.value.length > ACTOR_LIMITS.valueBytes) throw new RangeError('A stored value is too large.')
        changes.push(putActorValue(actorId, write.key, write.value))
        break
      case 'delete':
        changes.push(deleteActorValue(actorId, write.key))
        break
      case 'delete-all':
        changes.push(deleteActorValues(actorId))
        break
      case 'clear-alarm':
        alarmNames.push(write.name)
        changes.push(clearActorAlarm(actorId, write.name))
        break
      case 'set-alarm': {
        const dueAtMs = Math.round(write.dueAtMs)
        if (!Number.isSafeInteger(dueAtMs)) throw new RangeError('An alarm is due at no time.')
        alarmNames.push(write.name)
        alarmDueAtMs = Math.min(alarmDueAtMs, dueAtMs)
        changes.push(setActorAlarm(actorId, { ...write, dueAtMs, token: newToken() }))
      }
    }
  }
  return { changes, alarmDueAtMs, alarmNames }
}

function parse(text: string): StorageRangeQuery {
  let query: Partial<StorageRangeQuery> | null
  try {
    query = JSON.parse(text) as Partial<StorageRangeQuery> | null // checked below
  } catch (error) {
    throw new RangeError('A list of storage is no JSON.', { cause: error })
  }
  const texts = [query?.prefix ?? '', query?.start ?? '', query?.end ?? '']
  const limit = query?.limit
  if (texts.every((one) => typeof one === 'string') && Number.isSafeInteger(limit) && Number(limit) > 0)
    return query as StorageRangeQuery // as checked
  throw new RangeError('A list of storage is not complete.')
}

/** SQLite orders texts by their UTF-8 bytes, not by UTF-16 units. */
const less = (left: string, right: string): boolean =>
  Buffer.compare(Buffer.from(left), Buffer.from(right)) < 0

/** The first text behind all that begin with `prefix`; undefined: there is none. */
function pastPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0)
  while (points.length > 0) {
    const last = points.pop() ?? 0
    if (last === 0x10ffff) continue
    const next = last === 0xd7ff ? 0xe000 : last + 1 // surrogates are no characters
    return String.fromCodePoint(...points, next)
  }
  return undefined
}
