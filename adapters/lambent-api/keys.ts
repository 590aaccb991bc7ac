import type { Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import { z } from 'zod'
import { EngineError } from '../../runtime/errors.ts'
import { callerIn } from '../auth/caller.ts'
import { DEFAULT_ACCOUNT } from '../lambda/scope.ts'
import { assertAdmin, bodyOf, checked, scopeOfRequest, type LambentApiParts } from './parts.ts'
import { describing, ScopeQuery } from './schemas.ts'

const NewKey = z.object({
  name: z.string().default('key'),
  scopes: z.array(z.string()).min(1).default(['admin']),
  account: z.string().default(DEFAULT_ACCOUNT),
  organization: z.string().optional(),
  expiresAtMs: z.number().int().positive().optional().describe('Unix milliseconds'),
})

/** `POST|GET keys`, `DELETE keys/{id}`, and `GET caller`: who the engine takes a request's sender for. */
export function addKeys(app: Hono, { keys, auth }: LambentApiParts): void {
  app.get(
    '/keys',
    describeRoute(describing('Keys, oldest first, without their secrets', 'keys')),
    (context) => {
      assertAdmin(context)
      return context.json({ keys: keys.list() })
    },
  )
  app.post(
    '/keys',
    describeRoute(describing('Makes a key; its secret and token are shown this once', 'newKey')),
    async (context) => {
      assertAdmin(context)
      const wish = NewKey.safeParse(await bodyOf(context))
      if (!wish.success)
        throw new EngineError(
          'invalid',
          wish.error.issues.map((one) => `${one.path.join('.')}: ${one.message}`).join('; '),
        )
      return context.json(await keys.create(wish.data), 201)
    },
  )
  app.delete('/keys/:id', describeRoute(describing('Ends a key at once', 'nothing')), async (context) => {
    assertAdmin(context)
    await keys.revoke(context.req.param('id'))
    return context.json({})
  })
  app.get(
    '/caller',
    describeRoute(describing('Who the engine takes the sender of this request for', 'caller')),
    checked('query', ScopeQuery),
    (context) => {
      const caller = callerIn(context.env)
      const key = keys.list().find(({ keyId }) => keyId === caller?.principal.keyId)
      return context.json({ auth, ...scopeOfRequest(context, context.req.valid('query')), key: key ?? null })
    },
  )
}
