import { isUtf8 } from 'node:buffer'

/** One request to a function URL, read from the wire. */
export interface UrlRequest {
  readonly method: string
  /** As sent: escapes are not decoded. */
  readonly rawPath: string
  readonly rawQueryString: string
  /** Node's flat list of names and values. */
  readonly rawHeaders: readonly string[]
  /** `HTTP/1.1`. */
  readonly protocol: string
  readonly urlId: string
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

/**
 * The event a handler gets for it: payload format 2.0, as bytes. There is no TLS here, so the two `x-amzn-
 * tls-*` headers are absent.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
 */
export function urlEvent(request: UrlRequest): Buffer {
  const { rawPath, rawQueryString, body } = request
  const headers = eventHeaders(request)
  const cookies = cookiesOf(headers['cookie'])
  const encoded = body.length > 0 && !isText(headers, body)
  const domainName = request.host.replace(/:\d+$/, '')
  return Buffer.from(
    JSON.stringify({
      version: '2.0',
      routeKey: '$default',
      rawPath,
      rawQueryString,
      cookies,
      headers,
      queryStringParameters: queryParameters(rawQueryString),
      requestContext: {
        accountId: 'anonymous',
        apiId: request.urlId,
        authentication: null,
        domainName,
        domainPrefix: request.urlId,
        http: {
          method: request.method,
          path: rawPath,
          protocol: request.protocol,
          sourceIp: request.sourceIp,
          userAgent: headers['user-agent'] ?? '',
        },
        requestId: request.requestId,
        routeKey: '$default',
        stage: '$default',
        time: requestTime(request.timeMs),
        timeEpoch: request.timeMs,
      },
      body: body.length === 0 ? undefined : body.toString(encoded ? 'base64' : 'utf8'),
      isBase64Encoded: encoded,
    }),
  )
}

/** What a proxy keeps to itself: these speak of one connection, not of the request. */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** A record without a prototype: `__proto__` is a name like any other. */
type Values = Record<string, string>
const emptyValues = (): Values => Object.create(null) as Values // Object.create is typed any

/** Names in lower case, repeated ones joined, hop-by-hop ones and those that Connection names removed. */
function eventHeaders(request: UrlRequest): Values {
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
function isText(headers: Values, body: Buffer): boolean {
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
