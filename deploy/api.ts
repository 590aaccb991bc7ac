import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { CommandError, EXIT, exitCodeOfStatus } from './exit-codes.ts'

/** A request to the engine's api port. */
export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** From the root, encoded, with its query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

/** The engine as a command sees it. Errors are CommandErrors with the exit code that fits. */
export interface Api {
  /** Without a slash at its end. */
  readonly endpoint: string
  /**
   * The answer of a 2xx status, its body unread. Node's fetch gives up after 300 s; this waits as long as it
   * takes.
   */
  send(request: ApiRequest): Promise<IncomingMessage>
  /** The answer of a 2xx status as JSON; undefined when it is empty. */
  json(request: ApiRequest): Promise<unknown>
}

/** Answers larger than this are not read into memory as one. */
const MAX_BODY_BYTES = 512 * 1024 * 1024

/**
 * A client of the engine at `endpoint`. `signal` ends what is in flight; `key` is a bearer token for engines
 * that ask for one.
 */
export function createApi(endpoint: string, signal: AbortSignal, key?: string): Api {
  const base = parseEndpoint(endpoint)
  const authorization: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` }
  const send = async (request: ApiRequest): Promise<IncomingMessage> => {
    const headers = { ...authorization, ...request.headers }
    const response = await dial(base, { ...request, headers }, signal)
    const status = response.statusCode ?? 0
    if (status >= 200 && status < 300) return response
    throw refusal(status, response.headers['x-amzn-errortype'], (await readBody(response)).toString('utf8'))
  }
  return {
    endpoint: base.href.replace(/\/$/, ''),
    send,
    async json(request) {
      const text = (await readBody(await send(request))).toString('utf8')
      if (text === '') return undefined
      try {
        return JSON.parse(text)
      } catch (cause) {
        const message = `${request.path} did not answer with JSON: ${text.slice(0, 200)}`
        throw new CommandError(EXIT.failed, message, { hint: 'Is this the api port of Lambent?', cause })
      }
    },
  }
}

/** Everything a response holds. */
export async function readBody(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response) {
    const bytes = chunk as Buffer // no encoding is set, so chunks are buffers
    size += bytes.length
    if (size > MAX_BODY_BYTES) throw new CommandError(EXIT.failed, 'The answer is larger than 512 MB.')
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}

function parseEndpoint(endpoint: string): URL {
  const hint = 'For example: --endpoint http://127.0.0.1:4700'
  let url: URL
  try {
    url = new URL(endpoint)
  } catch (cause) {
    throw new CommandError(EXIT.usage, `"${endpoint}" is not a URL.`, { hint, cause })
  }
  if (url.protocol === 'http:' || url.protocol === 'https:') return url
  throw new CommandError(EXIT.usage, `The endpoint "${endpoint}" is neither http nor https.`, { hint })
}

function dial(base: URL, request: ApiRequest, signal: AbortSignal): Promise<IncomingMessage> {
  const { method = 'GET', path, headers = {}, body } = request
  const url = new URL(base.pathname.replace(/\/$/, '') + path, base)
  const start = url.protocol === 'https:' ? httpsRequest : httpRequest
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  return new Promise((resolve, reject) => {
    // One connection a request: nothing is left open that would keep the command alive.
    const outgoing = start(url, { method, headers: { ...headers, ...length }, agent: false, signal }, resolve)
    outgoing.on('error', (error) => reject(signal.aborted ? error : unreachable(base, error)))
    outgoing.end(body)
  })
}

function unreachable(base: URL, error: NodeJS.ErrnoException): CommandError {
  const why = error.code === 'ECONNREFUSED' ? 'nothing listens there' : error.message
  return new CommandError(EXIT.unreachable, `No engine answers at ${base.origin}: ${why}.`, {
    hint: 'Start it with `npx lambent start`, or name another with --endpoint or LAMBENT_ENDPOINT.',
    cause: error,
  })
}

/** AWS's errors carry their code in a header or `__type`, Lambent's own in `error.code`. */
function refusal(status: number, header: string | string[] | undefined, text: string): CommandError {
  let body: Record<string, unknown> = {}
  try {
    const parsed: unknown = JSON.parse(text)
    // any object has string keys
    if (typeof parsed === 'object' && parsed !== null) body = parsed as Record<string, unknown>
  } catch {
    // Not JSON: the status and the text itself are all there is to say.
  }
  const own = (typeof body.error === 'object' && body.error !== null ? body.error : {}) as Record<
    string,
    unknown
  > // as above
  const code = [own.code, header, body.__type, body.code].find((value) => typeof value === 'string')
  const message = [own.message, body.message, body.Message].find((value) => typeof value === 'string')
  const said = message ?? (text.slice(0, 500) || `The engine answered with status ${status}.`)
  if (own.code === 'FunctionError') {
    const stack = typeof own.stack === 'string' && own.stack !== '' ? own.stack : undefined
    return new CommandError(EXIT.failed, stack ?? `${String(own.type)}: ${String(said)}`)
  }
  const hint = typeof own.hint === 'string' ? own.hint : hintOf(code)
  return new CommandError(
    exitCodeOfStatus(status),
    code === undefined ? String(said) : `${String(code).split(':')[0]}: ${String(said)}`,
    hint === undefined ? {} : { hint },
  )
}

/** Lambda's answers have no hints of their own. */
const hintOf = (code: unknown): string | undefined =>
  code === 'MissingAuthenticationTokenException' || code === 'UnrecognizedClientException'
    ? 'This engine asks for a key: --key, or LAMBENT_KEY.'
    : undefined
