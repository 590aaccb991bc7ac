import type { IncomingMessage } from 'node:http'
import type { Clock } from '../../../runtime/clock.ts'
import type { Invoker } from '../../../runtime/invoke/types.ts'
import type { Log } from '../../../runtime/log.ts'
import type { Rng } from '../../../runtime/rng.ts'
import { gatewayFailure } from '../gateway-failures.ts'
import { headerLists, parameterLists } from '../header-lists.ts'
import type { IamAuthenticator } from '../iam.ts'
import type { Reply } from '../reply.ts'
import {
  authorizerPartV1,
  methodArn,
  routeEventV2,
  type Caller,
  type RoutedRequest,
} from '../route-events.ts'
import type { AuthorizerSettings } from '../route-settings.ts'
import { gatewayOf } from '../wires.ts'
import { identityAt } from './identity-source.ts'
import { checkToken } from './jwt.ts'
import { KeySets } from './key-sets.ts'
import { LambdaAuthorizers, type Verdict } from './lambda-authorizer.ts'

/** Whether a request may pass. */
export type Authorization = { kind: 'allowed'; caller: Caller } | { kind: 'refused'; reply: Reply }

type RequestSettings = Extract<AuthorizerSettings, { type: 'request' }>
type TokenSettings = Extract<AuthorizerSettings, { type: 'token' }>

/** What authorizers are made of. */
export interface AuthorizerParts {
  readonly invoker: Pick<Invoker, 'run'>
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
  readonly iam: IamAuthenticator
}

const DEFAULT_IDENTITY = '$request.header.Authorization'

/** Lets requests to routes in, or not, as each route's authorizer says. */
export class Authorizers {
  readonly #parts: AuthorizerParts
  readonly #keySets: KeySets
  readonly #functions: LambdaAuthorizers

  constructor(parts: AuthorizerParts) {
    this.#parts = parts
    this.#keySets = new KeySets(parts.clock)
    this.#functions = new LambdaAuthorizers(parts)
  }

  async authorize(
    settings: AuthorizerSettings,
    routed: RoutedRequest,
    message: IncomingMessage,
  ): Promise<Authorization> {
    switch (settings.type) {
      case 'iam':
        return await this.#signed(routed, message)
      case 'jwt':
        return await this.#token(settings, routed)
      case 'request':
        return await this.#request(settings, routed)
      case 'token':
        return await this.#tokenFunction(settings, routed)
    }
  }

  async #signed(routed: RoutedRequest, request: IncomingMessage): Promise<Authorization> {
    const { scope, functionName, qualifier } = routed.match.route.record
    const { body } = routed.request
    const decision = await this.#parts.iam({
      ...{ request, body, scope, functionName, qualifier },
      service: 'execute-api',
    })
    if (decision.kind === 'allowed')
      return { kind: 'allowed', caller: { kind: 'iam', identity: decision.identity } }
    const hint = decision.reply.headers.indexOf('x-lambent-hint')
    return refusal(routed, 'forbidden', hint < 0 ? [] : decision.reply.headers.slice(hint, hint + 2))
  }

  async #token(
    settings: Extract<AuthorizerSettings, { type: 'jwt' }>,
    routed: RoutedRequest,
  ): Promise<Authorization> {
    const identity = identityAt(settings.identitySource ?? DEFAULT_IDENTITY, placesOf(routed))
    const check = await checkToken(settings, identity, this.#keySets, this.#parts.clock)
    if (check.kind === 'valid') return { kind: 'allowed', caller: { kind: 'jwt', ...check.bearer } }
    const failure = check.kind === 'invalid' ? 'unauthorized' : 'forbidden'
    return refusal(routed, failure, ['www-authenticate', check.challenge])
  }

  async #request(settings: RequestSettings, routed: RoutedRequest): Promise<Authorization> {
    const places = placesOf(routed)
    const sources = settings.identitySource ?? []
    const identities = sources.flatMap((source) => identityAt(source, places) ?? [])
    if (identities.length < sources.length) return refusal(routed, 'unauthorized')
    const isRest = routed.match.route.settings.payload === 'rest'
    const payload = settings.payload ?? (routed.match.route.settings.payload === '2.0' ? '2.0' : '1.0')
    const arn = methodArn(routed)
    const event =
      payload === '2.0'
        ? requestEventV2(routed, arn, identities)
        : requestEventV1(routed, arn, identities, isRest)
    const cacheKey = identities.length === 0 ? undefined : ['request', payload, ...identities]
    const simple = payload === '2.0'
    return await this.#ask(routed, {
      function: settings.function,
      event,
      arn,
      simple,
      cacheKey,
      ttlMs: settings.ttlMs ?? 0,
    })
  }

  async #tokenFunction(settings: TokenSettings, routed: RoutedRequest): Promise<Authorization> {
    const token = identityAt(settings.identitySource ?? DEFAULT_IDENTITY, placesOf(routed))
    const { validation } = settings
    if (token === undefined || (validation !== undefined && !matchesWhole(validation, token)))
      return refusal(routed, 'unauthorized')
    const arn = methodArn(routed)
    return await this.#ask(routed, {
      function: settings.function,
      event: { type: 'TOKEN', methodArn: arn, authorizationToken: token },
      arn,
      simple: false,
      cacheKey: ['token', token],
      ttlMs: settings.ttlMs ?? 0,
    })
  }

  async #ask(
    routed: RoutedRequest,
    question: Omit<Parameters<LambdaAuthorizers['ask']>[0], 'scope' | 'requestId' | 'traceId'>,
  ): Promise<Authorization> {
    const { clock, rng } = this.#parts
    const startedMs = clock.monotonicMs()
    const verdict = await this.#functions.ask({
      ...question,
      scope: routed.match.route.record.scope,
      requestId: rng.uuid(clock.nowMs()),
      traceId: routed.request.traceId,
    })
    return authorizationOf(routed, verdict, Math.round(clock.monotonicMs() - startedMs))
  }
}

