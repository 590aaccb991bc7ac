import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { EngineError, isEngineError, type ErrorCode } from '../../runtime/errors.ts'

/** How a code looks on this wire: `{ "error": { "code", "message", "hint" } }`. */
const SHAPES: Record<ErrorCode, readonly [status: ContentfulStatusCode, code: string]> = {
  'not-found': [404, 'NotFound'],
  'already-exists': [409, 'AlreadyExists'],
  invalid: [400, 'Invalid'],
  'not-json': [400, 'NotJson'],
  'too-large': [413, 'TooLarge'],
  infeasible: [400, 'Infeasible'],
  throttled: [429, 'Throttled'],
  conflict: [409, 'Conflict'],
  'precondition-failed': [412, 'PreconditionFailed'],
  forbidden: [403, 'Forbidden'],
  timeout: [504, 'Timeout'],
  crashed: [502, 'Crashed'],
  unsupported: [501, 'NotBuiltYet'],
  unavailable: [503, 'Unavailable'],
  internal: [500, 'Internal'],
}

/**
 * The one place where errors become answers of the Lambent API. What is not an EngineError is our own
 * fault.
 */
export function answerError(context: Context, thrown: unknown): Response {
  const error = isEngineError(thrown)
    ? thrown
    : new EngineError('internal', 'Lambent failed to answer this request.', { hint: 'See its log.' })
  const [status, code] = SHAPES[error.code]
  return context.json({ error: { code, message: error.message, hint: error.hint } }, status)
}
