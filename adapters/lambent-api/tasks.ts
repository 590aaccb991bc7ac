import type { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import { z } from 'zod'
import { checked, findObject, scopeOfRequest, type LambentApiParts } from './parts.ts'
import { late, readWait, settles } from './ref-waits.ts'
import { describing, ScopeQuery } from './schemas.ts'
import { answerOutcome, packJson, readArguments } from './values.ts'

const SubmitQuery = ScopeQuery.extend({
  wait: z.string().optional().describe("How long to wait for the value: '30s', '500ms'"),
})

const CancelQuery = z.object({
  force: z.enum(['0', '1', 'true', 'false']).optional().describe('Ends its process'),
  recursive: z.enum(['0', '1', 'true', 'false']).optional().describe('With the tasks that it asked for; 1'),
})

/** `POST tasks/{function}/{task}` and `POST objects/{id}/cancel`. */
export function addTasks(app: Hono, { engine }: LambentApiParts): void {
  const { tasks, objects, outsideRefs, segments, clock, rng } = engine
  app.post(
    '/tasks/:function/:task',
    describeRoute(describing('Begins a task; with `wait` answers its bare value', 'newTask')),
    checked('query', SubmitQuery),
    async (context) => {
      const query = context.req.valid('query')
      const waitMs = query.wait === undefined ? undefined : readWait(query.wait)
      const args = await readArguments(context)
      const [functionName = '', qualifier] = context.req.param('function').split(':')
      const entry = await tasks.submit({
        scope: scopeOfRequest(context, query),
        ...{ functionName, qualifier },
        exportName: context.req.param('task'),
        args: packJson(args),
        refId: rng.uuid(clock.nowMs()),
        holder: outsideRefs.holder,
      })
      outsideRefs.keep(entry)
      if (waitMs === undefined) return context.json({ objectId: entry.id }, 202)
      if (await settles(clock, entry, waitMs, context.req.raw.signal))
        return answerOutcome(context, entry, segments)
      return late(context, entry.id, waitMs)
    },
  )
  app.post(
    '/objects/:id/cancel',
    describeRoute(describing('Cancels the task that makes a value', 'nothing')),
    checked('query', CancelQuery),
    (context) => {
      const { force, recursive } = context.req.valid('query')
      const entry = findObject(context, objects, context.req.param('id'))
      entry.producer?.cancel({ force: isSet(force), recursive: recursive === undefined || isSet(recursive) })
      return context.json({})
    },
  )
}

const isSet = (flag: string | undefined): boolean => flag === '1' || flag === 'true'
