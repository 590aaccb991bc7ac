import { messageOf } from '../errors.ts'
import { sqliteCode, isStorageFailure } from './database.ts'
import type { LogStream, RunEnd, RunRecord } from './journal.ts'
import { readBatch, type BatchSink, type FinishedRun, type RunPlace } from './journal-batch.ts'
import { renderFileLine } from './log-file-lines.ts'
import { LogFiles } from './log-files.ts'
import { droppedLine, endLines, endOf, startLine } from './log-lines.ts'
import { pageLogs } from './log-pages.ts'
import { searchLogs } from './log-search.ts'
import { filesOfStreams, findLogFiles, insertLogStream, summarizeStreams } from './log-streams.ts'
import { statementsOf } from './reading.ts'
import { applyRetention, forgetLogs } from './retention.ts'
import { readRun, runParameters, runStatements, searchRuns } from './runs.ts'
import type { SqlValue } from './store.ts'
import type { BatchOutcome, JournalBatch, WriterAnswers, WriterQuestion } from './writer-messages.ts'
import type { Writer } from './writer.ts'

/** A stream that is written to. */
interface OpenStream {
  readonly streamId: number
  readonly facts: LogStream
  place: RunPlace
  /** Its row is committed. */
  known: boolean
  /** Lines of this batch, as they go to the file. */
  text: string
  lines: number
  firstTimeMs: number
  lastTimeMs: number
}

/** The writer's side of the journal: run records to the database, lines to files, both in batches. */
export class JournalStore implements BatchSink {
  readonly #writer: Writer
  readonly #files: LogFiles | undefined
  readonly #streams = new Map<number, OpenStream>()
  readonly #touched = new Set<OpenStream>()
  readonly #closing: number[] = []
  #runs: SqlValue[][] = []

  /** An empty `logDirectory` keeps no lines. */
  constructor(writer: Writer, logDirectory: string) {
    this.#writer = writer
    this.#files =
      logDirectory === ''
        ? undefined
        : new LogFiles(writer.db, logDirectory, (work) => writer.transaction(work))
  }

