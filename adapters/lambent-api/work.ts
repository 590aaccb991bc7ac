import type { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import type { TaskView } from '../../runtime/work-views.ts'
import { assertAdmin, checked, scopeOfRequest, type LambentApiParts } from './parts.ts'
import { describing, WorkQuery } from './schemas.ts'

const MOST = 100_000

/** `GET tasks` and `GET objects`: what there is at this moment. What has ended is among the runs. */
export function addWork(app: Hono, { engine }: LambentApiParts): void {
  app.get(
    '/tasks',
    describeRoute(describing('Tasks that have not ended, oldest first, and why they wait', 'tasks')),
    checked('query', WorkQuery),
    (context) => {
      const query = context.req.valid('query')
      const { account, region } = scopeOfRequest(context, query)
      const isWanted = ({ scope, function: name, state }: TaskView): boolean =>
        scope.account === account &&
        scope.region === region &&
        (query.function === undefined || name === query.function) &&
        (query.state === undefined || state === query.state)
      const tasks = engine.work.tasks(MOST).filter(isWanted).slice(0, query.limit)
      return context.json({ tasks: tasks.map(({ scope: _scope, ...shown }) => shown) })
    },
  )
  app.get(
    '/objects',
    describeRoute(describing('Values that something refers to, oldest first', 'objects')),
    checked('query', WorkQuery),
    (context) => {
      assertAdmin(context) // ids of every account's values
      return context.json({ objects: engine.work.objects(context.req.valid('query').limit) })
    },
  )
}
