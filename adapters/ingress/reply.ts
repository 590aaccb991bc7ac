import { validateHeaderName, validateHeaderValue } from 'node:http'
import { HOP_BY_HOP } from './hop-by-hop.ts'

/** Status and headers of an answer. Names and values alternate, because names may repeat (Set-Cookie). */
export interface ReplyHead {
  readonly status: number
  readonly headers: string[]
  /** The words behind the status; Node's own when absent. */
  readonly statusMessage?: string
}

export interface Reply extends ReplyHead {
  readonly body: Buffer
}

/** The content type that announces a prelude: status and headers as JSON, eight NUL bytes, then the body. */
export const PRELUDE_TYPE = 'application/vnd.awslambda.http-integration-response'
/** The content type of a stream that has said nothing about itself. */
export const STREAM_TYPE = 'application/octet-stream'
const JSON_TYPE = 'application/json'

/**
 * What a handler's result means in HTTP: an object with `statusCode` says all of it; anything else is a 200
 * with the JSON as its body, a string without its quotes. Undefined: the shape is wrong, which callers see
 * as 502.
 */
export function replyOf(payload: Buffer): Reply | undefined {
  let result: unknown
  try {
    result = JSON.parse(payload.toString('utf8'))
  } catch {
    return undefined // a runtime of the user's own may post anything
  }
  if (isObject(result) && 'statusCode' in result) return structuredReply(result)
  const body = typeof result === 'string' ? Buffer.from(result) : payload
  return { status: 200, headers: ['content-type', JSON_TYPE], body }
}

/**
 * The answer of a response stream that was collected before it was sent. Undefined: its prelude is broken.
 */
export function replyOfCollected(payload: Buffer, contentType: string): Reply | undefined {
  if (contentType !== PRELUDE_TYPE) {
    const head = headOfType(contentType)
    return head && { ...head, body: payload }
  }
  const end = payload.indexOf(PRELUDE_END)
  const head = end < 0 ? undefined : headOf(payload.subarray(0, end))
  return head && { ...head, body: payload.subarray(end + PRELUDE_END.length) }
}

/** What ends a prelude. */
export const PRELUDE_END = Buffer.alloc(8)

/** The head of a stream that has only said its content type. Undefined: no header can hold it. */
export const headOfType = (contentType: string): ReplyHead | undefined =>
  isValidHeader('content-type', contentType)
    ? { status: 200, headers: ['content-type', contentType] }
    : undefined

/** Status and headers of a prelude's JSON. Undefined: it is broken. */
export function headOf(prelude: Buffer): ReplyHead | undefined {
  try {
    const parsed: unknown = JSON.parse(prelude.toString('utf8'))
    return isObject(parsed) ? readHead({ statusCode: 200, ...parsed }, STREAM_TYPE) : undefined
  } catch {
    return undefined
  }
}

function structuredReply(result: Record<string, unknown>): Reply | undefined {
  const head = readHead(result, JSON_TYPE)
  const { body = null, isBase64Encoded = false } = result
  if (head === undefined || (body !== null && typeof body !== 'string')) return undefined
  return { ...head, body: Buffer.from(body ?? '', isBase64Encoded === true ? 'base64' : 'utf8') }
}

/** Headers the platform sets itself, whatever a handler says. */
export const OURS: ReadonlySet<string> = new Set([
  'content-length',
  'x-amzn-requestid',
  'x-amzn-trace-id',
  ...HOP_BY_HOP,
])

function readHead(from: Record<string, unknown>, contentType: string): ReplyHead | undefined {
  const { statusCode: status, headers: given, cookies } = from
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 599)
    return undefined
  const headers: string[] = []
  let typed = false
  if (given !== undefined && given !== null) {
    if (!isObject(given)) return undefined
    for (const [name, value] of Object.entries(given)) {
      if (!isPlain(value) || !isValidHeader(name, String(value))) return undefined
      const lower = name.toLowerCase()
      if (OURS.has(lower)) continue
      typed ||= lower === 'content-type'
      headers.push(name, String(value))
    }
  }
  if (cookies !== undefined && cookies !== null) {
    if (!Array.isArray(cookies)) return undefined
    for (const cookie of cookies as readonly unknown[]) {
      if (typeof cookie !== 'string' || !isValidHeader('set-cookie', cookie)) return undefined
      headers.push('set-cookie', cookie)
    }
  }
  if (!typed) headers.push('content-type', contentType)
  return { status, headers }
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const isPlain = (value: unknown): boolean =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'

/** Whether Node would send it: a line feed in a value must not become a header of its own. */
export function isValidHeader(name: string, value: string): boolean {
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value)
    return true
  } catch {
    return false
  }
}
