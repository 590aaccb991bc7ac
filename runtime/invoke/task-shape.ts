import { EngineError } from '../errors.ts'
import type { FunctionLimits, FunctionVersion } from '../registry/types.ts'
import { parseDuration } from '../sdk/duration.ts'
import { readWish, shapeOf, wantsGpus, withWish, type WishOptions } from '../wish.ts'

/** How one task of one version runs with one set of options. */
export interface TaskShape {
  readonly exportName: string
  /** The caller's version with what the task leases in place of what its function does. */
  readonly version: FunctionVersion
  /** Names the pool: tasks that lease the same share environments. */
  readonly pool: string
  readonly poolKey: string
  readonly target: string
  /** Attempts after the first: of system failures, and of errors in `retryOn`. */
  readonly retries: number
  readonly retryOn: ReadonlySet<string>
  /** Null: no time limit. */
  readonly timeoutMs: number | null
  readonly invokedArn: string
  readonly limits: FunctionLimits
}

const DEFAULT_RETRIES = 3
const MOST_RETRIES = 1000
const MOST_CALLS = 1_000_000_000
const OPTIONS = new Set(
  'cpu gpu gpuMemoryMb memoryMb resources labels placementGroup bundle retries retryOn timeout maxCalls'.split(
    ' ',
  ),
)

/**
 * The shape of a task of `version` with `options`, as the SDK takes them. A task is one invocation at a time
 * in a process of its own kind, with a processor unless it says otherwise, and without limits of time and
 * memory unless it asks for some. `within` is the placement group of who calls it: it leases there, too,
 * unless its options name another one or null.
 *
 * Throws EngineError 'invalid' that names the option and what it takes.
 */
export function taskShape(
  version: FunctionVersion,
  exportName: string,
  options: Readonly<Record<string, unknown>>,
  within?: string,
): TaskShape {
  for (const name of Object.keys(options))
    if (!OPTIONS.has(name)) throw bad(name, options[name], `there are ${[...OPTIONS].join(', ')}`)
  const own = readWish(options as WishOptions, { cpu: 1 }) // it looks at what it knows, and checks that
  const inherits = within !== undefined && options['placementGroup'] === undefined
  const wish = inherits ? { ...own, placementGroup: { name: within } } : own
  const maxCalls = whole('maxCalls', options['maxCalls'], 1, MOST_CALLS) ?? (wantsGpus(wish) ? 1 : undefined)
  const memoryMb = typeof options['memoryMb'] === 'number' ? Math.ceil(options['memoryMb']) : undefined
  const pool = `task ${shapeOf(wish)} ${maxCalls ?? ''}`
  const retries = whole('retries', options['retries'], 0, MOST_RETRIES) ?? DEFAULT_RETRIES
  const execution = withWish({ ...version.execution, concurrency: 1, maxEnvironments: null, maxCalls }, wish)
  return {
    exportName,
    version: {
      ...version,
      timeoutMs: null,
      memoryMb: memoryMb ?? version.memoryMb,
      memoryLimitMb: memoryMb ?? null,
      execution,
    },
    pool,
    poolKey: poolKeyOf(version, pool),
    target: `task/${exportName}${retries > 0 && maxCalls === undefined ? '/again' : ''}`,
    retries,
    retryOn: names(options['retryOn']),
    timeoutMs: duration(options['timeout']),
    invokedArn: arnOf(version),
    limits: { functionId: version.functionId, reservedConcurrency: null, inFlight: 0 },
  }
}

/** As a flat text: it is looked up for every call. */
const poolKeyOf = ({ key }: FunctionVersion, pool: string): string => [key, '', pool].join('\n')

const arnOf = ({ scope, functionName, version }: FunctionVersion): string =>
  `arn:aws:lambda:${scope.region}:${scope.account}:function:${functionName}` +
  (version === '$LATEST' ? '' : `:${version}`)

/** Reads the text of a `task` request's options. Throws EngineError 'invalid' for what is no JSON object. */
export function readOptions(text: string): Readonly<Record<string, unknown>> {
  if (text === '') return {}
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // said below
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown> // as checked
  throw new EngineError('invalid', `The options of a task are an object, not ${text.slice(0, 100)}.`)
}

function duration(given: unknown): number | null {
  if (given === undefined || given === null) return null
  try {
    return parseDuration(given)
  } catch (error) {
    throw new EngineError('invalid', `Option timeout: ${(error as Error).message}`) // a TypeError, as promised
  }
}

function names(given: unknown): ReadonlySet<string> {
  if (given === undefined || given === null) return NOTHING
  const list: unknown[] = Array.isArray(given) ? given : [given]
  if (list.every((name) => typeof name === 'string')) return new Set(list)
  throw bad('retryOn', given, 'it takes names of errors')
}

const NOTHING: ReadonlySet<string> = new Set()

function whole(name: string, given: unknown, least: number, most: number): number | undefined {
  if (given === undefined || given === null) return undefined
  if (typeof given === 'number' && Number.isInteger(given) && given >= least && given <= most) return given
  throw bad(name, given, `it takes a whole number from ${least} to ${most}`)
}

const bad = (name: string, given: unknown, expected: string): EngineError =>
  new EngineError('invalid', `Option ${name} is ${JSON.stringify(given) ?? String(given)}: ${expected}.`)
