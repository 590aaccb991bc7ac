import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CorsSettings } from '../../runtime/registry/function-record.ts'
import { preflightHeaders, withCors } from './cors.ts'
import type { Reply, ReplyHead } from './reply.ts'
import type { RequestIds, Wire } from './wires.ts'

/** One request on its way through: what every answer to it needs. */
export interface Exchange extends RequestIds {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly wire: Wire
  readonly cors: CorsSettings | null
}

/** Sends a whole answer; one nobody waits for any more goes nowhere. */
export function send(exchange: Exchange, reply: Reply): void {
  const { response } = exchange
  if (response.destroyed || response.headersSent) return
  const headers = finalHeaders(exchange, reply)
  if (reply.status !== 204 && reply.status !== 304) {
    headers.push('content-length', String(reply.body.length))
  }
  writeHead(response, reply, headers)
  response.end(reply.body)
}

/** Sends the head of a stream at once, so that a client knows of it before the first byte of the body. */
export function sendHead(exchange: Exchange, head: ReplyHead): void {
  const { response } = exchange
  if (response.destroyed || response.headersSent) return
  writeHead(response, head, finalHeaders(exchange, head))
  response.flushHeaders()
}

/** What a browser asks before it lets a page of another origin send the request itself. */
export const isPreflight = (request: IncomingMessage): boolean =>
  request.method === 'OPTIONS' &&
  request.headers.origin !== undefined &&
  request.headers['access-control-request-method'] !== undefined

/** Answers a preflight as `cors` says: no function sees it. */
export function sendPreflight(exchange: Exchange, cors: CorsSettings): void {
  const { request, response, wire } = exchange
  const headers = preflightHeaders(cors, {
    origin: firstHeader(request, 'origin'),
    wantedMethod: firstHeader(request, 'access-control-request-method'),
    wantedHeaders: firstHeader(request, 'access-control-request-headers'),
  })
  const length = wire.preflightStatus === 204 ? [] : ['content-length', '0']
  response.writeHead(wire.preflightStatus, [...headers, ...wire.headers(exchange), ...length])
  response.end()
}

/** A header's first value. */
export function firstHeader(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}

function writeHead(response: ServerResponse, head: ReplyHead, headers: string[]): void {
  if (head.statusMessage === undefined) response.writeHead(head.status, headers)
  else response.writeHead(head.status, head.statusMessage, headers)
}

function finalHeaders(exchange: Exchange, head: ReplyHead): string[] {
  const { cors, wire } = exchange
  const headers = cors
    ? withCors(head.headers, cors, firstHeader(exchange.request, 'origin'))
    : [...head.headers]
  headers.push(...wire.headers(exchange))
  return headers
}
