import type { Clock } from '../clock.ts'
import { errorNameOf } from '../environments/call-payload.ts'
import type { ResultMeta } from '../environments/frames.ts'
import type { Invocation } from '../environments/invocation.ts'
import type { Journal, RunRecord, RunStatus } from '../store/journal.ts'
import type { Failure } from './task-errors.ts'
import type { TaskShape } from './task-shape.ts'
import { WorkRecords, type WorkRecordParts } from './work-records.ts'

/** A task as far as it is written down. */
export interface RecordedTask {
  readonly id: string
  readonly shape: Pick<TaskShape, 'version' | 'exportName'>
  readonly acceptedAtMs: number
  readonly attempt: number
  readonly invocation: Invocation | undefined
}

const NO_META: ResultMeta = { durationMs: 0, logBytes: 0, maxRssKb: 0 }

/** Writes tasks down as runs: failures always, of the successful ones so many a second. */
export class TaskRecorder {
  readonly #clock: Clock
  readonly #journal: Journal
  readonly #records: WorkRecords

  constructor(parts: WorkRecordParts & { readonly journal: Journal }) {
    this.#clock = parts.clock
    this.#journal = parts.journal
    this.#records = new WorkRecords(parts)
  }

  /** Successful tasks since the start of which there is no record. */
  get skipped(): number {
    return this.#records.skipped
  }

  close(): void {
    this.#records.close()
  }

  /** `failure` is the error as it travels, or one of the engine's own. */
  ended(
    run: RecordedTask,
    status: RunStatus,
    meta: ResultMeta | undefined,
    failure: Buffer | Failure | undefined,
  ): void {
    if (status === 'succeeded' && !this.#records.takeSuccess()) return
    const record = this.#record(run, status, meta ?? NO_META, failure)
    this.#records.behindAnswers(() => this.#write(run, status, meta, record))
  }

  #write(run: RecordedTask, status: RunStatus, meta: ResultMeta | undefined, record: RunRecord): void {
    const host = run.invocation?.host
    if (host === undefined || host.stream < 0) this.#records.write(-1, record)
    else
      host.intake.whenAt(meta?.logBytes ?? 0, () => {
        const { startWritten } = host.intake.take(run.id)
        const quiet = !startWritten && status === 'succeeded'
        this.#journal.finished(host.stream, record, { startWritten, recorded: false, quiet })
      })
    this.#records.told(record)
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
