import { z } from 'zod'
import { parsePattern, whyNoActorRoute } from '../../runtime/registry/route-pattern.ts'

const texts = z.array(z.string()).max(100)
const functionReference = z
  .string()
  .regex(/^[a-zA-Z0-9-_]{1,64}(:[a-zA-Z0-9$_-]{1,128})?$/, 'give a function as NAME or NAME:QUALIFIER')

const cors = z.strictObject({
  allowOrigins: texts.optional(),
  allowMethods: texts.optional(),
  allowHeaders: texts.optional(),
  exposeHeaders: texts.optional(),
  allowCredentials: z.boolean().optional(),
  maxAgeSeconds: z.number().int().min(-1).max(86_400).optional(),
})

/** API Gateway's largest. */
const MAX_TTL_MS = 3_600_000
const ttlMs = z.number().int().min(0).max(MAX_TTL_MS).optional()
const regularExpression = z.string().refine(isRegularExpression, 'this is no regular expression')
const HTTP_API_SOURCE = /^\$(?:request\.(?:header|querystring)\.[^\s,]+|context\.[\w.]+|stageVariables\.\w+)$/
const REST_SOURCE = /^(?:method\.request\.(?:header|querystring)|context|stageVariables)\.[^\s,]+$/
const identitySource = z
  .string()
  .refine(
    (source) => HTTP_API_SOURCE.test(source) || REST_SOURCE.test(source),
    'name it as "$request.header.Authorization", "$request.querystring.key" or "$stageVariables.name"',
  )

const authorizer = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('iam') }),
  z.strictObject({
    type: z.literal('jwt'),
    issuer: z.url(),
    audience: texts.min(1),
    jwksUri: z.url().optional().describe('By default what the issuer’s OpenID configuration says'),
    identitySource: identitySource.optional().describe('$request.header.Authorization'),
    scopes: texts.optional().describe('A token needs one of them'),
  }),
  z.strictObject({
    type: z.literal('request'),
    function: functionReference,
    payload: z.enum(['1.0', '2.0']).optional().describe('By default that of the route'),
    identitySource: z.array(identitySource).max(10).optional(),
    ttlMs: ttlMs.describe('How long an answer holds for the same identity; 0'),
  }),
  z.strictObject({
    type: z.literal('token'),
    function: functionReference,
    identitySource: identitySource.optional().describe('$request.header.Authorization'),
    validation: regularExpression.optional().describe('What a token must look like'),
    ttlMs,
  }),
])

/** `Room` or `Room.watch`. */
const ACTOR_TARGET = /^[\p{ID_Start}$_][\p{ID_Continue}$]*(\.[\p{ID_Start}$][\p{ID_Continue}$]*)?$/u

/** How a route's requests are let in and handed over. */
export const RouteSettings = z.strictObject({
  payload: z
    .enum(['2.0', '1.0', 'rest', 'alb'])
    .default('2.0')
    .describe('HTTP API 2.0 or 1.0, REST API, load balancer'),
  multiValue: z.boolean().optional().describe('alb: multi-value headers and parameters'),
  cors: cors.optional(),
  timeoutMs: z
    .number()
    .int()
    .positive()
    .optional()
    .describe('By default AWS’s, and only with --limits strict'),
  stageVariables: z.record(z.string(), z.string()).optional(),
  authorizer: authorizer.optional(),
  actor: z
    .string()
    .regex(ACTOR_TARGET, 'name an actor class, or one of its generator methods as Class.method')
    .optional()
    .describe('Class: its WebSockets; Class.method: the items of a generator as server-sent events'),
})

/** One route on the wire. */
export const RouteInput = RouteSettings.extend({
  route: z.string().superRefine((key, context) => {
    const pattern = parsePattern(key)
    if (typeof pattern === 'string') context.addIssue({ code: 'custom', message: `"${key}": ${pattern}` })
  }),
  function: functionReference,
})
  .refine(({ payload, authorizer }) => payload !== 'alb' || authorizer === undefined, {
    message: 'a load balancer’s route has no authorizer',
    path: ['authorizer'],
  })
  .superRefine(({ actor, route }, context) => {
    const why = actor === undefined ? undefined : whyNoActorRoute(route)
    if (why !== undefined) context.addIssue({ code: 'custom', message: why, path: ['actor'] })
  })

export type RouteSettings = z.output<typeof RouteSettings>
export type Payload = RouteSettings['payload']
export type AuthorizerSettings = NonNullable<RouteSettings['authorizer']>

/** A function reference's parts. */
export function splitReference(reference: string): { functionName: string; qualifier: string | undefined } {
  const colon = reference.indexOf(':')
  if (colon < 0) return { functionName: reference, qualifier: undefined }
  return { functionName: reference.slice(0, colon), qualifier: reference.slice(colon + 1) }
}

function isRegularExpression(text: string): boolean {
  try {
    return Boolean(new RegExp(text))
  } catch {
    return false
  }
}
