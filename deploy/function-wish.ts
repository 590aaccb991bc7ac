import type { CheckedFunction } from './config-schema.ts'

/** What Lambda should hold for one function beside its code, in Lambda's own spelling. */
export interface FunctionWish {
  readonly configuration: {
    readonly Handler: string
    readonly Runtime: string
    readonly Timeout: number
    readonly MemorySize: number
    readonly Environment: { readonly Variables: Readonly<Record<string, string>> }
    readonly Layers: readonly string[]
  }
  readonly tags: Readonly<Record<string, string>>
  readonly reserved: number | undefined
  /** Undefined: no URL. */
  readonly url: Readonly<Record<string, unknown>> | undefined
  /** Undefined: the account's defaults. */
  readonly events: Readonly<Record<string, unknown>> | undefined
}

/** Lambda's largest; what is shown for a function that has no limit. */
const MAX_TIMEOUT_S = 900
const DEFAULT_MEMORY_MB = 128
const MAX_MEMORY_MB = 10_240

/**
 * Says a function's configuration in Lambda's words; what those cannot say becomes tags. A function has
 * no limit of time or memory unless it asks for one. `arnOf` makes the ARN of another function.
 */
export function wishOf(
  config: CheckedFunction,
  handler: string,
  arnOf: (name: string) => string,
): FunctionWish {
  const { memoryMb, timeout = null } = config
  const timeoutSeconds = timeout === null ? MAX_TIMEOUT_S : clamp(Math.ceil(timeout / 1000), 1, MAX_TIMEOUT_S)
  const shownMemoryMb = clamp(memoryMb ?? DEFAULT_MEMORY_MB, DEFAULT_MEMORY_MB, MAX_MEMORY_MB)
  const tags: Record<string, string> = { ...config.tags }
  if (timeout === null) tags['lambent:timeout'] = 'none'
  else if (timeout !== timeoutSeconds * 1000) tags['lambent:timeout'] = `${timeout}ms`
  if (memoryMb === undefined) tags['lambent:memory-mb'] = 'none'
  else if (memoryMb !== shownMemoryMb) tags['lambent:memory-mb'] = String(memoryMb)
  const amounts = {
    cpu: config.cpu,
    gpu: config.gpu,
    'gpu-memory-mb': config.gpuMemoryMb,
    concurrency: config.concurrency,
    provisioned: config.provisioned,
    'placement-group': config.placementGroup,
  }
  for (const [name, value] of Object.entries(amounts))
    if (value !== undefined) tags[`lambent:${name}`] = String(value)
  for (const [name, value] of Object.entries(config.resources ?? {}))
    tags[`lambent:resource/${name}`] = String(value)
  for (const [name, value] of Object.entries(config.labels ?? {})) tags[`lambent:label/${name}`] = value
  return {
    configuration: {
      Handler: handler,
      Runtime: config.runtime ?? ownRuntime(),
      Timeout: timeoutSeconds,
      MemorySize: shownMemoryMb,
      Environment: { Variables: config.env ?? {} },
      Layers: config.layers ?? [],
    },
    tags,
    reserved: config.reserved,
    url: urlOf(config),
    events: eventsOf(config, arnOf),
  }
}

const MAJORS = [20, 22, 24, 26]

/** The runtime of this Node.js; the next older one that Lambda knows where it has none of that number. */
export function ownRuntime(version = process.versions.node): string {
  const major = Number.parseInt(version, 10)
  return `nodejs${MAJORS.findLast((one) => one <= major) ?? MAJORS[0]}.x`
}

/** esbuild's name for a runtime's JavaScript; runtimes that are not Node.js get no say. */
export const nodeTargetOf = (runtime: string | undefined): string =>
  `node${/^nodejs(\d+)\.x$/.exec(runtime ?? ownRuntime())?.[1] ?? '20'}`

function urlOf({ url }: CheckedFunction): FunctionWish['url'] {
  if (url === undefined || url === false) return undefined
  const settings = url === true ? {} : url
  return {
    AuthType: settings.auth === 'iam' ? 'AWS_IAM' : 'NONE',
    InvokeMode: settings.stream === true ? 'RESPONSE_STREAM' : 'BUFFERED',
    Cors: corsOf(settings.cors ?? false),
  }
}

type CorsConfig = Exclude<Extract<NonNullable<CheckedFunction['url']>, object>['cors'], undefined>

/** Always an object: an empty one clears what an earlier deployment allowed. */
function corsOf(cors: CorsConfig): Record<string, unknown> {
  if (cors === false) return {}
  if (cors === true) return { AllowOrigins: ['*'], AllowMethods: ['*'], AllowHeaders: ['*'] }
  const { allowOrigins, allowMethods, allowHeaders, exposeHeaders, allowCredentials, maxAge } = cors
  return present({
    AllowOrigins: allowOrigins,
    AllowMethods: allowMethods,
    AllowHeaders: allowHeaders,
    ExposeHeaders: exposeHeaders,
    AllowCredentials: allowCredentials,
    MaxAge: typeof maxAge === 'number' ? Math.ceil(maxAge / 1000) : undefined,
  })
}

function eventsOf(config: CheckedFunction, arnOf: (name: string) => string): FunctionWish['events'] {
  const { retries, maxAge, onFailure, onSuccess } = config
  const destination = (name: string | undefined) =>
    name === undefined ? undefined : { Destination: name.startsWith('arn:') ? name : arnOf(name) }
  const destinations = present({ OnFailure: destination(onFailure), OnSuccess: destination(onSuccess) })
  const wish = present({
    MaximumRetryAttempts: retries,
    MaximumEventAgeInSeconds: typeof maxAge === 'number' ? Math.ceil(maxAge / 1000) : undefined,
    DestinationConfig: Object.keys(destinations).length === 0 ? undefined : destinations,
  })
  return Object.keys(wish).length === 0 ? undefined : wish
}

const present = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high)
