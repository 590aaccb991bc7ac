import type { ProcessExit } from '../environments/launcher.ts'
import type { RunStatus } from '../store/journal.ts'

/** A failure the platform itself reports, in Lambda's words. */
export interface PlatformFailure {
  readonly status: RunStatus
  readonly errorType: string
  /** Without the `RequestId: … Error: ` that leads it on the wire. */
  readonly message: string
}

const SIGNAL_NAMES: Readonly<Record<string, string>> = {
  SIGKILL: 'killed',
  SIGTERM: 'terminated',
  SIGSEGV: 'segmentation fault',
  SIGABRT: 'aborted',
  SIGBUS: 'bus error',
  SIGILL: 'illegal instruction',
  SIGFPE: 'floating point exception',
  SIGINT: 'interrupt',
  SIGTRAP: 'trace/breakpoint trap',
}

/** Recorded answer since the end of 2025; two decimals of the configured limit. */
export const timedOut = (timeoutMs: number): PlatformFailure => ({
  status: 'timed-out',
  errorType: 'Sandbox.Timedout',
  message: `Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`,
})

/** What the end of a process without an answer means. */
export function exited(exit: ProcessExit): PlatformFailure {
  if (exit.outOfMemory) {
    return {
      status: 'out-of-memory',
      errorType: 'Runtime.OutOfMemory',
      message: 'Runtime exited with error: signal: killed',
    }
  }
  if (exit.failure !== undefined) return { status: 'crashed', ...exit.failure }
  if (exit.signal !== null) {
    const name = SIGNAL_NAMES[exit.signal] ?? exit.signal
    return {
      status: 'crashed',
      errorType: 'Runtime.ExitError',
      message: `Runtime exited with error: signal: ${name}`,
    }
  }
  const message =
    exit.code === 0
      ? 'Runtime exited without providing a reason'
      : `Runtime exited with error: exit status ${exit.code}`
  return { status: 'crashed', errorType: 'Runtime.ExitError', message }
}

/** The error JSON a caller gets for a platform failure; the type comes first, as recorded. */
export const failurePayload = (failure: PlatformFailure, requestId: string): Buffer =>
  Buffer.from(
    JSON.stringify({
      errorType: failure.errorType,
      errorMessage: `RequestId: ${requestId} Error: ${failure.message}`,
    }),
  )

/** Answer in place of a response over the limit. */
export const responseTooLarge = (limitBytes: number): Buffer =>
  Buffer.from(
    JSON.stringify({
      errorMessage: `Response payload size exceeded maximum allowed payload size (${limitBytes} bytes).`,
      errorType: 'Function.ResponseSizeTooLarge',
    }),
  )

/**
 * Type and message out of error JSON a runtime sent, for the run's record. Anything unreadable is `Unknown`.
 */
export function describeError(payload: Buffer): { errorType: string; errorMessage: string } {
  try {
    const value: unknown = JSON.parse(payload.toString('utf8'))
    if (typeof value !== 'object' || value === null) return { errorType: 'Unknown', errorMessage: '' }
    // checked below
    const { errorType, errorMessage } = value as { errorType?: unknown; errorMessage?: unknown }
    return {
      errorType: typeof errorType === 'string' ? errorType : 'Unknown',
      errorMessage: typeof errorMessage === 'string' ? errorMessage.slice(0, 1024) : '',
    }
  } catch {
    return { errorType: 'Unknown', errorMessage: '' }
  }
}
