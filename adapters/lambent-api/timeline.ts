import type { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import type { RunningView } from '../../runtime/views.ts'
import type { RunRecord, Scope } from '../../runtime/store/journal.ts'
import { callerIn } from '../auth/caller.ts'
import { chromeTrace, type TimelineSlice } from './chrome-trace.ts'
import { assertReaches, checked, scopeOfRequest, type LambentApiParts } from './parts.ts'
import { describing, TimelineQuery } from './schemas.ts'

const PAGE_RUNS = 1000

/**
 * `GET timeline`: what ran and what runs, in the format of Chrome's traces. The newest runs come first into
 * it, up to `limit`.
 */
export function addTimeline(app: Hono, { engine }: LambentApiParts): void {
  const { journal, clock } = engine
  app.get(
    '/timeline',
    describeRoute(describing('What ran when and where, as a trace that Perfetto opens', 'timeline')),
    checked('query', TimelineQuery),
    async (context) => {
      const query = context.req.valid('query')
      const all = query.scope === 'all'
      if (all) assertReaches(callerIn(context.env), undefined)
      const scope = all ? undefined : scopeOfRequest(context, query)
      const wanted = { scope, functionName: query.function, sinceMs: query.since }
      const ended: RunRecord[] = []
      while (ended.length < query.limit) {
        const limit = Math.min(PAGE_RUNS, query.limit - ended.length)
        const page = await journal.runs({ ...wanted, beforeRunId: ended.at(-1)?.runId, limit })
        ended.push(...page)
        if (page.length < limit) break
      }
      const isWanted = (one: RunningView): boolean =>
        (scope === undefined || isSame(one.scope, scope)) &&
        (query.function === undefined || one.functionName === query.function)
      const known = new Set(ended.map(({ runId }) => runId))
      const running = engine.running().filter((one) => isWanted(one) && !known.has(one.runId))
      const slices = [
        ...ended.filter(({ environmentId }) => environmentId !== '').map(ofRun),
        ...running.map((one) => ofRunning(one, clock.nowMs())),
      ]
      return context.json(chromeTrace(slices))
    },
  )
}

const isSame = (left: Scope, right: Scope): boolean =>
  left.account === right.account && left.region === right.region

const ofRun = (run: RunRecord): TimelineSlice => ({
  ...{ runId: run.runId, name: nameOfRun(run), kind: run.kind, functionName: run.functionName },
  ...{ environmentId: run.environmentId, acceptedAtMs: run.acceptedAtMs, startedAtMs: run.startedAtMs },
  ...{ durationMs: run.durationMs, initMs: run.initMs },
  detail: {
    ...{ status: run.status, trigger: run.trigger, version: run.version, attempt: run.attempt },
    ...(run.errorType === null ? {} : { error: run.errorType }),
  },
})

const ofRunning = (one: RunningView, nowMs: number): TimelineSlice => ({
  ...{ runId: one.runId, name: nameOf(one), kind: kindOf(one), functionName: one.functionName },
  ...{ environmentId: one.environmentId, acceptedAtMs: one.startedAtMs, startedAtMs: one.startedAtMs },
  durationMs: Math.max(0, nowMs - one.startedAtMs),
  initMs: null,
  detail: { status: 'running', version: one.version },
})

/** A qualifier of work that is no handler's says which export ran. */
const nameOfRun = ({ kind, functionName, qualifier }: RunRecord): string =>
  kind === 'invocation' ? functionName : `${functionName}/${qualifier}`

/** `fn`, or `fn/task` and `fn/Class/key`. */
const nameOf = ({ functionName, target }: RunningView): string =>
  target === undefined ? functionName : `${functionName}/${target.slice(target.indexOf('/') + 1)}`

const kindOf = ({ target }: RunningView): string =>
  target === undefined ? 'invocation' : target.slice(0, Math.max(0, target.indexOf('/'))) || target
