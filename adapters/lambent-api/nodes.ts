import type { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import { z } from 'zod'
import { EngineError } from '../../runtime/errors.ts'
import { assertAdmin, bodyOf, type LambentApiParts } from './parts.ts'
import { describing } from './schemas.ts'

const NodeChange = z.strictObject({
  capacity: z
    .record(z.string(), z.number().nullable())
    .optional()
    .describe('In plain units; null: as it was found'),
  labels: z.record(z.string(), z.string().nullable()).optional().describe('Null: without it'),
  drain: z.boolean().optional().describe('Finish what runs and take nothing new'),
})

/** `GET nodes` and `PATCH nodes/{name}`. */
export function addNodes(app: Hono, { engine }: LambentApiParts): void {
  app.get('/nodes', describeRoute(describing('Machines and what they offer', 'nodes')), (context) =>
    context.json({ nodes: engine.nodes() }),
  )
  app.patch(
    '/nodes/:name',
    describeRoute(
      describing('Changes what a node offers, how it is labelled, whether it takes new work', 'node'),
    ),
    async (context) => {
      assertAdmin(context)
      const name = context.req.param('name')
      const change = NodeChange.safeParse(await bodyOf(context))
      if (!change.success)
        throw new EngineError(
          'invalid',
          change.error.issues.map((one) => `${one.path.join('.') || 'body'}: ${one.message}`).join('; '),
          { hint: 'A body is such as {"capacity":{"gpu":2},"labels":{"disk":"nvme"},"drain":false}.' },
        )
      await engine.nodeSettings.change(name, change.data)
      const node = engine.nodes().find((one) => one.name === name)
      if (node === undefined) throw new EngineError('not-found', `There is no node ${name}.`)
      return context.json(node)
    },
  )
}
