import type { Clock, Timer } from '../clock.ts'
import type { Log } from '../log.ts'
import { BatchBuilder } from './journal-batch.ts'
import type {
  Journal,
  LogEvent,
  LogPage,
  LogPageQuery,
  LogQuery,
  LogScope,
  LogStream,
  LogStreamSummary,
  RunEnd,
  RunQuery,
  RunRecord,
} from './journal.ts'
import { LogFollowers, type FollowQuery } from './log-followers.ts'
import { splitLine } from './log-lines.ts'
import type { BatchOutcome, FoundLogs, Retention, RetentionOutcome, WriterPort } from './writer-messages.ts'

/** A batch leaves when it has this many entries, or this long after its first one. */
const BATCH_ENTRIES = 2000
const BATCH_MS = 50

/**
 * Characters handed in and not yet stored: past it lines and successful runs are dropped, past twice that
 * everything.
 */
const WAITING_CHARACTERS = 32 * 1024 * 1024

/** Every entry counts as at least this much, so that empty lines are bounded too. */
const ENTRY_CHARACTERS = 64

/**
 * What one stream may write at once, and per second on average. A function that writes more loses lines, not
 * others.
 */
const BURST_LINES = 40_000
const LINES_PER_SECOND = 20_000
const BURST_CHARACTERS = 16 * 1024 * 1024
const CHARACTERS_PER_SECOND = 8 * 1024 * 1024

/** A stream that was opened. */
interface OpenStream {
  readonly facts: LogStream
  qualifier: string
  environmentId: string
  memoryMb: number
  /** What is left of its allowance. */
  lines: number
  characters: number
  /** Dropped since the last notice. */
  droppedLines: number
  droppedCharacters: number
  /** It is in `#spending`. */
  spending: boolean
}

/** The journal as it is stored: what `Journal` promises, and the care of what is kept. */
export interface StoredJournal extends Journal {
  /** Deletes what is too old or too much; call it now and then. Commits do not wait for it. */
  applyRetention(retention: Retention): Promise<RetentionOutcome>
}

/** Collects what happens in flat arrays and hands them to the writer in batches. */
export class JournalWriter implements StoredJournal {
  readonly #port: WriterPort
  readonly #clock: Clock
  readonly #log: Log
  readonly #followers: LogFollowers
  readonly #streams = new Map<number, OpenStream>()
  readonly #batch = new BatchBuilder()
  /** Streams that have used some of their allowance. */
  #spending: { number: number; stream: OpenStream }[] = []
  #lastStream = 0
  #batchCharacters = 0
  #waitingCharacters = 0
  #refilledAtMs: number
  #timer: Timer | undefined
  #droppedLines = 0
  #droppedRuns = 0
  #problem: string | undefined
  #closed = false

  constructor(port: WriterPort, clock: Clock, log: Log) {
    this.#port = port
    this.#clock = clock
    this.#log = log
    this.#followers = new LogFollowers()
    this.#refilledAtMs = clock.monotonicMs()
  }

  /** Why the last batch was not stored; undefined when it was. */
  get problem(): string | undefined {
    return this.#problem
  }

