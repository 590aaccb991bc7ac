import type { InvokeOutcome, InvokeRequest } from '../../runtime/invoke/types.ts'
import { traceIdOf } from '../../runtime/invoke/trace.ts'
import type { RequestHandler } from '../listener.ts'
import { readBody } from './body.ts'
import { urlEvent } from './event.ts'
import { firstHeader, isPreflight, send, sendHead, sendPreflight, type Exchange } from './exchange.ts'
import { unknownUrl } from './failures.ts'
import { httpRequestOf } from './http-request.ts'
import { withoutKeys, type IamIdentity } from './iam.ts'
import type { IngressOptions } from './ingress-options.ts'
import { createRouteHandler } from './route-handler.ts'
import { StreamResponse } from './stream-response.ts'
import { readUrlAddress, type UrlAddress, type UrlTarget } from './url-target.ts'
import { URL_WIRE } from './wires.ts'

/** A client of a stream that takes nothing for this long is cut off. */
const STALL_MS = 120_000

/**
 * Serves function URLs by host (`<id>.lambda-url.<region>.localhost`) and by path (`/lambda-url/<id>/…`), and
 * routes at every other address; a handler cannot tell which form of its URL was used.
 */
export function createIngress(options: IngressOptions): RequestHandler {
  const { clock, rng, urlTarget } = options
  const routes = createRouteHandler(options)
  return (request, response) => {
    const nowMs = clock.nowMs()
    const address = readUrlAddress(request.headers.host ?? '', request.url ?? '/')
    if (address === undefined) return routes(request, response, nowMs)
    const target = urlTarget(address.urlId)
    const known = target && (address.region ?? target.scope.region) === target.scope.region
    const requestId = rng.uuid(nowMs)
    const exchange: Exchange = {
      request,
      response,
      requestId,
      traceId: firstHeader(request, 'x-amzn-trace-id') ?? traceIdOf(requestId, nowMs),
      gatewayId: '',
      wire: URL_WIRE,
      cors: known ? target.cors : null,
    }
    if (!known) return send(exchange, unknownUrl())
    if (target.cors !== null && isPreflight(request)) return sendPreflight(exchange, target.cors)
    readBody(request, options.payloadLimitBytes, (body) => {
      if (body === 'too-large') return send(exchange, URL_WIRE.tooLarge(options.payloadLimitBytes))
      const call = { exchange, target, address, body, nowMs }
      if (target.auth === 'iam') return authenticate(options, call)
      const refusal = options.refusePublic?.(target)
      if (refusal !== undefined) return send(exchange, refusal)
      invoke(options, call, undefined)
    })
  }
}

/** A request to a function URL, read to its end. */
interface UrlCall {
  readonly exchange: Exchange
  readonly target: UrlTarget
  readonly address: UrlAddress
  readonly body: Buffer
  readonly nowMs: number
}

function authenticate(options: IngressOptions, call: UrlCall): void {
  const { exchange, target, body } = call
  const { scope, functionName, qualifier } = target
  const signed = {
    request: exchange.request,
    body,
    scope,
    functionName,
    qualifier,
    service: 'lambda',
  } as const
  void Promise.resolve((options.iam ?? withoutKeys)(signed)).then((decision) =>
    decision.kind === 'refused' ? send(exchange, decision.reply) : invoke(options, call, decision.identity),
  )
}

function invoke(options: IngressOptions, call: UrlCall, iam: IamIdentity | undefined): void {
  const { exchange, target } = call
  const payload = makeEvent(options, call, iam)
  if (payload.length > options.payloadLimitBytes) {
    return send(exchange, URL_WIRE.tooLarge(options.payloadLimitBytes))
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
  const sendOutcome = (outcome: InvokeOutcome): void => send(exchange, URL_WIRE.reply(outcome))
  options.invoker.invoke(
    invocation,
    streaming
      ? new StreamResponse({
          response: exchange.response,
          clock: options.clock,
          stallMs: STALL_MS,
          sendHead: (head) => sendHead(exchange, head),
          sendOutcome,
          sendRefusal: (error) => send(exchange, URL_WIRE.refused(error)),
          sendFailure: () => send(exchange, URL_WIRE.failed()),
        })
      : { result: sendOutcome, refused: (error) => send(exchange, URL_WIRE.refused(error)) },
  )
}

function makeEvent(options: IngressOptions, call: UrlCall, iam: IamIdentity | undefined): Buffer {
  const { exchange, target, address, body, nowMs } = call
  const { request, requestId, traceId } = exchange
  const { urlId, rawPath, rawQueryString } = address
  const host =
    address.region === undefined
      ? `${urlId}.lambda-url.${target.scope.region}.${options.base.host}`
      : (request.headers.host ?? '')
  const known = { rawPath, rawQueryString, host, requestId, traceId, timeMs: nowMs, body }
  return urlEvent({ ...httpRequestOf(request, known, options), urlId, iam })
}
