import type {
  LogPage,
  LogPageQuery,
  LogQuery,
  LogScope,
  LogStreamSummary,
  RunQuery,
  RunRecord,
} from './journal.ts'
import type { Group } from './groups.ts'

/** What a writer needs to start; plain values, because it may run in a thread of its own. */
export interface WriterOptions {
  /** Path of the database, or ':memory:'. */
  readonly databasePath: string
  /** Where log files go; '' keeps no log lines (a store in memory). */
  readonly logDirectory: string
  /** Names and SQL of every write; a group names them by position. */
  readonly statements: readonly (readonly [name: string, sql: string])[]
}

/** One set of a group that was not kept; `code` is an ErrorCode of ours. */
export interface SetFailure {
  readonly set: number
  readonly code: 'already-exists' | 'conflict' | 'unavailable' | 'internal'
  readonly message: string
  /** SQLite's own code, '' when it has none. */
  readonly detail: string
}

/** The answer to one group; everything not named has been synced to disk. */
export interface GroupOutcome {
  readonly failures: readonly SetFailure[]
}

/** Log lines and runs on their way to the writer: see journal-batch.ts. */
export interface JournalBatch {
  readonly numbers: Float64Array<ArrayBuffer>
  readonly strings: readonly string[]
}

/** What became of a batch. `problem` says why something was dropped, '' when nothing was. */
export interface BatchOutcome {
  readonly droppedLines: number
  readonly droppedRuns: number
  readonly problem: string
}

/** How much is kept. */
export interface Retention {
  readonly runsMaxAgeMs: number
  readonly runsMaxCount: number
  readonly failedEventsMaxAgeMs: number
  readonly failedEventsMaxBytes: number
  readonly logsMaxAgeMs: number
  readonly logsMaxBytes: number
}

/** What a retention pass has deleted and what is left. */
export interface RetentionOutcome {
  readonly runsDeleted: number
  readonly runsKept: number
  readonly logFilesDeleted: number
  readonly logBytesKept: number
}

/**
 * Log events laid out flat: per event its time, request id, message and the position of its stream in
 * `streams`.
 */
export interface FoundLogs {
  readonly cells: readonly (number | string)[]
  readonly streams: readonly { group: string; stream: string; functionName: string }[]
}

/** Questions to the writer, answered behind every batch handed in before. */
export type WriterQuestion =
  | { kind: 'sync' }
  | { kind: 'events'; query: LogQuery }
  | { kind: 'page'; query: LogPageQuery }
  | { kind: 'streams'; query: LogScope }
  | { kind: 'forget'; query: LogScope; beforeMs: number }
  | { kind: 'runs'; query: RunQuery }
  | { kind: 'run'; runId: string }
  | { kind: 'retention'; retention: Retention; nowMs: number }

/** What each question is answered with. */
export interface WriterAnswers {
  sync: null
  events: FoundLogs
  page: LogPage
  streams: LogStreamSummary[]
  forget: null
  runs: RunRecord[]
  run: RunRecord | undefined
  retention: RetentionOutcome
}

/** What goes to the writer on the journal's lane. */
export type ToWriter = { kind: 'batch'; batch: JournalBatch } | { kind: 'ask'; question: WriterQuestion }

/** What comes back, in the order of what went. */
export type FromWriter =
  | { kind: 'batch'; outcome: BatchOutcome }
  | { kind: 'answer'; answer: WriterAnswers[keyof WriterAnswers] }
  | { kind: 'failed'; message: string }

/**
 * The way to the writer. Groups and batches are two lanes: within each, answers come in the order of the
 * messages; groups overtake batches, because somebody waits for them.
 */
export interface WriterPort {
  group(group: Group, done: (outcome: GroupOutcome) => void): void
  batch(batch: JournalBatch, done: (outcome: BatchOutcome) => void): void
  /** Rejects with EngineError 'unavailable' when the writer has failed. */
  ask<Question extends WriterQuestion>(question: Question): Promise<WriterAnswers[Question['kind']]>
  /** Lets the writer finish what was handed in and close the files. */
  close(): Promise<void>
}
