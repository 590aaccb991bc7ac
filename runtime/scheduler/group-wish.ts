import { EngineError } from '../errors.ts'
import { parseDuration } from '../sdk/duration.ts'
import { readWish, shapeOf, type Wish, type WishOptions } from '../wish.ts'
import { GROUP_STRATEGIES, type GroupStrategy } from './group-placement.ts'
import type { GroupSpec } from './placement-group.ts'

/** A placement group as somebody asks for it; plain units, checked by `readGroupWish`. */
export interface GroupWish {
  /** Absent: it gets a name that nobody else has. */
  readonly name: string | undefined
  readonly spec: GroupSpec
  /** It ends after that; null: it does not. Undefined: nothing was said. */
  readonly expiresMs: number | null | undefined
}

const MAX_BUNDLES = 1000
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}$/
/** Names that groups without one are given begin so. */
const UNNAMED = 'pg-'

/** Reads what somebody asks for. Throws EngineError 'invalid' that says what each member takes. */
export function readGroupWish(given: unknown): GroupWish {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new EngineError(
      'invalid',
      'A placement group is { bundles: [{ cpu: 1 }, …], strategy?, name?, expires? }.',
    )
  const { name, bundles, strategy = 'PACK', expires, ...rest } = given as Readonly<Record<string, unknown>>
  const unknown = Object.keys(rest)
  if (unknown.length > 0)
    throw new EngineError(
      'invalid',
      `A placement group has no ${unknown.join(', ')}: it takes name, bundles, strategy and expires.`,
    )
  if (name !== undefined && name !== null) checkGroupName(name)
  if (typeof strategy !== 'string' || !isStrategy(strategy))
    throw new EngineError(
      'invalid',
      `strategy is ${JSON.stringify(strategy)}: it takes ${GROUP_STRATEGIES.join(', ')}.`,
    )
  if (!Array.isArray(bundles) || bundles.length === 0 || bundles.length > MAX_BUNDLES)
    throw new EngineError('invalid', `bundles takes 1 to ${MAX_BUNDLES} of them, such as [{ "cpu": 1 }].`)
  const read = bundles.map((one: unknown, index) => readBundle(one, index))
  return {
    name: typeof name === 'string' ? name : undefined,
    spec: { strategy, bundles: read, shape: `${strategy} ${read.map(shapeOf).join(' ')}` },
    expiresMs: readExpiry(expires),
  }
}

/** Throws EngineError 'invalid' unless a group may be called so. */
export function checkGroupName(name: unknown): asserts name is string {
  if (typeof name === 'string' && NAME.test(name) && !isUnnamed(name)) return
  throw new EngineError(
    'invalid',
    `name is ${JSON.stringify(name)}: it takes 1 to 128 letters, digits, dots, dashes and underscores, and does not begin with ${UNNAMED}.`,
  )
}

/** The name of the `count`th group without one of an engine's `bootEpoch`. */
export const unnamedGroup = (bootEpoch: number, count: number): string =>
  `${UNNAMED}${bootEpoch.toString(36)}-${count.toString(36)}`

/** Whether a group of that name has none of its own, so that it ends with who made it. */
export const isUnnamed = (name: string): boolean => name.startsWith(UNNAMED)

const isStrategy = (text: string): text is GroupStrategy =>
  (GROUP_STRATEGIES as readonly string[]).includes(text)

const BUNDLE_MEMBERS = new Set(['cpu', 'gpu', 'gpuMemoryMb', 'memoryMb', 'resources', 'labels'])

function readBundle(given: unknown, index: number): Wish {
  const where = `bundles[${index}]`
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new EngineError('invalid', `${where} takes an object such as { "cpu": 1, "gpu": 0.5 }.`)
  for (const member of Object.keys(given))
    if (!BUNDLE_MEMBERS.has(member))
      throw new EngineError(
        'invalid',
        `${where} has no ${member}: it takes ${[...BUNDLE_MEMBERS].join(', ')}.`,
      )
  let wish: Wish
  try {
    wish = readWish(given satisfies WishOptions)
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    throw new EngineError(error.code, `${where}: ${error.message}`, { cause: error })
  }
  if (Object.keys(wish.resources).length === 0)
    throw new EngineError('invalid', `${where} reserves nothing: give it cpu, gpu, memoryMb or resources.`)
  return wish
}

function readExpiry(given: unknown): number | null | undefined {
  if (given === undefined || given === null) return undefined
  try {
    return parseDuration(given)
  } catch (error) {
    throw new EngineError('invalid', `expires: ${error instanceof Error ? error.message : String(error)}`)
  }
}
