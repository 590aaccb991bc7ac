import type { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import { z } from 'zod'
import { EngineError } from '../../runtime/errors.ts'
import type { NewRoute, RouteRecord } from '../../runtime/registry/routes.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { apiIdOf } from '../ingress/api-id.ts'
import { parsePattern, shapeOf } from '../../runtime/registry/route-pattern.ts'
import { RouteInput, splitReference } from '../ingress/route-settings.ts'
import { checked, scopeOfRequest, type LambentApiParts } from './parts.ts'
import { describing, ScopeQuery } from './schemas.ts'

const MAX_ROUTES_AT_ONCE = 2000

/** All the routes of one source. */
const RoutesBody = z.strictObject({
  source: z
    .string()
    .min(1)
    .max(4096)
    .describe('Who declares them, such as "project:shop": its earlier routes are replaced'),
  routes: z.array(RouteInput).max(MAX_ROUTES_AT_ONCE),
})

/** `GET routes` and `PUT routes`: which HTTP requests lead to which functions. */
export function addRoutes(app: Hono, { engine, registry, ingressUrls }: LambentApiParts): void {
  const answer = (scope: Scope, records: readonly RouteRecord[]): object => {
    const { host, path } = ingressUrls()
    return {
      apiId: apiIdOf(scope),
      url: path,
      urlByHost: `${host.protocol}//${apiIdOf(scope)}.execute-api.${scope.region}.${host.host}`,
      routes: records.map(showRoute),
    }
  }
  app.get(
    '/routes',
    describeRoute(describing('HTTP routes of one account and region', 'routes')),
    checked('query', ScopeQuery),
    (context) => {
      const scope = scopeOfRequest(context, context.req.valid('query'))
      return context.json(answer(scope, engine.routes.list(scope)))
    },
  )
  app.put(
    '/routes',
    describeRoute(describing('Replaces the HTTP routes that one source declares', 'routes')),
    checked('query', ScopeQuery),
    checked('json', RoutesBody),
    async (context) => {
      const scope = scopeOfRequest(context, context.req.valid('query'))
      const { source, routes } = context.req.valid('json')
      for (const route of routes) checkFunctions(route, (name) => registry.find(scope, name) !== undefined)
      return context.json(answer(scope, await engine.routes.replace(scope, source, routes.map(newRoute))))
    },
  )
}

type Input = z.output<typeof RouteInput>

function checkFunctions(
  { route, function: reference, authorizer }: Input,
  exists: (name: string) => boolean,
): void {
  const named = [
    reference,
    ...(authorizer !== undefined && 'function' in authorizer ? [authorizer.function] : []),
  ]
  for (const one of named) {
    const { functionName } = splitReference(one)
    if (!exists(functionName))
      throw new EngineError(
        'invalid',
        `The route "${route}" names the function "${functionName}", which there is not.`,
        {
          hint: 'Deploy the function first.',
        },
      )
  }
}

function newRoute({ route, function: reference, ...settings }: Input): NewRoute {
  const pattern = parsePattern(route)
  if (typeof pattern === 'string') throw new EngineError('invalid', `"${route}": ${pattern}`)
  return { key: route, shape: shapeOf(pattern), ...splitReference(reference), settings }
}

/** As it was given, with its source. */
export const showRoute = ({ key, functionName, qualifier, source, settings }: RouteRecord): object => ({
  route: key,
  function: qualifier === undefined ? functionName : `${functionName}:${qualifier}`,
  source,
  ...settings,
})
