import type { Clock } from '../clock.ts'
import type { Journal } from '../store/journal.ts'
import type { LineStyle } from '../store/log-lines.ts'
import { eventLine, type LoggedEvent } from '../store/platform-lines.ts'

/** A line longer than this is cut, as CloudWatch does with events. */
const MAX_LINE_BYTES = 256 * 1024
/** Bytes of an invocation's newest lines that are kept for the caller who asked for the tail. */
const TAIL_BYTES = 4096
/** Leads a line that says which invocation the following bytes belong to; see entry/console. */
const MARKER = 0
const MARKER_KIND = 0x53
const NEXT_MARKER = Buffer.from([10, MARKER, MARKER_KIND])
const LINE_FEED = 10
/** A marker names a request id; what is longer is a line of the function's own that looks like one. */
const MAX_MARKER_BYTES = 66
/**
 * Lines made of one environment's log at once, and per ms on average: as many as the journal keeps. Past it
 * they are counted and dropped unread, because a flood of short lines costs by the line, not by the byte.
 */
const BURST_LINES = 40_000
const LINES_PER_MS = 20
/** Invocations that write by turns in one process; past it the one that was quiet longest is forgotten. */
const MAX_INTERLEAVED = 1024
const MAX_EARLY_LINES = 100

/** What one invocation has written so far. */
interface Written {
  tail: string[]
  tailBytes: number
  startWritten: boolean
}

/**
 * The log of one environment: bytes of its stdout and stderr in, lines with their invocation out to the
 * journal.
 * A marker line from our own bootstrap names the invocation that writes next.
 */
export class LogIntake {
  readonly #journal: Journal
  readonly #clock: Clock
  /** Null until the environment has a stream: what a spare prints is kept until it has one. */
  #stream: number | null = null
  #early: string[] = []
  #version = ''
  #style: LineStyle | undefined
  #rest: Buffer | undefined
  #requestId = ''
  #current: Written = nothing()
  /** Invocations that have written, are not the current writer and have not been taken yet. */
  readonly #others = new Map<string, Written>()
  /** Invocations that were answered while their code goes on: what they still write begins nothing. */
  readonly #muted = new Set<string>()
  /** Bytes taken in so far; compared with what the environment says it has written. */
  bytes = 0
  #waiters: { bytes: number; resume: () => void }[] = []
  #ended = false
  #refilledAt = 0
  #allowance = BURST_LINES
  /** Whoever still has lines to write, the environment itself included; at zero the stream is closed. */
  #holders = 1

  constructor(journal: Journal, clock: Clock) {
    this.#journal = journal
    this.#clock = clock
  }

