import type { Context, ValidationTargets } from 'hono'
import { validator } from 'hono-openapi'
import type { z } from 'zod'
import { EngineError } from '../../runtime/errors.ts'
import type { Engine } from '../../runtime/index.ts'
import type { Registry } from '../../runtime/registry/registry.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { scopeOf } from '../lambda/scope.ts'

/** What the Lambent API is built of. */
export interface LambentApiParts {
  readonly engine: Pick<
    Engine,
    'clock' | 'rng' | 'log' | 'journal' | 'routes' | 'health' | 'environments' | 'nodes' | 'watch'
  >
  readonly registry: Pick<Registry, 'list' | 'find'>
  /** Where function URLs are reached: the base of their host form, and that of their path form. */
  readonly ingressUrls: () => { host: URL; path: string }
  /** Aborts when the listener stops: streams end then. */
  readonly stopping: AbortSignal
}

/** Account and region of a request: what its query says, else what its credentials say. */
export function scopeOfRequest(context: Context, query: { region?: string; account?: string }): Scope {
  const signed = scopeOf({ authorization: context.req.header('authorization') })
  return { account: query.account ?? signed.account, region: query.region ?? signed.region }
}

/** Checks one part of a request; all problems are told at once. */
export const checked = <Schema extends z.ZodType, Target extends keyof ValidationTargets>(
  target: Target,
  schema: Schema,
) =>
  validator(target, schema, (result) => {
    if (result.success) return
    const problems = result.error.map((issue) => {
      const path = (issue.path ?? []).map((part) => (typeof part === 'object' ? part.key : part))
      return `${path.map(String).join('.')}: ${issue.message}`
    })
    throw new EngineError('invalid', `The ${target} has problems: ${problems.join('; ')}`)
  })
