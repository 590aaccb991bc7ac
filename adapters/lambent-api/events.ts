import type { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import { sendEvents } from './event-stream.ts'
import type { LambentApiParts } from './parts.ts'
import { describingEvents } from './schemas.ts'

/** Events the engine keeps for whoever comes back. */
const KEPT_EVENTS = 1000

/**
 * `GET events`: everything that changes, as server-sent events. An id is `<engine>-<number>`, where the
 * first part names this run of the engine: a reader that comes back after a restart gets everything kept,
 * not a gap it cannot see.
 */
export function addEvents(app: Hono, { engine, stopping }: LambentApiParts): void {
  const { clock, rng } = engine
  const instance = rng.bytes(4).toString('hex')
  app.get(
    '/events',
    describeRoute(describingEvents('Everything that changes; resumable by Last-Event-ID')),
    (context) => {
      const last = context.req.header('last-event-id') ?? context.req.query('after')
      return sendEvents(context, { clock, stopping }, (push) => {
        const afterId = last === undefined ? undefined : resumeAfter(last, instance)
        let expectedId = afterId === undefined || afterId === 0 ? undefined : afterId + 1
        return engine.watch(afterId, (event) => {
          if (expectedId !== undefined && event.id > expectedId) {
            const dropped = event.id - expectedId
            const message = `${dropped} events are no longer kept: only the last ${KEPT_EVENTS} are.`
            push({ event: 'dropped', data: JSON.stringify({ dropped, message }) })
          }
          expectedId = undefined
          push({ id: `${instance}-${event.id}`, event: event.kind, data: JSON.stringify(event) })
        })
      })
    },
  )
}

/** The number to go on after; 0, that is everything kept, for an id of another run of the engine. */
function resumeAfter(lastId: string, instance: string): number {
  const [, ofInstance, number = ''] = /^([0-9a-f]+)-(\d{1,15})$/.exec(lastId) ?? []
  return ofInstance === instance ? Number(number) : 0
}
