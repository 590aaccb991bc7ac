import { forbidden, malformed, type Refusal } from './refusal.ts'

/** The two APIs by which an extension subscribes; the older one has records of its own. */
export type TelemetryApi = 'telemetry' | 'logs'
/** What kinds of events there are. */
export type TelemetryCategory = 'platform' | 'function' | 'extension'

/** Where batches go. */
export type Destination =
  | {
      readonly protocol: 'HTTP'
      readonly port: number
      readonly path: string
      readonly method: 'POST' | 'PUT'
    }
  | { readonly protocol: 'TCP'; readonly port: number }

/** What an extension asked for, complete. */
export interface Subscription {
  readonly api: TelemetryApi
  readonly schemaVersion: string
  readonly categories: readonly TelemetryCategory[]
  readonly maxItems: number
  readonly maxBytes: number
  readonly timeoutMs: number
  readonly destination: Destination
}

const CATEGORIES: readonly string[] = ['platform', 'function', 'extension']
const SCHEMA_VERSIONS: Record<TelemetryApi, readonly string[]> = {
  telemetry: ['2022-07-01', '2022-12-13', '2025-01-29'],
  logs: ['2020-08-15', '2021-03-18'],
}
/** The name an environment has inside itself. */
const SANDBOX_HOSTS: readonly string[] = ['sandbox.localdomain', 'sandbox', 'localhost', '127.0.0.1']
const BUFFERING = {
  maxItems: { least: 1_000, most: 10_000, default: 10_000 },
  maxBytes: { least: 262_144, most: 1_048_576, default: 262_144 },
  timeoutMs: { least: 25, most: 30_000, default: 1_000 },
} as const

/**
 * The subscription that `body` asks for; or a refusal that names everything that is wrong with it.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html
 */
export function readSubscription(api: TelemetryApi, body: unknown): Subscription | Refusal {
  if (!isObject(body)) return malformed('The body of a subscription is a JSON object')
  const problems: string[] = []
  const schemaVersion = schemaVersionOf(api, body['schemaVersion'], problems)
  const categories = categoriesOf(body['types'], problems)
  const buffering = bufferingOf(body['buffering'], problems)
  const destination = destinationOf(body['destination'], problems)
  if (problems.length > 0 || destination === undefined)
    return { status: 400, errorType: 'ValidationError', errorMessage: problems.join('; ') }
  return { api, schemaVersion, categories, ...buffering, destination }
}

/** Init is over: nobody subscribes any more. */
export const subscriptionClosed = (api: TelemetryApi): Refusal => {
  const name = api === 'telemetry' ? 'Telemetry' : 'Logs'
  return {
    ...forbidden('', `${name} API subscription is closed`),
    errorType: `${name}.SubscriptionClosed`,
  }
}

function schemaVersionOf(api: TelemetryApi, given: unknown, problems: string[]): string {
  const known = SCHEMA_VERSIONS[api]
  if (given === undefined && api === 'logs') return known[0] ?? ''
  if (typeof given === 'string' && known.includes(given)) return given
  problems.push(
    given === undefined
      ? 'schemaVersion should not be empty'
      : `schemaVersion should be one of ${known.join(', ')}`,
  )
  return ''
}

function categoriesOf(given: unknown, problems: string[]): TelemetryCategory[] {
  if (!Array.isArray(given) || given.length === 0) {
    problems.push('types should not be empty')
    return []
  }
  const unknown = given.filter((one) => typeof one !== 'string' || !CATEGORIES.includes(one))
  for (const one of unknown) problems.push(`types should not contain ${JSON.stringify(one)}`)
  return [...new Set(given as TelemetryCategory[])] // the unknown ones have been named as problems
}

type Buffering = Pick<Subscription, 'maxItems' | 'maxBytes' | 'timeoutMs'>

function bufferingOf(given: unknown, problems: string[]): Buffering {
  const wished = given === undefined || given === null ? {} : given
  if (!isObject(wished)) problems.push('buffering should be an object')
  const amount = (name: keyof Buffering): number => {
    const limits = BUFFERING[name]
    const value = isObject(wished) ? wished[name] : undefined
    if (value === undefined || value === null) return limits.default
    if (typeof value === 'number' && Number.isInteger(value) && value >= limits.least && value <= limits.most)
      return value
    problems.push(`buffering.${name} should be between ${limits.least} and ${limits.most}`)
    return limits.default
  }
  return { maxItems: amount('maxItems'), maxBytes: amount('maxBytes'), timeoutMs: amount('timeoutMs') }
}

function destinationOf(given: unknown, problems: string[]): Destination | undefined {
  if (!isObject(given)) {
    problems.push('destination should not be empty')
    return undefined
  }
  if (given['protocol'] === 'HTTP') return httpDestination(given, problems)
  if (given['protocol'] === 'TCP') {
    const port = given['port']
    if (isPort(port)) return { protocol: 'TCP', port }
    problems.push(port === undefined ? 'port is not provided' : 'port should be between 1 and 65535')
    return undefined
  }
  problems.push('destination.protocol should be HTTP or TCP')
  return undefined
}

function httpDestination(given: Record<string, unknown>, problems: string[]): Destination | undefined {
  const { URI: address, method = 'POST' } = given
  if (typeof address !== 'string' || address === '') {
    problems.push('URI is not provided')
    return undefined
  }
  if (!URL.canParse(address)) {
    problems.push('URI is not valid')
    return undefined
  }
  const url = new URL(address)
  if (url.protocol !== 'http:') problems.push('URI scheme should be http')
  if (!SANDBOX_HOSTS.includes(url.hostname)) problems.push('URI host should be sandbox.localdomain')
  // A parser drops the port that is its scheme's own.
  const port = Number(url.port === '' && /:80(\/|$)/.test(address) ? 80 : url.port)
  if (!isPort(port)) problems.push('URI port is not provided')
  if (method !== 'POST' && method !== 'PUT') {
    problems.push('destination.method should be POST or PUT')
    return undefined
  }
  return { protocol: 'HTTP', port, path: `${url.pathname}${url.search}`, method }
}

const isPort = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
