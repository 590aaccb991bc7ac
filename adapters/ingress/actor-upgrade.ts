import { STATUS_CODES, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { traceIdOf } from '../../runtime/invoke/trace.ts'
import type { UpgradeHandler } from '../upgrade.ts'
import type { ActorGateway } from './actor-gateway.ts'
import { actorTargetOf, type ActorTarget } from './actor-target.ts'
import { Authorizers } from './authorizers/authorization.ts'
import { allowsOrigin } from './cors.ts'
import { firstHeader } from './exchange.ts'
import { httpRequestOf } from './http-request.ts'
import { withoutKeys } from './iam.ts'
import type { IngressOptions } from './ingress-options.ts'
import { RouteTables, type RouteMatch } from './route-table.ts'
import { readUrlAddress } from './url-target.ts'

const NOTHING = Buffer.alloc(0)

/** Takes clients that want a WebSocket at a route of an actor; every other request stays what it is. */
export function createActorUpgrade(options: IngressOptions, gateway: ActorGateway): UpgradeHandler {
  const tables = new RouteTables(options.routes)
  const authorizers = new Authorizers({ ...options, iam: options.iam ?? withoutKeys })
  return (request, socket, head) => {
    const { host = '', upgrade = '' } = request.headers
    const [path = '/', rawQueryString = ''] = (request.url ?? '/').split(/\?(.*)/s)
    if (upgrade.toLowerCase() !== 'websocket' || request.method !== 'GET') return false
    if (readUrlAddress(host, request.url ?? '/') !== undefined) return false
    const match = tables.find(host, 'GET', path)
    const target = 'route' in match ? actorTargetOf(match) : undefined
    if (!('route' in match) || target === undefined || target.method !== undefined) return false
    socket.on('error', () => undefined) // a client that breaks off is gone, nothing else
    if (!isOriginAllowed(request, match, options.base))
      refuse(socket, 403, 'Pages of this origin may not connect here: the route’s cors names those that may.')
    else if (match.route.settings.authorizer === undefined) connect(gateway, target, request, socket, head)
    else {
      const nowMs = options.clock.nowMs()
      const requestId = options.rng.uuid(nowMs)
      const traceId = firstHeader(request, 'x-amzn-trace-id') ?? traceIdOf(requestId, nowMs)
      const known = { rawPath: path, rawQueryString, host, requestId, traceId, timeMs: nowMs, body: NOTHING }
      const routed = { match, gatewayId: '', request: httpRequestOf(request, known, options) }
      authorizers.authorize(match.route.settings.authorizer, routed, request).then(
        (decided) =>
          decided.kind === 'allowed'
            ? connect(gateway, target, request, socket, head)
            : refuse(socket, decided.reply.status, decided.reply.body.toString()),
        (error: unknown) => {
          options.log.error('authorizer failed', { route: match.route.record.key, error })
          refuse(socket, 500, 'Internal Server Error')
        },
      )
    }
    return true
  }
}

function connect(
  gateway: ActorGateway,
  { address }: ActorTarget,
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
): void {
  if (socket.destroyed) return
  const refusal = gateway.refusal(address)
  if (refusal === undefined) gateway.connect(address, request, socket, head)
  else refuse(socket, 503, refusal)
}

/**
 * A browser sends a page's origin and leaves the rest to the server: without this any page could speak with
 * an actor in its reader's name. Pages of the same host may, and those that the route's `cors` allows.
 */
function isOriginAllowed(request: IncomingMessage, match: RouteMatch, base: URL): boolean {
  const { origin, host = '' } = request.headers
  if (origin === undefined) return true
  const { cors } = match.route.settings
  if (cors !== undefined && allowsOrigin(cors, origin)) return true
  return origin.toLowerCase() === `${base.protocol}//${host.toLowerCase()}` || origin === base.origin
}

function refuse(socket: Socket, status: number, message: string): void {
  const body = message.startsWith('{') ? message : JSON.stringify({ message })
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'connection: close',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
