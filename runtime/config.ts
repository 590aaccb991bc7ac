import { availableParallelism, totalmem } from 'node:os'
import { resolve } from 'node:path'
import { z } from 'zod'
import type { LogLevel } from './log.ts'
import { MILLI } from './resources.ts'
import { isName, parseGpus } from './wish.ts'

/** Everything the engine and its listeners are configured with. Read once, frozen, handed around. */
export interface Config {
  readonly host: string
  readonly port: number
  readonly httpHost: string
  readonly httpPort: number
  readonly allowHosts: readonly string[]
  /** Base of the URLs shown to callers when the engine sits behind a proxy; undefined: the listener's own. */
  readonly publicUrl: string | undefined
  /** Absolute. */
  readonly dataDirectory: string
  /** Capacity of this machine in plain units; detected where not declared. */
  readonly resources: Readonly<Record<string, number>>
  /** CUDA_VISIBLE_DEVICES as the engine was started with: what of this machine's GPUs it may offer. */
  readonly visibleGpus: string | undefined
  /** Virtual nodes the machine is split into. */
  readonly nodes: number
  readonly limits: 'extended' | 'strict'
  readonly isolation: 'auto' | 'none' | 'standard' | 'hardened'
  readonly requireIsolation: 'none' | 'standard' | 'hardened' | undefined
  readonly auth: 'open' | 'keys' | 'policies'
  /** Files of a certificate with its chain and of its key, PEM; undefined: no TLS. */
  readonly tls: { readonly certPath: string; readonly keyPath: string } | undefined
  readonly cluster: 'local' | 'ray'
  readonly deploy: readonly string[]
  readonly logLevel: LogLevel
  /** An environment that was idle this long is stopped. */
  readonly idleTimeoutMs: number
  /** Booted processes kept ready per Node version; 0 turns spares off. */
  readonly spares: number
  /** Environments at once; past it, work waits. */
  readonly maxEnvironments: number
  /** Lambda's ConcurrentExecutions of an account. */
  readonly accountConcurrency: number
  /** Synchronous calls that may wait for an environment, and for how long. */
  readonly maxWaiting: number
  readonly maxWaitMs: number
  /** Large values in shared memory, and on disk when that is full; undefined: as the machine allows. */
  readonly objectStoreMb: number | undefined
  readonly objectSpillMb: number | undefined
  /** On SIGTERM, how long running work may take to finish. */
  readonly drainMs: number
  /** How long a failed event waits before its first, second, … retry; the last one goes for all further. */
  readonly eventRetryDelaysMs: readonly number[]
  /** How long the outcome of an event is tried to be delivered to a destination. */
  readonly deliveryMaxAgeMs: number
  readonly retention: {
    readonly runsMaxAgeMs: number
    readonly runsMaxCount: number
    /** Payloads of failed events, which can be replayed that long. */
    readonly failedEventsMaxAgeMs: number
    readonly failedEventsMaxBytes: number
    readonly logsMaxAgeMs: number
    readonly logsMaxBytes: number
  }
}

/** How each setting may be given. Flags win over variables; both are text. */
export type ConfigInput = Readonly<Record<string, string | readonly string[] | undefined>>

const DAY_MS = 86_400_000

const count = (fallback: number, low = 0) => z.coerce.number().int().min(low).default(fallback)
const list = z
  .union([z.string(), z.array(z.string())])
  .default([])
  .transform((value) =>
    (Array.isArray(value) ? value : value.split(','))
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  )

/** Amounts by name; `"gpu":"h100:2,a100:2"` says which GPUs there are. Undefined: it is none of that. */
function readAmounts(text: string): Record<string, number> | undefined {
  let given: unknown
  try {
    given = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return undefined
  const amounts: Record<string, number> = {}
  for (const [name, value] of Object.entries(given)) {
    const gpus = name === 'gpu' && typeof value === 'string' ? parseGpus(value) : undefined
    const isAmount = typeof value === 'number' && Number.isFinite(value) && value >= 0
    if (isAmount && isName(name.replace(':', '-'))) amounts[name] = value
    else if (gpus === undefined) return undefined
    for (const { model, amount = 0 } of gpus ?? []) {
      const key = model === undefined ? 'gpu' : `gpu:${model}`
      amounts[key] = (amounts[key] ?? 0) + amount / MILLI
    }
  }
  return amounts
}

const Settings = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: count(4700).refine((port) => port < 65536, 'a port is below 65536'),
  HTTP_HOST: z.string().default('127.0.0.1'),
  HTTP_PORT: count(4701).refine((port) => port < 65536, 'a port is below 65536'),
  ALLOW_HOST: list,
  PUBLIC_URL: z.url().optional(),
  DATA: z.string().default('.lambent'),
  RESOURCES: z
    .string()
    .default('{}')
    .transform((text, context): Record<string, number> => {
      const amounts = readAmounts(text)
      if (amounts !== undefined) return amounts
      context.addIssue({
        code: 'custom',
        message: `must be a JSON object of amounts, such as '{"cpu":8,"gpu":4,"memoryMb":32000}' or '{"gpu":"h100:4"}'`,
      })
      return z.NEVER
    }),
  NODES: count(1, 1),
  LIMITS: z.enum(['extended', 'strict']).default('extended'),
  ISOLATION: z.enum(['auto', 'none', 'standard', 'hardened']).default('auto'),
  REQUIRE_ISOLATION: z.enum(['none', 'standard', 'hardened']).optional(),
  TLS_CERT: z.string().optional(),
  TLS_KEY: z.string().optional(),
  AUTH: z.enum(['open', 'keys', 'policies']).default('open'),
  CLUSTER: z.enum(['local', 'ray']).default('local'),
  DEPLOY: list,
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  IDLE_TIMEOUT_MS: count(600_000, 1),
  SPARES: count(2),
  MAX_ENVIRONMENTS: count(8 * availableParallelism(), 1),
  ACCOUNT_CONCURRENCY: count(1000, 1),
  MAX_WAITING: count(1000),
  MAX_WAIT_MS: count(10_000),
  OBJECT_STORE_MB: z.coerce.number().int().min(0).optional(),
  OBJECT_SPILL_MB: z.coerce.number().int().min(0).optional(),
  DRAIN_MS: count(30_000),
  EVENT_RETRY_DELAYS_MS: z
    .string()
    .default('60000,120000')
    .transform((text) => text.split(',').map((item) => Number(item.trim() || Number.NaN)))
    .refine(
      (delays) => delays.every((delay) => Number.isInteger(delay) && delay >= 0 && delay <= DAY_MS),
      'must be whole milliseconds, separated by commas, each at most a day',
    ),
  DELIVERY_MAX_AGE_MS: count(21_600_000, 1),
  RUNS_MAX_AGE_MS: count(7 * DAY_MS, 1),
  RUNS_MAX_COUNT: count(1_000_000, 1),
  FAILED_EVENTS_MAX_AGE_MS: count(7 * DAY_MS, 1),
  FAILED_EVENTS_MAX_BYTES: count(256_000_000, 1),
  LOGS_MAX_AGE_MS: count(7 * DAY_MS, 1),
  LOGS_MAX_BYTES: count(1_000_000_000, 1),
})

