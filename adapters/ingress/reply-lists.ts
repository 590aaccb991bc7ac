import { isObject, isPlain, isValidHeader, OURS, type Reply } from './reply.ts'

/**
 * What a handler's result means behind an HTTP API with payload format 1.0 or a REST API: an object with
 * `statusCode`, and nothing is guessed. `multiValueHeaders` win over `headers` of the same name. Undefined:
 * the shape is wrong.
 */
export function replyV1(payload: Buffer): Reply | undefined {
  const result = parsed(payload)
  const status = statusOf(result?.statusCode, true)
  if (result === undefined || status === undefined) return undefined
  const single = readSingle(result.headers)
  const multiple = readMultiple(result.multiValueHeaders)
  const body = bodyOf(result)
  if (single === undefined || multiple === undefined || body === undefined) return undefined
  const names = new Set(multiple.map(([name]) => name.toLowerCase()))
  const pairs = [...single.filter(([name]) => !names.has(name.toLowerCase())), ...multiple]
  return { status, headers: flat(pairs, 'application/json'), body }
}

/**
 * What it means behind a load balancer. Only the headers of its mode count: `multiValueHeaders` with
 * multi-value headers on, else `headers`. Undefined: the shape is wrong.
 */
export function albReply(payload: Buffer, multiValue: boolean): Reply | undefined {
  const result = parsed(payload)
  const status = statusOf(result?.statusCode, false)
  if (result === undefined || status === undefined) return undefined
  const { statusDescription } = result
  const pairs = multiValue ? readMultiple(result.multiValueHeaders) : readSingle(result.headers)
  const body = bodyOf(result)
  if (pairs === undefined || body === undefined) return undefined
  const reply = { status, headers: flat(pairs, 'application/octet-stream'), body }
  const words = typeof statusDescription === 'string' ? statusDescription.replace(/^\d{3}\s*/, '') : ''
  return PRINTABLE.test(words) ? { ...reply, statusMessage: words } : reply
}

const PRINTABLE = /^[\x20-\x7e]{1,200}$/

type Pairs = [name: string, value: string][]

function parsed(payload: Buffer): Record<string, unknown> | undefined {
  try {
    const result: unknown = JSON.parse(payload.toString('utf8'))
    return isObject(result) ? result : undefined
  } catch {
    return undefined // a runtime of the user's own may post anything
  }
}

function statusOf(value: unknown, digitsToo: boolean): number | undefined {
  const status = digitsToo && typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value
  const isStatus = typeof status === 'number' && Number.isInteger(status) && status >= 200 && status <= 599
  return isStatus ? status : undefined
}

function bodyOf({ body = null, isBase64Encoded = false }: Record<string, unknown>): Buffer | undefined {
  if (body !== null && typeof body !== 'string') return undefined
  return Buffer.from(body ?? '', isBase64Encoded === true ? 'base64' : 'utf8')
}

function readSingle(headers: unknown): Pairs | undefined {
  if (headers === undefined || headers === null) return []
  if (!isObject(headers)) return undefined
  const pairs: Pairs = []
  for (const [name, value] of Object.entries(headers)) {
    if (value === null) continue
    if (!isPlain(value) || !isValidHeader(name, String(value))) return undefined
    pairs.push([name, String(value)])
  }
  return pairs
}

function readMultiple(headers: unknown): Pairs | undefined {
  if (headers === undefined || headers === null) return []
  if (!isObject(headers)) return undefined
  const pairs: Pairs = []
  for (const [name, values] of Object.entries(headers)) {
    if (values === null) continue
    if (!Array.isArray(values)) return undefined
    for (const value of values as readonly unknown[]) {
      if (!isPlain(value) || !isValidHeader(name, String(value))) return undefined
      pairs.push([name, String(value)])
    }
  }
  return pairs
}

function flat(pairs: Pairs, fallbackType: string): string[] {
  const kept = pairs.filter(([name]) => !OURS.has(name.toLowerCase()))
  const typed = kept.some(([name]) => name.toLowerCase() === 'content-type')
  return [...kept.flat(), ...(typed ? [] : ['content-type', fallbackType])]
}
