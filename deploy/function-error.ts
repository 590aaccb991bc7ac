import { EXIT, type ExitCode } from './exit-codes.ts'
import type { Output } from './output.ts'

/** What runtimes put into Lambda's error JSON; each language has its own name for the stack. */
interface FunctionError {
  readonly errorType?: unknown
  readonly errorMessage?: unknown
  readonly trace?: unknown
  readonly stackTrace?: unknown
}

/**
 * Lambda's error JSON as a person reads an error: type and message, then the stack. Anything else is shown as
 * it is.
 */
export function describeFunctionError(payload: string, paint: Output['paint']): string {
  const error = parse(payload)
  if (error === undefined) return paint.red(payload)
  const type = typeof error.errorType === 'string' && error.errorType !== '' ? error.errorType : 'Error'
  const message =
    typeof error.errorMessage === 'string' ? error.errorMessage : JSON.stringify(error.errorMessage)
  const frames = [error.trace, error.stackTrace].find(Array.isArray) ?? []
  const stack = frames.map(String).filter((line) => /^\s/.test(line) || /^\s*(at |File )/.test(line))
  const head = paint.red(`${paint.bold(type)}: ${message ?? 'no message'}`)
  return [head, ...stack.map((line) => paint.dim(line.trimEnd()))].join('\n')
}

/** 124 when the function ran out of its time, 1 for every other failure of a function. */
export const exitCodeOfFunctionError = (payload: string): ExitCode =>
  parse(payload)?.errorType === 'Sandbox.Timedout' ? EXIT.timeout : EXIT.failed

function parse(payload: string): FunctionError | undefined {
  try {
    const value: unknown = JSON.parse(payload)
    return typeof value === 'object' && value !== null && 'errorMessage' in value ? value : undefined
  } catch {
    return undefined
  }
}
