import type { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import { EngineError } from '../../runtime/errors.ts'
import type { RunRecord } from '../../runtime/store/journal.ts'
import { checked, scopeOfRequest, type LambentApiParts } from './parts.ts'
import { describing, RunsQuery } from './schemas.ts'

const DAY_MS = 86_400_000

/** `GET runs`, `GET runs/{id}` and `GET runs/{id}/logs`. */
export function addRuns(app: Hono, { engine }: LambentApiParts): void {
  const { journal } = engine
  const find = async (runId: string): Promise<RunRecord> => {
    const run = await journal.run(runId)
    if (run !== undefined) return run
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
        scope: query.scope === 'all' ? undefined : scopeOfRequest(context, query),
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
    context.json(await find(context.req.param('id'))),
  )
  app.get('/runs/:id/logs', describeRoute(describing('What one run has logged', 'logs')), async (context) => {
    const { scope, functionName, runId, acceptedAtMs } = await find(context.req.param('id'))
    // A day of slack: a clock that was set back must not hide the lines.
    const sinceMs = acceptedAtMs - DAY_MS
    return context.json({
      lines: await journal.events({ scope, functionName, requestId: runId, sinceMs, limit: 10_000 }),
    })
  })
}