  get dropped(): { readonly lines: number; readonly runs: number } {
    return { lines: this.#droppedLines, runs: this.#droppedRuns }
  }

  open(facts: LogStream): number {
    const number = ++this.#lastStream
    this.#streams.set(number, {
      facts,
      qualifier: '',
      environmentId: '',
      memoryMb: -1,
      lines: BURST_LINES,
      characters: BURST_CHARACTERS,
      droppedLines: 0,
      droppedCharacters: 0,
      spending: false,
    })
    this.#batch.open(number, facts)
    this.#count(0)
    return number
  }

  close(number: number): void {
    const stream = this.#streams.get(number)
    if (stream === undefined) return
    this.#noteDropped(number, stream)
    this.#streams.delete(number)
    this.#batch.close(number)
    this.#count(0)
  }

  line(number: number, timeMs: number, requestId: string, message: string): void {
    const stream = this.#streams.get(number)
    if (stream === undefined) {
      this.#droppedLines++ // it came after the end of its environment
      return
    }
    if (this.#followers.any) this.#followers.line(stream.facts, timeMs, requestId, message)
    stream.lines--
    stream.characters -= message.length
    if (!stream.spending) {
      stream.spending = true
      this.#spending.push({ number, stream })
    }
    if (stream.lines < 0 || stream.characters < 0 || this.#waitingCharacters > WAITING_CHARACTERS) {
      this.#dropLine(stream, message)
      return
    }
    if (message.length < SHORT_LINE) this.#batch.line(number, timeMs, requestId, message)
    else for (const part of splitLine(message)) this.#batch.line(number, timeMs, requestId, part)
    this.#count(message.length)
  }

  drop(number: number, lines: number, bytes: number): void {
    this.#droppedLines += lines
    const stream = this.#streams.get(number)
    if (stream === undefined) return
    stream.droppedLines += lines
    stream.droppedCharacters += bytes
    if (!stream.spending) {
      stream.spending = true
      this.#spending.push({ number, stream })
    }
    this.#count(0)
  }

  platform(number: number, timeMs: number, requestId: string, message: string): void {
    const stream = this.#streams.get(number)
    if (stream === undefined || this.#waitingCharacters > 2 * WAITING_CHARACTERS) {
      this.#droppedLines++
      return
    }
    if (this.#followers.any) this.#followers.line(stream.facts, timeMs, requestId, message)
    for (const part of splitLine(message)) this.#batch.line(number, timeMs, requestId, part)
    this.#count(message.length)
  }

  started(number: number, timeMs: number, requestId: string, version: string): void {
    const stream = this.#streams.get(number)
    if (stream === undefined || this.#waitingCharacters > 2 * WAITING_CHARACTERS) {
      this.#droppedLines++
      return
    }
    if (this.#followers.any) this.#followers.started(stream.facts, timeMs, requestId, version)
    this.#batch.started(number, timeMs, requestId, version)
    this.#count(requestId.length)
  }

  finished(number: number, run: RunRecord, options: RunEnd): void {
    const stream = this.#streams.get(number)
    if (stream === undefined || this.#isTooMuch(run)) {
      this.#droppedLines += 2
      if (!options.recorded) this.#droppedRuns++
      return
    }
    if (this.#followers.any && options.quiet !== true)
      this.#followers.finished(stream.facts, run, options.startWritten)
    if (
      stream.qualifier !== run.qualifier ||
      stream.environmentId !== run.environmentId ||
      stream.memoryMb !== run.memoryMb
    ) {
      stream.qualifier = run.qualifier
      stream.environmentId = run.environmentId
      stream.memoryMb = run.memoryMb
      this.#batch.place(number, run)
    }
    this.#batch.finished(number, run, options)
    this.#count(FINISHED_CHARACTERS)
  }

  follow(query: FollowQuery, listener: (event: LogEvent) => void): Disposable {
    return this.#followers.add(query, listener)
  }

  async events(query: LogQuery): Promise<LogEvent[]> {
    this.#send()
    return eventsOf(await this.#port.ask({ kind: 'events', query }))
  }

  async page(query: LogPageQuery): Promise<LogPage> {
    this.#send()
    return this.#port.ask({ kind: 'page', query })
  }

  async streams(query: LogScope): Promise<LogStreamSummary[]> {
    this.#send()
    return this.#port.ask({ kind: 'streams', query })
  }

  async forget(query: LogScope, beforeMs: number): Promise<void> {
    this.#send()
    await this.#port.ask({ kind: 'forget', query, beforeMs })
  }

  async runs(query: RunQuery): Promise<RunRecord[]> {
    this.#send()
    return this.#port.ask({ kind: 'runs', query })
  }

  async run(runId: string): Promise<RunRecord | undefined> {
    this.#send()
    return this.#port.ask({ kind: 'run', runId })
  }

  async flush(): Promise<void> {
    this.#send()
    await this.#port.ask({ kind: 'sync' })
  }

  applyRetention(retention: Retention): Promise<RetentionOutcome> {
    this.#send()
    return this.#port.ask({ kind: 'retention', retention, nowMs: this.#clock.nowMs() })
  }

  /** Hands over what is left; later entries are dropped. */
  async end(): Promise<void> {
    for (const number of this.#streams.keys()) this.close(number) // a Map may shrink under its iterator
    await this.flush()
    this.#closed = true
    this.#timer?.cancel()
  }

  #isTooMuch(run: RunRecord): boolean {
    if (this.#waitingCharacters <= WAITING_CHARACTERS) return false
    const expendable = run.status === 'succeeded' && run.trigger !== 'event'
    return expendable || this.#waitingCharacters > 2 * WAITING_CHARACTERS
  }

  #dropLine(stream: OpenStream, message: string): void {
    this.#droppedLines++
    stream.droppedLines++
    stream.droppedCharacters += message.length
  }

  /** Says in the stream itself how much of it is missing. */
  #noteDropped(number: number, stream: OpenStream): void {
    if (stream.droppedLines === 0) return
    const { facts, droppedLines, droppedCharacters } = stream
    const nowMs = this.#clock.nowMs()
    this.#batch.dropped(number, nowMs, droppedLines, droppedCharacters)
    this.#followers.dropped(facts, nowMs, droppedLines, droppedCharacters)
    this.#log.warn('log lines dropped', { functionName: facts.functionName, lines: droppedLines })
    stream.droppedLines = 0
    stream.droppedCharacters = 0
  }

  #count(characters: number): void {
    this.#batchCharacters += characters + ENTRY_CHARACTERS
    this.#waitingCharacters += characters + ENTRY_CHARACTERS
    if (this.#batch.entries >= BATCH_ENTRIES || this.#batchCharacters > BATCH_CHARACTERS) this.#send()
    else if (this.#timer === undefined && !this.#closed) this.#timer = this.#clock.after(BATCH_MS, this.#send)
  }

  readonly #send = (): void => {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#refill()
    if (this.#batch.entries === 0 || this.#closed) return
    const characters = this.#batchCharacters
    this.#batchCharacters = 0
    this.#port.batch(this.#batch.take(), (outcome) => this.#stored(characters, outcome))
  }

  #stored(characters: number, outcome: BatchOutcome): void {
    this.#waitingCharacters -= characters
    this.#problem = outcome.problem === '' ? undefined : outcome.problem
    if (outcome.problem === '') return
    this.#droppedLines += outcome.droppedLines
    this.#droppedRuns += outcome.droppedRuns
    this.#log.error('journal not stored', {
      lines: outcome.droppedLines,
      runs: outcome.droppedRuns,
      reason: outcome.problem,
    })
  }

  /** Gives streams back what time has earned them; those with a full allowance are left alone. */
  #refill(): void {
    const nowMs = this.#clock.monotonicMs()
    const elapsedMs = nowMs - this.#refilledAtMs
    if (elapsedMs < BATCH_MS / 2) return
    this.#refilledAtMs = nowMs
    const lines = (elapsedMs * LINES_PER_SECOND) / 1000
    const characters = (elapsedMs * CHARACTERS_PER_SECOND) / 1000
    this.#spending = this.#spending.filter(({ number, stream }) => {
      this.#noteDropped(number, stream)
      stream.lines = Math.min(BURST_LINES, Math.max(stream.lines, 0) + lines)
      stream.characters = Math.min(BURST_CHARACTERS, Math.max(stream.characters, 0) + characters)
      stream.spending = stream.lines < BURST_LINES || stream.characters < BURST_CHARACTERS
      return stream.spending && this.#streams.has(number)
    })
  }
}

/** A batch leaves early at this size. */
const BATCH_CHARACTERS = 1024 * 1024

/** What a run counts as. */
const FINISHED_CHARACTERS = 200

/** Shorter lines need no look at their length in bytes. */
const SHORT_LINE = 80_000

function eventsOf(found: FoundLogs): LogEvent[] {
  const events: LogEvent[] = []
  const { cells, streams } = found
  for (let at = 0; at < cells.length; at += 4) {
    const stream = streams[Number(cells[at + 3])]
    events.push({
      timeMs: Number(cells[at]),
      requestId: String(cells[at + 1]),
      message: String(cells[at + 2]),
      group: stream?.group ?? '',
      stream: stream?.stream ?? '',
      functionName: stream?.functionName ?? '',
    })
  }
  return events
}
