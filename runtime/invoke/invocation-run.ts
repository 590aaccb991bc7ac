import type { Clock } from '../clock.ts'
import { EngineError } from '../errors.ts'
import type { ResultMeta } from '../environments/frames.ts'
import type { Invocation, InvocationHost, InvocationObserver } from '../environments/invocation.ts'
import type { ProcessExit } from '../environments/launcher.ts'
import type { Target } from '../registry/types.ts'
import type { Journal, RunRecord, RunStatus } from '../store/journal.ts'
import type { ConcurrencyGate } from './concurrency.ts'
import { logTail } from './log-tail.ts'
import {
  describeError,
  exited,
  failurePayload,
  responseTooLarge,
  timedOut,
  type PlatformFailure,
} from './outcomes.ts'
import { SYNC_PAYLOAD_BYTES, type InvokeOutcome, type InvokeRequest, type InvokeSink } from './types.ts'

/** What all runs share. */
export interface RunContext {
  readonly clock: Clock
  readonly journal: Journal
  readonly gate: ConcurrencyGate
  /** A finished run's record, for counters and watchers. */
  readonly onRecord: (record: RunRecord) => void
}

/** What a run was asked for: a caller's request, or an accepted event. */
export type RunRequest = Omit<InvokeRequest, 'trigger'> & { readonly trigger: RunRecord['trigger'] }

/** Where the record of an event goes before its lines do; undefined for callers who wait. */
export type RecordFirst = (record: RunRecord) => Promise<void>

/** An answer's meta when no process measured it. */
const NO_META: ResultMeta = { durationMs: 0, logBytes: 0, maxRssKb: 0 }
const MB_IN_KB = 1024
/** Whoever has no limit of its own ran into the one for loading. */
const LOADING_LIMIT_MS = 10_000

/**
 * One invocation seen from its caller: listens to what the environment tells, makes Lambda's answer and the
 * run's
 * record out of it, and hands both on.
 */
export class InvocationRun implements InvocationObserver {
  readonly request: RunRequest
  readonly sink: InvokeSink
  readonly acceptedAtMs: number
  readonly attempt: number
  target: Target
  readonly #context: RunContext
  /** Set for events: which attempt this is and where its record is committed. */
  readonly event: { attempt: number; recordFirst: RecordFirst } | undefined
  /** Chunks of a response stream that a buffered caller collects; null once it is too large. */
  #collected: Buffer[] | null = []
  #collectedBytes = 0
  #contentType = ''
  #streaming = false
  /** Ends what `settled` has to end. */
  #close: ((total: ResultMeta | undefined) => void) | undefined

  constructor(options: {
    context: RunContext
    request: RunRequest
    sink: InvokeSink
    target: Target
    attempt?: number
    recordFirst?: RecordFirst | undefined
  }) {
    this.#context = options.context
    this.request = options.request
    this.sink = options.sink
    this.target = options.target
    this.attempt = options.attempt ?? 1
    this.event =
      options.recordFirst === undefined
        ? undefined
        : { attempt: this.attempt, recordFirst: options.recordFirst }
    this.acceptedAtMs = options.context.clock.nowMs()
  }

  // -- endings

  answered(invocation: Invocation, isError: boolean, meta: ResultMeta, payload: Buffer): void {
    if (payload.length > SYNC_PAYLOAD_BYTES && !isError) {
      return this.#finish(invocation, 'failed', true, meta, responseTooLarge(SYNC_PAYLOAD_BYTES))
    }
    this.#finish(invocation, isError ? 'failed' : 'succeeded', isError, meta, payload)
  }

  notJson(_invocation: Invocation, reason: string): void {
    this.#leave()
    this.sink.refused(
      new EngineError('not-json', reason, { detail: 'payload', hint: 'Send a JSON value as the payload.' }),
    )
  }

  initFailed(invocation: Invocation, error: Buffer): void {
    this.#finish(invocation, 'failed', true, NO_META, error)
  }

