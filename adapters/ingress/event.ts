import { isUtf8 } from 'node:buffer'
import { HOP_BY_HOP } from './hop-by-hop.ts'
import type { IamIdentity } from './iam.ts'

/** One HTTP request, read from the wire. */
export interface HttpRequest {
  readonly method: string
  /** As sent: escapes are not decoded. */
  readonly rawPath: string
  readonly rawQueryString: string
  /** Node's flat list of names and values. */
  readonly rawHeaders: readonly string[]
  /** `HTTP/1.1`. */
  readonly protocol: string
  /** Host of the URL, with its port where it has one. */
  readonly host: string
  readonly sourceIp: string
  readonly forwardedFor: string
  readonly forwardedPort: string
  readonly forwardedProtocol: string
  readonly requestId: string
  readonly traceId: string
  readonly timeMs: number
  readonly body: Buffer
}

/** One request to a function URL. */
export interface UrlRequest extends HttpRequest {
  readonly urlId: string
  /** Who signed it; undefined at a URL that anybody may use. */
  readonly iam?: IamIdentity | undefined
}

/**
 * The event a handler gets for it: payload format 2.0, as bytes. There is no TLS here, so the two `x-amzn-
 * tls-*` headers are absent.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
 */
export function urlEvent(request: UrlRequest): Buffer {
  const { urlId, iam } = request
  return Buffer.from(
    JSON.stringify(
      eventV2(request, {
        routeKey: '$default',
        accountId: iam?.accountId ?? 'anonymous',
        apiId: urlId,
        domainPrefix: urlId,
        authentication: null,
        authorizer: iam && { iam },
        pathParameters: undefined,
        stageVariables: undefined,
      }),
    ),
  )
}

/** What an event of format 2.0 says beside the request. Undefined members are absent. */
export interface EventV2Parts {
  readonly routeKey: string
  readonly accountId: string
  readonly apiId: string
  readonly domainPrefix: string
  readonly authentication: null | undefined
  readonly authorizer: object | undefined
  readonly pathParameters: Readonly<Record<string, string>> | undefined
  readonly stageVariables: Readonly<Record<string, string>> | undefined
}

/** An event of payload format 2.0. */
export function eventV2(request: HttpRequest, parts: EventV2Parts): Record<string, unknown> {
  const { rawPath, rawQueryString, body } = request
  const { routeKey, apiId } = parts
  const headers = eventHeaders(request)
  const cookies = cookiesOf(headers['cookie'])
  const encoded = body.length > 0 && !isText(headers, body)
  return {
    version: '2.0',
    routeKey,
    rawPath,
    rawQueryString,
    cookies,
    headers,
    queryStringParameters: queryParameters(rawQueryString),
    requestContext: {
      accountId: parts.accountId,
      apiId,
      authentication: parts.authentication,
      authorizer: parts.authorizer,
      domainName: withoutPort(request.host),
      domainPrefix: parts.domainPrefix,
      http: {
        method: request.method,
        path: rawPath,
        protocol: request.protocol,
        sourceIp: request.sourceIp,
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: request.requestId,
      routeKey,
      stage: '$default',
      time: requestTime(request.timeMs),
      timeEpoch: request.timeMs,
    },
    pathParameters: parts.pathParameters,
    stageVariables: parts.stageVariables,
    body: body.length === 0 ? undefined : body.toString(encoded ? 'base64' : 'utf8'),
    isBase64Encoded: encoded,
  }
}

/** A host's name. */
export const withoutPort = (host: string): string => host.replace(/:\d+$/, '')

/** The first label of a name; all of an address. */
export function domainPrefixOf(host: string): string {
  const name = withoutPort(host)
  return /^[\d.]+$|^\[/.test(name) ? name : (name.split('.')[0] ?? '')
}

/** A record without a prototype: `__proto__` is a name like any other. */
export type Values = Record<string, string>
export const emptyValues = (): Values => Object.create(null) as Values // Object.create is typed any

/** Names in lower case, repeated ones joined, hop-by-hop ones and those that Connection names removed. */
function eventHeaders(request: HttpRequest): Values {
  const { rawHeaders } = request
  const headers = emptyValues()
  let connection = ''
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase()
    const value = rawHeaders[index + 1] ?? ''
    if (name === 'connection') connection += `,${value}`
    if (HOP_BY_HOP.has(name)) continue
    const before = headers[name]
    headers[name] = before === undefined ? value : before + (name === 'cookie' ? '; ' : ',') + value
  }
  for (const named of connection.toLowerCase().split(',')) delete headers[named.trim()]
  headers['host'] = request.host
  headers['x-amzn-trace-id'] = request.traceId
  headers['x-forwarded-for'] = request.forwardedFor
  headers['x-forwarded-port'] = request.forwardedPort
  headers['x-forwarded-proto'] = request.forwardedProtocol
  return headers
}

function cookiesOf(header: string | undefined): string[] | undefined {
  const cookies = header
    ?.split(';')
    .map((cookie) => cookie.trim())
    .filter((cookie) => cookie !== '')
  return cookies === undefined || cookies.length === 0 ? undefined : cookies
}

/** Decoded, repeated names joined with a comma; undefined without any. */
function queryParameters(rawQueryString: string): Values | undefined {
  if (rawQueryString === '') return undefined
  const parameters = emptyValues()
  let count = 0
  for (const [name, value] of new URLSearchParams(rawQueryString)) {
    const before = parameters[name]
    parameters[name] = before === undefined ? value : `${before},${value}`
    count += 1
  }
  return count === 0 ? undefined : parameters
}

const TEXT =
  /^\s*(text\/|application\/(json|xml|javascript|x-www-form-urlencoded|([^;]+\+(json|xml)))\s*(;|$))/i

/**
 * Whether a body can travel as text: by its content type, and only when its bytes are UTF-8, so that no
 * body is ever damaged on the way. Without a content type the bytes alone decide.
 */
export function isText(headers: Values, body: Buffer): boolean {
  const contentType = headers['content-type']
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') return false
  return (contentType === undefined || TEXT.test(contentType)) && isUtf8(body)
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `02/Jan/2026:03:04:05 +0000`. */
export function requestTime(timeMs: number): string {
  const time = new Date(timeMs)
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${two(time.getUTCDate())}/${MONTHS[time.getUTCMonth()]}/${time.getUTCFullYear()}`
  const clock = `${two(time.getUTCHours())}:${two(time.getUTCMinutes())}:${two(time.getUTCSeconds())}`
  return `${day}:${clock} +0000`
}
