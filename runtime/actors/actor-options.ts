import { EngineError } from '../errors.ts'
import type { FunctionVersion } from '../registry/types.ts'
import { parseDuration } from '../sdk/duration.ts'
import { readWish, shapeOf, wantsGpus, withWish, type WishOptions } from '../wish.ts'

/** How the actors of one class run: what `static options` say, checked, with defaults. */
export interface ActorShape {
  /** The function's version with what an actor of this class leases in place of what its handler does. */
  readonly version: FunctionVersion
  /** Names the pool: light actors of all classes share one, whoever holds something has its own process. */
  readonly pool: string
  /** Null: it never sleeps. */
  readonly idleMs: number | null
  /** Crashes in a row after which it is quarantined; -1: as many as any actor. */
  readonly maxRestarts: number
  /** Calls that may wait. */
  readonly mailbox: number
  /** Time limit of a call; null: none. */
  readonly timeoutMs: number | null
  /** Methods that run beside others. */
  readonly concurrent: ReadonlySet<string>
}

/** Light actors that one process hosts. */
export const ACTORS_PER_PROCESS = 64
const DEFAULT_IDLE_MS = 60_000
/** Calls that may wait, where nothing else is said. */
export const DEFAULT_MAILBOX = 1000
const MOST_MAILBOX = 1_000_000

/** Options beside those of a wish; `concurrent` is the class's `static concurrent`. */
const KNOWN = new Set(['idle', 'maxRestarts', 'mailbox', 'shared', 'timeout', 'concurrent'])
const WISHES = new Set([
  ...['cpu', 'gpu', 'gpuMemoryMb', 'memoryMb', 'resources', 'labels', 'placementGroup', 'bundle'],
])

/**
 * The shape of the actors of a class, from the options in its package's manifest. An actor that asks for no
 * resources shares a process with up to 63 others, unless it says `shared: false` or `idle: 'none'`.
 *
 * Throws EngineError 'invalid' that names the option and what it takes.
 */
export function actorShape(
  version: FunctionVersion,
  className: string,
  options: Readonly<Record<string, unknown>>,
): ActorShape {
  for (const name of Object.keys(options))
    if (!KNOWN.has(name) && !WISHES.has(name))
      throw bad(className, name, options[name], `there are ${[...WISHES, ...KNOWN].join(', ')}`)
  const wish = readWish(options as WishOptions, { cpu: 0 }) // it looks at what it knows, and checks that
  const idleMs = duration(className, 'idle', options['idle'], DEFAULT_IDLE_MS)
  const { labels = {}, placementGroup, resources } = wish
  const holds = Object.values(resources).some((amount) => amount > 0) || wantsGpus(wish)
  const picky = Object.keys(labels).length > 0 || placementGroup !== undefined
  const own = holds || picky || idleMs === null || options['shared'] === false
  const memoryMb = typeof options['memoryMb'] === 'number' ? Math.ceil(options['memoryMb']) : undefined
  const concurrency = own ? 1 : ACTORS_PER_PROCESS
  const execution = withWish({ ...version.execution, concurrency, maxEnvironments: null }, wish)
  return {
    version: {
      ...version,
      timeoutMs: null,
      memoryMb: memoryMb ?? version.memoryMb,
      memoryLimitMb: memoryMb ?? null,
      execution,
    },
    pool: own ? `actor ${className} ${shapeOf(wish)}` : 'actors',
    idleMs,
    maxRestarts: whole(className, 'maxRestarts', options['maxRestarts'], -1, MOST_MAILBOX) ?? -1,
    mailbox: whole(className, 'mailbox', options['mailbox'], 1, MOST_MAILBOX) ?? DEFAULT_MAILBOX,
    timeoutMs: duration(className, 'timeout', options['timeout'], null),
    concurrent: names(className, options['concurrent']),
  }
}

function duration(className: string, name: string, given: unknown, absent: number | null): number | null {
  if (given === undefined || given === null) return absent
  try {
    return parseDuration(given)
  } catch (error) {
    throw bad(className, name, given, (error as Error).message) // a TypeError, as promised
  }
}

function whole(
  className: string,
  name: string,
  given: unknown,
  least: number,
  most: number,
): number | undefined {
  if (given === undefined || given === null) return undefined
  if (typeof given === 'number' && Number.isInteger(given) && given >= least && given <= most) return given
  throw bad(className, name, given, `it takes a whole number from ${least} to ${most}`)
}

function names(className: string, given: unknown): ReadonlySet<string> {
  if (given === undefined || given === null) return NONE
  if (Array.isArray(given) && given.every((name) => typeof name === 'string')) return new Set(given)
  throw bad(className, 'concurrent', given, 'it takes names of methods')
}

const NONE: ReadonlySet<string> = new Set()

const bad = (className: string, name: string, given: unknown, expected: string): EngineError =>
  new EngineError(
    'invalid',
    `Option ${name} of the actor class ${className} is ${JSON.stringify(given) ?? String(given)}: ${expected}.`,
  )
