import type { Context, Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import { EngineError } from '../../runtime/errors.ts'
import type { RunRecord } from '../../runtime/store/journal.ts'
import { callerIn, mayReach } from '../auth/caller.ts'
import { assertReaches, checked, scopeOfRequest, type LambentApiParts } from './parts.ts'
import { describing, RunsQuery } from './schemas.ts'

const DAY_MS = 86_400_000

/** No scope, for those who may see every account. Throws EngineError 'forbidden'. */
function everywhere(context: Context): undefined {
  assertReaches(callerIn(context.env), undefined)
}

/** `GET runs`, `GET runs/{id}` and `GET runs/{id}/logs`. */
export function addRuns(app: Hono, { engine }: LambentApiParts): void {
  const { journal } = engine
  const find = async (context: Context, runId: string): Promise<RunRecord> => {
    const run = await journal.run(runId)
    // a run of somebody else's looks like none: its id is not to be guessed at
    const isTheirs =
      run !== undefined && mayReach(callerIn(context.env), 'read', run.scope.account, run.functionName)
    if (isTheirs) return run
    throw new EngineError('not-found', `There is no run "${runId.slice(0, 100)}".`, {
      hint: 'Runs are kept for a limited time, and show up a moment after they end.',
    })
  }
  app.get(
    '/runs',
    describeRoute(describing('Runs, newest first', 'runs')),
    checked('query', RunsQuery),
    async (context) => {
      const query = context.req.valid('query')
      const runs = await journal.runs({
        scope: query.scope === 'all' ? everywhere(context) : scopeOfRequest(context, query),
        functionName: query.function,
        kind: query.kind,
        status: query.status,
        sinceMs: query.since,
        beforeRunId: query.before,
        limit: query.limit,
      })
      return context.json({ runs, next: runs.length < query.limit ? undefined : runs.at(-1)?.runId })
    },
  )
  app.get('/runs/:id', describeRoute(describing('One run', 'run')), async (context) =>
    context.json(await find(context, context.req.param('id'))),
  )
  app.get('/runs/:id/logs', describeRoute(describing('What one run has logged', 'logs')), async (context) => {
    const { scope, functionName, runId, acceptedAtMs } = await find(context, context.req.param('id'))
    // A day of slack: a clock that was set back must not hide the lines.
    const sinceMs = acceptedAtMs - DAY_MS
    return context.json({
      lines: await journal.events({ scope, functionName, requestId: runId, sinceMs, limit: 10_000 }),
    })
  })
}
