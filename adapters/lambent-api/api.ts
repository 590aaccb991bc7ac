import { Hono } from 'hono'
import { describeRoute, openAPIRouteHandler } from 'hono-openapi'
import { EngineError, isEngineError } from '../../runtime/errors.ts'
import { addActors } from './actors.ts'
import { answerError } from './errors.ts'
import { addEvents } from './events.ts'
import { addFunctions } from './functions.ts'
import { addKeys } from './keys.ts'
import { addLogs } from './logs.ts'
import { addNodes } from './nodes.ts'
import { addObjects } from './objects.ts'
import type { LambentApiParts } from './parts.ts'
import { addPlacementGroups } from './placement-groups.ts'
import { addRoutes } from './routes.ts'
import { addRuns } from './runs.ts'
import { addTasks } from './tasks.ts'
import { describing } from './schemas.ts'
import { addTimeline } from './timeline.ts'
import { addWork } from './work.ts'

/** Parts of the public face that are promised and not there: 501, never an answer that pretends. */
const NOT_BUILT: readonly (readonly [method: string, path: string])[] = [
  ...['jobs', 'schedules'].flatMap(
    (noun) =>
      [
        ['ALL', `/${noun}`],
        ['ALL', `/${noun}/*`],
      ] as const,
  ),
]

/** Lambent's own API, under `/lambent/v1`. Answers are JSON, errors `{ "error": { … } }`. */
export function createLambentApi(parts: LambentApiParts): Hono {
  const { engine } = parts
  const app = new Hono().basePath('/lambent/v1')
  app.get('/health', describeRoute(describing('Whether the engine works, and how', 'health')), (context) =>
    context.json(engine.health()),
  )
  app.get('/environments', describeRoute(describing('Execution environments', 'environments')), (context) =>
    context.json({ environments: engine.environments() }),
  )
  addNodes(app, parts)
  addFunctions(app, parts)
  addRoutes(app, parts)
  addLogs(app, parts)
  addRuns(app, parts)
  addTasks(app, parts)
  addObjects(app, parts)
  addTimeline(app, parts)
  addWork(app, parts)
  addPlacementGroups(app, parts)
  addActors(app, parts)
  addEvents(app, parts)
  addKeys(app, parts)
  app.get(
    '/openapi.json',
    openAPIRouteHandler(app, {
      documentation: {
        openapi: '3.1.0',
        info: {
          title: 'Lambent API',
          description:
            'Health, nodes, environments, routes, runs, actors, logs, events, timeline and keys of a running Lambent.',
          version: engine.health().version,
        },
        components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
        security: [{ key: [] }, {}],
      },
      // A refused query answers as every refusal does: the operations say so themselves.
      defaultValidationErrorResponse: false,
    }),
  )
  for (const [method, path] of NOT_BUILT) {
    app.on(method === 'ALL' ? ALL_METHODS : [method], path, (context) => {
      throw new EngineError('unsupported', `${context.req.method} ${context.req.path} is not built yet.`)
    })
  }
  app.notFound((context) =>
    answerError(
      context,
      new EngineError('not-found', `Nothing answers ${context.req.method} ${context.req.path}.`, {
        hint: 'GET /lambent/v1/openapi.json describes what there is.',
      }),
    ),
  )
  app.onError((error, context) => {
    if (!isEngineError(error)) engine.log.error('request failed', { path: context.req.path, error })
    return answerError(context, error)
  })
  return app
}

const ALL_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']
