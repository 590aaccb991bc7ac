import type { ProcessExit } from '../environments/launcher.ts'
import type { EngineError, ErrorCode } from '../errors.ts'

/** A failure of the engine's own as the code of a caller gets it. */
export interface Failure {
  /** Class of the SDK that it comes back as. */
  readonly name: string
  readonly message: string
  /** Own properties of the error. */
  readonly detail?: Readonly<Record<string, string | number>>
}

/** Writes a failure as an error travels: its name, then what the codec of the SDK makes of it. */
export type EncodeFailure = (failure: Failure) => Buffer

/** What a refusal is called by code that uses the SDK. */
const NAMES: Partial<Record<ErrorCode, string>> = {
  infeasible: 'Infeasible',
  throttled: 'LimitReached',
  'too-large': 'LimitReached',
  'not-found': 'Infeasible',
  invalid: 'TypeError',
  timeout: 'TimeoutError',
}

const DETAILED: Readonly<Record<string, string>> = {
  'object-lost': 'ObjectLost',
  'object-store-full': 'ObjectStoreFull',
}

/** A refusal of the engine, with what to do about it. */
export const refusalFailure = (error: EngineError): Failure => ({
  name: DETAILED[error.detail ?? ''] ?? NAMES[error.code] ?? 'Error',
  message: error.hint === undefined ? error.message : `${error.message} ${error.hint}`,
  detail: { code: error.code },
})

/** A task's process ended under it. */
export function crashFailure(exit: ProcessExit, what: string, attempts: number): Failure {
  const tries = attempts === 1 ? '' : ` It was tried ${attempts} times.`
  if (exit.outOfMemory)
    return {
      name: 'Runtime.OutOfMemory',
      message: `${what} ran out of memory: its process was killed.${tries} Ask for more with memoryMb.`,
    }
  const how = exit.failure?.message ?? (exit.signal === null ? `exit status ${exit.code}` : exit.signal)
  return { name: 'TaskCrashed', message: `The process of ${what} ended (${how}).${tries}` }
}

/** A task took longer than it may. */
export const timeoutFailure = (what: string, timeoutMs: number): Failure => ({
  name: 'TimeoutError',
  message: `${what} took longer than its timeout of ${timeoutMs} ms.`,
})

/** A task was cancelled. */
export const cancelledFailure = (what: string): Failure => ({
  name: 'TaskCancelled',
  message: `${what} was cancelled.`,
})

/** A ref of which nothing is known. */
export const lostFailure = (refId: string): Failure => ({
  name: 'ObjectLost',
  message:
    `The object ${refId} is not there any more: its ref was released, what made it has ended without ` +
    'returning it, or the engine was restarted.',
})

/** A wait that can never end. */
export const cycleFailure = (refId: string): Failure => ({
  name: 'WaitCycle',
  message:
    `Waiting for ${refId} can never end: what makes it waits for this task in turn. ` +
    'Break the circle: do not wait for a task from within what it waits for.',
})
