import { packError } from '../environments/call-payload.ts'
import { encode } from '../sdk/codec/encode.ts'
import { rebuildError } from '../sdk/codec/error-classes.ts'
import type { Failure } from './task-errors.ts'

/** Writes a failure as an error of the class that it names, without a stack: it came about in here. */
export function encodeFailure({ name, message, detail }: Failure): Buffer {
  const error = Object.assign(rebuildError(name, name, message), detail)
  error.stack = `${name}: ${message}`
  return packError(name, encode(error).head)
}
