import { z } from 'zod'
import { cors, duration } from './config-fields.ts'
import { functionRoutes, projectRoutes, ROUTE_KEYS } from './config-routes.ts'

/** What is wrong with one setting, and what works but not yet; each begins with the place. */
export interface ConfigFindings {
  readonly problems: string[]
  readonly warnings: string[]
}

const FUNCTION_NAME = /^[a-zA-Z0-9-_]{1,64}$/
const name = z.string().regex(FUNCTION_NAME, 'a name has 1 to 64 letters, digits, - and _')
const texts = z.record(z.string(), z.string())
const amount = z.number().positive()
const whole = z.number().int().positive()
const gpuText = z
  .string()
  .regex(
    /^(?:(?:[a-z][a-z0-9-]*:)?\d+(?:\.\d{1,3})?|[a-z][a-z0-9-]*)$/,
    "give a count (2), a share (0.25) or a model ('h100:2')",
  )

const url = z.union([
  z.boolean(),
  z.strictObject({
    auth: z.enum(['none', 'iam']).optional(),
    cors: z.union([z.boolean(), cors]).optional(),
    stream: z.boolean().optional(),
  }),
])

const schedule = z.strictObject({
  expression: z.string(),
  timeZone: z.string().optional(),
  input: z.unknown().optional(),
})

const functionShape = {
  name: name.optional(),
  handler: z
    .string()
    .regex(/^[\w$]+$/, 'name the export that answers invocations, such as "handler"')
    .optional(),
  runtime: z.string().optional(),
  memoryMb: whole.optional(),
  timeout: duration.optional(),
  env: texts.optional(),
  layers: z.array(z.string()).optional(),
  url: url.optional(),
  routes: functionRoutes.optional(),
  schedules: z.array(z.union([z.string(), schedule])).optional(),
  tags: texts.optional(),
  cpu: amount.optional(),
  gpu: z.union([amount, gpuText, z.array(gpuText)]).optional(),
  gpuMemoryMb: whole.optional(),
  resources: z.record(z.string(), amount).optional(),
  labels: texts.optional(),
  concurrency: whole.optional(),
  reserved: z.number().int().nonnegative().optional(),
  provisioned: whole.optional(),
  placementGroup: z.string().optional(),
  retries: z.number().int().min(0).max(2).optional(),
  maxAge: duration
    .refine((ms) => ms === null || (ms >= 60_000 && ms <= 21_600_000), "give from '60s' to '6h'")
    .optional(),
  onFailure: z.string().optional(),
  onSuccess: z.string().optional(),
  durable: z
    .union([
      z.boolean(),
      z.strictObject({ executionTimeout: duration.optional(), retention: duration.optional() }),
    ])
    .optional(),
  external: z.array(z.string()).optional(),
  bundle: z.boolean().optional(),
}

const functionConfig = z.strictObject(functionShape)
const projectFunction = z.strictObject({ ...functionShape, entry: z.string() })
const project = z.strictObject({
  functions: z.record(name, projectFunction).optional(),
  routes: projectRoutes.optional(),
  schedules: z.record(z.string(), z.unknown()).optional(),
  placementGroups: z
    .record(
      z.string(),
      z.strictObject({
        bundles: z.array(z.record(z.string(), z.unknown())).min(1),
        strategy: z.string().optional(),
        expires: z.union([z.string(), z.number()]).optional(),
      }),
    )
    .optional(),
  resources: z.record(z.string(), amount).optional(),
})

/** A function's configuration, checked; durations are milliseconds, null where there is no limit. */
export type CheckedFunction = z.output<typeof functionConfig>
export type CheckedProjectFunction = z.output<typeof projectFunction>
export type CheckedProject = z.output<typeof project>

/** Settings that mean something and that nothing acts on yet. */
const UNBUILT_OF_FUNCTION = ['schedules', 'durable'] as const
const UNBUILT_OF_PROJECT = ['schedules', 'resources'] as const

