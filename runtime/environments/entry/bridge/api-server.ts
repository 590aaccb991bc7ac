import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isOwnPeer } from './peer.ts'

/** Headers carry whole stack traces on these APIs. */
const MAX_HEADER_BYTES = 2 * 1024 * 1024

/** One call of an API that this environment serves to its own processes. */
export interface ApiCall {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** What the groups of the route's pattern matched. */
  readonly parameters: readonly string[]
}

/** One operation of such an API. */
export interface ApiRoute {
  readonly method: 'GET' | 'POST' | 'PUT'
  /** Matches the whole path. */
  readonly path: RegExp
  readonly answer: (call: ApiCall) => void
}

/**
 * The HTTP server inside an environment, on a loopback port: the Runtime API, and whatever else is added to
 * it. It waits without a limit, since a runtime's poll for work lasts until there is some.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
export class ApiServer {
  readonly #server: Server
  readonly #routes: ApiRoute[] = []

  /** `sharesUser` says that other environments run as the same user as this one. */
  constructor({ sharesUser }: { sharesUser: boolean }) {
    this.#server = createServer(
      { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, maxHeaderSize: MAX_HEADER_BYTES },
      (request, response) => this.#route(request, response),
    )
    this.#server.timeout = 0
    this.#server.on('connection', (socket) => {
      socket.setNoDelay(true)
      if (!isOwnPeer(socket, sharesUser)) socket.destroy()
    })
  }

  add(routes: readonly ApiRoute[]): void {
    this.#routes.push(...routes)
  }

  /** Resolves with `host:port`. */
  listen(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(0, '127.0.0.1', () => {
        this.#server.off('error', reject)
        const { address, port } = this.#server.address() as AddressInfo // of a TCP server
        resolve(`${address}:${port}`)
      })
    })
  }

  /** The environment ends: whoever still waits for an answer learns it from its connection. */
  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  #route(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '').replace(/\?.*$/, '')
    response.on('error', () => {}) // the caller is gone
    let known = false
    for (const route of this.#routes) {
      const match = route.path.exec(path)
      if (match === null) continue
      known = true
      if (route.method !== request.method) continue
      return route.answer({ request, response, parameters: match.slice(1) })
    }
    request.resume()
    response.writeHead(known ? 405 : 404, { 'Content-Type': 'text/plain; charset=utf-8' })
    response.end(known ? '' : '404 page not found\n')
  }
}

/** Answers with JSON. */
export function answerJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = `${JSON.stringify(body)}\n`
  const length = Buffer.byteLength(text)
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': length, ...headers })
  response.end(text)
}

/** Answers with an error as these APIs spell them. */
export function answerError(
  response: ServerResponse,
  status: number,
  errorType: string,
  errorMessage: string,
): void {
  answerJson(response, status, { errorMessage, errorType })
}

/** A request's body, or why there is none. */
export type RequestBody = { kind: 'whole'; bytes: Buffer } | { kind: 'too-large' } | { kind: 'truncated' }

/** Reads a body to its end, however long it is, and keeps it unless it is longer than `maxBytes`. */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<RequestBody> {
  return new Promise((resolve) => {
    const parts: Buffer[] = []
    let sizeBytes = 0
    request.on('data', (part: Buffer) => {
      sizeBytes += part.length
      if (sizeBytes <= maxBytes) parts.push(part)
      else parts.length = 0
    })
    request.once('end', () =>
      resolve(sizeBytes > maxBytes ? { kind: 'too-large' } : { kind: 'whole', bytes: Buffer.concat(parts) }),
    )
    request.once('close', () => resolve({ kind: 'truncated' })) // nothing, after an end
    request.on('error', () => {}) // 'close' follows
  })
}