function authorizationOf(routed: RoutedRequest, verdict: Verdict, latencyMs: number): Authorization {
  const isRest = routed.match.route.settings.payload === 'rest'
  switch (verdict.kind) {
    case 'allowed': {
      const { principalId, context } = verdict
      return { kind: 'allowed', caller: { kind: 'lambda', principalId, context, latencyMs } }
    }
    case 'unauthorized':
      return refusal(routed, 'unauthorized')
    case 'denied':
      return isRest ? restDenial(verdict.explicitly) : refusal(routed, 'forbidden')
    case 'broken':
      return isRest
        ? restReply(500, 'AuthorizerConfigurationException', { message: null })
        : refusal(routed, 'broken')
  }
}

const DENIED = 'User is not authorized to access this resource'
const restDenial = (explicitly: boolean): Authorization =>
  restReply(403, 'AccessDeniedException', {
    Message: explicitly ? `${DENIED} with an explicit deny in an identity-based policy` : DENIED,
  })

function restReply(status: number, errorType: string, body: object): Authorization {
  const headers = ['content-type', 'application/json', 'x-amzn-ErrorType', errorType]
  return { kind: 'refused', reply: { status, headers, body: Buffer.from(JSON.stringify(body)) } }
}

function refusal(
  { match }: RoutedRequest,
  failure: 'unauthorized' | 'forbidden' | 'broken',
  headers: readonly string[] = [],
): Authorization {
  const reply = gatewayFailure(gatewayOf(match.route.settings.payload), failure)
  return { kind: 'refused', reply: { ...reply, headers: [...reply.headers, ...headers] } }
}

const placesOf = ({ match, request }: RoutedRequest) => ({
  headers: headerLists(request),
  parameters: parameterLists(request.rawQueryString, true),
  stageVariables: match.route.settings.stageVariables ?? {},
  routeKey: match.route.record.key,
  method: request.method,
  path: request.rawPath,
})

/** @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html */
function requestEventV2(routed: RoutedRequest, arn: string, identities: readonly string[]): object {
  const { body: _body, isBase64Encoded: _encoded, ...event } = routeEventV2(routed, undefined)
  return {
    ...event,
    type: 'REQUEST',
    routeArn: arn,
    identitySource: identities.length === 0 ? null : identities,
  }
}

function requestEventV1(
  routed: RoutedRequest,
  arn: string,
  identities: readonly string[],
  isRest: boolean,
): object {
  const event = { ...authorizerPartV1(routed), type: 'REQUEST', methodArn: arn }
  const identity = identities.length === 0 ? null : identities.join(',')
  return isRest ? event : { ...event, identitySource: identity, authorizationToken: identity }
}

const matchesWhole = (pattern: string, text: string): boolean => new RegExp(`^(?:${pattern})$`).test(text)
