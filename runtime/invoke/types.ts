import type { EngineError } from '../errors.ts'
import type { Scope } from '../store/journal.ts'
import type { EndReason } from './event-outcome.ts'

/** One synchronous invocation. The payload is never parsed by the engine. */
export interface InvokeRequest {
  readonly scope: Scope
  readonly functionName: string
  /** Undefined: `$LATEST`, and the invoked ARN carries no qualifier. */
  readonly qualifier: string | undefined
  readonly payload: Buffer
  readonly requestId: string
  readonly trigger: 'sync' | 'stream' | 'url'
  /** `Root=1-…;…`; '' lets the engine make one. */
  readonly traceId: string
  /** base64 of JSON, already checked; '' when absent. */
  readonly clientContext: string
  readonly tenantId: string
  /** The last 4 KB of this invocation's log are wanted with the result. */
  readonly logTail: boolean
  /** The caller takes a response stream as it is written; otherwise a stream is collected. */
  readonly streaming: boolean
}

/** How an invocation that ran ended. `function-error` is a result, not a failure of the engine. */
export interface InvokeOutcome {
  readonly kind: 'success' | 'function-error'
  /** What the handler answered, or Lambda's error JSON. */
  readonly payload: Buffer
  readonly executedVersion: string
  /** base64; undefined unless asked for. */
  readonly logTail: string | undefined
  /** Content type that a response stream was started with, when one was collected; '' otherwise. */
  readonly contentType: string
}

/** How a response stream ended. */
export interface StreamEnd {
  /** Lambda's error JSON when the handler failed after the stream had started. */
  readonly error: Buffer | undefined
  readonly logTail: string | undefined
}

/**
 * Who waits for an invocation. Exactly one of `result` and `refused` is called, once; or, for a streaming
 * request,
 * `streamStarted`, any number of `streamData` and `streamEnded`.
 */
export interface InvokeSink {
  result(outcome: InvokeOutcome): void
  /**
   * It did not run: 'not-found', 'conflict', 'throttled' (detail: a ThrottleReason), 'not-json', 'too-large',
   * 'infeasible', 'unavailable'.
   */
  refused(error: EngineError): void
  streamStarted?(start: { contentType: string; executedVersion: string }): void
  /** `taken` must be called once the bytes have left: it is what lets the handler write more. */
  streamData?(chunk: Buffer, taken: () => void): void
  streamEnded?(end: StreamEnd): void
}

/** Why an accepted event must not run. It ends at once, and whoever is told of failures is told so. */
export interface EventRefusal {
  readonly reason: EndReason
  /** For the run's record. */
  readonly errorType: string
  readonly message: string
}

/** One asynchronous invocation to accept. */
export interface EventRequest {
  readonly scope: Scope
  readonly functionName: string
  readonly qualifier: string | undefined
  /** Valid JSON, checked by the caller. */
  readonly payload: Buffer
  readonly requestId: string
  readonly traceId: string
  readonly clientContext: string
  readonly tenantId: string
  /** Set by a caller who knows that this event must not run. */
  readonly refusal?: EventRefusal
}

/** The face of the one path: what adapters call. */
export interface Invoker {
  invoke(request: InvokeRequest, sink: InvokeSink): void
  /**
   * As `invoke`, for callers off the hot path; streams are collected. Rejects with what `refused` would get.
   */
  run(request: Omit<InvokeRequest, 'streaming'>): Promise<InvokeOutcome>
  /**
   * Resolves after the event is on disk: it will run at least once. Rejects 'not-found', 'throttled' (queue
   * bound), 'unavailable'.
   */
  accept(request: EventRequest): Promise<void>
  /** DryRun: throws when the function or qualifier does not exist. */
  check(scope: Scope, functionName: string, qualifier: string | undefined): void
}

/** Lambda's limits on the wire, bytes. */
export const SYNC_PAYLOAD_BYTES = 6_291_556
export const EVENT_PAYLOAD_BYTES = 1_048_576
export const LOG_TAIL_BYTES = 4096
