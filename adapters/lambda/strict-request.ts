import { invokeTarget, type InvokeHead } from './invocations.ts'

/** A request head of the one shape the front answers itself. */
export interface StrictRequest {
  readonly head: InvokeHead
  readonly url: string
  readonly bodyBytes: number
  /** As Node would give them: name, value, name, value. */
  readonly rawHeaders: readonly string[]
}

const REQUEST_LINE = /^POST (\/[!-~]*) HTTP\/1\.1$/
/**
 * RFC 9110's token, colon, then visible text and white space. Folded lines, white space before the colon and
 * bytes past ASCII do not match. No two parts of it match the same text, so a line costs no more than its
 * length.
 */
const HEADER_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t -~]*)$/
const LENGTH = /^(0|[1-9]\d{0,9})$/
/** Headers that change how a message is framed or a connection lives: Node's own parser sees to those. */
const NOT_HERE = new Set([
  'transfer-encoding',
  'expect',
  'upgrade',
  'trailer',
  'te',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
])
const MAX_LINES = 100
/** Headers we read: one that comes twice is left to Node, which knows how to join it. */
const WANTED = new Set([
  'host',
  'content-length',
  'connection',
  'authorization',
  'x-amz-invocation-type',
  'x-amz-log-type',
  'x-amz-client-context',
  'x-amz-tenant-id',
  'x-amzn-trace-id',
])

/**
 * Reads the head of a request (without the empty line at its end) if it is an HTTP/1.1 POST to an invoke path
 * with one Host and a Content-Length, and nothing else that matters for framing. Undefined means: not for us,
 * or not beyond doubt; Node's parser decides then. Never guesses.
 */
export function parseStrict(text: string): StrictRequest | undefined {
  const lines = text.split('\r\n', MAX_LINES + 1)
  if (lines.length > MAX_LINES) return undefined
  const url = REQUEST_LINE.exec(lines[0] ?? '')?.[1]
  const target = url === undefined ? undefined : invokeTarget(url)
  // Streams leave in chunks: Node's response does that.
  if (url === undefined || target === undefined || target.streaming) return undefined
  const rawHeaders: string[] = []
  const wanted = new Map<string, string>()
  for (let index = 1; index < lines.length; index++) {
    const match = HEADER_LINE.exec(lines[index] ?? '')
    if (match === null) return undefined
    const name = match[1] ?? ''
    const value = (match[2] ?? '').trim() // only spaces and tabs are left to go
    rawHeaders.push(name, value)
    const lower = name.toLowerCase()
    if (NOT_HERE.has(lower)) return undefined
    if (!WANTED.has(lower)) continue
    if (wanted.has(lower)) return undefined
    wanted.set(lower, value)
  }
  const length = wanted.get('content-length')
  if (length === undefined || !LENGTH.test(length) || !wanted.has('host')) return undefined
  const connection = wanted.get('connection')
  if (connection !== undefined && connection.toLowerCase() !== 'keep-alive') return undefined
  const head: InvokeHead = {
    ...target,
    authorization: wanted.get('authorization'),
    invocationType: wanted.get('x-amz-invocation-type'),
    logType: wanted.get('x-amz-log-type'),
    clientContext: wanted.get('x-amz-client-context'),
    tenantId: wanted.get('x-amz-tenant-id'),
    traceId: wanted.get('x-amzn-trace-id'),
  }
  return { head, url, bodyBytes: Number(length), rawHeaders }
}
