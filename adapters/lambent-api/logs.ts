import type { Context, Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import type { z } from 'zod'
import { EngineError } from '../../runtime/errors.ts'
import type { Journal, LogEvent, LogQuery } from '../../runtime/store/journal.ts'
import { sendEvents, type Push } from './event-stream.ts'
import { checked, scopeOfRequest, type LambentApiParts } from './parts.ts'
import { describing, LogsQuery } from './schemas.ts'

/** `GET functions/{name}/logs`: lines as JSON, or with `follow=1` as server-sent events that go on. */
export function addLogs(app: Hono, parts: LambentApiParts): void {
  app.get(
    '/functions/:name/logs',
    describeRoute(describing('Log lines of a function, oldest first; follow=1 streams them', 'logs')),
    checked('query', LogsQuery),
    async (context) => {
      const query = context.req.valid('query')
      const wanted = logQuery(context, query)
      const follow = query.follow === '1' || query.follow === 'true'
      if (follow) {
        assertExists(parts, wanted)
        return follows(context, parts, wanted)
      }
      const lines = await parts.engine.journal.events(wanted)
      if (lines.length === 0) assertExists(parts, wanted)
      return context.json({ lines })
    },
  )
}

function logQuery(context: Context, query: z.infer<typeof LogsQuery>): LogQuery & { functionName: string } {
  return {
    scope: scopeOfRequest(context, query),
    functionName: context.req.param('name') ?? '',
    sinceMs: query.since,
    untilMs: query.until,
    requestId: query.requestId,
    contains: query.grep,
    limit: query.limit,
  }
}

/** A name that nobody has is a mistake to tell, not an empty log to wait on. */
function assertExists({ registry }: LambentApiParts, { scope, functionName }: LogQuery): void {
  if (registry.find(scope, functionName ?? '') !== undefined) return
  throw new EngineError('not-found', `There is no function "${functionName}" in ${scope.region}.`, {
    hint: 'lambent ls functions shows those there are.',
  })
}

function follows(context: Context, { engine, stopping }: LambentApiParts, query: LogQuery): Response {
  const { journal, clock } = engine
  return sendEvents(context, { clock, stopping }, (push) => openTail(journal, query, push))
}

/**
 * Pushes what is stored since `sinceMs` (nothing without it), then every new line. Following starts before
 * reading, so that no line falls in between; a line that both bring is pushed once. Bounded by what a query
 * returns.
 */
async function openTail(journal: Journal, query: LogQuery, push: Push): Promise<Disposable> {
  const send = (event: LogEvent): void => push({ data: JSON.stringify(event) })
  if (query.sinceMs === undefined) return journal.follow(query, send)
  let meanwhile: LogEvent[] | undefined = []
  const following = journal.follow(query, (event) => {
    if (meanwhile === undefined) send(event)
    else if (meanwhile.length < MAX_MEANWHILE) meanwhile.push(event)
  })
  try {
    const stored = await journal.events(query)
    for (const event of stored) send(event)
    for (const event of withoutThose(meanwhile, stored)) send(event)
    meanwhile = undefined
    return following
  } catch (error) {
    following[Symbol.dispose]()
    throw error
  }
}

const MAX_MEANWHILE = 10_000

function withoutThose(events: readonly LogEvent[], known: readonly LogEvent[]): LogEvent[] {
  const keyOf = (event: LogEvent): string =>
    [event.stream, event.timeMs, event.requestId, event.message].join('\n')
  const counts = new Map<string, number>()
  for (const event of known) counts.set(keyOf(event), (counts.get(keyOf(event)) ?? 0) + 1)
  return events.filter((event) => {
    const count = counts.get(keyOf(event)) ?? 0
    counts.set(keyOf(event), count - 1)
    return count <= 0
  })
}
