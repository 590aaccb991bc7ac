import type { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import { EngineError } from '../../runtime/errors.ts'
import { bodyOf, checked, scopeOfRequest, type LambentApiParts } from './parts.ts'
import { describing, ScopeQuery } from './schemas.ts'

/** `GET|POST placement-groups` and `GET|DELETE placement-groups/{name}`. */
export function addPlacementGroups(app: Hono, { engine }: LambentApiParts): void {
  app.get(
    '/placement-groups',
    describeRoute(describing('Placement groups of one account and region', 'placementGroups')),
    checked('query', ScopeQuery),
    (context) => {
      const scope = scopeOfRequest(context, context.req.valid('query'))
      return context.json({ placementGroups: engine.groups.list(scope) })
    },
  )
  app.post(
    '/placement-groups',
    describeRoute(describing('Makes a placement group, ready or waiting for room', 'placementGroup')),
    checked('query', ScopeQuery),
    async (context) => {
      const scope = scopeOfRequest(context, context.req.valid('query'))
      const wish = await bodyOf(context)
      if (typeof wish !== 'object' || wish === null)
        throw new EngineError(
          'invalid',
          'The body is an object such as {"name":"gang","bundles":[{"cpu":1}]}.',
        )
      return context.json(await engine.groups.create(scope, wish), 201)
    },
  )
  app.get(
    '/placement-groups/:name',
    describeRoute(describing('One placement group', 'placementGroup')),
    checked('query', ScopeQuery),
    (context) => {
      const scope = scopeOfRequest(context, context.req.valid('query'))
      return context.json(engine.groups.get(scope, context.req.param('name')))
    },
  )
  app.delete(
    '/placement-groups/:name',
    describeRoute(describing('Ends a placement group and the processes that use it', 'placementGroup')),
    checked('query', ScopeQuery),
    async (context) => {
      const scope = scopeOfRequest(context, context.req.valid('query'))
      return context.json(await engine.groups.remove(scope, context.req.param('name')))
    },
  )
}
