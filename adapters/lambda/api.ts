import { Hono, type Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { EngineError } from '../../runtime/errors.ts'
import { accountRoutes } from './account.ts'
import { aliasRoutes } from './aliases.ts'
import { capacityProviderRoutes } from './capacity-providers.ts'
import { CodeLinks } from './code-links.ts'
import { codeSigningRoutes } from './code-signing.ts'
import { codeRoutes } from './code.ts'
import { concurrencyRoutes } from './concurrency.ts'
import type { LambdaApiParts, Routes } from './context.ts'
import { awsError, internalError } from './errors.ts'
import { durableExecutionRoutes } from './durable-executions.ts'
import { eventInvokeRoutes } from './event-invoke-config.ts'
import { eventSourceRoutes } from './event-sources.ts'
import { functionScalingRoutes } from './function-scaling.ts'
import { functionRoutes } from './functions.ts'
import { operationPath } from './labels.ts'
import { layerPolicyRoutes } from './layer-policy.ts'
import { layerRoutes } from './layers.ts'
import { policyRoutes } from './policy.ts'
import { resourcePolicyRoutes } from './resource-policies.ts'
import { runtimeManagementRoutes } from './runtime-management.ts'
import { provisionedRoutes } from './provisioned.ts'
import { tagRoutes } from './tags.ts'
import { urlRoutes } from './urls.ts'
import { versionRoutes } from './versions.ts'

const FAMILIES: readonly Routes[] = [
  functionRoutes,
  codeRoutes,
  versionRoutes,
  aliasRoutes,
  policyRoutes,
  tagRoutes,
  concurrencyRoutes,
  urlRoutes,
  eventInvokeRoutes,
  eventSourceRoutes,
  accountRoutes,
  layerRoutes,
  layerPolicyRoutes,
  codeSigningRoutes,
  runtimeManagementRoutes,
  resourcePolicyRoutes,
  provisionedRoutes,
  durableExecutionRoutes,
  capacityProviderRoutes,
  functionScalingRoutes,
]

/**
 * Lambda's REST API but for invocations, which are answered in front of it. Works under any base path.
 * Whatever goes wrong leaves as JSON with a name that SDKs know.
 */
export function createLambdaApi(parts: LambdaApiParts): Hono {
  const { clock, rng, log, publicUrls } = parts
  const links = new CodeLinks({ clock, rng, baseUrl: () => publicUrls().api })
  const app = new Hono({ getPath: (request) => operationPath(rawPath(request.url)) })
  app.use(async (context, next) => {
    context.header('x-amzn-RequestId', rng.uuid(clock.nowMs()))
    await next()
  })
  const shared = { ...parts, links }
  for (const routes of FAMILIES) routes(app, shared)
  app.notFound((context) =>
    answer(
      context,
      new EngineError(
        'not-found',
        `${context.req.method} ${rawPath(context.req.url)} is no operation of this API.`,
        {
          detail: 'operation',
        },
      ),
    ),
  )
  app.onError((error, context) => {
    if (error instanceof EngineError && error.code !== 'internal') return answer(context, error)
    log.error('request failed', { method: context.req.method, path: rawPath(context.req.url), error })
    return answer(context, internalError(error))
  })
  return app
}

function answer(context: Context, error: EngineError): Response {
  const { status, name, body, retryAfterSeconds } = awsError(error)
  context.header('x-amzn-ErrorType', name)
  if (retryAfterSeconds !== undefined) context.header('Retry-After', String(retryAfterSeconds))
  // the cast: errors.ts holds statuses that have a body
  return context.json(body, status as ContentfulStatusCode)
}

/** The path as it was sent: decoding it before it is split would tear ARNs apart. */
function rawPath(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  const end = url.search(/[?#]/)
  return start < 0 ? '/' : url.slice(start, end < 0 ? undefined : end)
}
