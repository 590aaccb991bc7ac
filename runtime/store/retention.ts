import type { LogScope } from './journal.ts'
import { deleteOldestEndedEvents, endedEventBytes } from './ended-events.ts'
import type { LogFiles } from './log-files.ts'
import { closedLogBytes, filesOfStreams, oldestLogFiles, type LogFile } from './log-streams.ts'
import { countRuns, deleteOldestRuns } from './runs.ts'
import type { Retention, RetentionOutcome } from './writer-messages.ts'
import type { Writer } from './writer.ts'

/** Rows or files deleted in one transaction; commits get their turn between two of them. */
const SLICE = 1000
/** Rows with a payload. */
const PAYLOAD_SLICE = 50

/**
 * Deletes runs and log files that are too old or too many, the oldest first, in slices with `pause` between
 * them. `isOpen` says of which streams rows must stay.
 */
export function applyRetention(
  writer: Writer,
  files: LogFiles | undefined,
  request: { readonly retention: Retention; readonly nowMs: number },
  isOpen: (streamId: number) => boolean,
  pause: () => void,
): RetentionOutcome {
  const { retention, nowMs } = request
  const runs = deleteRuns(writer, retention, nowMs, pause)
  deleteEndedEvents(writer, retention, nowMs, pause)
  if (files === undefined) return { ...runs, logFilesDeleted: 0, logBytesKept: 0 }
  const old = nowMs - retention.logsMaxAgeMs
  closeFiles(writer, files, old)
  let logFilesDeleted = deleteFiles(writer, files, isOpen, pause, (file) => file.lastTimeMs < old)
  let bytes = closedLogBytes(writer.db) + files.openBytes
  const tooMuch = (file: LogFile): boolean => {
    if (bytes <= retention.logsMaxBytes) return false
    bytes -= file.sizeBytes
    return true
  }
  logFilesDeleted += deleteFiles(writer, files, isOpen, pause, tooMuch)
  if (bytes > retention.logsMaxBytes) {
    closeFiles(writer, files, Number.POSITIVE_INFINITY) // all that is left is being written: begin anew
    logFilesDeleted += deleteFiles(writer, files, isOpen, pause, tooMuch)
  }
  return { ...runs, logFilesDeleted, logBytesKept: bytes }
}

/**
 * Deletes what some streams hold that is older than `beforeMs`, file by file; a stream that is still written
 * to begins a new file with its next line.
 */
export function forgetLogs(
  writer: Writer,
  files: LogFiles | undefined,
  { query, beforeMs }: { readonly query: LogScope; readonly beforeMs: number },
  isOpen: (streamId: number) => boolean,
): void {
  if (files === undefined) return
  const found = filesOfStreams(writer.db, query).map((file) => files.current(file))
  const old = found.filter((file) => file.lastTimeMs < beforeMs)
  for (let start = 0; start < old.length; start += SLICE) {
    const slice = old.slice(start, start + SLICE)
    writer.transaction(() => {
      for (const { streamId, fileId } of slice) files.closeFile(streamId, fileId)
      files.delete(slice, isOpen)
    })
  }
}

function deleteRuns(
  writer: Writer,
  retention: Retention,
  nowMs: number,
  pause: () => void,
): { runsDeleted: number; runsKept: number } {
  const deleteSlice = (beforeMs: number, limit: number): number => {
    const deleted = writer.transaction(() => deleteOldestRuns(writer.db, beforeMs, limit))
    writer.noteBytes(deleted * 100)
    pause()
    return deleted
  }
  let runsDeleted = 0
  for (let deleted = SLICE; deleted === SLICE; runsDeleted += deleted)
    deleted = deleteSlice(nowMs - retention.runsMaxAgeMs, SLICE)
  let runsKept = countRuns(writer.db, pause)
  while (runsKept > retention.runsMaxCount) {
    const deleted = deleteSlice(Number.MAX_SAFE_INTEGER, Math.min(SLICE, runsKept - retention.runsMaxCount))
    if (deleted === 0) break
    runsDeleted += deleted
    runsKept -= deleted
  }
  return { runsDeleted, runsKept }
}

/** Those that are owed to somebody stay, whatever their age. */
function deleteEndedEvents(writer: Writer, retention: Retention, nowMs: number, pause: () => void): void {
  const deleteSlice = (beforeMs: number, limit: number): number => {
    const deleted = writer.transaction(() => deleteOldestEndedEvents(writer.db, beforeMs, limit))
    pause()
    return deleted
  }
  while (deleteSlice(nowMs - retention.failedEventsMaxAgeMs, PAYLOAD_SLICE) === PAYLOAD_SLICE);
  while (endedEventBytes(writer.db) > retention.failedEventsMaxBytes)
    if (deleteSlice(Number.MAX_SAFE_INTEGER, PAYLOAD_SLICE) === 0) return
}

function closeFiles(writer: Writer, files: LogFiles, beforeMs: number): void {
  const idle = files.openSince(beforeMs)
  if (idle.length === 0) return
  writer.transaction(() => idle.forEach((streamId) => files.close(streamId)))
}

/** Deletes closed files from the oldest on for as long as `goes` says so. */
function deleteFiles(
  writer: Writer,
  files: LogFiles,
  isOpen: (streamId: number) => boolean,
  pause: () => void,
  goes: (file: LogFile) => boolean,
): number {
  let total = 0
  for (;;) {
    const slice: LogFile[] = []
    for (const file of oldestLogFiles(writer.db, SLICE)) {
      if (!goes(file)) break
      slice.push(file)
    }
    if (slice.length > 0) writer.transaction(() => files.delete(slice, isOpen))
    total += slice.length
    if (slice.length < SLICE) return total
    pause()
  }
}
