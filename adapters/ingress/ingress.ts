import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../runtime/clock.ts'
import type { InvokeOutcome, InvokeRequest, Invoker } from '../../runtime/invoke/types.ts'
import { traceIdOf } from '../../runtime/invoke/trace.ts'
import type { Rng } from '../../runtime/rng.ts'
import type { RequestHandler } from '../listener.ts'
import { readBody } from './body.ts'
import { preflightHeaders, withCors } from './cors.ts'
import { urlEvent } from './event.ts'
import { forbidden, handlerFailed, notAUrl, refused, tooLarge, unknownUrl } from './failures.ts'
import { replyOf, replyOfCollected, type Reply, type ReplyHead } from './reply.ts'
import { StreamResponse } from './stream-response.ts'
import { readUrlAddress, type UrlAddress, type UrlLookup, type UrlTarget } from './url-target.ts'

/** What the public side needs. */
export interface IngressOptions {
  readonly invoker: Invoker
  readonly urlTarget: UrlLookup
  readonly clock: Clock
  readonly rng: Rng
  /** Base of the URLs that callers are shown: `http://localhost:4701`, or the public one of a proxy. */
  readonly base: URL
  /** Whether a proxy of ours is in front: only then X-Forwarded-For is believed. */
  readonly behindProxy: boolean
  /** Largest event, bytes of JSON; a body is refused at the same size before it is read to its end. */
  readonly payloadLimitBytes: number
}

/** A client of a stream that takes nothing for this long is cut off. */
const STALL_MS = 120_000

/** One request on its way through: what every answer to it needs. */
interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly requestId: string
  readonly traceId: string
  readonly target: UrlTarget | undefined
}

/**
 * Serves function URLs by host (`<id>.lambda-url.<region>.localhost`) and by path (`/lambda-url/<id>/…`); a
 * handler cannot tell which was used. On this machine AuthType NONE needs no resource policy; AWS_IAM is
 * refused, because nothing here can check a signature yet.
 */
export function createIngress(options: IngressOptions): RequestHandler {
  const { clock, rng, urlTarget } = options
  return (request, response) => {
    const nowMs = clock.nowMs()
    const address = readUrlAddress(request.headers.host ?? '', request.url ?? '/')
    const target = address && urlTarget(address.urlId)
    const known = target && (address.region ?? target.scope.region) === target.scope.region
    const requestId = rng.uuid(nowMs)
    const exchange: Exchange = {
      request,
      response,
      requestId,
      traceId: firstHeader(request, 'x-amzn-trace-id') ?? traceIdOf(requestId, nowMs),
      target: known ? target : undefined,
    }
    if (address === undefined) {
      return send(exchange, notAUrl(request.method ?? '', request.url ?? ''))
    }
    if (exchange.target === undefined) return send(exchange, unknownUrl())
    if (isPreflight(request) && exchange.target.cors) return sendPreflight(exchange)
    if (exchange.target.auth === 'iam') return send(exchange, forbidden(NO_SIGNATURES))
    const accepted = exchange.target
    readBody(request, options.payloadLimitBytes, (body) => {
      if (body === 'too-large') return send(exchange, tooLarge(options.payloadLimitBytes))
      invoke(options, exchange, accepted, address, body, nowMs)
    })
  }
}

const NO_SIGNATURES = 'AuthType AWS_IAM needs access keys, which are not built yet; use AuthType NONE.'

function invoke(
  options: IngressOptions,
  exchange: Exchange,
  target: UrlTarget,
  address: UrlAddress,
  body: Buffer,
  timeMs: number,
): void {
  const payload = makeEvent(options, exchange, target, address, body, timeMs)
  if (payload.length > options.payloadLimitBytes) {
    return send(exchange, tooLarge(options.payloadLimitBytes))
  }
  const streaming = target.invokeMode === 'response-stream'
  const invocation: InvokeRequest = {
    scope: target.scope,
    functionName: target.functionName,
    qualifier: target.qualifier,
    payload,
    requestId: exchange.requestId,
    trigger: 'url',
    traceId: exchange.traceId,
    clientContext: '',
    tenantId: '',
    logTail: false,
    streaming,
  }
  const sendOutcome = (outcome: InvokeOutcome): void => send(exchange, replyToOutcome(outcome))
  options.invoker.invoke(
    invocation,
    streaming
      ? new StreamResponse({
          response: exchange.response,
          clock: options.clock,
          stallMs: STALL_MS,
          sendHead: (head) => sendHead(exchange, head),
          sendOutcome,
          sendRefusal: (error) => send(exchange, refused(error)),
          sendFailure: () => send(exchange, handlerFailed()),
        })
      : { result: sendOutcome, refused: (error) => send(exchange, refused(error)) },
  )
}

