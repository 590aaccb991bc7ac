import type { Context, ValidationTargets } from 'hono'
import { validator } from 'hono-openapi'
import type { z } from 'zod'
import type { Config } from '../../runtime/config.ts'
import { EngineError } from '../../runtime/errors.ts'
import type { Engine } from '../../runtime/index.ts'
import { allows } from '../../runtime/keys/grants.ts'
import type { KeyRing } from '../../runtime/keys/key-ring.ts'
import type { ObjectEntry } from '../../runtime/objects/object-table.ts'
import type { Registry } from '../../runtime/registry/registry.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { callerIn, type Caller } from '../auth/caller.ts'
import { scopeOf } from '../lambda/scope.ts'

/** What the Lambent API is built of. */
export interface LambentApiParts {
  readonly engine: Pick<
    Engine,
    | ('clock' | 'rng' | 'log' | 'journal' | 'events' | 'routes' | 'health')
    | ('environments' | 'running' | 'work' | 'nodes' | 'nodeSettings' | 'groups' | 'watch')
  > & {
    readonly tasks: Pick<Engine['tasks'], 'submit'>
    readonly objects: Pick<Engine['objects'], 'find' | 'create' | 'resolve' | 'reject' | 'whereIs'>
    readonly segments: Engine['segments']
    readonly outsideRefs: Pick<Engine['outsideRefs'], 'holder' | 'keep' | 'release'>
    readonly actors: Pick<Engine['actors'], 'call' | 'list' | 'get' | 'kill' | 'destroy'>
  }
  readonly keys: KeyRing
  /** Whether callers must say who they are. */
  readonly auth: Config['auth']
  readonly registry: Pick<Registry, 'list' | 'find'>
  /** Where function URLs are reached: the base of their host form, and that of their path form. */
  readonly ingressUrls: () => { host: URL; path: string }
  /** Aborts when the listener stops: streams end then. */
  readonly stopping: AbortSignal
}

/**
 * The object of that name, if whoever asks may know of it: keys of an account see its objects only. Throws
 * EngineError 'not-found' (detail 'object-lost').
 */
export function findObject(
  context: Context,
  objects: Pick<LambentApiParts['engine']['objects'], 'find'>,
  id: string,
): ObjectEntry {
  const entry = objects.find(id)
  if (entry !== undefined && mayKnow(callerIn(context.env), entry)) return entry
  throw new EngineError('not-found', `There is no object "${id.slice(0, 100)}".`, {
    detail: 'object-lost',
    hint: 'Values that nobody asks for are kept an hour, and none survives the engine.',
  })
}

const mayKnow = (caller: Caller | undefined, { account }: ObjectEntry): boolean =>
  caller === undefined ||
  account === caller.principal.account ||
  allows(caller.principal.grants, 'admin', undefined)

/**
 * Account and region of a request: what its query says, else what its credentials say. Throws EngineError
 * 'forbidden'.
 */
export function scopeOfRequest(context: Context, query: { region?: string; account?: string }): Scope {
  const caller = callerIn(context.env)
  const signed = caller?.scope ?? scopeOf({ authorization: context.req.header('authorization') })
  if (query.account !== undefined) assertReaches(caller, query.account)
  return { account: query.account ?? signed.account, region: query.region ?? signed.region }
}

/** Throws EngineError 'forbidden' unless the sender may administer this engine. */
export function assertAdmin(context: Context): void {
  const caller = callerIn(context.env)
  if (caller === undefined || allows(caller.principal.grants, 'admin', undefined)) return
  throw new EngineError('forbidden', 'Only keys with the scope admin may do that.')
}

/** Throws EngineError 'forbidden' when a caller asks for the records of another account. */
export function assertReaches(caller: Caller | undefined, account: string | undefined): void {
  if (caller === undefined || account === caller.principal.account) return
  if (allows(caller.principal.grants, 'admin', undefined)) return
  throw new EngineError('forbidden', 'This key may see the records of its own account only.')
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

/** The JSON of a body, whatever type it says it has; `{}` without one. Rejects 'not-json'. */
export async function bodyOf(context: Context): Promise<unknown> {
  const text = await context.req.text()
  try {
    return text === '' ? {} : JSON.parse(text)
  } catch (cause) {
    throw new EngineError('not-json', 'The body is not JSON.', { cause })
  }
}