  /** From now on lines go to this stream of the journal; `style` is how its platform lines look. */
  attach(stream: number, version: string, style: LineStyle): void {
    this.#stream = stream
    this.#version = version
    this.#style = style
    for (const line of this.#early) this.#journal.line(stream, this.#clock.nowMs(), '', line)
    this.#early = []
  }

  push(chunk: Buffer): void {
    const before = this.bytes
    this.bytes += chunk.length
    this.#refill()
    let start = 0
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start)
      if (end < 0) break
      if (this.#rest === undefined && isMarker(chunk, start, end)) {
        this.#resume(before + start)
        this.#begin(chunk.toString('latin1', start + 2, end))
        start = end + 1
      } else if (this.#allowance >= 1 || this.#rest !== undefined) {
        this.#allowance--
        this.#line(start, end, chunk)
        start = end + 1
      } else start = this.#skip(chunk, start)
    }
    if (start < chunk.length) this.#keepRest(start === 0 ? chunk : chunk.subarray(start))
    this.#resume(this.bytes)
  }

  /** The process is gone, or its log: what has no line feed yet is a line, and nobody waits any longer. */
  end(): void {
    this.#ended = true
    if (this.#rest !== undefined) this.#write(this.#rest.toString('utf8'))
    this.#rest = undefined
    this.#resume(Infinity)
  }

  /** Keeps the stream open until the returned function is called: there are lines to come. */
  hold(): () => void {
    this.#holders += 1
    return () => this.release()
  }

  /** The environment, or a holder, has written its last. The last one closes the stream. */
  release(): void {
    this.#holders -= 1
    if (this.#holders === 0 && this.#stream !== null) this.#journal.close(this.#stream)
  }

  /** Calls `then` once `bytes` have come in: at once when they have, or never will. */
  whenAt(bytes: number, then: () => void): void {
    if (this.bytes >= bytes || this.#ended) then()
    else this.#waiters.push({ bytes, resume: then })
  }

  /** The newest lines the invocation wrote, at most 4 KB, and whether its START line is journaled already. */
  take(requestId: string): { tail: string; startWritten: boolean } {
    let written = this.#others.get(requestId)
    if (this.#requestId === requestId) {
      written = this.#current
      this.#requestId = ''
      this.#current = nothing()
    } else this.#others.delete(requestId)
    if (written === undefined) return { tail: '', startWritten: false }
    return { tail: written.tail.join(''), startWritten: written.startWritten }
  }

  /** The invocation was answered while its code goes on; `unmute` when that has ended as well. */
  mute(requestId: string): void {
    this.#muted.add(requestId)
  }

  unmute(requestId: string): void {
    this.#muted.delete(requestId)
  }

  /**
   * A line of text of the platform's own about this invocation, behind what the handler wrote. A log in JSON
   * has no such lines: the report says what they say.
   */
  platform(requestId: string, line: string): void {
    if (this.#stream === null || this.#style?.format === 'JSON') return
    const writer = this.#requestId
    this.#begin(requestId)
    this.#startOnce(this.#stream, this.#clock.nowMs())
    this.#journal.platform(this.#stream, this.#clock.nowMs(), requestId, line)
    this.#keepTail(line)
    if (writer !== '') this.#begin(writer)
  }

  /** A line of the platform's own about this environment, if the function's log has one for it. */
  event(event: LoggedEvent): void {
    if (this.#stream === null || this.#style === undefined) return
    // An environment says the time of what happened in it; nothing happened later than now.
    const timeMs = Math.min(event.timeMs, this.#clock.nowMs())
    const line = eventLine(this.#style, { ...event, timeMs })
    if (line !== undefined) this.#journal.platform(this.#stream, timeMs, '', line)
  }

  #refill(): void {
    const now = this.#clock.monotonicMs()
    this.#allowance = Math.min(BURST_LINES, this.#allowance + (now - this.#refilledAt) * LINES_PER_MS)
    this.#refilledAt = now
  }

  #resume(bytes: number): void {
    while (this.#waiters.length > 0 && (this.#waiters[0]?.bytes ?? Infinity) <= bytes)
      this.#waiters.shift()?.resume()
  }

  #line(start: number, end: number, chunk: Buffer): void {
    const rest = this.#rest
    this.#rest = undefined
    if (rest === undefined) return this.#write(chunk.toString('utf8', start, end))
    const line = Buffer.concat([rest, chunk.subarray(start, end)])
    // A marker may lie across two chunks.
    if (isMarker(line, 0, line.length)) this.#begin(line.toString('latin1', 2))
    else this.#write(line.toString('utf8'))
  }

  #keepRest(piece: Buffer): void {
    // Copied: a small rest must not keep a large chunk alive.
    const rest = this.#rest === undefined ? Buffer.from(piece) : Buffer.concat([this.#rest, piece])
    if (rest.length < MAX_LINE_BYTES) this.#rest = rest
    else {
      this.#rest = undefined
      this.#write(rest.toString('utf8'))
    }
  }

  /** Drops whole lines from `start` to the next marker or the end of the last one; returns where that is. */
  #skip(chunk: Buffer, start: number): number {
    const marker = chunk.indexOf(NEXT_MARKER, start)
    const stop = (marker < 0 ? chunk.lastIndexOf(LINE_FEED) : marker) + 1
    let lines = 0
    for (let at = start; at < stop; at++) if (chunk[at] === LINE_FEED) lines++
    const bytes = stop - start + (this.#rest?.length ?? 0)
    this.#rest = undefined
    if (this.#stream !== null) this.#journal.drop(this.#stream, lines, bytes - lines)
    this.#keepTail(chunk.toString('utf8', Math.max(start, stop - 1 - TAIL_BYTES), stop - 1))
    return stop
  }

  #write(text: string): void {
    if (this.#stream === null) {
      if (this.#early.length < MAX_EARLY_LINES) this.#early.push(text)
      return
    }
    const timeMs = this.#clock.nowMs()
    this.#startOnce(this.#stream, timeMs)
    this.#journal.line(this.#stream, timeMs, this.#requestId, text)
    this.#keepTail(text)
  }

  #startOnce(stream: number, timeMs: number): void {
    if (this.#requestId === '' || this.#current.startWritten) return
    this.#current.startWritten = true
    this.#journal.started(stream, timeMs, this.#requestId, this.#version)
  }

  #begin(requestId: string): void {
    if (requestId === this.#requestId) return
    if (this.#requestId !== '' && !this.#muted.has(this.#requestId)) this.#putAside()
    this.#requestId = requestId
    this.#current = this.#others.get(requestId) ?? nothing()
    this.#others.delete(requestId)
    if (this.#muted.has(requestId)) this.#current.startWritten = true
  }

  #putAside(): void {
    if (this.#others.size >= MAX_INTERLEAVED) {
      for (const quietest of this.#others.keys()) {
        this.#others.delete(quietest)
        break
      }
    }
    this.#others.set(this.#requestId, this.#current)
  }

  #keepTail(text: string): void {
    const current = this.#current
    const kept = text.length > TAIL_BYTES ? text.slice(-TAIL_BYTES) : text
    current.tail.push(`${kept}\n`)
    current.tailBytes += kept.length + 1
    while (current.tailBytes > TAIL_BYTES && current.tail.length > 1)
      current.tailBytes -= current.tail.shift()?.length ?? 0
  }
}

const nothing = (): Written => ({ tail: [], tailBytes: 0, startWritten: false })

const isMarker = (bytes: Buffer, start: number, end: number): boolean =>
  bytes[start] === MARKER &&
  bytes[start + 1] === MARKER_KIND &&
  end - start > 2 &&
  end - start <= MAX_MARKER_BYTES
