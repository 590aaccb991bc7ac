import type { EngineError } from '../../runtime/errors.ts'
import type { InvokeOutcome } from '../../runtime/invoke/types.ts'
import { handlerFailed, refused, tooLarge } from './failures.ts'
import { gatewayFailure, gatewayRefusal, type Gateway } from './gateway-failures.ts'
import { replyOf, replyOfCollected, type Reply } from './reply.ts'
import { albReply, replyV1 } from './reply-lists.ts'
import type { RouteSettings } from './route-settings.ts'

/** The ids of one request. */
export interface RequestIds {
  /** The invocation's. */
  readonly requestId: string
  readonly traceId: string
  /** API Gateway's own; '' at a function URL. */
  readonly gatewayId: string
}

/** How answers look at one kind of front: a function URL, an HTTP or REST API, a load balancer. */
export interface Wire {
  /** A preflight is answered with it. */
  readonly preflightStatus: 200 | 204
  /** Longest wait for a function where Lambda's own limits hold; null: as long as it takes. */
  readonly timeoutMs: number | null
  /** Largest body of a request where Lambda's own limits hold; undefined: as for every invocation. */
  readonly bodyLimitBytes?: number
  reply(outcome: InvokeOutcome): Reply
  refused(error: EngineError): Reply
  failed(): Reply
  tooLarge(limitBytes: number): Reply
  timedOut(): Reply
  /** Names and values that every answer carries. */
  headers(ids: RequestIds): string[]
}

/** A function URL's. */
export const URL_WIRE: Wire = {
  preflightStatus: 200,
  timeoutMs: null,
  reply: (outcome) => structured(outcome, replyOf) ?? handlerFailed(),
  refused,
  failed: handlerFailed,
  tooLarge,
  timedOut: handlerFailed,
  headers: ({ requestId, traceId }) => ['x-amzn-RequestId', requestId, 'x-amzn-trace-id', traceId],
}

/** A load balancer takes no more, both ways. */
const ALB_BODY_BYTES = 1024 * 1024

/** The wire of a route; `strict`: with Lambda's own limits. */
export function wireOf({ payload, multiValue = false }: RouteSettings, strict: boolean): Wire {
  switch (payload) {
    case '2.0':
      return HTTP_API
    case '1.0':
      return HTTP_API_V1
    case 'rest':
      return REST
    case 'alb':
      return strict ? (multiValue ? ALB_MULTI_STRICT : ALB_STRICT) : multiValue ? ALB_MULTI : ALB
  }
}

/** Which gateway's words a payload format belongs to. */
export const gatewayOf = (payload: RouteSettings['payload']): Gateway =>
  payload === 'rest' || payload === 'alb' ? payload : 'http-api'

const gatewayWire = (
  gateway: Gateway,
  read: (payload: Buffer) => Reply | undefined,
): Omit<Wire, 'headers' | 'timeoutMs'> => ({
  preflightStatus: 204,
  reply: (outcome) => structured(outcome, read) ?? gatewayFailure(gateway, 'failed'),
  refused: (error) => gatewayRefusal(gateway, error),
  failed: () => gatewayFailure(gateway, 'failed'),
  tooLarge: () => gatewayFailure(gateway, 'too-large'),
  timedOut: () => gatewayFailure(gateway, 'timeout'),
})

const httpApi = (read: (payload: Buffer) => Reply | undefined): Wire => ({
  ...gatewayWire('http-api', read),
  timeoutMs: 30_000,
  headers: ({ requestId, gatewayId }) => ['apigw-requestid', gatewayId, 'x-amzn-RequestId', requestId],
})

const HTTP_API = httpApi(replyOf)
const HTTP_API_V1 = httpApi(replyV1)

const REST: Wire = {
  ...gatewayWire('rest', replyV1),
  timeoutMs: 29_000,
  headers: ({ requestId, traceId, gatewayId }) => [
    ...['x-amzn-RequestId', requestId, 'x-amz-apigw-id', gatewayId],
    ...['X-Amzn-Trace-Id', traceId],
  ],
}

const alb = (multiValue: boolean, strict: boolean): Wire => ({
  ...gatewayWire('alb', (payload) => {
    const reply = albReply(payload, multiValue)
    return strict && reply !== undefined && reply.body.length > ALB_BODY_BYTES ? undefined : reply
  }),
  timeoutMs: null,
  ...(strict ? { bodyLimitBytes: ALB_BODY_BYTES } : {}),
  headers: () => [],
})

const ALB = alb(false, false)
const ALB_MULTI = alb(true, false)
const ALB_STRICT = alb(false, true)
const ALB_MULTI_STRICT = alb(true, true)

/** Undefined: the handler failed, or what it answered has the wrong shape. */
function structured(outcome: InvokeOutcome, read: (payload: Buffer) => Reply | undefined): Reply | undefined {
  if (outcome.kind === 'function-error') return undefined
  const { payload, contentType } = outcome
  return contentType === '' ? read(payload) : replyOfCollected(payload, contentType)
}
