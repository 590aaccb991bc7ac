/** Whose records: functions of different accounts or regions never see each other. */
export interface Scope {
  readonly account: string
  readonly region: string
}

/** Lambda's levels of application logs, least severe first. */
export type LogLevelName = 'TRACE' | 'DEBUG' | 'INFO' | 'WARN' | 'ERROR' | 'FATAL'

/**
 * How a run ended. `throttled` and `expired` are outcomes of accepted events that never got to run to an end.
 */
export type RunStatus =
  'succeeded' | 'failed' | 'timed-out' | 'crashed' | 'out-of-memory' | 'expired' | 'cancelled'

/** What a run is the record of. */
export type RunKind = 'invocation' | 'task' | 'actor'

/** What asked for it. */
export type RunTrigger = 'sync' | 'stream' | 'event' | 'url' | 'task' | 'actor'

/** The record of an invocation, a task or a call of an actor. Times are Unix epoch ms, durations ms. */
export interface RunRecord {
  /** The request id: sorts by time of acceptance. */
  readonly runId: string
  readonly kind: RunKind
  readonly trigger: RunTrigger
  readonly scope: Scope
  readonly functionId: string
  readonly functionName: string
  /** What ran: '$LATEST' or a number. */
  readonly version: string
  /** Of a task its export, of a call of an actor `<Class>/<key, percent-encoded>/<method>`. */
  readonly qualifier: string
  readonly status: RunStatus
  readonly acceptedAtMs: number
  readonly startedAtMs: number
  readonly durationMs: number
  /** Whole ms, as AWS bills: ceil(init + duration) on cold starts. */
  readonly billedMs: number
  /** Null when the environment was warm. */
  readonly initMs: number | null
  readonly memoryMb: number
  readonly maxMemoryMb: number
  readonly errorType: string | null
  /** At most 1 KB. */
  readonly errorMessage: string | null
  readonly environmentId: string
  /** 1 for the first. */
  readonly attempt: number
}

/** Where an environment's lines go, and how its platform lines are rendered. */
export interface LogStream {
  readonly scope: Scope
  readonly functionId: string
  readonly functionName: string
  readonly version: string
  /** `/aws/lambda/<name>` unless configured. */
  readonly group: string
  /** `YYYY/MM/DD/[<version>]<32 hex>`. */
  readonly name: string
  readonly format: 'Text' | 'JSON'
  readonly systemLevel: 'DEBUG' | 'INFO' | 'WARN'
}

/** One line of a function's log. `sequence` grows within a stream. */
export interface LogEvent {
  readonly timeMs: number
  readonly message: string
  readonly group: string
  readonly stream: string
  readonly functionName: string
  /** '' when it is not known which invocation wrote it. */
  readonly requestId: string
}

/** Which log events are wanted; all conditions must hold. */
export interface LogQuery {
  readonly scope: Scope
  readonly functionName?: string
  readonly group?: string
  readonly stream?: string
  readonly sinceMs?: number
  readonly untilMs?: number
  readonly requestId?: string
  /** Plain text that the message must contain. */
  readonly contains?: string
  /** At most this many events, the newest ones; default 1,000, at most 10,000. */
  readonly limit?: number
}

/** Where an event lies. Events of a group are ordered by time, file and offset. */
export interface LogPosition {
  readonly timeMs: number
  readonly fileId: number
  readonly offset: number
}

/** A part of a group's events. */
export interface LogPageQuery {
  readonly scope: Scope
  readonly group: string
  /** Only these streams; undefined: all that `streamPrefix` lets pass. */
  readonly streams?: readonly string[] | undefined
  readonly streamPrefix?: string | undefined
  /** Inclusive. */
  readonly sinceMs?: number | undefined
  /** Inclusive. */
  readonly untilMs?: number | undefined
  /**
   * `forward`: the oldest events behind `from`. `backward`: the newest ones before it, which takes exactly
   * one stream. Either way they are answered oldest first.
   */
  readonly direction: 'forward' | 'backward'
  /** Undefined: from the beginning, or from the end. */
  readonly from?: LogPosition | undefined
  /** 1 to 10,000. */
  readonly limit: number
}

