import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/** One line of a log file, as it was handed in. */
export interface FileLine {
  readonly timeMs: number
  readonly requestId: string
  readonly message: string
}

/**
 * One event as one line of a file: time, request id and message between TABs, line breaks and backslashes of
 * the message escaped. A request id that could break the line, which only a hostile environment sends, is
 * left out.
 */
export function renderFileLine(timeMs: number, requestId: string, message: string): string {
  const id = PLAIN_ID.test(requestId) ? requestId : ''
  const text = NEEDS_ESCAPE.test(message) ? message.replace(ESCAPED, escapeOne) : message
  return `${Math.round(timeMs)}\t${id}\t${text}\n`
}

/**
 * The reverse of `renderFileLine`, without the line feed; undefined for what is no such line (a torn write).
 */
export function parseFileLine(line: Buffer): FileLine | undefined {
  const first = line.indexOf(TAB)
  const second = first < 0 ? -1 : line.indexOf(TAB, first + 1)
  if (second < 0) return undefined
  const timeMs = Number(line.toString('latin1', 0, first))
  if (!Number.isInteger(timeMs)) return undefined
  const text = line.toString('utf8', second + 1)
  return {
    timeMs,
    requestId: line.toString('latin1', first + 1, second),
    message: text.includes('\\') ? text.replace(UNESCAPED, unescapeOne) : text,
  }
}

/** How much of a file is read at once. */
const CHUNK_BYTES = 128 * 1024

/**
 * Hands the lines of a file to `visit` with their offsets, last one first, until it answers false. `pause`
 * is called with the size of every chunk that was read. A missing file has no lines; a tail without a line
 * feed is passed over.
 */
export function readLinesBackwards(
  path: string,
  visit: (line: Buffer, offset: number) => boolean,
  pause: (bytes: number) => void,
): void {
  const descriptor = openIfThere(path)
  if (descriptor === undefined) return
  try {
    let end = fstatSync(descriptor).size
    let carry: Buffer = Buffer.alloc(0)
    let isTail = true
    while (end > 0) {
      const start = Math.max(0, end - CHUNK_BYTES)
      const text = Buffer.concat([readChunk(descriptor, start, end), carry])
      let lineEnd: number = isTail ? text.lastIndexOf(LINE_FEED) + 1 : text.length
      isTail = isTail && lineEnd === 0 // the torn end may be longer than a chunk
      for (;;) {
        const before = lineEnd < 2 ? -1 : text.lastIndexOf(LINE_FEED, lineEnd - 2)
        if (before < 0) break
        if (!visit(text.subarray(before + 1, lineEnd - 1), start + before + 1)) return
        lineEnd = before + 1
      }
      carry = text.subarray(0, lineEnd)
      end = start
      pause(text.length)
    }
    if (carry.length > 0) visit(carry.subarray(0, -1), 0)
  } finally {
    closeSync(descriptor)
  }
}

function readChunk(descriptor: number, start: number, end: number): Buffer {
  const chunk = Buffer.allocUnsafe(end - start)
  let filled = 0
  while (filled < chunk.length) {
    const bytes = readSync(descriptor, chunk, filled, chunk.length - filled, start + filled)
    if (bytes === 0) break // it was cut shorter meanwhile
    filled += bytes
  }
  return chunk.subarray(0, filled)
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r')
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return undefined
    throw thrown
  }
}

const TAB = 0x09
const LINE_FEED = 0x0a
const PLAIN_ID = /^[\w:.-]{0,128}$/
const NEEDS_ESCAPE = /[\\\n\r]/
const ESCAPED = /[\\\n\r]/g
const UNESCAPED = /\\([\\nr])/g
const escapeOne = (character: string): string =>
  character === '\n' ? '\\n' : character === '\r' ? '\\r' : '\\\\'
const unescapeOne = (_match: string, letter: string): string =>
  letter === 'n' ? '\n' : letter === 'r' ? '\r' : '\\'
