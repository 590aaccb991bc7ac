import { z } from 'zod'
import { parsePattern, whyNoActorRoute } from '../runtime/registry/route-pattern.ts'
import { cors, duration } from './config-fields.ts'

const reference = z
  .string()
  .regex(
    /^[a-zA-Z0-9-_]{1,64}(:[a-zA-Z0-9$_-]{1,128})?$/,
    'name a function, or one of its versions as name:version',
  )
const texts = z.array(z.string())

const MAX_TTL_MS = 3_600_000
const ttl = duration
  .refine((ms) => ms !== null && ms <= MAX_TTL_MS, "give at most '1h'; 0 keeps nothing")
  .optional()

const authorizer = z.union([
  z.string(),
  z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('iam') }),
    z.strictObject({
      type: z.literal('jwt'),
      issuer: z.url('give the issuer as a URL'),
      audience: z.union([z.string(), texts.min(1)]),
      jwksUri: z.url().optional(),
      identitySource: z.string().optional(),
      scopes: texts.optional(),
    }),
    z.strictObject({
      type: z.literal('request'),
      function: reference,
      payload: z.enum(['1.0', '2.0']).optional(),
      identitySource: z.union([z.string(), texts]).optional(),
      ttl,
    }),
    z.strictObject({
      type: z.literal('token'),
      function: reference,
      identitySource: z.string().optional(),
      validation: z.string().optional(),
      ttl,
    }),
  ]),
])

const route = z
  .strictObject({
    function: reference,
    payload: z.enum(['2.0', '1.0', 'rest', 'alb']).optional(),
    multiValue: z.boolean().optional(),
    cors: z.union([z.boolean(), cors]).optional(),
    timeout: duration.optional(),
    stageVariables: z.record(z.string(), z.string()).optional(),
    authorizer: authorizer.optional(),
    actor: z.string().optional(),
  })
  .refine(({ payload, authorizer }) => payload !== 'alb' || authorizer === undefined, {
    message: 'a load balancer’s route has no authorizer',
    path: ['authorizer'],
  })

/** The `routes` of a project: where each leads. */
export const projectRoutes = z
  .record(z.string(), z.union([reference, route]))
  .superRefine((routes, context) => {
    for (const [key, given] of Object.entries(routes)) {
      const pattern = parsePattern(key)
      const isActors = typeof given === 'object' && given.actor !== undefined
      const problem = typeof pattern === 'string' ? pattern : isActors ? whyNoActorRoute(key) : undefined
      if (problem !== undefined) context.addIssue({ code: 'custom', path: [key], message: problem })
    }
  })

/** One of a function's own routes that leads to its actors. */
const actorRoute = z.strictObject({
  route: z.string(),
  actor: z.string(),
  cors: z.union([z.boolean(), cors]).optional(),
})

/** The `routes` of a function: all lead to it, or to its actors. */
export const functionRoutes = z.array(
  z.union([z.string(), actorRoute]).superRefine((given, context) => {
    const key = typeof given === 'string' ? given : given.route
    const pattern = parsePattern(key)
    const why = typeof given === 'string' || typeof pattern === 'string' ? undefined : whyNoActorRoute(key)
    const problem = typeof pattern === 'string' ? pattern : why
    if (problem !== undefined) context.addIssue({ code: 'custom', message: `"${key}": ${problem}` })
  }),
)

/** Keys of a route, for suggestions. */
export const ROUTE_KEYS = Object.keys(route.shape)

type CheckedRoute = z.output<typeof route>
type CheckedAuthorizer = z.output<typeof authorizer>

/** A route as the Lambent API takes it. */
export interface WireRoute {
  readonly route: string
  /** NAME or NAME:QUALIFIER. */
  readonly function: string
  readonly [setting: string]: unknown
}

/** Says a route in the Lambent API's words. Settings that were not given are absent. */
export function wireRoute(key: string, given: string | CheckedRoute): WireRoute {
  if (typeof given === 'string') return { route: key, function: given }
  const { function: name, timeout, cors: wanted, authorizer: guard, ...same } = given
  const settings = {
    ...same,
    cors: wanted === undefined || wanted === false ? undefined : wireCors(wanted),
    timeoutMs: timeout ?? undefined,
    authorizer: guard === undefined ? undefined : wireAuthorizer(guard),
  }
  return { route: key, function: name, ...present(settings) }
}

/** The same for one of a function's own routes. */
export function ownWireRoute(given: string | z.output<typeof actorRoute>, name: string): WireRoute {
  if (typeof given === 'string') return wireRoute(given, name)
  const { route: key, ...settings } = given
  return wireRoute(key, { function: name, ...settings })
}

function wireCors(given: true | z.output<typeof cors>): object {
  if (given === true) return { allowOrigins: ['*'], allowMethods: ['*'], allowHeaders: ['*'] }
  const { maxAge, ...same } = given
  return present({
    ...same,
    maxAgeSeconds: typeof maxAge === 'number' ? Math.ceil(maxAge / 1000) : undefined,
  })
}

function wireAuthorizer(given: CheckedAuthorizer): object {
  if (typeof given === 'string')
    return given === 'iam' ? { type: 'iam' } : { type: 'request', function: given }
  switch (given.type) {
    case 'iam':
      return given
    case 'jwt':
      return present({ ...given, audience: listOf(given.audience) })
    case 'request': {
      const { ttl: ttlMs, identitySource, ...same } = given
      const sources = identitySource === undefined ? undefined : listOf(identitySource)
      return present({ ...same, identitySource: sources, ttlMs })
    }
    case 'token': {
      const { ttl: ttlMs, ...same } = given
      return present({ ...same, ttlMs })
    }
  }
}

const listOf = (value: string | string[]): string[] => (typeof value === 'string' ? [value] : value)

const present = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
