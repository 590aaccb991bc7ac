import { STATUS_CODES } from 'node:http'
import type { EngineError } from '../../runtime/errors.ts'
import type { Reply } from './reply.ts'

/** Who speaks for the platform at a route: each has words of its own. */
export type Gateway = 'http-api' | 'rest' | 'alb'

/** What can go wrong in front of a function or behind it. */
export type GatewayFailure =
  | 'not-found'
  | 'unauthorized'
  | 'forbidden'
  | 'too-large'
  | 'throttled'
  | 'failed'
  | 'broken'
  | 'unavailable'
  | 'timeout'

/** `failed`: the function failed or its answer is not one. `broken`: it could not be called at all. */
const SHAPES: Record<Exclude<Gateway, 'alb'>, Record<GatewayFailure, readonly [number, string, string]>> = {
  'http-api': {
    'not-found': [404, 'Not Found', ''],
    unauthorized: [401, 'Unauthorized', ''],
    forbidden: [403, 'Forbidden', ''],
    'too-large': [413, 'Request Entity Too Large', ''],
    throttled: [429, 'Too Many Requests', ''],
    failed: [500, 'Internal Server Error', ''],
    broken: [500, 'Internal Server Error', ''],
    unavailable: [503, 'Service Unavailable', ''],
    timeout: [503, 'Service Unavailable', ''],
  },
  rest: {
    'not-found': [403, 'Missing Authentication Token', 'MissingAuthenticationTokenException'],
    unauthorized: [401, 'Unauthorized', 'UnauthorizedException'],
    forbidden: [403, 'Forbidden', 'ForbiddenException'],
    'too-large': [413, 'Request Too Long', 'RequestTooLargeException'],
    throttled: [429, 'Too Many Requests', 'TooManyRequestsException'],
    failed: [502, 'Internal server error', 'InternalServerErrorException'],
    broken: [500, 'Internal server error', 'InternalServerErrorException'],
    unavailable: [503, 'Service Unavailable', 'ServiceUnavailableException'],
    timeout: [504, 'Endpoint request timed out', 'InternalServerErrorException'],
  },
}

const ALB_STATUS: Record<GatewayFailure, number> = {
  'not-found': 404,
  unauthorized: 401,
  forbidden: 403,
  'too-large': 413,
  throttled: 502,
  failed: 502,
  broken: 502,
  unavailable: 503,
  timeout: 502,
}

/** The platform's own answer, in the words of API Gateway's two kinds of API or of a load balancer. */
export function gatewayFailure(gateway: Gateway, failure: GatewayFailure): Reply {
  if (gateway === 'alb') return page(ALB_STATUS[failure])
  const [status, message, errorType] = SHAPES[gateway][failure]
  const headers = ['content-type', 'application/json']
  if (errorType !== '') headers.push('x-amzn-ErrorType', errorType)
  if (failure === 'throttled') headers.push('retry-after', '1')
  return { status, headers, body: Buffer.from(JSON.stringify({ message })) }
}

/** What a caller is told about an invocation that did not run. */
export function gatewayRefusal(gateway: Gateway, error: EngineError): Reply {
  switch (error.code) {
    case 'throttled':
    case 'infeasible':
      return gatewayFailure(gateway, 'throttled')
    case 'too-large':
      return gatewayFailure(gateway, 'too-large')
    case 'unavailable':
      return gatewayFailure(gateway, 'unavailable')
    case 'timeout':
      return gatewayFailure(gateway, 'timeout')
    case 'not-found':
    case 'conflict':
    case 'unsupported':
    case 'already-exists':
    case 'invalid':
    case 'not-json':
    case 'precondition-failed':
    case 'forbidden':
    case 'crashed':
    case 'internal':
      return gatewayFailure(gateway, 'broken')
  }
}

function page(status: number): Reply {
  const title = `${status} ${STATUS_CODES[status] ?? ''}`
  const html = `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n</body>\r\n</html>\r\n`
  return { status, headers: ['content-type', 'text/html'], body: Buffer.from(html) }
}
