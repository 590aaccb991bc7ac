import { domainPrefixOf, isText, requestTime, withoutPort, type HttpRequest } from './event.ts'
import { allValues, headerIn, headerLists, lastValues, parameterLists } from './header-lists.ts'
import type { IamIdentity } from './iam.ts'

/** What an event of format 1.0 says beside the request. */
export interface EventV1Parts {
  /** `http-api`: payload format 1.0 of an HTTP API; `rest`: of a REST API. */
  readonly style: 'http-api' | 'rest'
  readonly accountId: string
  readonly apiId: string
  readonly extendedRequestId: string
  /** A route's path, `/pets/{id}`; `$default` has none. */
  readonly resourcePath: string
  readonly resourceId: string
  readonly authorizer: object | undefined
  readonly iam: IamIdentity | undefined
  readonly pathParameters: Readonly<Record<string, string>> | undefined
  readonly stageVariables: Readonly<Record<string, string>> | undefined
}

/**
 * An event of payload format 1.0. What is empty is null. Unlike in format 2.0 header names are as the client
 * wrote them.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
 */
export function eventV1(request: HttpRequest, parts: EventV1Parts): Record<string, unknown> {
  const { body } = request
  const encoded = body.length > 0 && !isText(plainHeaders(request), body)
  return {
    ...requestPartV1(request, parts),
    body: body.length === 0 ? null : body.toString(encoded ? 'base64' : 'utf8'),
    isBase64Encoded: encoded,
  }
}

/** An event without the body: authorizers get no more. */
export function requestPartV1(request: HttpRequest, parts: EventV1Parts): Record<string, unknown> {
  const headers = headerLists(request)
  const parameters = parameterLists(request.rawQueryString, true)
  return {
    ...(parts.style === 'http-api' ? { version: '1.0' } : {}),
    resource: parts.resourcePath,
    path: request.rawPath,
    httpMethod: request.method,
    headers: lastValues(headers),
    multiValueHeaders: allValues(headers),
    queryStringParameters: lastValues(parameters),
    multiValueQueryStringParameters: allValues(parameters),
    requestContext: contextV1(request, parts, headerIn(headers, 'user-agent') ?? null),
    pathParameters: parts.pathParameters ?? null,
    stageVariables: parts.stageVariables ?? null,
  }
}

function contextV1(request: HttpRequest, parts: EventV1Parts, userAgent: string | null): object {
  const { iam } = parts
  const isRest = parts.style === 'rest'
  return {
    accountId: parts.accountId,
    apiId: parts.apiId,
    authorizer: parts.authorizer ?? (isRest ? undefined : { claims: null, scopes: null }),
    domainName: withoutPort(request.host),
    domainPrefix: domainPrefixOf(request.host),
    extendedRequestId: parts.extendedRequestId,
    httpMethod: request.method,
    identity: {
      accessKey: iam?.accessKey ?? null,
      accountId: iam?.accountId ?? null,
      caller: iam?.callerId ?? null,
      cognitoAmr: isRest ? undefined : null,
      cognitoAuthenticationProvider: null,
      cognitoAuthenticationType: null,
      cognitoIdentityId: null,
      cognitoIdentityPoolId: null,
      principalOrgId: iam?.principalOrgId ?? null,
      sourceIp: request.sourceIp,
      user: iam?.userId ?? null,
      userAgent,
      userArn: iam?.userArn ?? null,
    },
    path: request.rawPath,
    protocol: request.protocol,
    requestId: request.requestId,
    requestTime: requestTime(request.timeMs),
    requestTimeEpoch: request.timeMs,
    resourceId: parts.resourceId,
    resourcePath: parts.resourcePath,
    stage: '$default',
  }
}

/** The headers that say what a body is. */
function plainHeaders(request: HttpRequest): Record<string, string> {
  const lists = headerLists(request)
  const found: Record<string, string> = {}
  for (const name of ['content-type', 'content-encoding']) {
    const value = headerIn(lists, name)
    if (value !== undefined) found[name] = value
  }
  return found
}