/** Checks a function's `config`; undefined when it has problems, which are added to `findings`. */
export function checkFunction(
  value: unknown,
  place: string,
  findings: ConfigFindings,
): CheckedFunction | undefined {
  const checked = check(functionConfig, value, place, findings)
  if (checked !== undefined) reportUnbuilt(checked, place, UNBUILT_OF_FUNCTION, findings)
  return checked
}

/**
 * Checks what a `lambent.config.ts` exports; undefined when it has problems, which are added to
 * `findings`.
 */
export function checkProject(
  value: unknown,
  place: string,
  findings: ConfigFindings,
): CheckedProject | undefined {
  const checked = check(project, value, place, findings)
  if (checked === undefined) return undefined
  reportUnbuilt(checked, place, UNBUILT_OF_PROJECT, findings)
  for (const [key, one] of Object.entries(checked.functions ?? {}))
    reportUnbuilt(one, `${place}: functions.${key}`, UNBUILT_OF_FUNCTION, findings)
  return checked
}

/** Whether Lambda takes `text` as a function's name. */
export const isFunctionName = (text: string): boolean => FUNCTION_NAME.test(text)

function check<T>(
  schema: z.ZodType<T>,
  value: unknown,
  place: string,
  findings: ConfigFindings,
): T | undefined {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  for (const issue of parsed.error.issues) findings.problems.push(...describe(issue, place))
  return undefined
}

type Issue = z.core.$ZodIssue

function describe(issue: Issue, place: string): string[] {
  const path = issue.path.map(String).join('.')
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(issue.path)
    return issue.keys.map(
      (key) =>
        `${place}: there is no setting "${[path, key].filter(Boolean).join('.')}".${suggest(key, known)}`,
    )
  }
  if (issue.code === 'invalid_union') {
    // The branch that got furthest says most; a branch that is of another type altogether says nothing.
    const closest = issue.errors.flat().find((one) => one.path.length > 0 || one.code !== 'invalid_type')
    if (closest !== undefined) return describe({ ...closest, path: [...issue.path, ...closest.path] }, place)
  }
  return [`${place}: ${path === '' ? 'the configuration' : path}: ${issue.message}`]
}

/** What may stand where an unknown key was found; empty where it is not worth guessing. */
function knownKeys(path: readonly PropertyKey[]): string[] {
  if (path.length === 0) return [...Object.keys(functionShape), ...Object.keys(project.shape)]
  if (path[0] === 'functions' && path.length === 2) return Object.keys(projectFunction.shape)
  if (path.at(-1) === 'cors') return Object.keys(cors.shape)
  if (path[0] === 'routes' && path.length === 2) return ROUTE_KEYS
  return path.at(-1) === 'url' ? ['auth', 'cors', 'stream'] : []
}

function suggest(key: string, known: readonly string[]): string {
  const folded = key.toLowerCase().replaceAll(/[^a-z]/g, '')
  const near = known
    .map((one) => ({ one, distance: editDistance(folded, one.toLowerCase()) }))
    .filter(
      ({ one, distance }) =>
        distance <= Math.max(2, Math.floor(one.length / 3)) || folded.startsWith(one.toLowerCase()),
    )
    .toSorted((left, right) => left.distance - right.distance)[0]
  return near === undefined ? '' : ` Did you mean "${near.one}"?`
}

function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (const [index, character] of [...left].entries()) {
    const next = [index + 1]
    for (let at = 0; at < right.length; at++) {
      const replaced = (row[at] ?? 0) + (right[at] === character ? 0 : 1)
      next.push(Math.min(replaced, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}

function reportUnbuilt(
  checked: Readonly<Record<string, unknown>>,
  place: string,
  names: readonly string[],
  findings: ConfigFindings,
): void {
  for (const one of names)
    if (checked[one] !== undefined && checked[one] !== false)
      findings.warnings.push(`${place}: ${one} is not built yet and has no effect.`)
}
