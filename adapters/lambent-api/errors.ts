import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { ACTOR_ERROR } from '../../runtime/environments/actor-messages.ts'
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

/** Errors that have a name of their own, by their detail. */
const NAMED: Readonly<Record<string, readonly [status: ContentfulStatusCode, code: string]>> = {
  __proto__: null as never, // a detail can be any text
  [ACTOR_ERROR.crashed]: [502, ACTOR_ERROR.crashed],
  [ACTOR_ERROR.killed]: [502, ACTOR_ERROR.killed],
  [ACTOR_ERROR.quarantined]: [502, ACTOR_ERROR.quarantined],
  [ACTOR_ERROR.mailboxFull]: [429, ACTOR_ERROR.mailboxFull],
  [ACTOR_ERROR.deadlock]: [409, ACTOR_ERROR.deadlock],
  'object-lost': [404, 'ObjectLost'],
  'object-store-full': [429, 'ObjectStoreFull'],
}

/**
 * The one place where errors become answers of the Lambent API. What is not an EngineError is our own
 * fault.
 */
export function answerError(context: Context, thrown: unknown): Response {
  const error = isEngineError(thrown)
    ? thrown
    : new EngineError('internal', 'Lambent failed to answer this request.', { hint: 'See its log.' })
  const [status, code] = NAMED[error.detail ?? ''] ?? SHAPES[error.code]
  return context.json({ error: { code, message: error.message, hint: error.hint } }, status)
}
