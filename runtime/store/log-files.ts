import { closeSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Database } from 'better-sqlite3'
import { parseFileLine, readLinesBackwards } from './log-file-lines.ts'
import {
  closeLogFile,
  deleteLogFiles,
  insertLogFile,
  lastLogNumbers,
  openLogFiles,
  type LogFile,
} from './log-streams.ts'

/**
 * A file is closed and the next one begun past this, so that retention can drop the old part of a long-lived
 * stream.
 */
const ROTATE_BYTES = 8 * 1024 * 1024

/** Descriptors kept open between batches. */
const MAX_DESCRIPTORS = 256

/** The file a stream is writing. */
interface OpenFile {
  fileId: number
  streamId: number
  firstTimeMs: number
  lastTimeMs: number
  sizeBytes: number
  descriptor: number | undefined
  /** The last write may have ended inside a line. */
  torn: boolean
}

/**
 * Append-only files of log lines, named by number, so that nothing a user chose ever becomes a path. A row
 * about a file is committed before its first byte is written: every file on disk is known.
 */
export class LogFiles {
  readonly #db: Database
  readonly #directory: string
  readonly #open = new Map<number, OpenFile>()
  /** Files with a descriptor, least recently used first. */
  readonly #described = new Set<OpenFile>()
  #lastFileId: number
  lastStreamId: number

  /** `transact` runs its argument in one transaction. */
  constructor(db: Database, directory: string, transact: (work: () => void) => void) {
    this.#db = db
    this.#directory = directory
    transact(() => this.#closeLeftOpen())
    const last = lastLogNumbers(db)
    this.#lastFileId = last.fileId
    this.lastStreamId = last.streamId
  }

  pathOf = (fileId: number): string =>
    join(this.#directory, (fileId % 256).toString(16).padStart(2, '0'), `${fileId}.log`)

  /** Inside a transaction: makes sure that the stream has a file to write to. */
  prepare(streamId: number, timeMs: number): void {
    if (this.#open.has(streamId)) return
    const fileId = this.#lastFileId + 1
    insertLogFile(this.#db, fileId, streamId, timeMs)
    this.#lastFileId = fileId
    this.#open.set(streamId, {
      fileId,
      streamId,
      firstTimeMs: timeMs,
      lastTimeMs: timeMs,
      sizeBytes: 0,
      descriptor: undefined,
      torn: false,
    })
  }

  /** The transaction around `prepare` was not kept. */
  forget(streamId: number): void {
    const file = this.#open.get(streamId)
    if (file?.sizeBytes === 0) this.#open.delete(streamId)
  }

  /** Appends whole lines to a prepared stream; throws what the file system says. */
  append(streamId: number, text: string, lastTimeMs: number): void {
    const file = this.#open.get(streamId)
    if (file === undefined) throw new Error(`log stream ${streamId} has no file`)
    const descriptor = this.#describe(file)
    const bytes = Buffer.from(file.torn ? `\n${text}` : text)
    file.torn = true
    for (let written = 0; written < bytes.length;) written += writeSync(descriptor, bytes, written)
    file.torn = false
    file.sizeBytes += bytes.length
    file.lastTimeMs = Math.max(file.lastTimeMs, lastTimeMs)
  }

  /** A file as a query found it, with the times of this moment if it is being written. */
  current<File extends LogFile>(file: File): File {
    const open = this.#open.get(file.streamId)
    if (open?.fileId !== file.fileId) return file
    return { ...file, lastTimeMs: open.lastTimeMs, sizeBytes: open.sizeBytes }
  }

  /** Streams whose file is full. */
  full(): number[] {
    const streams: number[] = []
    for (const file of this.#open.values()) if (file.sizeBytes >= ROTATE_BYTES) streams.push(file.streamId)
    return streams
  }

  /** Streams whose file has had no line since `timeMs`, or all of them. */
  openSince(timeMs: number): number[] {
    return [...this.#open.values()].filter((file) => file.lastTimeMs < timeMs).map((file) => file.streamId)
  }

  /** Bytes in files that are being written. */
  get openBytes(): number {
    let bytes = 0
    for (const file of this.#open.values()) bytes += file.sizeBytes
    return bytes
  }

  /** Inside a transaction: ends the stream's file; a later line begins another one. */
  close(streamId: number): void {
    const file = this.#open.get(streamId)
    if (file === undefined) return
    closeLogFile(this.#db, file)
    this.#release(file)
    this.#open.delete(streamId)
  }

  /** Inside a transaction: ends this file if the stream still writes to it. */
  closeFile(streamId: number, fileId: number): void {
    if (this.#open.get(streamId)?.fileId === fileId) this.close(streamId)
  }

  /** Inside a transaction: ends all files. */
  closeAll(): void {
    for (const streamId of this.#open.keys()) this.close(streamId) // a Map may shrink under its iterator
  }

  /** Inside a transaction: deletes closed files with what is known about them. */
  delete(files: readonly LogFile[], isOpen: (streamId: number) => boolean): void {
    for (const file of files) rmSync(this.pathOf(file.fileId), { force: true })
    deleteLogFiles(this.#db, files, isOpen)
  }

  /** The engine before this one was killed: finds out how far its files got. */
  #closeLeftOpen(): void {
    for (const file of openLogFiles(this.#db)) {
      const path = this.pathOf(file.fileId)
      let lastTimeMs = file.firstTimeMs
      readLinesBackwards(
        path,
        (line) => {
          lastTimeMs = Math.max(lastTimeMs, parseFileLine(line)?.timeMs ?? 0)
          return false
        },
        () => undefined,
      )
      const sizeBytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0
      closeLogFile(this.#db, { ...file, lastTimeMs, sizeBytes })
    }
  }

  #describe(file: OpenFile): number {
    this.#described.delete(file)
    this.#described.add(file)
    if (file.descriptor !== undefined) return file.descriptor
    if (this.#described.size > MAX_DESCRIPTORS) {
      const [oldest] = this.#described
      if (oldest !== undefined) this.#release(oldest)
    }
    const path = this.pathOf(file.fileId)
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    file.descriptor = openSync(path, 'a', 0o600)
    return file.descriptor
  }

  #release(file: OpenFile): void {
    this.#described.delete(file)
    if (file.descriptor !== undefined) closeSync(file.descriptor)
    file.descriptor = undefined
  }
}
