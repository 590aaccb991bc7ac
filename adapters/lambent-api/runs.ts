import type { Context, Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import { EngineError } from '../../runtime/errors.ts'
import type { WaitingEvent } from '../../runtime/invoke/event-desk.ts'
import { EVENT_PAYLOAD_BYTES } from '../../runtime/invoke/types.ts'
import type { RunRecord, RunStatus } from '../../runtime/store/journal.ts'
import type { Action } from '../../runtime/keys/grants.ts'
import { callerIn, mayReach } from '../auth/caller.ts'
import { assertReaches, checked, scopeOfRequest, type LambentApiParts } from './parts.ts'
import { describing, RunsQuery } from './schemas.ts'

const DAY_MS = 86_400_000

/** A run as this API shows it: one that has ended, or an event that has not. */
type ShownRun = Omit<RunRecord, 'status'> & {
  readonly status: RunStatus | WaitingEvent['status']
  readonly reason?: string | undefined
  readonly dueAtMs?: number | undefined
}

/** No scope, for those who may see every account. Throws EngineError 'forbidden'. */
function everywhere(context: Context): undefined {
  assertReaches(callerIn(context.env), undefined)
}

/** `GET runs`, `GET runs/{id}`, its logs, and `POST runs/{id}/cancel` and `/replay`. */
export function addRuns(app: Hono, { engine }: LambentApiParts): void {
  const { journal, events } = engine
  const find = async (context: Context, action: Action = 'read'): Promise<ShownRun> => {
    const runId = context.req.param('id') ?? ''
    const waiting = events.find(runId)
    const run = (await journal.run(runId)) ?? (waiting === undefined ? undefined : shownWaiting(waiting))
    // a run of somebody else's looks like none: its id is not to be guessed at
    const isTheirs =
      run !== undefined && mayReach(callerIn(context.env), action, run.scope.account, run.functionName)
    if (isTheirs) return run
    throw new EngineError('not-found', `There is no run "${runId.slice(0, 100)}".`, {
      hint: 'Runs are kept for a limited time, and show up a moment after they end.',
    })
  }
  app.get(
    '/runs',
    describeRoute(describing('Runs, newest first, with events that have not ended', 'runs')),
    checked('query', RunsQuery),
    async (context) => {
      const query = context.req.valid('query')
      const { status, since: sinceMs, limit } = query
      const wanted = {
        scope: query.scope === 'all' ? everywhere(context) : scopeOfRequest(context, query),
        functionName: query.function,
        beforeRunId: query.before,
      }
      const isOpen = status === 'waiting' || status === 'running'
      // Before those that have ended, so that one that ends in between is not missed.
      const open =
        (status === undefined || isOpen) && (query.kind ?? 'invocation') === 'invocation'
          ? events
              .waiting(wanted, limit)
              .filter((one) => status === undefined || one.status === status)
              .filter((one) => sinceMs === undefined || one.acceptedAtMs >= sinceMs)
          : []
      const ended = isOpen ? [] : await journal.runs({ ...wanted, kind: query.kind, status, sinceMs, limit })
      const known = new Set(ended.map(({ runId }) => runId))
      const runs: ShownRun[] = [...ended, ...open.filter(({ runId }) => !known.has(runId)).map(shownWaiting)]
      runs.sort((left, right) => (left.runId < right.runId ? 1 : -1))
      const page = runs.slice(0, limit)
      return context.json({ runs: page, next: page.length < limit ? undefined : page.at(-1)?.runId })
    },
  )
  app.get(
    '/runs/:id',
    describeRoute(describing('One run, with what became of its outcome', 'run')),
    async (context) => {
      const run = await find(context)
      if (run.trigger !== 'event') return context.json(run)
      const { reason, deliveries } = events.outcome(run.runId)
      const outcome = run.status === 'succeeded' ? (reason ?? 'success') : reason
      return context.json({ ...run, outcome, deliveries })
    },
  )
  app.get('/runs/:id/logs', describeRoute(describing('What one run has logged', 'logs')), async (context) => {
    const { scope, functionName, runId, acceptedAtMs } = await find(context)
    // A day of slack: a clock that was set back must not hide the lines.
    const sinceMs = acceptedAtMs - DAY_MS
    return context.json({
      lines: await journal.events({ scope, functionName, requestId: runId, sinceMs, limit: 10_000 }),
    })
  })
  app.post(
    '/runs/:id/cancel',
    describeRoute(describing('Cancels an event that waits', 'cancelled')),
    async (context) => {
      const { runId, status } = await find(context, 'invoke')
      if (status !== 'waiting' && status !== 'running')
        throw new EngineError('conflict', `Run "${runId}" has ended: ${status}.`)
      await events.cancel(runId)
      return context.json({ runId, status: 'cancelled' })
    },
  )
  app.post(
    '/runs/:id/replay',
    describeRoute(
      describing('Runs an event anew: with its own payload, or with the one that is the body', 'replayed'),
    ),
    async (context) => {
      const run = await find(context, 'invoke')
      const { status } = run
      if (status === 'waiting' || status === 'running')
        throw new EngineError('conflict', `Run "${run.runId}" has not ended: ${status}.`)
      const payload = await replayPayload(context)
      return context.json(
        { runId: await events.replay({ ...run, status }, payload), replayOf: run.runId },
        202,
      )
    },
  )
}

/** An event without an outcome in the form of a run: what is not known yet is empty. */
const shownWaiting = (event: WaitingEvent): ShownRun => ({
  runId: event.runId,
  kind: 'invocation',
  trigger: 'event',
  scope: event.scope,
  functionId: event.functionId,
  functionName: event.functionName,
  version: '',
  qualifier: event.qualifier,
  status: event.status,
  acceptedAtMs: event.acceptedAtMs,
  startedAtMs: 0,
  durationMs: 0,
  billedMs: 0,
  initMs: null,
  memoryMb: 0,
  maxMemoryMb: 0,
  errorType: null,
  errorMessage: null,
  environmentId: '',
  attempt: event.attempts,
  reason: event.reason,
  dueAtMs: event.dueAtMs,
})

/** The body as it is; undefined when there is none. */
async function replayPayload(context: Context): Promise<Buffer | undefined> {
  const limit = `A payload may have ${EVENT_PAYLOAD_BYTES} bytes.`
  if (Number(context.req.header('content-length') ?? 0) > EVENT_PAYLOAD_BYTES)
    throw new EngineError('too-large', limit)
  const body = Buffer.from(await context.req.arrayBuffer())
  if (body.length === 0) return undefined
  if (body.length > EVENT_PAYLOAD_BYTES) throw new EngineError('too-large', limit)
  try {
    JSON.parse(body.toString('utf8'))
  } catch (cause) {
    throw new EngineError('not-json', 'The payload is not JSON.', { cause })
  }
  return body
}
