import { EngineError, type ErrorCode } from '../../runtime/errors.ts'

/** An error as Lambda puts it on the wire. */
export interface AwsError {
  readonly status: number
  /** For `x-amzn-ErrorType`: without it SDKs see an unknown error. */
  readonly name: string
  readonly body: Readonly<Record<string, string>>
  /** For `Retry-After`; absent where trying again changes nothing. */
  readonly retryAfterSeconds?: number
}

/** How a code looks on the wire; Lambda spells the message's member in two ways. */
interface Shape {
  readonly status: number
  readonly name: string
  readonly member: 'message' | 'Message'
  readonly type: 'User' | 'Service' | 'none'
}

const shape = (
  status: number,
  name: string,
  member: Shape['member'] = 'message',
  type: Shape['type'] = 'User',
): Shape => ({ status, name, member, type })

const INVALID = shape(400, 'InvalidParameterValueException')
const SERVICE = shape(500, 'ServiceException', 'Message', 'Service')

const SHAPES: Record<ErrorCode, Shape> = {
  'not-found': shape(404, 'ResourceNotFoundException', 'Message'),
  'already-exists': shape(409, 'ResourceConflictException'),
  invalid: INVALID,
  'not-json': shape(400, 'InvalidRequestContentException'),
  'too-large': shape(413, 'RequestTooLargeException'),
  infeasible: INVALID,
  throttled: shape(429, 'TooManyRequestsException'),
  conflict: shape(409, 'ResourceConflictException'),
  'precondition-failed': shape(412, 'PreconditionFailedException'),
  forbidden: shape(403, 'AccessDeniedException', 'Message', 'none'),
  timeout: SERVICE,
  crashed: SERVICE,
  unsupported: INVALID,
  unavailable: SERVICE,
  internal: SERVICE,
}

/** Details that change how a code looks. */
const DETAILS: Readonly<Record<string, Shape>> = {
  'conflict/in-use': shape(400, 'ResourceInUseException', 'Message'),
  'invalid/constraint': shape(400, 'ValidationException', 'message', 'none'),
  'invalid/serialization': shape(400, 'SerializationException', 'Message', 'none'),
  'invalid/no-published-version': shape(400, 'NoPublishedVersionException', 'Message'),
  'invalid/capacity-providers': shape(400, 'CapacityProviderLimitExceededException'),
  'invalid/recursion': shape(400, 'RecursiveInvocationException', 'Message'),
  'invalid/unreserved': shape(400, 'InvalidParameterValueException', 'message', 'none'),
  'invalid/unsigned': shape(400, 'CodeVerificationFailedException', 'Message'),
  'not-found/code-signing-config': shape(404, 'ResourceNotFoundException', 'Message', 'none'),
  'not-found/function-code-signing-config': shape(404, 'CodeSigningConfigNotFoundException', 'Message'),
  'not-found/provisioned': shape(404, 'ProvisionedConcurrencyConfigNotFoundException'),
  'not-found/operation': shape(404, 'UnknownOperationException', 'message', 'none'),
  'unsupported/runtime': shape(502, 'InvalidRuntimeException', 'Message', 'Service'),
  'too-large/body': shape(413, 'RequestEntityTooLargeException', 'message', 'none'),
  'too-large/policy': shape(400, 'PolicyLengthExceededException'),
}

const THROTTLE_REASONS: Readonly<Record<string, string>> = {
  'reserved-concurrency': 'ReservedFunctionConcurrentInvocationLimitExceeded',
  changes: 'CallerRateLimitExceeded',
}

/** The one place where the engine's errors get Lambda's names, statuses and bodies. */
export function awsError(error: EngineError): AwsError {
  const { status, name, member, type } = DETAILS[`${error.code}/${error.detail ?? ''}`] ?? SHAPES[error.code]
  const typed = { __type: name, ...(type === 'none' ? {} : { Type: type }) }
  if (error.code !== 'throttled') return { status, name, body: { ...typed, [member]: error.message } }
  const Reason = THROTTLE_REASONS[error.detail ?? ''] ?? 'ConcurrentInvocationLimitExceeded'
  // a full machine is none of Lambda's cases: what it waited for is said as well
  const message = error.detail === 'environment-cap' ? `Rate Exceeded. ${error.message}` : 'Rate Exceeded.'
  return { status, name, body: { ...typed, Reason, message }, retryAfterSeconds: 1 }
}

/** What callers are told of a failure that is ours; the cause goes to the log. */
export const internalError = (cause: unknown): EngineError =>
  new EngineError('internal', 'An error occurred and the request cannot be processed.', { cause })
