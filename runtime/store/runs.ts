import type { Database } from 'better-sqlite3'
import type { RunQuery, RunRecord, RunStatus } from './journal.ts'
import { statementsOf } from './reading.ts'
import type { Change, SqlValue } from './store.ts'

/** One row a run. Run ids sort by time, so the table grows at its end and the newest runs are its tail. */
export const runsSchema = `
CREATE TABLE runs (
  run_id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  trigger TEXT NOT NULL,
  account TEXT NOT NULL,
  region TEXT NOT NULL,
  function_id TEXT NOT NULL,
  function_name TEXT NOT NULL,
  version TEXT NOT NULL,
  qualifier TEXT NOT NULL,
  status TEXT NOT NULL,
  accepted_at_ms INTEGER NOT NULL,
  started_at_ms INTEGER NOT NULL,
  duration_ms REAL NOT NULL,
  billed_ms INTEGER NOT NULL,
  init_ms REAL,
  memory_mb INTEGER NOT NULL,
  max_memory_mb INTEGER NOT NULL,
  error_type TEXT,
  error_message TEXT,
  environment_id TEXT NOT NULL,
  attempt INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX runs_by_function ON runs (function_name, run_id);
`

const COLUMNS = `run_id, kind, trigger, account, region, function_id, function_name, version, qualifier, status,
  accepted_at_ms, started_at_ms, duration_ms, billed_ms, init_ms, memory_mb, max_memory_mb, error_type, error_message,
  environment_id, attempt`

/**
 * Named writes of this family: name -> SQL. Attempts of one event share a run id: the latest attempt is the
 * record.
 */
export const runStatements = {
  insertRun: `INSERT INTO runs (${COLUMNS})
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (run_id) DO UPDATE SET status = excluded.status, version = excluded.version,
      started_at_ms = excluded.started_at_ms, duration_ms = excluded.duration_ms, billed_ms = excluded.billed_ms,
      init_ms = excluded.init_ms, max_memory_mb = excluded.max_memory_mb, error_type = excluded.error_type,
      error_message = excluded.error_message, environment_id = excluded.environment_id, attempt = excluded.attempt
    WHERE excluded.attempt >= runs.attempt`,
} as const satisfies Record<string, string>

/** An error message is kept up to this many characters. */
const ERROR_MESSAGE_LENGTH = 1024

/** The write that records a run; a later attempt under the same id replaces an earlier one. */
export const insertRun = (run: RunRecord): Change => ['insertRun', ...runParameters(run)]

/** The parameters of `insertRun`, in its order. */
export const runParameters = (run: RunRecord): SqlValue[] => [
  run.runId,
  run.kind,
  run.trigger,
  run.scope.account,
  run.scope.region,
  run.functionId,
  run.functionName,
  run.version,
  run.qualifier,
  run.status,
  Math.round(run.acceptedAtMs),
  Math.round(run.startedAtMs),
  run.durationMs,
  Math.ceil(run.billedMs),
  run.initMs,
  Math.round(run.memoryMb),
  Math.round(run.maxMemoryMb),
  run.errorType,
  run.errorMessage === null ? null : run.errorMessage.slice(0, ERROR_MESSAGE_LENGTH),
  run.environmentId,
  run.attempt,
]

/** The record of one run. */
export function readRun(db: Database, runId: string): RunRecord | undefined {
  const row = statementsOf(db).get(`SELECT ${COLUMNS} FROM runs WHERE run_id = ?`, [runId])
  return row === undefined ? undefined : runOf(row as RunRow) // the columns of COLUMNS
}

/**
 * How many rows one statement looks at before others get their turn, and how many a search looks at in all.
 */
const PAGE_ROWS = 2000
const SEARCH_ROWS = 200_000

/**
 * Runs that match, newest first. Walks back page by page and calls `pause` between pages, so that commits do
 * not wait for a search; gives up after 200,000 rows that do not match.
 */
