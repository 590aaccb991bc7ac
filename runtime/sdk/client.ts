import { sendCall, type HttpAnswer, type HttpCall } from './http-call.ts'

/** What a run says of itself; more members may come. */
export interface Run {
  readonly runId: string
  readonly kind: string
  readonly functionName: string
  readonly status: string
  readonly [member: string]: unknown
}

/** What a node offers; amounts in plain units. */
export interface Node {
  readonly name: string
  readonly state: string
  readonly labels: Readonly<Record<string, string>>
  readonly capacity: Readonly<Record<string, number>>
  readonly available: Readonly<Record<string, number>>
  readonly [member: string]: unknown
}

/** Which runs to list; everything narrows. */
export interface RunFilter {
  function?: string
  kind?: string
  status?: string
  /** A time of the day or a duration back from now: `2026-01-02T03:04:05Z`, `10m`. */
  since?: string
}

/** How one invocation is made. */
export interface InvokeOptions {
  /** A version or an alias; `$LATEST` when absent. */
  qualifier?: string
  /** `RequestResponse` waits for the result; `Event` is run later, at least once; `DryRun` only checks. */
  type?: 'RequestResponse' | 'Event' | 'DryRun'
  signal?: AbortSignal
}

/** The engine refused a request, or could not be reached (`code` is `unreachable`, `status` 0). */
export class LambentError extends Error {
  override readonly name: string = 'LambentError'
  /** Lambda's exception name, or the Lambent API's neutral code. */
  readonly code: string
  /** HTTP status. */
  readonly status: number
  /** What to do next, when the engine says so. */
  readonly hint: string | undefined

  constructor(code: string, message: string, options: { status: number; hint?: unknown; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.status = options.status
    this.hint = typeof options.hint === 'string' ? options.hint : undefined
  }
}

/** The function ran and failed; `name` is its error's type, `remoteStack` where it happened. */
export class FunctionError extends Error {
  override readonly name: string
  readonly remoteStack: string
  /** The whole error JSON. */
  readonly payload: unknown

  constructor(payload: unknown) {
    const { errorType, errorMessage, trace, stackTrace } = asRecord(payload)
    super(typeof errorMessage === 'string' ? errorMessage : 'The function failed.')
    this.name = typeof errorType === 'string' ? errorType : 'FunctionError'
    const lines = Array.isArray(trace) ? trace : Array.isArray(stackTrace) ? stackTrace : []
    this.remoteStack = lines.join('\n')
    this.payload = payload
  }
}

/** An engine, seen from outside. Every call rejects with a LambentError when the engine refuses it. */
export interface Client {
  /**
   * Runs a function and returns its result; undefined for `Event` and `DryRun`. Rejects with a FunctionError
   * when the function failed.
   */
  invoke<Result = unknown>(name: string, payload?: unknown, options?: InvokeOptions): Promise<Result>
  readonly runs: {
    list(filter?: RunFilter, options?: { signal?: AbortSignal }): Promise<Run[]>
    get(runId: string, options?: { signal?: AbortSignal }): Promise<Run>
  }
  nodes(options?: { signal?: AbortSignal }): Promise<Node[]>
}

/** The engine whose api port is at `url`. `key` is needed where the engine asks for keys. */
export function connect(url: string, options: { key?: string } = {}): Client {
  const base = new URL(url)
  const authorization: Record<string, string> =
    options.key === undefined ? {} : { authorization: `Bearer ${options.key}` }

  const call = async (
    path: string,
    request: Partial<Omit<HttpCall, 'url'>> & { query?: Record<string, string | undefined> },
  ): Promise<HttpAnswer> => {
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
    if (answer.status >= 400) throw refusal(answer)
    return answer
  }
  const read = async (
    path: string,
    query: Record<string, string | undefined>,
    signal?: AbortSignal,
  ): Promise<unknown> => parse(await call(`/lambent/v1/${path}`, { query, signal }))

  return {
    async invoke<Result>(name: string, payload?: unknown, invocation: InvokeOptions = {}) {
      const { qualifier, type = 'RequestResponse', signal } = invocation
      const answer = await call(`/2015-03-31/functions/${encodeURIComponent(name)}/invocations`, {
        method: 'POST',
        query: { Qualifier: qualifier },
        headers: { 'content-type': 'application/json', 'x-amz-invocation-type': type },
        body: payload === undefined ? '' : JSON.stringify(payload),
        signal,
      })
      const result = answer.text === '' ? undefined : parse(answer)
      if (answer.headers['x-amz-function-error'] !== undefined) throw new FunctionError(result)
      return result as Result // what the caller says the function returns
    },
    runs: {
      list: async (filter = {}, { signal } = {}) =>
        listIn(await read('runs', { ...filter }, signal), 'runs') as Run[], // the engine's own records
      get: async (runId, { signal } = {}) =>
        (await read(`runs/${encodeURIComponent(runId)}`, {}, signal)) as Run, // the same
    },
    nodes: async ({ signal } = {}) => listIn(await read('nodes', {}, signal), 'nodes') as Node[], // the same
  }
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

function parse(answer: HttpAnswer): unknown {
  try {
    return JSON.parse(answer.text)
  } catch (cause) {
    const message = `The answer is not JSON: ${answer.text.slice(0, 200)}`
    throw new LambentError('invalid', message, { status: answer.status, cause })
  }
}

/** Lambda's errors carry their code in a header, the Lambent API's in the body. */
function refusal(answer: HttpAnswer): LambentError {
  const { status, text, headers } = answer
  let body: Record<string, unknown> = {}
  try {
    body = asRecord(JSON.parse(text))
  } catch {
    // Not from the engine but from something between: the status and the text are all there is.
  }
  const own = asRecord(body['error'])
  const [type] = String(headers['x-amzn-errortype'] ?? '').split(':')
  const code = [own['code'], type, body['__type'], body['code']].find(isText) ?? 'unknown'
  const message = [own['message'], body['message'], body['Message'], text].find(isText)
  return new LambentError(code, message ?? `The engine answered with status ${status}.`, {
    status,
    hint: own['hint'],
  })
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

const asRecord = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {} // any object has string keys

/** A list comes as itself or under its name. */
function listIn(body: unknown, name: string): unknown[] {
  const list = Array.isArray(body) ? body : asRecord(body)[name]
  if (Array.isArray(list)) return list
  throw new LambentError('invalid', `The answer has no list of ${name}.`, { status: 200 })
}