function replyToOutcome(outcome: InvokeOutcome): Reply {
  if (outcome.kind === 'function-error') return handlerFailed()
  const { payload, contentType } = outcome
  return (contentType === '' ? replyOf(payload) : replyOfCollected(payload, contentType)) ?? handlerFailed()
}

function makeEvent(
  options: IngressOptions,
  exchange: Exchange,
  target: UrlTarget,
  address: UrlAddress,
  body: Buffer,
  timeMs: number,
): Buffer {
  const { request } = exchange
  const { base } = options
  const peer = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
  const forwarded = options.behindProxy ? firstHeader(request, 'x-forwarded-for') : undefined
  const protocol = base.protocol.slice(0, -1)
  return urlEvent({
    method: request.method ?? 'GET',
    rawPath: address.rawPath,
    rawQueryString: address.rawQueryString,
    rawHeaders: request.rawHeaders,
    protocol: `HTTP/${request.httpVersion}`,
    urlId: address.urlId,
    host:
      address.region === undefined
        ? `${address.urlId}.lambda-url.${target.scope.region}.${base.host}`
        : (request.headers.host ?? ''),
    // The last entry is the one our own proxy wrote; everything before it is the client's word.
    sourceIp: forwarded?.split(',').at(-1)?.trim() ?? peer,
    forwardedFor: forwarded ?? peer,
    forwardedPort: base.port === '' ? (protocol === 'https' ? '443' : '80') : base.port,
    forwardedProtocol: protocol,
    requestId: exchange.requestId,
    traceId: exchange.traceId,
    timeMs,
    body,
  })
}

const isPreflight = (request: IncomingMessage): boolean =>
  request.method === 'OPTIONS' &&
  request.headers.origin !== undefined &&
  request.headers['access-control-request-method'] !== undefined

/** Answered by the platform: the function never sees it. */
function sendPreflight(exchange: Exchange): void {
  const { request, response, target } = exchange
  const headers = target?.cors
    ? preflightHeaders(target.cors, {
        origin: firstHeader(request, 'origin'),
        wantedMethod: firstHeader(request, 'access-control-request-method'),
        wantedHeaders: firstHeader(request, 'access-control-request-headers'),
      })
    : []
  response.writeHead(200, [...headers, ...platformHeaders(exchange), 'content-length', '0'])
  response.end()
}

/** Sends a whole answer; one nobody waits for any more goes nowhere. */
function send(exchange: Exchange, reply: Reply): void {
  const { response } = exchange
  if (response.destroyed || response.headersSent) return
  const headers = finalHeaders(exchange, reply)
  if (reply.status !== 204 && reply.status !== 304) {
    headers.push('content-length', String(reply.body.length))
  }
  response.writeHead(reply.status, headers)
  response.end(reply.body)
}

/** Sends the head of a stream at once, so that a client knows of it before the first byte of the body. */
function sendHead(exchange: Exchange, head: ReplyHead): void {
  const { response } = exchange
  if (response.destroyed || response.headersSent) return
  response.writeHead(head.status, finalHeaders(exchange, head))
  response.flushHeaders()
}

function finalHeaders(exchange: Exchange, head: ReplyHead): string[] {
  const cors = exchange.target?.cors
  const headers = cors
    ? withCors(head.headers, cors, firstHeader(exchange.request, 'origin'))
    : [...head.headers]
  headers.push(...platformHeaders(exchange))
  return headers
}

const platformHeaders = (exchange: Exchange): string[] => [
  'x-amzn-RequestId',
  exchange.requestId,
  'x-amzn-trace-id',
  exchange.traceId,
]

function firstHeader(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}