export function searchRuns(db: Database, query: RunQuery, pause: () => void): RunRecord[] {
  const limit = Math.min(Math.max(query.limit ?? 100, 1), 1000)
  const found: RunRecord[] = []
  let before = query.beforeRunId
  for (let seen = 0; seen < SEARCH_ROWS; seen += PAGE_ROWS) {
    const page = pageOfRuns(db, query.functionName, before, PAGE_ROWS)
    for (const row of page) {
      if (query.sinceMs !== undefined && row.accepted_at_ms < query.sinceMs) return found
      if (matches(row, query)) found.push(runOf(row))
      if (found.length === limit) return found
    }
    if (page.length < PAGE_ROWS) return found
    before = page.at(-1)?.run_id
    pause()
  }
  return found
}

function pageOfRuns(
  db: Database,
  functionName: string | undefined,
  before: string | undefined,
  limit: number,
): RunRow[] {
  const conditions: string[] = []
  const parameters: SqlValue[] = []
  if (functionName !== undefined) {
    conditions.push('function_name = ?')
    parameters.push(functionName)
  }
  if (before !== undefined) {
    conditions.push('run_id < ?')
    parameters.push(before)
  }
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`
  const sql = `SELECT ${COLUMNS} FROM runs ${where} ORDER BY run_id DESC LIMIT ?`
  return statementsOf(db).all(sql, [...parameters, limit]) as RunRow[] // the columns of COLUMNS
}

const matches = (row: RunRow, query: RunQuery): boolean =>
  (query.scope === undefined || (row.account === query.scope.account && row.region === query.scope.region)) &&
  (query.kind === undefined || row.kind === query.kind) &&
  (query.status === undefined || row.status === query.status)

/** How many runs are kept, counted in pages. */
export function countRuns(db: Database, pause: () => void): number {
  const sql = `SELECT count(*) AS amount, max(run_id) AS last
    FROM (SELECT run_id FROM runs WHERE run_id > ? ORDER BY run_id LIMIT 20000)`
  let total = 0
  let after = ''
  for (;;) {
    const row = statementsOf(db).get(sql, [after])
    const page = row as { amount: number; last: string | null } // an aggregate answers one row
    if (page.last === null) return total
    total += page.amount
    after = page.last
    pause()
  }
}

/**
 * Deletes up to `limit` of the oldest runs, only those accepted before `beforeMs`; answers how many it
 * deleted.
 */
export function deleteOldestRuns(db: Database, beforeMs: number, limit: number): number {
  const sql = `DELETE FROM runs WHERE run_id IN (SELECT run_id
    FROM (SELECT run_id, accepted_at_ms FROM runs ORDER BY run_id LIMIT ?) WHERE accepted_at_ms < ?)`
  return statementsOf(db).run(sql, [limit, beforeMs])
}

interface RunRow {
  run_id: string
  kind: RunRecord['kind']
  trigger: RunRecord['trigger']
  account: string
  region: string
  function_id: string
  function_name: string
  version: string
  qualifier: string
  status: RunStatus
  accepted_at_ms: number
  started_at_ms: number
  duration_ms: number
  billed_ms: number
  init_ms: number | null
  memory_mb: number
  max_memory_mb: number
  error_type: string | null
  error_message: string | null
  environment_id: string
  attempt: number
}

const runOf = (row: RunRow): RunRecord => ({
  runId: row.run_id,
  kind: row.kind,
  trigger: row.trigger,
  scope: { account: row.account, region: row.region },
  functionId: row.function_id,
  functionName: row.function_name,
  version: row.version,
  qualifier: row.qualifier,
  status: row.status,
  acceptedAtMs: row.accepted_at_ms,
  startedAtMs: row.started_at_ms,
  durationMs: row.duration_ms,
  billedMs: row.billed_ms,
  initMs: row.init_ms,
  memoryMb: row.memory_mb,
  maxMemoryMb: row.max_memory_mb,
  errorType: row.error_type,
  errorMessage: row.error_message,
  environmentId: row.environment_id,
  attempt: row.attempt,
})
