import type { Database } from 'better-sqlite3'
import type { LogQuery, LogScope, LogStreamSummary } from './journal.ts'
import { statementsOf } from './reading.ts'
import type { SqlValue } from './store.ts'

/** Which log files there are and what is in them; the lines themselves are in files named by number. */
export const logsSchema = `
CREATE TABLE log_streams (
  stream_id INTEGER PRIMARY KEY,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  function_id TEXT NOT NULL,
  function_name TEXT NOT NULL,
  version TEXT NOT NULL,
  group_name TEXT NOT NULL,
  name TEXT NOT NULL
) STRICT;
CREATE INDEX log_streams_by_function ON log_streams (function_name);
CREATE INDEX log_streams_by_group ON log_streams (group_name);

CREATE TABLE log_files (
  file_id INTEGER PRIMARY KEY,
  stream_id INTEGER NOT NULL REFERENCES log_streams (stream_id) ON DELETE CASCADE,
  first_time_ms INTEGER NOT NULL,
  last_time_ms INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  open INTEGER NOT NULL
) STRICT;
CREATE INDEX log_files_by_stream ON log_files (stream_id);
CREATE INDEX log_files_by_time ON log_files (last_time_ms);
`

/** Facts of a stream that are kept. */
export interface StreamFacts {
  readonly streamId: number
  readonly account: string
  readonly region: string
  readonly functionId: string
  readonly functionName: string
  readonly version: string
  readonly group: string
  readonly name: string
}

/** One file of a stream. While it is open, its size and times are current only in the writer's memory. */
export interface LogFile {
  readonly fileId: number
  readonly streamId: number
  readonly firstTimeMs: number
  readonly lastTimeMs: number
  readonly sizeBytes: number
}

/** A file that a query has to look into. */
export interface SearchedFile extends LogFile {
  readonly group: string
  readonly stream: string
  readonly functionName: string
}

