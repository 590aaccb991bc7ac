import assert from 'node:assert/strict'
import type { Change, SqlValue } from './store.ts'

/**
 * Sets of changes on their way to the writer, laid out flat so that crossing to its thread costs one array
 * and one buffer: for each set the number of its changes; for each change the number of its statement, the
 * number of its parameters and the parameters; for a blob `true` and its length, the bytes being the next in
 * `blobs`.
 */
export interface Group {
  readonly cells: readonly Cell[]
  readonly blobs: ArrayBuffer
  readonly sets: number
}

/** `true` never is a SQL value: it announces a blob. */
export type Cell = Exclude<SqlValue, Uint8Array> | true

/** Lays out sets of changes one after the other. */
export class GroupBuilder {
  readonly #statementNumbers: ReadonlyMap<string, number>
  #cells: Cell[] = []
  #blobs: Uint8Array[] = []
  #blobBytes = 0
  #sets = 0

  constructor(statementNumbers: ReadonlyMap<string, number>) {
    this.#statementNumbers = statementNumbers
  }

  get sets(): number {
    return this.#sets
  }

  /** Adds one set; answers about how many bytes it holds in memory. */
  add(changes: readonly Change[]): number {
    const cells = this.#cells
    const start = cells.length
    let bytes = 0
    cells.push(changes.length)
    for (const change of changes) {
      const number = this.#statementNumbers.get(change[0])
      if (number === undefined) cells.length = start // leave no half set behind
      assert(number !== undefined, `there is no statement called ${change[0]}`)
      cells.push(number, change.length - 1)
      for (let index = 1; index < change.length; index++) bytes += this.#addValue(change[index] ?? null)
    }
    this.#sets++
    return bytes + CELL_BYTES * (cells.length - start)
  }

  /**
   * What was added since the last call. Blobs are copied here: a pooled Buffer would drag its whole pool
   * along.
   */
  take(): Group {
    const bytes = new Uint8Array(this.#blobBytes)
    let offset = 0
    for (const blob of this.#blobs) {
      bytes.set(blob, offset)
      offset += blob.length
    }
    const group = { cells: this.#cells, blobs: bytes.buffer, sets: this.#sets }
    this.#cells = []
    this.#blobs = []
    this.#blobBytes = 0
    this.#sets = 0
    return group
  }

  #addValue(value: SqlValue): number {
    if (value instanceof Uint8Array) {
      this.#cells.push(true, value.length)
      this.#blobs.push(value)
      this.#blobBytes += value.length
      return value.length
    }
    this.#cells.push(value)
    return typeof value === 'string' ? value.length : 0
  }
}

const CELL_BYTES = 16

/** Reads a group set by set. */
export class GroupReader {
  readonly #cells: readonly Cell[]
  readonly #blobs: ArrayBuffer
  #at = 0
  #blobAt = 0

  constructor(group: Group) {
    this.#cells = group.cells
    this.#blobs = group.blobs
  }

  /**
   * Hands the changes of the next set to `run`, in order. When `run` throws, the reader stands inside the
   * set.
   */
  nextSet(run: (statement: number, parameters: SqlValue[]) => void): void {
    for (let changes = this.#number(); changes > 0; changes--) {
      const statement = this.#number()
      const parameters: SqlValue[] = []
      for (let left = this.#number(); left > 0; left--) parameters.push(this.#value())
      run(statement, parameters)
    }
  }

  #value(): SqlValue {
    const cell = this.#cells[this.#at++] ?? null
    if (cell !== true) return cell
    const length = this.#number()
    const blob = Buffer.from(this.#blobs, this.#blobAt, length)
    this.#blobAt += length
    return blob
  }

  #number(): number {
    return this.#cells[this.#at++] as number // the layout above
  }
}