/** Thrown with every problem at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(
      [
        `The configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:`,
        ...problems.map((problem) => `  ${problem}`),
      ].join('\n'),
    )
    this.problems = problems
  }
}

/**
 * The frozen configuration from flags (`{ port: '0' }`, `{ 'http-port': '0' }`) and the environment
 * (`LAMBENT_PORT`).
 * Reports all problems together in a ConfigError that names flag and variable.
 */
export function readConfig(
  flags: ConfigInput,
  environment: Readonly<Record<string, string | undefined>> = {},
): Config {
  const raw: Record<string, unknown> = {}
  for (const name of Object.keys(Settings.shape)) {
    const flag = flags[name.toLowerCase().replaceAll('_', '-')]
    const given = flag ?? environment[`LAMBENT_${name}`]
    if (given !== undefined && given !== '') raw[name] = given
  }
  const parsed = Settings.safeParse(raw)
  if (!parsed.success) {
    throw new ConfigError(
      parsed.error.issues.map((issue) => {
        const name = String(issue.path[0] ?? '')
        return `--${name.toLowerCase().replaceAll('_', '-')} (LAMBENT_${name}) is ${JSON.stringify(raw[name])}: ${issue.message}`
      }),
    )
  }
  const { TLS_CERT, TLS_KEY } = parsed.data
  if ((TLS_CERT === undefined) !== (TLS_KEY === undefined))
    throw new ConfigError(['--tls-cert (LAMBENT_TLS_CERT) and --tls-key (LAMBENT_TLS_KEY) go together.'])
  return freeze(parsed.data, environment['CUDA_VISIBLE_DEVICES'])
}

function freeze(settings: z.infer<typeof Settings>, visibleGpus: string | undefined): Config {
  const resources = {
    cpu: availableParallelism(),
    memoryMb: Math.floor(totalmem() / 1e6),
    ...settings.RESOURCES,
  }
  return Object.freeze({
    host: settings.HOST,
    port: settings.PORT,
    httpHost: settings.HTTP_HOST,
    httpPort: settings.HTTP_PORT,
    allowHosts: Object.freeze(settings.ALLOW_HOST),
    publicUrl: settings.PUBLIC_URL,
    dataDirectory: resolve(settings.DATA),
    resources: Object.freeze(resources),
    visibleGpus,
    nodes: settings.NODES,
    limits: settings.LIMITS,
    isolation: settings.ISOLATION,
    requireIsolation: settings.REQUIRE_ISOLATION,
    auth: settings.AUTH,
    tls: tlsOf(settings.TLS_CERT, settings.TLS_KEY),
    cluster: settings.CLUSTER,
    deploy: Object.freeze(settings.DEPLOY),
    logLevel: settings.LOG_LEVEL,
    idleTimeoutMs: settings.IDLE_TIMEOUT_MS,
    spares: settings.SPARES,
    maxEnvironments: settings.MAX_ENVIRONMENTS,
    accountConcurrency: settings.ACCOUNT_CONCURRENCY,
    maxWaiting: settings.MAX_WAITING,
    maxWaitMs: settings.MAX_WAIT_MS,
    objectStoreMb: settings.OBJECT_STORE_MB,
    objectSpillMb: settings.OBJECT_SPILL_MB,
    drainMs: settings.DRAIN_MS,
    eventRetryDelaysMs: Object.freeze(settings.EVENT_RETRY_DELAYS_MS),
    deliveryMaxAgeMs: settings.DELIVERY_MAX_AGE_MS,
    retention: Object.freeze({
      runsMaxAgeMs: settings.RUNS_MAX_AGE_MS,
      runsMaxCount: settings.RUNS_MAX_COUNT,
      failedEventsMaxAgeMs: settings.FAILED_EVENTS_MAX_AGE_MS,
      failedEventsMaxBytes: settings.FAILED_EVENTS_MAX_BYTES,
      logsMaxAgeMs: settings.LOGS_MAX_AGE_MS,
      logsMaxBytes: settings.LOGS_MAX_BYTES,
    }),
  })
}

const tlsOf = (certPath: string | undefined, keyPath: string | undefined): Config['tls'] =>
  certPath === undefined || keyPath === undefined
    ? undefined
    : Object.freeze({ certPath: resolve(certPath), keyPath: resolve(keyPath) })
