import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { LogPage, LogPageQuery, LogPosition, PagedLogEvent } from './journal.ts'
import { parseFileLine, readLinesBackwards } from './log-file-lines.ts'
import type { SearchedFile } from './log-streams.ts'

/** A page's characters at most, as CloudWatch Logs counts: 26 for each event beside its message. */
const PAGE_CHARACTERS = 1024 * 1024
const EVENT_CHARACTERS = 26
/** How much of a file is read at once; many files may be read side by side. */
const CHUNK_BYTES = 32 * 1024
/** What one page reads at most; when nothing was found by then, it is empty and says that more follow. */
const READ_BYTES = 256 * 1024 * 1024

/** One page of events from files that may hold what `query` wants. `pause` is called between chunks. */
export function pageLogs(
  files: readonly SearchedFile[],
  pathOf: (fileId: number) => string,
  query: LogPageQuery,
  pause: () => void,
): LogPage {
  const wanted = files.filter(({ stream }) =>
    query.streams === undefined
      ? stream.startsWith(query.streamPrefix ?? '')
      : query.streams.includes(stream),
  )
  return query.direction === 'forward'
    ? pageForward(wanted, pathOf, query, pause)
    : pageBackward(wanted, pathOf, query, pause)
}

/** Merges the files by time; a file is opened when the merge has come to its first line. */
function pageForward(
  files: readonly SearchedFile[],
  pathOf: (fileId: number) => string,
  query: LogPageQuery,
  pause: () => void,
): LogPage {
  const { from, limit, untilMs = Number.POSITIVE_INFINITY } = query
  const sinceMs = Math.max(query.sinceMs ?? 0, from?.timeMs ?? 0)
  const ahead = files
    .filter((file) => file.lastTimeMs >= sinceMs && file.firstTimeMs <= untilMs)
    .sort((left, right) => left.firstTimeMs - right.firstTimeMs || left.fileId - right.fileId)
  const active: ForwardFile[] = []
  const page = new PageBuilder(limit)
  for (;;) {
    let next = earliest(active)
    for (let file = ahead[0]; file !== undefined; file = ahead[0]) {
      if (next !== undefined && next.head !== undefined && file.firstTimeMs > next.head.timeMs) break
      ahead.shift()
      const opened = new ForwardFile(file, pathOf(file.fileId), sinceMs, pause)
      if (opened.head === undefined) continue
      active.push(opened)
      next = earliest(active)
    }
    const event = next?.head
    if (next === undefined || event === undefined || event.timeMs > untilMs) return page.done(false)
    if (from === undefined || isAfter(event, from)) {
      if (!page.add(event)) return page.done(true)
    }
    next.advance()
    if (next.head === undefined) active.splice(active.indexOf(next), 1)
  }
}

const earliest = (active: readonly ForwardFile[]): ForwardFile | undefined => {
  let found: ForwardFile | undefined
  for (const file of active) {
    if (file.head === undefined) continue
    if (found?.head === undefined || isAfter(found.head, file.head)) found = file
  }
  return found
}

function pageBackward(
  files: readonly SearchedFile[],
  pathOf: (fileId: number) => string,
  query: LogPageQuery,
  pause: () => void,
): LogPage {
  const { from, sinceMs = 0, untilMs = Number.POSITIVE_INFINITY, limit } = query
  const page = new PageBuilder(limit)
  let isFull = false
  let readBytes = 0
  for (const file of [...files].sort((left, right) => right.fileId - left.fileId)) {
    if (isFull || readBytes > READ_BYTES) break
    if (file.lastTimeMs < sinceMs || (from !== undefined && file.fileId > from.fileId)) continue
    const visit = (bytes: Buffer, offset: number): boolean => {
      const line = parseFileLine(bytes)
      if (line === undefined || line.timeMs > untilMs) return true
      if (line.timeMs < sinceMs) return false
      const event = { ...line, stream: file.stream, fileId: file.fileId, offset }
      if (from !== undefined && !isAfter(from, event)) return true
      isFull = !page.add(event)
      return !isFull
    }
    readLinesBackwards(pathOf(file.fileId), visit, (bytes) => {
      readBytes += bytes
      pause()
    })
  }
  const { events, more } = page.done(isFull)
  return { events: events.toReversed(), more }
}