/** An event with its place. */
export interface PagedLogEvent extends LogPosition {
  readonly requestId: string
  readonly message: string
  readonly stream: string
}

/** Some events, oldest first, and whether more follow in the direction that was asked for. */
export interface LogPage {
  readonly events: readonly PagedLogEvent[]
  readonly more: boolean
}

/** The streams of a group, or one of them; without a group, of all groups. */
export interface LogScope {
  readonly scope: Scope
  readonly group?: string | undefined
  readonly stream?: string | undefined
}

/** A stream that has lines. */
export interface LogStreamSummary {
  readonly group: string
  readonly name: string
  readonly functionName: string
  readonly firstTimeMs: number
  readonly lastTimeMs: number
  readonly sizeBytes: number
}

/** Which runs are wanted; newest first. */
export interface RunQuery {
  readonly scope?: Scope
  readonly functionName?: string
  readonly kind?: string
  readonly status?: RunStatus
  readonly sinceMs?: number
  /** Only runs older than this id (the last of the page before). */
  readonly beforeRunId?: string
  /** Default 100, at most 1,000. */
  readonly limit?: number
}

/** What is written at the end of a run. */
export interface RunEnd {
  readonly startWritten: boolean
  readonly recorded: boolean
  readonly quiet?: boolean
}

/**
 * What happened: run records and functions' logs. Calls return at once; a writer thread stores them in
 * batches, so that the path of an invocation pays for a few array pushes only. Bounded: past the bound, lines
 * and successful synchronous runs are dropped, counted, and the drop is itself logged.
 */
export interface Journal {
  /** A number that stands for `stream` in the calls below. */
  open(stream: LogStream): number
  /** The environment is gone: nothing more will be written under this number. */
  close(stream: number): void
  /** One line a function wrote; its line feed is not part of it. */
  line(stream: number, timeMs: number, requestId: string, message: string): void
  /** Lines that were thrown away before they were made: counted with those the journal drops itself. */
  drop(stream: number, lines: number, bytes: number): void
  /** The START line; call it before the first `line` of an invocation that writes any. */
  started(stream: number, timeMs: number, requestId: string, version: string): void
  /**
   * An invocation has ended: writes the END and REPORT lines (and START before them unless `startWritten`)
   * and the run record. With `recorded: true` the record was committed elsewhere and only the lines are
   * written; with `quiet: true` only the record.
   */
  finished(stream: number, run: RunRecord, options: RunEnd): void
  /** Any other platform line, rendered by the caller. */
  platform(stream: number, timeMs: number, requestId: string, message: string): void
  /** Calls `listener` with every event of matching functions from now on, in order, until disposed. */
  follow(
    query: Pick<LogQuery, 'scope' | 'functionName' | 'group' | 'contains' | 'requestId'>,
    listener: (event: LogEvent) => void,
  ): Disposable
  /** Stored and still buffered events, oldest first. */
  events(query: LogQuery): Promise<LogEvent[]>
  /** A page of a group's events, in order of time. */
  page(query: LogPageQuery): Promise<LogPage>
  /** Streams that have lines, in order of group and name. */
  streams(query: LogScope): Promise<LogStreamSummary[]>
  /** Deletes the lines of some streams, but for files with a line as new as `beforeMs`. */
  forget(query: LogScope, beforeMs: number): Promise<void>
  runs(query: RunQuery): Promise<RunRecord[]>
  run(runId: string): Promise<RunRecord | undefined>
  /** Resolves when everything handed in so far can be read back. */
  flush(): Promise<void>
  /** What was dropped since the start. */
  readonly dropped: { readonly lines: number; readonly runs: number }
}