  lost(invocation: Invocation, exit: ProcessExit): void {
    const environment = invocation.host
    const { timeoutMs } = invocation.version
    const expired = invocation.timedOut || environment?.loadingTimedOut === true
    this.#fail(invocation, expired ? timedOut(timeoutMs ?? LOADING_LIMIT_MS) : exited(exit))
  }

  settled(invocation: Invocation, total: ResultMeta | undefined): void {
    const close = this.#close
    this.#close = undefined
    if (invocation.timedOut) this.#tellTimeout(invocation)
    close?.(total)
  }

  refused(_invocation: Invocation, error: EngineError): void {
    this.#leave()
    this.sink.refused(error)
  }

  // -- streams

  streamStarted(_invocation: Invocation, contentType: string): void {
    this.#contentType = contentType
    if (!this.request.streaming || this.#streaming) return
    this.#streaming = true
    this.sink.streamStarted?.({ contentType, executedVersion: this.target.executedVersion })
  }

  streamData(invocation: Invocation, chunk: Buffer): void {
    if (this.#streaming) {
      this.sink.streamData?.(chunk, () => invocation.host?.credit(invocation, chunk.length))
      return
    }
    this.#collectedBytes += chunk.length
    if (this.#collectedBytes > SYNC_PAYLOAD_BYTES) this.#collected = null
    this.#collected?.push(chunk)
    invocation.host?.credit(invocation, chunk.length)
  }

  streamEnded(invocation: Invocation, error: Buffer | undefined, meta: ResultMeta): void {
    const isError = error !== undefined
    if (!this.#streaming) {
      const tooLarge = this.#collected === null
      const payload =
        error ??
        (this.#collected === null ? responseTooLarge(SYNC_PAYLOAD_BYTES) : Buffer.concat(this.#collected))
      return this.#finish(
        invocation,
        isError || tooLarge ? 'failed' : 'succeeded',
        isError || tooLarge,
        meta,
        payload,
      )
    }
    this.#finish(invocation, isError ? 'failed' : 'succeeded', isError, meta, error ?? Buffer.alloc(0))
  }

  // -- inside

  #leave(): void {
    this.#context.gate.leave(this.request.scope, this.target)
  }

  /** The platform ends it: the process is gone, or was too slow. */
  #fail(invocation: Invocation, failure: PlatformFailure): void {
    const { clock } = this.#context
    const { requestId } = this.request
    const environment = invocation.host
    // One that never started waited for code that did not load.
    const durationMs =
      invocation.startedAt === 0 ? (environment?.initMs ?? 0) : clock.monotonicMs() - invocation.startedAt
    if (failure.status === 'timed-out') this.#tellTimeout(invocation)
    else {
      environment?.intake.platform(requestId, `RequestId: ${requestId} Error: ${failure.message}`)
      environment?.intake.platform(requestId, failure.errorType)
    }
    const meta = { durationMs, logBytes: 0, maxRssKb: environment?.maxRssKb ?? 0 }
    this.#finish(invocation, failure.status, true, meta, failurePayload(failure, requestId))
  }

  #tellTimeout({ host, version }: Invocation): void {
    const { requestId } = this.request
    const { message } = timedOut(version.timeoutMs ?? LOADING_LIMIT_MS)
    const time = new Date(this.#context.clock.nowMs()).toISOString()
    host?.intake.platform(requestId, `${time} ${requestId} ${message}`)
  }

