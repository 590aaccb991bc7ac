import type { LogQuery } from './journal.ts'
import { parseFileLine, readLinesBackwards } from './log-file-lines.ts'
import type { SearchedFile } from './log-streams.ts'
import type { FoundLogs } from './writer-messages.ts'

const DEFAULT_EVENTS = 1000
const MAX_EVENTS = 10_000

/** What one search reads and answers at most; what lies beyond is older than what it found. */
const MAX_READ_BYTES = 256 * 1024 * 1024
const MAX_ANSWER_CHARACTERS = 16 * 1024 * 1024

/**
 * Lines are written nearly in order of time; behind this many too old ones in a row no newer one is expected.
 */
const OLD_LINES = 1000

interface Found {
  readonly timeMs: number
  readonly requestId: string
  readonly message: string
  readonly file: SearchedFile
  /** Counts down from the end of the file. */
  readonly position: number
}

/**
 * The newest events that match, oldest first. Files are read from their ends, the newest file first; a file
 * whose last line is older than everything that was found is not read. `pause` is called between chunks.
 */
export function searchLogs(
  files: readonly SearchedFile[],
  pathOf: (fileId: number) => string,
  query: LogQuery,
  pause: () => void,
): FoundLogs {
  const limit = Math.min(Math.max(query.limit ?? DEFAULT_EVENTS, 1), MAX_EVENTS)
  let found: Found[] = []
  let oldestWantedMs = query.sinceMs ?? 0
  let readBytes = 0
  const trim = (): void => {
    found = found.sort(newestFirst).slice(0, limit)
    if (found.length === limit) oldestWantedMs = Math.max(oldestWantedMs, found.at(-1)?.timeMs ?? 0)
  }
  for (const file of files) {
    if (file.lastTimeMs < oldestWantedMs || readBytes > MAX_READ_BYTES) continue
    let taken = 0
    let tooOld = 0
    let position = 0
    const visit = (bytes: Buffer): boolean => {
      const line = parseFileLine(bytes)
      if (line === undefined) return true
      position--
      if (line.timeMs < oldestWantedMs) return ++tooOld < OLD_LINES
      tooOld = 0
      if (!matches(line, query)) return true
      found.push({ ...line, file, position })
      taken++
      return taken < limit + OLD_LINES
    }
    readLinesBackwards(pathOf(file.fileId), visit, (bytes) => {
      readBytes += bytes
      pause()
    })
    if (found.length > limit) trim()
  }
  trim()
  return answerOf(found)
}

const matches = (line: { timeMs: number; requestId: string; message: string }, query: LogQuery): boolean =>
  (query.untilMs === undefined || line.timeMs <= query.untilMs) &&
  (query.requestId === undefined || line.requestId === query.requestId) &&
  (query.contains === undefined || line.message.includes(query.contains))

const newestFirst = (left: Found, right: Found): number =>
  right.timeMs - left.timeMs || right.file.fileId - left.file.fileId || right.position - left.position

function answerOf(newest: readonly Found[]): FoundLogs {
  let characters = 0
  const kept = newest.filter((event) => (characters += event.message.length) <= MAX_ANSWER_CHARACTERS)
  const streams: FoundLogs['streams'][number][] = []
  const numbers = new Map<SearchedFile, number>()
  const cells: (number | string)[] = []
  for (const event of kept.toReversed()) {
    let number = numbers.get(event.file)
    if (number === undefined) {
      number = streams.length
      numbers.set(event.file, number)
      const { group, stream, functionName } = event.file
      streams.push({ group, stream, functionName })
    }
    cells.push(event.timeMs, event.requestId, event.message, number)
  }
  return { cells, streams }
}