/** Makes a stream known; before its first file. */
export function insertLogStream(db: Database, facts: StreamFacts): void {
  statementsOf(db).run(
    `INSERT INTO log_streams (stream_id, account, region, function_id, function_name, version, group_name, name)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      facts.streamId,
      facts.account,
      facts.region,
      facts.functionId,
      facts.functionName,
      facts.version,
      facts.group,
      facts.name,
    ],
  )
}

/** Makes the file known, open, before its first line is written. */
export function insertLogFile(db: Database, fileId: number, streamId: number, timeMs: number): void {
  statementsOf(db).run(
    `INSERT INTO log_files (file_id, stream_id, first_time_ms, last_time_ms, size_bytes, open)
     VALUES (?, ?, ?, ?, 0, 1)`,
    [fileId, streamId, timeMs, timeMs],
  )
}

/** Nothing more will be written to the file: keeps its final size and times. */
export function closeLogFile(db: Database, file: LogFile): void {
  statementsOf(db).run(
    'UPDATE log_files SET open = 0, first_time_ms = ?, last_time_ms = ?, size_bytes = ? WHERE file_id = ?',
    [file.firstTimeMs, file.lastTimeMs, file.sizeBytes, file.fileId],
  )
}

/** Forgets files, and the streams that have none left unless they are still written to. */
export function deleteLogFiles(
  db: Database,
  deleted: readonly LogFile[],
  isOpen: (streamId: number) => boolean,
): void {
  const statements = statementsOf(db)
  for (const { fileId, streamId } of deleted) {
    statements.run('DELETE FROM log_files WHERE file_id = ?', [fileId])
    if (isOpen(streamId)) continue
    statements.run(
      `DELETE FROM log_streams WHERE stream_id = ?
       AND NOT EXISTS (SELECT 1 FROM log_files WHERE log_files.stream_id = log_streams.stream_id)`,
      [streamId],
    )
  }
}

/** Files that an engine which died had open. */
export const openLogFiles = (db: Database): LogFile[] =>
  files(db, `SELECT ${FILE_COLUMNS} FROM log_files WHERE open = 1`, [])

/** Closed files, oldest last line first. */
export const oldestLogFiles = (db: Database, limit: number): LogFile[] =>
  files(db, `SELECT ${FILE_COLUMNS} FROM log_files WHERE open = 0 ORDER BY last_time_ms LIMIT ?`, [limit])

/** Bytes in closed files. */
export function closedLogBytes(db: Database): number {
  const row = statementsOf(db).get('SELECT total(size_bytes) AS bytes FROM log_files WHERE open = 0', [])
  return (row as { bytes: number }).bytes // total() always answers a number
}

/** The highest numbers in use; 0 when there are none. */
export function lastLogNumbers(db: Database): { streamId: number; fileId: number } {
  const row = statementsOf(db).get(
    `SELECT (SELECT coalesce(max(stream_id), 0) FROM log_streams) AS streamId,
            (SELECT coalesce(max(file_id), 0) FROM log_files) AS fileId`,
    [],
  )
  return row as { streamId: number; fileId: number } // as selected
}

/** At most this many files are looked into by one query, the newest. */
const SEARCHED_FILES = 5000

/** Files that may hold what `query` wants, newest first; open ones always. */
export function findLogFiles(db: Database, query: LogQuery): SearchedFile[] {
  const conditions = ['account = ?', 'region = ?', '(open = 1 OR last_time_ms >= ?)']
  const parameters: SqlValue[] = [query.scope.account, query.scope.region, query.sinceMs ?? 0]
  const also = (condition: string, value: SqlValue | undefined): void => {
    if (value === undefined) return
    conditions.push(condition)
    parameters.push(value)
  }
  also('function_name = ?', query.functionName)
  also('group_name = ?', query.group)
  also('name = ?', query.stream)
  const rows = statementsOf(db).all(
    `SELECT ${FILE_COLUMNS}, group_name AS "group", name AS stream, function_name AS functionName
     FROM log_files JOIN log_streams USING (stream_id)
     WHERE ${conditions.join(' AND ')} ORDER BY open DESC, last_time_ms DESC LIMIT ${SEARCHED_FILES}`,
    parameters,
  )
  return rows as SearchedFile[] // as selected
}

/** All files of some streams, in no order. */
export function filesOfStreams(db: Database, { scope, group, stream }: LogScope): SearchedFile[] {
  const named = [
    ...(group === undefined ? [] : [['group_name', group] as const]),
    ...(stream === undefined ? [] : [['name', stream] as const]),
  ]
  const rows = statementsOf(db).all(
    `SELECT ${FILE_COLUMNS}, group_name AS "group", name AS stream, function_name AS functionName
     FROM log_files JOIN log_streams USING (stream_id)
     WHERE account = ? AND region = ?${named.map(([column]) => ` AND ${column} = ?`).join('')}`,
    [scope.account, scope.region, ...named.map(([, value]) => value)],
  )
  return rows as SearchedFile[] // as selected
}

/** Sums files up by stream, in order of group and name. */
export function summarizeStreams(files: readonly SearchedFile[]): LogStreamSummary[] {
  const streams = new Map<string, LogStreamSummary>()
  for (const file of files) {
    const key = `${file.group}\n${file.stream}`
    const before = streams.get(key)
    streams.set(key, {
      group: file.group,
      name: file.stream,
      functionName: file.functionName,
      firstTimeMs: Math.min(before?.firstTimeMs ?? file.firstTimeMs, file.firstTimeMs),
      lastTimeMs: Math.max(before?.lastTimeMs ?? 0, file.lastTimeMs),
      sizeBytes: (before?.sizeBytes ?? 0) + file.sizeBytes,
    })
  }
  return [...streams].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, stream]) => stream)
}

const FILE_COLUMNS = `file_id AS fileId, stream_id AS streamId, first_time_ms AS firstTimeMs,
  last_time_ms AS lastTimeMs, size_bytes AS sizeBytes`

const files = (db: Database, sql: string, parameters: readonly SqlValue[]): LogFile[] =>
  statementsOf(db).all(sql, parameters) as LogFile[] // FILE_COLUMNS
