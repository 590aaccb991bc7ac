import type { Clock } from '../clock.ts'
import { errorNameOf } from '../environments/call-payload.ts'
import { ACTOR_ERROR } from '../environments/actor-messages.ts'
import { FLAG } from '../environments/frames.ts'
import type { EngineError } from '../errors.ts'
import { WorkRecords, type WorkRecordParts } from '../invoke/work-records.ts'
import type { FunctionVersion } from '../registry/types.ts'
import type { RunRecord, RunStatus } from '../store/journal.ts'
import type { ActorAddress } from '../store/actors.ts'
import type { ActorCall } from './actor-call.ts'

/** How a call ended: with what its process said, or with an error of the engine's. */
export interface CallOutcome {
  /** FLAG.error: `body` is an error as it travels. */
  readonly flags: number
  readonly body: Buffer
  readonly error: EngineError | undefined
}

/** What writing calls down takes. */
export interface CallRecordParts extends WorkRecordParts {
  /** An id for a run that began to wait then, Unix epoch ms: ids sort by that. */
  readonly newId: (acceptedAtMs: number) => string
}

/** Writes calls of actors down as runs: failures always, of the successful ones so many a second. */
export class CallRecorder {
  readonly #clock: Clock
  readonly #records: WorkRecords
  readonly #newId: (acceptedAtMs: number) => string

  constructor(parts: CallRecordParts) {
    this.#clock = parts.clock
    this.#newId = parts.newId
    this.#records = new WorkRecords(parts)
  }

  /** Calls since the start that ended well and of which there is no run. */
  get skipped(): number {
    return this.#records.skipped
  }

  close(): void {
    this.#records.close()
  }

  /** Whether a call that ended well is to be written down: most are not when there are very many. */
  takeSuccess(): boolean {
    return this.#records.takeSuccess()
  }

  /** Writes down a call of an actor with that version. */
  ended(call: ActorCall, address: ActorAddress, version: FunctionVersion, outcome: CallOutcome): void {
    const host = call.invocation?.host
    const runs = call.invocation?.state === 'running'
    const monotonicMs = this.#clock.monotonicMs()
    const nowMs = this.#clock.nowMs()
    const began = call.startedAt > 0
    const durationMs = call.ranMs ?? (began ? monotonicMs - call.startedAt : 0)
    const acceptedAtMs = Math.round(nowMs - (monotonicMs - call.queuedAt))
    const record: RunRecord = {
      runId: this.#newId(acceptedAtMs),
      kind: 'actor',
      trigger: 'actor',
      scope: address.scope,
      functionId: version.functionId,
      functionName: address.functionName,
      version: version.version,
      qualifier: `${address.className}/${encodeURIComponent(address.key)}/${methodOf(call)}`,
      status: statusOf(outcome),
      acceptedAtMs,
      startedAtMs: began ? Math.round(nowMs - (monotonicMs - call.startedAt)) : Math.round(nowMs),
      durationMs,
      billedMs: Math.max(1, Math.ceil(durationMs)),
      initMs: null,
      memoryMb: version.memoryMb,
      maxMemoryMb: Math.ceil((host?.maxRssKb ?? 0) / 1024),
      ...describe(outcome),
      environmentId: host?.id ?? '',
      attempt: call.attempt,
    }
    this.#records.behindAnswers(() => {
      this.#records.write(runs ? (host?.stream ?? -1) : -1, record)
      this.#records.told(record)
    })
  }
}

/** Hooks have names that no method can be called by from outside. */
const methodOf = ({ request: { kind, name } }: ActorCall): string => (kind === 'method' ? name : kind)

const STATUS_OF: Readonly<Record<string, RunStatus>> = {
  [ACTOR_ERROR.timeout]: 'timed-out',
  [ACTOR_ERROR.crashed]: 'crashed',
  [ACTOR_ERROR.killed]: 'cancelled',
  [ACTOR_ERROR.cancelled]: 'cancelled',
}

function statusOf({ flags, error }: CallOutcome): RunStatus {
  if (error !== undefined) return STATUS_OF[error.detail ?? ''] ?? 'failed'
  return (flags & FLAG.error) === 0 ? 'succeeded' : 'failed'
}

function describe({ flags, body, error }: CallOutcome): Pick<RunRecord, 'errorType' | 'errorMessage'> {
  if (error !== undefined)
    return { errorType: error.detail ?? error.name, errorMessage: error.message.slice(0, 1024) }
  return { errorType: (flags & FLAG.error) === 0 ? null : errorNameOf(body), errorMessage: null }
}
