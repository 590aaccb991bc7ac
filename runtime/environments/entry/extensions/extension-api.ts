import type { IncomingMessage } from 'node:http'
import { answerJson, readBody, type ApiCall, type ApiRoute } from '../bridge/api-server.ts'
import type { Extension, Extensions } from './extensions.ts'
import type { Refusal } from './refusal.ts'
import { readSubscription, subscriptionClosed, type Subscription, type TelemetryApi } from './subscription.ts'

const MAX_BODY_BYTES = 1_048_576
const ACCEPTED = { status: 'OK' }

/** What the calls of extensions mean for their environment. */
export interface ExtensionCalls {
  readonly extensions: Extensions
  /** What an extension learns of its function when it registers. */
  readonly registration: { functionName: string; functionVersion: string; handler: string }
  readonly account: string
  /** A new UUID. */
  readonly identifiers: () => string
  registered(extension: Extension): void
  failed(extension: Extension, phase: 'init' | 'exit', errorType: string): void
  /** Whether subscriptions are still taken. */
  subscribes(): boolean
  subscribed(extension: Extension, subscription: Subscription): void
}

/**
 * The Extensions API, and the Telemetry API with its predecessor, on an environment's own HTTP server.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
 */
export const extensionRoutes = (calls: ExtensionCalls): readonly ApiRoute[] => [
  {
    method: 'POST',
    path: /^\/2020-01-01\/extension\/register$/,
    answer: (call) => void register(calls, call),
  },
  { method: 'GET', path: /^\/2020-01-01\/extension\/event\/next$/, answer: (call) => next(calls, call) },
  {
    method: 'POST',
    path: /^\/2020-01-01\/extension\/(init|exit)\/error$/,
    answer: (call) => reportError(calls, call),
  },
  {
    method: 'PUT',
    path: /^\/2022-07-01\/telemetry\/?$/,
    answer: (call) => void subscribe(calls, 'telemetry', call),
  },
  { method: 'PUT', path: /^\/2020-08-15\/logs\/?$/, answer: (call) => void subscribe(calls, 'logs', call) },
]

async function register(calls: ExtensionCalls, { request, response }: ApiCall): Promise<void> {
  const body = await readJson(request)
  const extension = calls.extensions.register({ name: header(request, 'lambda-extension-name'), body })
  if (isRefusal(extension)) return refuse(response, extension)
  calls.registered(extension)
  const features = header(request, 'lambda-extension-accept-feature') ?? ''
  const wantsAccount = features.split(',').some((feature) => feature.trim() === 'accountId')
  answerJson(
    response,
    200,
    { ...calls.registration, ...(wantsAccount ? { accountId: calls.account } : {}) },
    { 'Lambda-Extension-Identifier': extension.identifier },
  )
}

/** Waits without a limit. */
function next(calls: ExtensionCalls, { request, response }: ApiCall): void {
  request.resume()
  const outcome = calls.extensions.next(identifierOf(request), (event) =>
    answerJson(response, 200, event, { 'Lambda-Extension-Event-Identifier': calls.identifiers() }),
  )
  if (typeof outcome === 'function') response.once('close', outcome)
  else refuse(response, outcome)
}

function reportError(calls: ExtensionCalls, { request, response, parameters }: ApiCall): void {
  request.resume()
  const phase = parameters[0] === 'init' ? 'init' : 'exit'
  const errorType = header(request, 'lambda-extension-function-error-type')
  const extension = calls.extensions.reportError(identifierOf(request), phase, errorType)
  if (isRefusal(extension)) return refuse(response, extension)
  answerJson(response, 202, ACCEPTED)
  calls.failed(extension, phase, errorType ?? '')
}

async function subscribe(
  calls: ExtensionCalls,
  api: TelemetryApi,
  { request, response }: ApiCall,
): Promise<void> {
  const body = await readJson(request)
  const extension = calls.extensions.identify(identifierOf(request))
  if (isRefusal(extension)) return refuse(response, extension)
  if (!calls.subscribes()) return refuse(response, subscriptionClosed(api))
  const subscription = readSubscription(api, body)
  if (isRefusal(subscription)) return refuse(response, subscription)
  calls.subscribed(extension, subscription)
  const text = '"OK"'
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': text.length })
  response.end(text)
}

/** The body as JSON; undefined when it is none. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const body = await readBody(request, MAX_BODY_BYTES)
  if (body.kind !== 'whole') return undefined
  try {
    return JSON.parse(body.bytes.toString('utf8')) as unknown
  } catch {
    return undefined
  }
}

function refuse(response: ApiCall['response'], refusal: Refusal): void {
  const { status, errorType, errorMessage } = refusal
  answerJson(response, status, { errorMessage, errorType })
}

const identifierOf = (request: IncomingMessage): string | undefined =>
  header(request, 'lambda-extension-identifier')

const header = (request: IncomingMessage, name: string): string | undefined => {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}

const isRefusal = (value: object): value is Refusal => 'status' in value
