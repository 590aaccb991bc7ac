import type { Clock, Timer } from '../clock.ts'
import type { Journal, RunRecord } from '../store/journal.ts'

/** Pieces of work that ended well and are written down in one second; more are counted only. */
const KEPT_PER_SECOND = 500
const SECOND_MS = 1000

/** What writing work down takes. */
export interface WorkRecordParts {
  readonly clock: Clock
  readonly journal: Pick<Journal, 'open' | 'finished' | 'close'>
  /** It is written down. */
  readonly onRecord: (record: RunRecord) => void
}

/**
 * Where work of one kind is written down that may cost a few microseconds, which is less than its record: at
 * high rates only some of what ended well is kept. Failures always are.
 */
export class WorkRecords {
  /** Work since the start that ended well and of which there is no record. */
  skipped = 0
  readonly #journal: WorkRecordParts['journal']
  readonly #onRecord: (record: RunRecord) => void
  readonly #timer: Timer
  #kept = 0

  constructor({ clock, journal, onRecord }: WorkRecordParts) {
    this.#journal = journal
    this.#onRecord = onRecord
    this.#timer = clock.every(SECOND_MS, () => (this.#kept = 0))
  }

  close(): void {
    this.#timer.cancel()
  }

  /** Whether one more that ended well is written down; it is counted either way. */
  takeSuccess(): boolean {
    if (++this.#kept <= KEPT_PER_SECOND) return true
    this.skipped += 1
    return false
  }

  /** Calls `write` behind the answers of this turn of the event loop: nobody waits for a record. */
  behindAnswers(write: () => void): void {
    setImmediate(write)
  }

  /** Tells whoever watches. */
  told(record: RunRecord): void {
    this.#onRecord(record)
  }

  /**
   * Writes down what has no lines of its own; `stream` is that of the environment that ran it, -1 where there
   * was none or its stream has ended.
   */
  write(stream: number, record: RunRecord): void {
    const quiet = { startWritten: false, recorded: false, quiet: true }
    if (stream >= 0) return this.#journal.finished(stream, record, quiet)
    const { scope, functionId, functionName, version } = record
    const facts = { scope, functionId, functionName, version, group: '', name: '' }
    const own = this.#journal.open({ ...facts, format: 'Text', systemLevel: 'INFO' })
    this.#journal.finished(own, record, quiet)
    this.#journal.close(own)
  }
}
