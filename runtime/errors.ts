/**
 * What can go wrong inside the engine, by neutral code. A code never changes meaning; each adapter maps
 * codes to its own wire names and statuses in one place.
 */
export type ErrorCode =
  | 'not-found'
  | 'already-exists'
  | 'invalid'
  | 'not-json'
  | 'too-large'
  | 'infeasible'
  | 'throttled'
  | 'conflict'
  | 'precondition-failed'
  | 'forbidden'
  | 'timeout'
  | 'crashed'
  | 'unsupported'
  | 'unavailable'
  | 'internal'

/** Why an invocation was throttled: Lambda's own words are mapped from these in adapters/lambda. */
export type ThrottleReason = 'reserved-concurrency' | 'account-concurrency' | 'environment-cap' | 'queue-full'

/**
 * What an `EngineError` may carry beside its message. `detail` is one machine-readable word or value an
 * adapter may need.
 */
export interface EngineErrorOptions {
  cause?: unknown
  hint?: string
  detail?: string
}

/** An engine failure that the caller can act on. A handler's own failure is a result, never one of these. */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly code: ErrorCode
  /** What the reader should do next. */
  readonly hint: string | undefined
  /** A machine-readable refinement of the code, such as a `ThrottleReason`. */
  readonly detail: string | undefined

  constructor(code: ErrorCode, message: string, options: EngineErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
    this.detail = options.detail
  }
}

/** Whether `value` is an `EngineError`, with this code when one is given. */
export const isEngineError = (value: unknown, code?: ErrorCode): value is EngineError =>
  value instanceof EngineError && (code === undefined || value.code === code)

/** The message of anything that was thrown. */
export const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown)