  /** Stores a batch; what cannot be stored is counted and told, never thrown. */
  write(batch: JournalBatch): BatchOutcome {
    readBatch(batch, this)
    const outcome = { droppedLines: 0, droppedRuns: 0, problem: '' }
    try {
      this.#writer.transaction(() => this.#writeRows(outcome))
      for (const stream of this.#touched) stream.known = true
      this.#writeLines(outcome)
    } catch (thrown) {
      outcome.problem = messageOf(thrown)
      outcome.droppedRuns = this.#runs.length
      for (const stream of this.#touched) {
        this.#files?.forget(stream.streamId)
        outcome.droppedLines += stream.lines
      }
    }
    this.#finishBatch(outcome)
    return outcome
  }

  answer(question: WriterQuestion, pause: () => void): WriterAnswers[keyof WriterAnswers] {
    switch (question.kind) {
      case 'sync':
        return null
      case 'run':
        return readRun(this.#writer.db, question.runId)
      case 'runs':
        return searchRuns(this.#writer.db, question.query, pause)
      case 'events': {
        const files = this.#files
        if (files === undefined) return { cells: [], streams: [] }
        return searchLogs(
          findLogFiles(this.#writer.db, question.query).map((file) => files.current(file)),
          files.pathOf,
          question.query,
          pause,
        )
      }
      case 'page': {
        const files = this.#files
        if (files === undefined) return { events: [], more: false }
        const found = findLogFiles(this.#writer.db, question.query).map((file) => files.current(file))
        return pageLogs(found, files.pathOf, question.query, pause)
      }
      case 'streams': {
        const found = filesOfStreams(this.#writer.db, question.query)
        return summarizeStreams(found.map((file) => this.#files?.current(file) ?? file))
      }
      case 'forget':
        forgetLogs(this.#writer, this.#files, question, (id) => this.#isOpen(id))
        return null
      case 'retention':
        return applyRetention(this.#writer, this.#files, question, (id) => this.#isOpen(id), pause)
    }
  }

  /** Ends all files; nothing is written after this. */
  end(): void {
    this.#writer.transaction(() => this.#files?.closeAll())
  }

  close(stream: number): void {
    this.#closing.push(stream)
  }

  open(stream: number, facts: LogStream): void {
    const streamId = this.#files === undefined ? 0 : ++this.#files.lastStreamId
    const place = { qualifier: '', environmentId: '', memoryMb: 0 }
    const nothing = { text: '', lines: 0, firstTimeMs: 0, lastTimeMs: 0 }
    this.#streams.set(stream, { streamId, facts, place, known: false, ...nothing })
  }

  place(stream: number, place: RunPlace): void {
    const open = this.#streams.get(stream)
    if (open !== undefined) open.place = place
  }

  line(stream: number, timeMs: number, requestId: string, message: string): void {
    const open = this.#streams.get(stream)
    if (open !== undefined) this.#addLine(open, timeMs, requestId, message)
  }

  started(stream: number, timeMs: number, requestId: string, version: string): void {
    const open = this.#streams.get(stream)
    if (open === undefined) return
    const line = startLine(open.facts, timeMs, requestId, version)
    if (line !== undefined) this.#addLine(open, timeMs, requestId, line)
  }

  dropped(stream: number, timeMs: number, lines: number, bytes: number): void {
    const open = this.#streams.get(stream)
    if (open !== undefined) this.#addLine(open, timeMs, '', droppedLine(open.facts, timeMs, lines, bytes))
  }

  finished(stream: number, sent: FinishedRun, options: RunEnd): void {
    const open = this.#streams.get(stream)
    if (open === undefined) return
    const { facts, place } = open
    // Spelled out: spreading two objects cost as much as storing the row.
    const run: RunRecord = {
      runId: sent.runId,
      kind: sent.trigger === 'task' || sent.trigger === 'actor' ? sent.trigger : 'invocation',
      trigger: sent.trigger,
      scope: facts.scope,
      functionId: facts.functionId,
      functionName: facts.functionName,
      version: facts.version,
      qualifier: place.qualifier,
      status: sent.status,
      acceptedAtMs: sent.acceptedAtMs,
      startedAtMs: sent.startedAtMs,
      durationMs: sent.durationMs,
      billedMs: sent.billedMs,
      initMs: sent.initMs,
      memoryMb: place.memoryMb,
      maxMemoryMb: sent.maxMemoryMb,
      errorType: sent.errorType,
      errorMessage: sent.errorMessage,
      environmentId: place.environmentId,
      attempt: sent.attempt,
    }
    if (!options.recorded) this.#runs.push(runParameters(run))
    if (options.quiet === true) return
    if (!options.startWritten) this.started(stream, run.startedAtMs, run.runId, run.version)
    const endMs = endOf(run)
    for (const line of endLines(facts, run)) this.#addLine(open, endMs, run.runId, line)
  }

  #addLine(open: OpenStream, timeMs: number, requestId: string, message: string): void {
    if (this.#files === undefined) return
    // Lines are read in order of time, and a line is stamped when it arrives: the END of an invocation, whose
    // time
    // is computed, must not come before them.
    open.lastTimeMs = Math.max(open.lastTimeMs, Math.round(timeMs))
    if (open.lines === 0) open.firstTimeMs = open.lastTimeMs
    open.text += renderFileLine(open.lastTimeMs, requestId, message)
    open.lines++
    this.#touched.add(open)
  }

  #writeRows(outcome: { droppedRuns: number; problem: string }): void {
    for (const stream of this.#touched) {
      const { streamId, facts } = stream
      if (!stream.known) {
        const { functionId, functionName, version, group, name } = facts
        insertLogStream(this.#writer.db, {
          streamId,
          ...facts.scope,
          functionId,
          functionName,
          version,
          group,
          name,
        })
      }
      this.#files?.prepare(streamId, stream.firstTimeMs)
    }
    const statements = statementsOf(this.#writer.db)
    for (const run of this.#runs) {
      try {
        statements.run(runStatements.insertRun, run)
      } catch (thrown) {
        if (isStorageFailure(sqliteCode(thrown))) throw thrown
        outcome.droppedRuns++
        outcome.problem = messageOf(thrown)
      }
    }
    this.#writer.noteBytes(this.#runs.length * RUN_BYTES + ROW_BYTES)
  }

  #writeLines(outcome: { droppedLines: number; problem: string }): void {
    for (const stream of this.#touched) {
      try {
        this.#files?.append(stream.streamId, stream.text, stream.lastTimeMs)
      } catch (thrown) {
        outcome.droppedLines += stream.lines
        outcome.problem = messageOf(thrown)
      }
    }
  }

  #finishBatch(outcome: { problem: string }): void {
    for (const stream of this.#touched) {
      stream.text = ''
      stream.lines = 0
    }
    this.#touched.clear()
    this.#runs = []
    const ended = this.#closing.splice(0).flatMap((stream) => {
      const open = this.#streams.get(stream)
      this.#streams.delete(stream)
      return open === undefined ? [] : [open.streamId]
    })
    const closing = [...ended, ...(this.#files?.full() ?? [])]
    if (closing.length === 0) return
    try {
      this.#writer.transaction(() => closing.forEach((streamId) => this.#files?.close(streamId)))
    } catch (thrown) {
      // The rows still say "open": the next start finds out how far the files got.
      outcome.problem = messageOf(thrown)
    }
  }

  #isOpen(streamId: number): boolean {
    for (const open of this.#streams.values()) if (open.streamId === streamId) return true
    return false
  }
}

/** About what a run with its index entry, and the other pages of a batch, add to the write-ahead log. */
const RUN_BYTES = 500
const ROW_BYTES = 16_384
