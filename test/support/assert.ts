import { strictEqual } from 'node:assert'
import type { ErrorCode } from '../../runtime/errors.ts'
import { EngineError } from '../../runtime/errors.ts'

/**
 * The EngineError with `code` that `promise` rejects with; fails when it resolves or rejects with anything
 * else.
 */
export async function rejectsWith(promise: Promise<unknown>, code: ErrorCode): Promise<EngineError> {
  const error = await rejection(promise)
  if (!(error instanceof EngineError)) {
    throw new Error(`Expected an EngineError "${code}", got: ${String(error)}`, { cause: error })
  }
  strictEqual(error.code, code, `expected code "${code}", got "${error.code}": ${error.message}`)
  return error
}

/** The Error that `promise` rejects with; fails when it resolves. */
export async function rejects(promise: Promise<unknown>): Promise<Error> {
  const error = await rejection(promise)
  if (!(error instanceof Error)) throw new Error(`Expected an Error, got: ${String(error)}`)
  return error
}

/** The EngineError with `code` that `call` throws at once. */
export function throwsWith(call: () => unknown, code: ErrorCode): EngineError {
  try {
    call()
  } catch (error) {
    if (!(error instanceof EngineError)) {
      throw new Error(`Expected an EngineError "${code}", got: ${String(error)}`, { cause: error })
    }
    strictEqual(error.code, code, `expected code "${code}", got "${error.code}": ${error.message}`)
    return error
  }
  throw new Error(`Expected an EngineError "${code}", but nothing was thrown.`)
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    return error
  }
  throw new Error(`Expected a rejection, got: ${JSON.stringify(value)}`)
}
