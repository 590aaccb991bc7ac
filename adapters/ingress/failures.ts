import type { EngineError } from '../../runtime/errors.ts'
import type { AuthError } from '../auth/auth-error.ts'
import type { Reply } from './reply.ts'

/** What AWS says to everybody who may not use a URL, or whose URL leads nowhere any more. */
const FORBIDDEN =
  'Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html'

/** No permission, or the alias behind the URL is gone. */
export const forbidden = (hint?: string): Reply => {
  const reply = failure(403, 'AccessDeniedException', { Message: FORBIDDEN })
  return hint === undefined ? reply : { ...reply, headers: [...reply.headers, 'x-lambent-hint', hint] }
}

/** The request is signed, but not as it should be. */
export const unproven = ({ kind, message }: AuthError): Reply => failure(403, kind, { message })

/** No function URL has this id. */
export const unknownUrl = (): Reply => failure(404, 'ResourceNotFoundException', { Message: null })

/** The request is neither a function URL by host nor one by path. */
export const notAUrl = (method: string, path: string): Reply =>
  failure(404, 'ResourceNotFoundException', {
    Message: `Nothing answers ${method} ${path.slice(0, 200)}. Function URLs are at /lambda-url/<id>/.`,
  })

/** The route leads to connections of an actor, and the request asked for none. */
export const upgradeRequired = (): Reply => {
  const reply = failure(426, 'BadRequestException', { Message: 'Connect to this route by WebSocket.' })
  return { ...reply, headers: [...reply.headers, 'upgrade', 'websocket'] }
}

/**
 * The handler failed, or answered something that is not an HTTP response: its caller learns no more than
 * that.
 */
export const handlerFailed = (): Reply => ({
  status: 502,
  headers: ['content-type', 'application/json'],
  body: Buffer.from('Internal Server Error'),
})

/** The request is over the limit, before or after it was made an event. */
export const tooLarge = (limitBytes: number): Reply =>
  failure(413, 'RequestTooLargeException', {
    Message: `Request must be smaller than ${limitBytes} bytes for the InvokeFunction operation`,
  })

/** What a caller is told about an invocation that did not run. */
export function refused(error: EngineError): Reply {
  const { message } = error
  switch (error.code) {
    case 'not-found':
      return forbidden()
    case 'throttled':
    case 'infeasible':
      return throttled(error)
    case 'too-large':
      return failure(413, 'RequestTooLargeException', { Type: 'User', message })
    case 'conflict':
      return failure(409, 'ResourceConflictException', { Type: 'User', message })
    case 'unavailable':
      return failure(503, 'ServiceException', { Type: 'Service', message })
    case 'unsupported':
      return failure(501, 'ServiceException', { Type: 'Service', message })
    case 'timeout':
      return failure(504, 'ServiceException', { Type: 'Service', message })
    case 'already-exists':
    case 'invalid':
    case 'not-json':
    case 'precondition-failed':
    case 'forbidden':
    case 'crashed':
    case 'internal':
      return handlerFailed()
  }
}

function throttled(error: EngineError): Reply {
  const reason =
    error.detail === 'reserved-concurrency'
      ? 'ReservedFunctionConcurrentInvocationLimitExceeded'
      : 'ConcurrentInvocationLimitExceeded'
  const message = error.code === 'infeasible' ? error.message : 'Rate Exceeded.'
  const reply = failure(429, 'TooManyRequestsException', { Reason: reason, Type: 'User', message })
  return { ...reply, headers: [...reply.headers, 'retry-after', '1'] }
}

function failure(status: number, code: string, body: Readonly<Record<string, unknown>>): Reply {
  return {
    status,
    headers: ['content-type', 'application/json', 'x-amzn-ErrorType', code],
    body: Buffer.from(JSON.stringify(body)),
  }
}
