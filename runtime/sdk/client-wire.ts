import { asRecord, errorOf, LambentError } from './client-errors.ts'
import { sendCall, type HttpAnswer, type HttpCall } from './http-call.ts'

/** One request to the engine: where to, below the engine's own address. */
export interface WireRequest {
  readonly method?: HttpCall['method']
  readonly query?: Readonly<Record<string, string | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly signal?: AbortSignal | undefined
}

/** Asks the engine. Answers of status 400 and more are thrown as what they stand for. */
export interface Wire {
  call(path: string, request?: WireRequest): Promise<HttpAnswer>
  /** As `call`, for what lies under `/lambent/v1/` and answers with JSON; undefined for an empty answer. */
  json(path: string, request?: WireRequest): Promise<unknown>
}

/** The engine whose api port is at `url`, asked with a key where it wants one. */
export function createWire(url: string, key: string | undefined): Wire {
  const base = new URL(url)
  const authorization: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` }
  const call = async (path: string, request: WireRequest = {}): Promise<HttpAnswer> => {
    const { query = {}, headers, method = 'GET', body, signal } = request
    const target = new URL(`${base.pathname.replace(/\/$/, '')}${path}`, base)
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) target.searchParams.set(name, value)
    const answer = await reach(base, {
      method,
      url: target,
      headers: { ...authorization, ...headers },
      signal,
      ...(body === undefined ? {} : { body }),
    })
    if (answer.status >= 400) throw errorOf(answer)
    return answer
  }
  return { call, json: async (path, request) => parseAnswer(await call(`/lambent/v1/${path}`, request)) }
}

async function reach(base: URL, request: HttpCall): Promise<HttpAnswer> {
  try {
    return await sendCall(request)
  } catch (cause) {
    if (request.signal?.aborted === true) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new LambentError('unreachable', `No engine answers at ${base.origin}: ${reason}`, {
      status: 0,
      hint: 'Start it with `npx lambent start`.',
      cause,
    })
  }
}

/** The JSON of an answer; undefined when it is empty. */
export function parseAnswer(answer: HttpAnswer): unknown {
  const text = answer.body.toString('utf8')
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch (cause) {
    const message = `The answer is not JSON: ${text.slice(0, 200)}`
    throw new LambentError('invalid', message, { status: answer.status, cause })
  }
}

/** A list comes as itself or under its name. */
export function listIn(body: unknown, name: string): unknown[] {
  const list = Array.isArray(body) ? body : asRecord(body)[name]
  if (Array.isArray(list)) return list
  throw new LambentError('invalid', `The answer has no list of ${name}.`, { status: 200 })
}