  #finish(
    invocation: Invocation,
    status: RunStatus,
    isError: boolean,
    meta: ResultMeta,
    payload: Buffer,
  ): void {
    this.#leave()
    const environment = invocation.host
    const tailed = this.request.logTail && environment !== undefined
    // The caller first: what is written down about it can wait for a moment.
    if (!tailed) this.#answer(isError, payload, undefined)
    if (invocation.state !== 'settling')
      return this.#settle(invocation, status, isError, meta, payload, tailed)
    this.#close = (total) => {
      const durationMs = this.#context.clock.monotonicMs() - invocation.startedAt
      this.#settle(invocation, status, isError, total ?? { ...meta, durationMs }, payload, tailed)
    }
  }

  /** Everybody has done with it: what it took is known now. */
  #settle(
    invocation: Invocation,
    status: RunStatus,
    isError: boolean,
    meta: ResultMeta,
    payload: Buffer,
    tailed: boolean,
  ): void {
    const environment = invocation.host
    const record = this.#record(invocation, environment, status, meta, isError ? payload : undefined)
    if (tailed && environment !== undefined) {
      environment.intake.whenAt(meta.logBytes, () =>
        this.#answer(isError, payload, this.#journalEnd(environment, record)),
      )
      return
    }
    if (environment === undefined) return this.#recordUnhosted(record)
    environment.intake.whenAt(meta.logBytes, () => this.#journalEnd(environment, record))
  }

  /** It never came to an environment: there are no lines, but an event's record is owed. */
  #recordUnhosted(record: RunRecord): void {
    const { onRecord } = this.#context
    if (this.event === undefined) return onRecord(record)
    void this.event.recordFirst(record).then(() => onRecord(record))
  }

  #answer(isError: boolean, payload: Buffer, logTail: string | undefined): void {
    if (this.#streaming) {
      this.sink.streamEnded?.({ error: isError ? payload : undefined, logTail })
      return
    }
    const outcome: InvokeOutcome = {
      kind: isError ? 'function-error' : 'success',
      payload,
      executedVersion: this.target.executedVersion,
      logTail,
      contentType: isError ? '' : this.#contentType,
    }
    this.sink.result(outcome)
  }

  /** Writes the record and the closing lines; returns the tail for a caller who asked for it, base64. */
  #journalEnd(environment: InvocationHost, record: RunRecord): string | undefined {
    const { journal, onRecord } = this.#context
    const { tail, startWritten } = environment.intake.take(record.runId)
    const lines = (recorded: boolean): void =>
      journal.finished(environment.stream, record, { startWritten, recorded })
    if (this.event === undefined) {
      lines(false)
      onRecord(record)
    } else {
      const release = environment.intake.hold()
      void this.event.recordFirst(record).then(() => {
        lines(true)
        release()
        onRecord(record)
      })
    }
    return this.request.logTail ? logTail(record, this.target.version, tail) : undefined
  }

  #record(
    invocation: Invocation,
    environment: InvocationHost | undefined,
    status: RunStatus,
    meta: ResultMeta,
    error: Buffer | undefined,
  ): RunRecord {
    const { version } = invocation
    const { clock } = this.#context
    const failure = error === undefined ? undefined : describeError(error)
    const initMs = invocation.initMs ?? (environment?.initFailed === true ? environment.initMs : null)
    return {
      runId: this.request.requestId,
      kind: 'invocation',
      trigger: this.request.trigger,
      scope: this.request.scope,
      functionId: version.functionId,
      functionName: version.functionName,
      version: version.version,
      qualifier: this.target.qualifier,
      status,
      acceptedAtMs: this.acceptedAtMs,
      startedAtMs:
        clock.nowMs() -
        Math.round(invocation.startedAt === 0 ? 0 : clock.monotonicMs() - invocation.startedAt),
      durationMs: meta.durationMs,
      billedMs: Math.max(1, Math.ceil(meta.durationMs + (initMs ?? 0))),
      initMs,
      memoryMb: version.memoryMb,
      maxMemoryMb: Math.ceil(Math.max(meta.maxRssKb, environment?.maxRssKb ?? 0) / MB_IN_KB),
      errorType: failure?.errorType ?? null,
      errorMessage: failure?.errorMessage ?? null,
      environmentId: environment?.id ?? '',
      attempt: this.attempt,
    }
  }
}
