import type { IncomingMessage, ServerResponse } from 'node:http'
import type { InvokeOutcome } from '../../runtime/invoke/types.ts'
import { traceIdOf } from '../../runtime/invoke/trace.ts'
import type { EngineError } from '../../runtime/errors.ts'
import { serveActorEvents } from './actor-events.ts'
import { actorTargetOf, type ActorTarget } from './actor-target.ts'
import { Authorizers, type Authorization } from './authorizers/authorization.ts'
import { readBody } from './body.ts'
import { firstHeader, isPreflight, send, sendHead, sendPreflight, type Exchange } from './exchange.ts'
import { notAUrl, upgradeRequired } from './failures.ts'
import { gatewayFailure } from './gateway-failures.ts'
import { httpRequestOf } from './http-request.ts'
import { withoutKeys } from './iam.ts'
import type { IngressOptions } from './ingress-options.ts'
import { routeEvent, type Caller, type RoutedRequest } from './route-events.ts'
import { RouteTables, type NoRoute, type RouteMatch } from './route-table.ts'
import { gatewayOf, URL_WIRE, wireOf } from './wires.ts'

/** API Gateway's ids: 16 characters of base64. */
const GATEWAY_ID_BYTES = 11

/** Answers requests that no function URL is meant by: those of routes, and those of nobody. */
export function createRouteHandler(
  options: IngressOptions,
): (request: IncomingMessage, response: ServerResponse, nowMs: number) => void {
  const { rng, routes } = options
  const tables = new RouteTables(routes)
  const authorizers = new Authorizers({ ...options, iam: options.iam ?? withoutKeys })
  return (request, response, nowMs) => {
    const url = request.url ?? '/'
    const mark = url.indexOf('?')
    const path = mark < 0 ? url : url.slice(0, mark)
    const host = request.headers.host ?? ''
    const requestId = rng.uuid(nowMs)
    const traceId = firstHeader(request, 'x-amzn-trace-id') ?? traceIdOf(requestId, nowMs)
    const gatewayId = rng.bytes(GATEWAY_ID_BYTES).toString('base64').replaceAll('+', '-').replaceAll('/', '_')
    const bare = { request, response, requestId, traceId, gatewayId, cors: null }
    const exchangeOf = ({ route: { settings } }: RouteMatch): Exchange => ({
      ...bare,
      wire: wireOf(settings, options.strict),
      cors: settings.cors ?? null,
    })
    if (isPreflight(request)) {
      const wanted = tables.find(host, firstHeader(request, 'access-control-request-method') ?? '', path)
      if ('route' in wanted && wanted.route.settings.cors !== undefined)
        return sendPreflight(exchangeOf(wanted), wanted.route.settings.cors)
    }
    const match = tables.find(host, request.method ?? 'GET', path)
    if (!('route' in match)) return sendNothing({ ...bare, wire: URL_WIRE }, match, path)
    const call = { options, authorizers, match, exchange: exchangeOf(match), nowMs }
    readBody(request, bodyLimit(call), (body) => {
      if (body === 'too-large') return sendTooLarge(call)
      const rawQueryString = mark < 0 ? '' : url.slice(mark + 1)
      const known = { rawPath: path, rawQueryString, host, requestId, traceId, timeMs: nowMs, body }
      authorize(call, { match, gatewayId, request: httpRequestOf(request, known, options) })
    })
  }
}

/** A request to a route. */
interface RouteCall {
  readonly options: IngressOptions
  readonly authorizers: Authorizers
  readonly match: RouteMatch
  readonly exchange: Exchange
  readonly nowMs: number
}

function sendNothing(exchange: Exchange, { payload }: NoRoute, path: string): void {
  if (payload === undefined) return send(exchange, notAUrl(exchange.request.method ?? '', path))
  send(exchange, gatewayFailure(gatewayOf(payload), 'not-found'))
}

const bodyLimit = ({ options, exchange }: RouteCall): number =>
  Math.min(options.payloadLimitBytes, exchange.wire.bodyLimitBytes ?? Infinity)

const sendTooLarge = (call: RouteCall): void =>
  send(call.exchange, call.exchange.wire.tooLarge(bodyLimit(call)))

function authorize(call: RouteCall, routed: RoutedRequest): void {
  const { authorizer } = call.match.route.settings
  if (authorizer === undefined) return invoke(call, routed, { kind: 'anybody' })
  const { exchange, options, authorizers } = call
  const decided = (authorization: Authorization): void =>
    authorization.kind === 'refused'
      ? send(exchange, authorization.reply)
      : invoke(call, routed, authorization.caller)
  authorizers.authorize(authorizer, routed, exchange.request).then(decided, (error: unknown) => {
    options.log.error('authorizer failed', { route: call.match.route.record.key, error })
    send(exchange, gatewayFailure(gatewayOf(call.match.route.settings.payload), 'broken'))
  })
}

function invoke(call: RouteCall, routed: RoutedRequest, caller: Caller): void {
  const { options, match, exchange } = call
  const { wire } = exchange
  const { scope, functionName, qualifier } = match.route.record
  const target = actorTargetOf(match)
  if (target !== undefined) return serveActor(call, target)
  const payload = routeEvent(routed, caller)
  if (payload.length > options.payloadLimitBytes) return sendTooLarge(call)
  const timeoutMs = match.route.settings.timeoutMs ?? (options.strict ? wire.timeoutMs : null)
  // A function that takes longer runs on; its answer goes nowhere.
  const patience =
    timeoutMs === null ? undefined : options.clock.after(timeoutMs, () => send(exchange, wire.timedOut()))
  options.invoker.invoke(
    {
      scope,
      functionName,
      qualifier,
      payload,
      requestId: exchange.requestId,
      trigger: 'url',
      traceId: exchange.traceId,
      clientContext: '',
      tenantId: '',
      logTail: false,
      streaming: false,
    },
    {
      result(outcome: InvokeOutcome) {
        patience?.cancel()
        send(exchange, wire.reply(outcome))
      },
      refused(error) {
        patience?.cancel()
        send(exchange, wire.refused(error))
      },
    },
  )
}

/** A route of an actor, asked for without another protocol. */
function serveActor({ options, exchange }: RouteCall, target: ActorTarget): void {
  const { actors, clock } = options
  const { request, response, wire } = exchange
  if (actors === undefined) return send(exchange, wire.failed())
  if (target.method === undefined) return send(exchange, upgradeRequired())
  const parts = {
    ...{ actors, clock },
    sendHead: () => sendHead(exchange, EVENTS),
    sendFailure: (error: EngineError | undefined) =>
      send(exchange, error === undefined ? wire.failed() : wire.refused(error)),
  }
  serveActorEvents(parts, target, request, response)
}

const EVENTS = { status: 200, headers: ['content-type', 'text/event-stream', 'cache-control', 'no-store'] }
