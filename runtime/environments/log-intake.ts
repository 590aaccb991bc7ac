import type { Clock } from '../clock.ts'
import type { Journal } from '../store/journal.ts'

/** A line longer than this is cut, as CloudWatch does with events. */
const MAX_LINE_BYTES = 256 * 1024
/** Bytes of an invocation's newest lines that are kept for the caller who asked for the tail. */
const TAIL_BYTES = 4096
/** Leads a line that says which invocation the following bytes belong to; see entry/console. */
const MARKER = 0
const LINE_FEED = 10

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
  #rest: Buffer | undefined
  #requestId = ''
  #tail: string[] = []
  #tailBytes = 0
  #startWritten = false
  /** Bytes taken in so far; compared with what the environment says it has written. */
  bytes = 0
  #waiters: { bytes: number; resume: () => void }[] = []

  constructor(journal: Journal, clock: Clock) {
    this.#journal = journal
    this.#clock = clock
  }

  /** From now on lines go to this stream of the journal. */
  attach(stream: number, version: string): void {
    this.#stream = stream
    this.#version = version
    for (const line of this.#early) this.#journal.line(stream, this.#clock.nowMs(), '', line)
    this.#early = []
  }

  push(chunk: Buffer): void {
    this.bytes += chunk.length
    let start = 0
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start)
      if (end < 0) break
      this.#line(start, end, chunk)
      start = end + 1
    }
    if (start < chunk.length) this.#keepRest(start === 0 ? chunk : chunk.subarray(start))
    while (this.#waiters.length > 0 && (this.#waiters[0]?.bytes ?? Infinity) <= this.bytes)
      this.#waiters.shift()?.resume()
  }

  /** The process is gone: what has no line feed yet is a line, and nobody waits any longer. */
  end(): void {
    if (this.#rest !== undefined) this.#emit(this.#rest)
    this.#rest = undefined
    for (const waiter of this.#waiters.splice(0)) waiter.resume()
  }

  /** Calls `then` once `bytes` have come in: at once when they have. */
  whenAt(bytes: number, then: () => void): void {
    if (this.bytes >= bytes) then()
    else this.#waiters.push({ bytes, resume: then })
  }

  /**
   * The newest lines the invocation wrote, at most 4 KB, and whether its START line was already journaled.
   */
  take(requestId: string): { tail: string; startWritten: boolean } {
    if (this.#requestId !== requestId) return { tail: '', startWritten: false }
    const taken = { tail: this.#tail.join(''), startWritten: this.#startWritten }
    this.#requestId = ''
    this.#tail = []
    this.#tailBytes = 0
    this.#startWritten = false
    return taken
  }

  /** A line of the platform's own about this invocation, behind what the handler wrote. */
  platform(requestId: string, line: string): void {
    if (this.#requestId !== requestId) this.#begin(requestId)
    this.#write(line)
  }

  #line(start: number, end: number, chunk: Buffer): void {
    const piece = chunk.subarray(start, end)
    const rest = this.#rest
    this.#rest = undefined
    this.#emit(rest === undefined ? piece : Buffer.concat([rest, piece]))
  }

  #keepRest(piece: Buffer): void {
    // Copied: a small rest must not keep a large chunk alive.
    const rest = this.#rest === undefined ? Buffer.from(piece) : Buffer.concat([this.#rest, piece])
    if (rest.length < MAX_LINE_BYTES) this.#rest = rest
    else {
      this.#rest = undefined
      this.#emit(rest)
    }
  }

  #emit(line: Buffer): void {
    if (line[0] === MARKER && line[1] === 0x53) {
      this.#begin(line.toString('latin1', 2))
      return
    }
    const text = line.toString('utf8')
    if (this.#stream === null) {
      if (this.#early.length < 100) this.#early.push(text)
      return
    }
    this.#write(text)
  }

  #write(text: string): void {
    if (this.#stream === null) return
    const timeMs = this.#clock.nowMs()
    if (this.#requestId !== '' && !this.#startWritten) {
      this.#startWritten = true
      this.#journal.started(this.#stream, timeMs, this.#requestId, this.#version)
    }
    this.#journal.line(this.#stream, timeMs, this.#requestId, text)
    this.#keepTail(text)
  }

  #begin(requestId: string): void {
    this.#requestId = requestId
    this.#tail = []
    this.#tailBytes = 0
    this.#startWritten = false
  }

  #keepTail(text: string): void {
    const kept = text.length > TAIL_BYTES ? text.slice(-TAIL_BYTES) : text
    this.#tail.push(`${kept}\n`)
    this.#tailBytes += kept.length + 1
    while (this.#tailBytes > TAIL_BYTES && this.#tail.length > 1)
      this.#tailBytes -= this.#tail.shift()?.length ?? 0
  }
}
