import type { LogStream, RunEnd, RunRecord, RunStatus } from './journal.ts'
import type { ReportedRun } from './log-lines.ts'
import type { JournalBatch } from './writer-messages.ts'

/**
 * What the journal hands to the writer, laid out flat: numbers in one array, texts in another, read back in
 * the same order. An entry begins with its operation and the number of its stream.
 */
const OPERATION = { open: 1, close: 2, place: 3, line: 4, started: 5, finished: 6, dropped: 7 } as const

const TRIGGERS: readonly RunRecord['trigger'][] = ['sync', 'stream', 'event', 'url', 'task', 'actor']
const STATUSES: readonly RunStatus[] = [
  'succeeded',
  'failed',
  'timed-out',
  'crashed',
  'out-of-memory',
  'expired',
  'cancelled',
]
const TRIGGER_NUMBER = new Map(TRIGGERS.map((trigger, number) => [trigger, number]))
const STATUS_NUMBER = new Map(STATUSES.map((status, number) => [status, number]))

/** What runs of one stream have in common until it changes; sent when it does. */
export type RunPlace = Pick<RunRecord, 'qualifier' | 'environmentId' | 'memoryMb'>

/** What is sent of every run; the rest is known from its stream. */
export type FinishedRun = ReportedRun &
  Pick<RunRecord, 'trigger' | 'acceptedAtMs' | 'attempt' | 'errorMessage'>

const FLAG = { startWritten: 1, recorded: 2, errorType: 4, errorMessage: 8, quiet: 16 } as const

/** Collects entries; every call is a handful of array writes. */
export class BatchBuilder {
  #numbers = new Float64Array(4096)
  #used = 0
  #strings: string[] = []
  #entries = 0

  get entries(): number {
    return this.#entries
  }

