import type { Clock, Timer } from '../clock.ts'
import { errorNameOf } from '../environments/call-payload.ts'
import type { ResultMeta } from '../environments/frames.ts'
import type { Invocation } from '../environments/invocation.ts'
import type { Journal, RunRecord, RunStatus } from '../store/journal.ts'
import type { Failure } from './task-errors.ts'
import type { TaskShape } from './task-shape.ts'

/** A task as far as it is written down. */
export interface RecordedTask {
  readonly id: string
  readonly shape: Pick<TaskShape, 'version' | 'exportName'>
  readonly acceptedAtMs: number
  readonly attempt: number
  readonly invocation: Invocation | undefined
}

/** Successful tasks that are written down in one second; more are counted only. */
const KEPT_PER_SECOND = 500
const SECOND_MS = 1000
const NO_META: ResultMeta = { durationMs: 0, logBytes: 0, maxRssKb: 0 }

/**
 * Writes tasks down as runs. A task costs a few microseconds and a record costs more, so at high rates only
 * some of the successful ones are kept; failures always are.
 */
export class TaskRecorder {
  /** Successful tasks since the start of which there is no record. */
  skipped = 0
  readonly #clock: Clock
  readonly #journal: Journal
  readonly #onRecord: (record: RunRecord) => void
  readonly #timer: Timer
  #kept = 0

  constructor(options: { clock: Clock; journal: Journal; onRecord: (record: RunRecord) => void }) {
    this.#clock = options.clock
    this.#journal = options.journal
    this.#onRecord = options.onRecord
    this.#timer = options.clock.every(SECOND_MS, () => (this.#kept = 0))
  }

  close(): void {
    this.#timer.cancel()
  }

  /** `failure` is the error as it travels, or one of the engine's own. */
  ended(
    run: RecordedTask,
    status: RunStatus,
    meta: ResultMeta | undefined,
    failure: Buffer | Failure | undefined,
  ): void {
    if (status === 'succeeded' && ++this.#kept > KEPT_PER_SECOND) {
      this.skipped += 1
      return
    }
    const record = this.#record(run, status, meta ?? NO_META, failure)
    const host = run.invocation?.host
    if (host === undefined || host.stream < 0) this.#recordUnhosted(record)
    else
      host.intake.whenAt(meta?.logBytes ?? 0, () => {
        const { startWritten } = host.intake.take(run.id)
        const quiet = !startWritten && status === 'succeeded'
        this.#journal.finished(host.stream, record, { startWritten, recorded: false, quiet })
      })
    this.#onRecord(record)
  }

  /** It never came to an environment: its record is written as of a stream without lines. */
  #recordUnhosted(record: RunRecord): void {
    const { scope, functionId, functionName, version } = record
    const facts = { scope, functionId, functionName, version, group: '', name: '' }
    const stream = this.#journal.open({ ...facts, format: 'Text', systemLevel: 'INFO' })
    this.#journal.finished(stream, record, { startWritten: false, recorded: false, quiet: true })
    this.#journal.close(stream)
  }

  #record(
    run: RecordedTask,
    status: RunStatus,
    meta: ResultMeta,
    failure: Buffer | Failure | undefined,
  ): RunRecord {
    const { version } = run.shape
    const { invocation } = run
    const now = this.#clock.nowMs()
    const startedAt = invocation?.startedAt ?? 0
    const ranMs = startedAt === 0 ? 0 : this.#clock.monotonicMs() - startedAt
    const durationMs = meta === NO_META ? ranMs : meta.durationMs
    return {
      runId: run.id,
      kind: 'task',
      trigger: 'task',
      scope: version.scope,
      functionId: version.functionId,
      functionName: version.functionName,
      version: version.version,
      qualifier: run.shape.exportName,
      status,
      acceptedAtMs: run.acceptedAtMs,
      startedAtMs: Math.round(startedAt === 0 ? now : now - ranMs),
      durationMs,
      billedMs: Math.max(1, Math.ceil(durationMs)),
      initMs: invocation?.initMs ?? null,
      memoryMb: version.memoryMb,
      maxMemoryMb: Math.ceil(Math.max(meta.maxRssKb, invocation?.host?.maxRssKb ?? 0) / 1024),
      ...describe(failure),
      environmentId: invocation?.host?.id ?? '',
      attempt: run.attempt,
    }
  }
}

function describe(failure: Buffer | Failure | undefined): {
  errorType: string | null
  errorMessage: string | null
} {
  if (failure === undefined) return { errorType: null, errorMessage: null }
  if (Buffer.isBuffer(failure)) return { errorType: errorNameOf(failure), errorMessage: null }
  return { errorType: failure.name, errorMessage: failure.message.slice(0, 1024) }
}