const isAfter = (left: LogPosition, right: LogPosition): boolean =>
  left.timeMs !== right.timeMs
    ? left.timeMs > right.timeMs
    : left.fileId !== right.fileId
      ? left.fileId > right.fileId
      : left.offset > right.offset

/** Takes events until a page is full. */
class PageBuilder {
  readonly #events: PagedLogEvent[] = []
  readonly #limit: number
  #characters = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** False when it has no room: the event stays for the next page. */
  add(event: PagedLogEvent): boolean {
    const characters = event.message.length + EVENT_CHARACTERS
    if (this.#events.length >= this.#limit) return false
    if (this.#events.length > 0 && this.#characters + characters > PAGE_CHARACTERS) return false
    this.#characters += characters
    this.#events.push(event)
    return true
  }

  done(more: boolean): LogPage {
    return { events: this.#events, more }
  }
}

/** Lines of one file from a time on. Opened for each chunk only, so that many are no problem. */
class ForwardFile {
  head: PagedLogEvent | undefined
  readonly #file: SearchedFile
  readonly #path: string
  readonly #pause: () => void
  #chunk: Buffer = Buffer.alloc(0)
  /** Offset of the chunk in the file. */
  #start = 0
  #position = 0

  constructor(file: SearchedFile, path: string, sinceMs: number, pause: () => void) {
    this.#file = file
    this.#path = path
    this.#pause = pause
    this.#start = startOf(path, sinceMs)
    do this.advance()
    while (this.head !== undefined && this.head.timeMs < sinceMs)
  }

  advance(): void {
    for (;;) {
      const end = this.#chunk.indexOf(LINE_FEED, this.#position)
      if (end < 0) {
        if (this.#fill()) continue
        this.head = undefined
        return
      }
      const line = parseFileLine(this.#chunk.subarray(this.#position, end))
      const offset = this.#start + this.#position
      this.#position = end + 1
      if (line === undefined) continue // torn by a crash
      this.head = { ...line, stream: this.#file.stream, fileId: this.#file.fileId, offset }
      return
    }
  }

  /** Reads on behind the whole lines so far; false at the end of the file. */
  #fill(): boolean {
    const rest = this.#chunk.length - this.#position
    const next = readAt(this.#path, this.#start + this.#position, rest + CHUNK_BYTES)
    this.#pause()
    if (next.length <= rest) return false
    this.#start += this.#position
    this.#position = 0
    this.#chunk = next
    return true
  }
}

/** An offset where a line begins, so that no line before it is as new as `sinceMs`; found by halving. */
function startOf(path: string, sinceMs: number): number {
  let low = 0
  let high = sizeOf(path)
  while (high - low > CHUNK_BYTES) {
    const middle = Math.floor((low + high) / 2)
    const chunk = readAt(path, middle, CHUNK_BYTES)
    const first = chunk.indexOf(LINE_FEED) + 1
    const end = first === 0 ? -1 : chunk.indexOf(LINE_FEED, first)
    const line = end < 0 ? undefined : parseFileLine(chunk.subarray(first, end))
    if (line === undefined || line.timeMs >= sinceMs) high = middle
    else low = middle + first
  }
  return low
}

function sizeOf(path: string): number {
  return withFile(path, (descriptor) => fstatSync(descriptor).size) ?? 0
}

function readAt(path: string, position: number, length: number): Buffer {
  const found = withFile(path, (descriptor) => {
    const bytes = Buffer.allocUnsafe(length)
    let filled = 0
    while (filled < length) {
      const read = readSync(descriptor, bytes, filled, length - filled, position + filled)
      if (read === 0) break
      filled += read
    }
    return bytes.subarray(0, filled)
  })
  return found ?? Buffer.alloc(0)
}

/** Undefined for a file that retention has removed meanwhile. */
function withFile<Result>(path: string, work: (descriptor: number) => Result): Result | undefined {
  let descriptor: number
  try {
    descriptor = openSync(path, 'r')
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return undefined
    throw thrown
  }
  try {
    return work(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

const LINE_FEED = 0x0a
