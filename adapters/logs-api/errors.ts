import { EngineError, type ErrorCode } from '../../runtime/errors.ts'

const NAMES: Partial<Record<ErrorCode, readonly [status: number, name: string]>> = {
  'not-found': [400, 'ResourceNotFoundException'],
  'already-exists': [400, 'ResourceAlreadyExistsException'],
  invalid: [400, 'InvalidParameterException'],
  'too-large': [413, 'RequestEntityTooLargeException'],
  throttled: [400, 'LimitExceededException'],
  forbidden: [400, 'AccessDeniedException'],
  unsupported: [501, 'UnknownOperationException'],
}

/** The one place where the engine's errors get the log API's names and statuses. */
export function logsError(error: unknown): { status: number; body: { __type: string; message: string } } {
  const found = error instanceof EngineError ? NAMES[error.code] : undefined
  if (found === undefined || !(error instanceof EngineError)) {
    const message = 'The service cannot complete the request.'
    return { status: 503, body: { __type: 'ServiceUnavailableException', message } }
  }
  const [status, name] = error.detail === 'serialization' ? [400, 'SerializationException'] : found
  return { status, body: { __type: name, message: error.message } }
}