  open(stream: number, facts: LogStream): void {
    this.#begin(OPERATION.open, stream)
    this.#strings.push(
      facts.scope.account,
      facts.scope.region,
      facts.functionId,
      facts.functionName,
      facts.version,
      facts.group,
      facts.name,
      facts.format,
      facts.systemLevel,
    )
  }

  close(stream: number): void {
    this.#begin(OPERATION.close, stream)
  }

  place(stream: number, place: RunPlace): void {
    this.#begin(OPERATION.place, stream)
    this.#numbers[this.#used++] = place.memoryMb
    this.#strings.push(place.qualifier, place.environmentId)
  }

  line(stream: number, timeMs: number, requestId: string, message: string): void {
    this.#begin(OPERATION.line, stream)
    this.#numbers[this.#used++] = timeMs
    this.#strings.push(requestId, message)
  }

  started(stream: number, timeMs: number, requestId: string, version: string): void {
    this.#begin(OPERATION.started, stream)
    this.#numbers[this.#used++] = timeMs
    this.#strings.push(requestId, version)
  }

  dropped(stream: number, timeMs: number, lines: number, bytes: number): void {
    this.#begin(OPERATION.dropped, stream)
    this.#numbers[this.#used++] = timeMs
    this.#numbers[this.#used++] = lines
    this.#numbers[this.#used++] = bytes
  }

  finished(stream: number, run: RunRecord, options: RunEnd): void {
    this.#begin(OPERATION.finished, stream)
    const numbers = this.#numbers
    let at = this.#used
    numbers[at++] =
      (options.startWritten ? FLAG.startWritten : 0) |
      (options.recorded ? FLAG.recorded : 0) |
      (options.quiet === true ? FLAG.quiet : 0) |
      (run.errorType === null ? 0 : FLAG.errorType) |
      (run.errorMessage === null ? 0 : FLAG.errorMessage)
    numbers[at++] = TRIGGER_NUMBER.get(run.trigger) ?? 0
    numbers[at++] = STATUS_NUMBER.get(run.status) ?? 0
    numbers[at++] = run.acceptedAtMs
    numbers[at++] = run.startedAtMs
    numbers[at++] = run.durationMs
    numbers[at++] = run.billedMs
    numbers[at++] = run.initMs ?? -1
    numbers[at++] = run.maxMemoryMb
    numbers[at++] = run.attempt
    this.#used = at
    this.#strings.push(run.runId)
    if (run.errorType !== null) this.#strings.push(run.errorType)
    if (run.errorMessage !== null) this.#strings.push(run.errorMessage)
  }

  /** What was collected since the last call. */
  take(): JournalBatch {
    const batch = { numbers: this.#numbers.slice(0, this.#used), strings: this.#strings }
    this.#used = 0
    this.#strings = []
    this.#entries = 0
    return batch
  }

  #begin(operation: number, stream: number): void {
    if (this.#used + MAX_NUMBERS_PER_ENTRY > this.#numbers.length) {
      const larger = new Float64Array(this.#numbers.length * 2)
      larger.set(this.#numbers)
      this.#numbers = larger
    }
    this.#numbers[this.#used++] = operation
    this.#numbers[this.#used++] = stream
    this.#entries++
  }
}

const MAX_NUMBERS_PER_ENTRY = 12

/** Receives the entries of a batch in order. */
export interface BatchSink {
  open(stream: number, facts: LogStream): void
  close(stream: number): void
  place(stream: number, place: RunPlace): void
  line(stream: number, timeMs: number, requestId: string, message: string): void
  started(stream: number, timeMs: number, requestId: string, version: string): void
  dropped(stream: number, timeMs: number, lines: number, bytes: number): void
  /** `memoryMb` is 0 here: it is part of the stream's place. */
  finished(stream: number, run: FinishedRun, options: RunEnd): void
}

/** Hands every entry of `batch` to `sink`. */
export function readBatch(batch: JournalBatch, sink: BatchSink): void {
  const { numbers, strings } = batch
  let at = 0
  let text = 0
  const number = (): number => numbers[at++] ?? 0
  const string = (): string => strings[text++] ?? ''
  while (at < numbers.length) {
    const operation = number()
    const stream = number()
    if (operation === OPERATION.line) sink.line(stream, number(), string(), string())
    else if (operation === OPERATION.finished) readFinished(stream, number, string, sink)
    else if (operation === OPERATION.started) sink.started(stream, number(), string(), string())
    else if (operation === OPERATION.place) {
      sink.place(stream, { memoryMb: number(), qualifier: string(), environmentId: string() })
    } else if (operation === OPERATION.dropped) sink.dropped(stream, number(), number(), number())
    else if (operation === OPERATION.close) sink.close(stream)
    else sink.open(stream, readStream(string))
  }
}

function readFinished(stream: number, number: () => number, string: () => string, sink: BatchSink): void {
  const flags = number()
  const trigger = TRIGGERS[number()] ?? 'sync'
  const status = STATUSES[number()] ?? 'failed'
  const acceptedAtMs = number()
  const startedAtMs = number()
  const durationMs = number()
  const billedMs = number()
  const initMs = number()
  const run: FinishedRun = {
    trigger,
    status,
    acceptedAtMs,
    startedAtMs,
    durationMs,
    billedMs,
    initMs: initMs < 0 ? null : initMs,
    memoryMb: 0,
    maxMemoryMb: number(),
    attempt: number(),
    runId: string(),
    errorType: (flags & FLAG.errorType) !== 0 ? string() : null,
    errorMessage: (flags & FLAG.errorMessage) !== 0 ? string() : null,
  }
  sink.finished(stream, run, {
    startWritten: (flags & FLAG.startWritten) !== 0,
    recorded: (flags & FLAG.recorded) !== 0,
    quiet: (flags & FLAG.quiet) !== 0,
  })
}

function readStream(string: () => string): LogStream {
  return {
    scope: { account: string(), region: string() },
    functionId: string(),
    functionName: string(),
    version: string(),
    group: string(),
    name: string(),
    format: string() === 'JSON' ? 'JSON' : 'Text',
    systemLevel: string() as LogStream['systemLevel'], // written by `open` from the same type
  }
}
