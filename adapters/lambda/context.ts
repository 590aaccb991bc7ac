import type { Context, Hono } from 'hono'
import type { Clock } from '../../runtime/clock.ts'
import type { Config } from '../../runtime/config.ts'
import { EngineError } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { EventSources } from '../../runtime/registry/event-sources.ts'
import type { CapacityProviders } from '../../runtime/registry/capacity-providers.ts'
import type { CodeSigningConfigs } from '../../runtime/registry/code-signing.ts'
import type { FunctionRecord, VersionRecord } from '../../runtime/registry/function-record.ts'
import type { Layers } from '../../runtime/registry/layers.ts'
import type { CodePackages } from '../../runtime/registry/packages.ts'
import { checkQualifier } from '../../runtime/registry/policies.ts'
import type { Registry } from '../../runtime/registry/registry.ts'
import type { Rng } from '../../runtime/rng.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import type { AwsClients } from '../aws/clients.ts'
import type { SourceProbe } from '../event-sources/source-probe.ts'
import { callerIn } from '../auth/caller.ts'
import type { CodeLinks } from './code-links.ts'
import { BODY_BYTES, readFields, type Fields } from './fields.ts'
import { parseFunctionLabel, type FunctionLabel, type LabelKind } from './labels.ts'
import { scopeOf } from './scope.ts'

/** What the Lambda API is built of. */
export interface LambdaApiParts {
  readonly registry: Registry
  readonly packages: CodePackages
  readonly eventSources: EventSources
  readonly sourceProbe: SourceProbe
  readonly layers: Layers
  readonly codeSigning: CodeSigningConfigs
  readonly capacityProviders: CapacityProviders
  /** For code that lies in buckets. */
  readonly aws: AwsClients
  readonly clock: Clock
  readonly rng: Rng
  readonly config: Pick<Config, 'limits'>
  readonly log: Log
  /** Base URLs as callers see them, without a slash at the end. */
  publicUrls(): { api: string; ingress: string }
}

/** What the routes of one API share. */
export interface RouteParts extends LambdaApiParts {
  readonly links: CodeLinks
}

/** One family of operations. */
export type Routes = (app: Hono, parts: RouteParts) => void

/** Account and region of this request. */
export const scopeFor = (context: Context): Scope =>
  callerIn(context.env)?.scope ??
  scopeOf({ authorization: context.req.header('authorization') }, queryOf(context.req.url))

/** The function that the path names, with the qualifier of the path or the query. */
export const labelFor = (
  context: Context,
  kind: LabelKind = 'namespaced',
): FunctionLabel & { scope: Scope } => {
  const scope = scopeFor(context)
  // Hono hands out parameters decoded; encoding them again gives the segment back
  const segment = encodeURIComponent(context.req.param('function') ?? '')
  return { scope, ...parseFunctionLabel(segment, context.req.query('Qualifier'), scope, kind) }
}

/** The members of the request's JSON body. */
export const fieldsFor = (context: Context, operation: string): Promise<Fields> =>
  readFields(context.req.raw, BODY_BYTES, operation)

/** The version that a qualifier means at this moment. Throws EngineError 'not-found'. */
export function versionFor(record: FunctionRecord, qualifier = '$LATEST'): VersionRecord {
  checkQualifier(record, qualifier)
  const version = record.versions.get(record.aliases.get(qualifier)?.version ?? qualifier)
  if (version === undefined) throw new EngineError('internal', `Qualifier ${qualifier} leads nowhere.`)
  return version
}

/** A 204: nothing, not even a content type. */
export const empty = (context: Context): Response => context.body(null, 204)

const queryOf = (url: string): string => {
  const start = url.indexOf('?')
  return start < 0 ? '' : url.slice(start + 1)
}
