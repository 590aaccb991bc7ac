import type { Context, Hono } from 'hono'
import { describeRoute } from 'hono-openapi'
import { z } from 'zod'
import { FLAG } from '../../runtime/environments/frames.ts'
import { EngineError } from '../../runtime/errors.ts'
import { parseDuration } from '../../runtime/sdk/duration.ts'
import type { ActorAddress } from '../../runtime/store/actors.ts'
import { checked, scopeOfRequest, type LambentApiParts } from './parts.ts'
import { describing, ScopeQuery } from './schemas.ts'
import { answerOutcome, packJson, readArguments } from './values.ts'

const ListQuery = ScopeQuery.extend({
  function: z.string().optional().describe('Only actors of this function'),
  class: z.string().optional().describe('Only actors of this class'),
  after: z.coerce.number().int().min(0).default(0).describe('`next` of the page before'),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
})

const CallQuery = ScopeQuery.extend({
  timeout: z
    .string()
    .optional()
    .describe("How long the caller waits, such as '30s'; without it as long as it takes"),
})

const ONE = '/actors/:function/:class/:key'

/** `GET actors`, `GET` and `DELETE` one, `POST` a method of one, `POST kill`. Keys are percent-encoded. */
export function addActors(app: Hono, { engine }: LambentApiParts): void {
  const { actors } = engine
  app.get(
    '/actors',
    describeRoute(describing('Actors that were ever awake, page by page', 'actors')),
    checked('query', ListQuery),
    (context) => {
      const query = context.req.valid('query')
      const { function: functionName, class: className, after: afterId, limit } = query
      const scope = scopeOfRequest(context, query)
      const page = actors.list({ scope, functionName, className, afterId }, limit)
      return context.json({ actors: page.actors, next: page.nextId })
    },
  )
  app.get(
    ONE,
    describeRoute(describing('One actor: state, mailbox, storage, alarms, last error', 'actor')),
    checked('query', ScopeQuery),
    (context) => context.json(actors.get(addressOf(context, context.req.valid('query')))),
  )
  app.delete(
    ONE,
    describeRoute(describing('Destroys an actor with all it has stored', 'nothing')),
    checked('query', ScopeQuery),
    async (context) => {
      await actors.destroy(addressOf(context, context.req.valid('query')))
      return context.body(null, 204)
    },
  )
  app.post(
    `${ONE}/kill`,
    describeRoute(describing('Ends the process of an actor; what it has stored stays', 'nothing')),
    checked('query', ScopeQuery),
    (context) => {
      actors.kill(addressOf(context, context.req.valid('query')))
      return context.body(null, 204)
    },
  )
  app.post(
    `${ONE}/:method`,
    describeRoute(
      describing('Calls a method; the body is an array of arguments, the answer the bare result', 'actors'),
    ),
    checked('query', CallQuery),
    async (context) => {
      const { timeout, ...scope } = context.req.valid('query')
      const result = await actors.call({
        address: addressOf(context, scope),
        method: context.req.param('method'),
        args: packJson(await readArguments(context)),
        idempotencyKey: context.req.header('idempotency-key'),
        timeoutMs: timeoutOf(timeout),
        signal: context.req.raw.signal,
      })
      if ((result.flags & FLAG.object) !== 0) throw tooLarge()
      return answerOutcome(context, result, engine.segments)
    },
  )
}

function addressOf(context: Context, query: z.output<typeof ScopeQuery>): ActorAddress {
  const {
    function: reference = '',
    class: className = '',
    key = '',
  } = context.req.param() as Record<string, string>
  const [functionName = ''] = reference.split(':')
  return { scope: scopeOfRequest(context, query), functionName, className, key }
}

function timeoutOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  try {
    return parseDuration(/^\d+$/.test(text) ? Number(text) : text) ?? undefined
  } catch (error) {
    throw new EngineError('invalid', `The query has problems: timeout: ${(error as Error).message}`) // a TypeError
  }
}

const tooLarge = (): EngineError =>
  new EngineError('too-large', 'The result is too large to be answered as JSON.', {
    hint: 'Return less, or call it from code with the SDK.',
  })
