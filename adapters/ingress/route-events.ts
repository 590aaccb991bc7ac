import { createHash } from 'node:crypto'
import { domainPrefixOf, eventV2, type HttpRequest } from './event.ts'
import { albEvent } from './event-alb.ts'
import { eventV1, requestPartV1, type EventV1Parts } from './event-v1.ts'
import type { IamIdentity } from './iam.ts'
import { decodedParameters, type RouteMatch } from './route-table.ts'

/** What is known of the caller once a request was let in. */
export type Caller =
  | { kind: 'anybody' }
  | { kind: 'iam'; identity: IamIdentity }
  | { kind: 'jwt'; claims: Readonly<Record<string, string>>; scopes: readonly string[] | null }
  | {
      kind: 'lambda'
      principalId: string | undefined
      context: Readonly<Record<string, unknown>> | undefined
      latencyMs: number
    }

/** A request with the route that it takes. */
export interface RoutedRequest {
  readonly match: RouteMatch
  readonly request: HttpRequest
  /** API Gateway's own id of the request. */
  readonly gatewayId: string
}

/** The event of a route's request, in the route's payload format. */
export function routeEvent(routed: RoutedRequest, caller: Caller): Buffer {
  return Buffer.from(JSON.stringify(eventOf(routed, caller)))
}

function eventOf(routed: RoutedRequest, caller: Caller): object {
  const { match, request } = routed
  const { record, settings } = match.route
  switch (settings.payload) {
    case '2.0':
      return routeEventV2(routed, authorizerV2(caller))
    case '1.0':
    case 'rest':
      return eventV1(request, partsV1(routed, caller))
    case 'alb':
      return albEvent(request, {
        targetGroupArn: targetGroupArn(record.scope, record.functionName),
        multiValue: settings.multiValue ?? false,
      })
  }
}

/** An event of format 2.0 for a route. */
export function routeEventV2(
  { match, request, gatewayId }: RoutedRequest,
  authorizer: object | undefined,
): Record<string, unknown> {
  const { record, settings } = match.route
  return eventV2(
    { ...request, requestId: gatewayId },
    {
      routeKey: record.key,
      accountId: record.scope.account,
      apiId: match.apiId,
      domainPrefix: domainPrefixOf(request.host),
      authentication: undefined,
      authorizer,
      pathParameters: decodedParameters(match.pathParameters),
      stageVariables: settings.stageVariables,
    },
  )
}

/** What a REQUEST authorizer of format 1.0 is told of the request. */
export const authorizerPartV1 = (routed: RoutedRequest): Record<string, unknown> =>
  requestPartV1(routed.request, partsV1(routed, { kind: 'anybody' }))

function partsV1({ match, gatewayId }: RoutedRequest, caller: Caller): EventV1Parts {
  const { record, settings, pattern } = match.route
  const isRest = settings.payload === 'rest'
  const path = pattern.parts === undefined ? '$default' : record.key.slice(record.key.indexOf(' ') + 1)
  return {
    style: isRest ? 'rest' : 'http-api',
    accountId: record.scope.account,
    apiId: match.apiId,
    extendedRequestId: gatewayId,
    resourcePath: path,
    resourceId: isRest ? hashOf(path).slice(0, 6) : record.key,
    authorizer: authorizerV1(caller, isRest),
    iam: caller.kind === 'iam' ? caller.identity : undefined,
    pathParameters: isRest ? match.pathParameters : decodedParameters(match.pathParameters),
    stageVariables: settings.stageVariables,
  }
}

function authorizerV2(caller: Caller): object | undefined {
  switch (caller.kind) {
    case 'anybody':
      return undefined
    case 'iam':
      return { iam: caller.identity }
    case 'jwt':
      return { jwt: { claims: caller.claims, scopes: caller.scopes } }
    case 'lambda':
      return { lambda: caller.context ?? null }
  }
}

/** A REST API hands a context on as texts. */
function authorizerV1(caller: Caller, isRest: boolean): object | undefined {
  switch (caller.kind) {
    case 'anybody':
    case 'iam':
      return undefined
    case 'jwt':
      return { claims: caller.claims, scopes: caller.scopes }
    case 'lambda': {
      const context = Object.entries(caller.context ?? {}).filter(([, value]) => value !== null)
      const values = isRest ? context.map(([name, value]) => [name, String(value)] as const) : context
      const { principalId, latencyMs } = caller
      return { ...Object.fromEntries(values), principalId, integrationLatency: latencyMs }
    }
  }
}

/** `arn:aws:execute-api:…`: one method and path of an API, as policies name it. */
export function methodArn({ match, request }: RoutedRequest): string {
  const { account, region } = match.route.record.scope
  return `arn:aws:execute-api:${region}:${account}:${match.apiId}/$default/${request.method}${request.rawPath}`
}

function targetGroupArn({ account, region }: { account: string; region: string }, name: string): string {
  return `arn:aws:elasticloadbalancing:${region}:${account}:targetgroup/${name}/${hashOf(name).slice(0, 16)}`
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')
