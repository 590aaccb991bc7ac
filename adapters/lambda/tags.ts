import { EngineError } from '../../runtime/errors.ts'
import {
  providerArn,
  type CapacityProvider,
  type CapacityProviders,
} from '../../runtime/registry/capacity-providers.ts'
import type { CodeSigningConfig, CodeSigningConfigs } from '../../runtime/registry/code-signing.ts'
import type { EventSourceRecord } from '../../runtime/registry/event-source-record.ts'
import type { EventSources } from '../../runtime/registry/event-sources.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { configArn } from './code-signing.ts'
import { Constraints, pattern } from './constraints.ts'
import { empty, fieldsFor, scopeFor, type RouteParts, type Routes } from './context.ts'
import { eventSourceArn } from './event-source-wire.ts'
import { parseFunctionLabel } from './labels.ts'

const RESOURCE = pattern(
  String.raw`arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)`,
)

/** A kind of resource that carries tags. */
interface Taggable {
  /** Throws EngineError 'not-found'. */
  tags(arn: string, scope: Scope): Readonly<Record<string, string>>
  /** Replaces the tags by what `change` makes of them. Rejects 'not-found', 'invalid'. */
  retag(arn: string, scope: Scope, change: TagChange): Promise<void>
}

type TagChange = (tags: Readonly<Record<string, string>>) => Record<string, string>

/** By the word that ARNs have for them. */
const taggables = ({
  registry,
  codeSigning,
  eventSources,
  capacityProviders,
}: RouteParts): Readonly<Record<string, Taggable>> => ({
  function: {
    tags: (arn, scope) => registry.get(scope, taggedFunction(arn, scope)).tags,
    retag: (arn, scope, change) => registry.tag(scope, taggedFunction(arn, scope), change),
  },
  'code-signing-config': {
    tags: (arn, scope) => taggedConfig(arn, scope, codeSigning).tags,
    retag: (arn, scope, change) => codeSigning.tag(taggedConfig(arn, scope, codeSigning), change),
  },
  'event-source-mapping': {
    tags: (arn, scope) => taggedMapping(arn, scope, eventSources).tags,
    retag: async (arn, scope, change) =>
      void (await eventSources.tag(scope, taggedMapping(arn, scope, eventSources).id, change)),
  },
  'capacity-provider': {
    tags: (arn, scope) => taggedProvider(arn, scope, capacityProviders).tags,
    retag: (arn, scope, change) =>
      capacityProviders.tag(providerArn(taggedProvider(arn, scope, capacityProviders)), change),
  },
})

/** Kinds that nothing here has yet. */
const MISSING: Readonly<Record<string, string>> = {
  layer: 'Layer',
}

/** ListTags, TagResource, UntagResource. */
export const tagRoutes: Routes = (app, parts) => {
  const path = '/2017-03-31/tags/:arn'
  const kinds = taggables(parts)

  app.get(path, (context) => {
    const arn = context.req.param('arn')
    return context.json({ Tags: taggableFor(arn, kinds).tags(arn, scopeFor(context)) })
  })

  app.post(path, async (context) => {
    const arn = context.req.param('arn')
    const body = await fieldsFor(context, 'TagResource')
    const constraints = new Constraints()
    constraints.required(body.fields('Tags'), 'tags')
    const taggable = taggableFor(arn, kinds, constraints)
    taggable.tags(arn, scopeFor(context))
    const tags = body.textMap('Tags') ?? {}
    if (Object.keys(tags).length === 0)
      throw new EngineError('invalid', 'An error occurred and the request cannot be processed.')
    await taggable.retag(arn, scopeFor(context), (before) => ({ ...before, ...tags }))
    return empty(context)
  })

  app.delete(path, async (context) => {
    const arn = context.req.param('arn')
    const keys = context.req.queries('tagKeys')
    const constraints = new Constraints()
    constraints.required(keys, 'tagKeys')
    const taggable = taggableFor(arn, kinds, constraints)
    await taggable.retag(arn, scopeFor(context), (before) =>
      Object.fromEntries(Object.entries(before).filter(([key]) => keys?.includes(key) !== true)),
    )
    return empty(context)
  })
}

/** Throws EngineError 'invalid' for what is no ARN, 'not-found' for a kind that does not exist here. */
function taggableFor(
  arn: string,
  kinds: Readonly<Record<string, Taggable>>,
  constraints = new Constraints(),
): Taggable {
  if (!arn.startsWith('arn:aws:lambda:') || !arn.includes(':function:'))
    constraints.pattern(arn, 'resource', RESOURCE)
  constraints.check()
  const kind = arn.split(':')[5] ?? ''
  const found = kinds[kind]
  if (found === undefined) throw notFound(arn, MISSING[kind] ?? 'Resource')
  return found
}

function taggedMapping(arn: string, scope: Scope, eventSources: EventSources): EventSourceRecord {
  const record = eventSources.find(idOf(arn))
  const own = record?.scope.account === scope.account && record.scope.region === scope.region
  if (record === undefined || !own || eventSourceArn(record) !== arn)
    throw notFound(arn, 'Event source mapping')
  return record
}

function taggedConfig(arn: string, scope: Scope, codeSigning: CodeSigningConfigs): CodeSigningConfig {
  const config = codeSigning.find(scope, idOf(arn))
  if (config === undefined || configArn(config) !== arn) throw notFound(arn, 'Code signing config')
  return config
}

function taggedProvider(arn: string, scope: Scope, providers: CapacityProviders): CapacityProvider {
  const provider = providers.get(scope, idOf(arn))
  if (providerArn(provider) !== arn) throw notFound(arn, 'Capacity provider')
  return provider
}

const idOf = (arn: string): string => arn.slice(arn.lastIndexOf(':') + 1)

const notFound = (arn: string, title: string): EngineError =>
  new EngineError('not-found', `${title} not found: ${arn}`)

/** The function an ARN names. Throws EngineError 'invalid' for versions and aliases. */
function taggedFunction(arn: string, scope: Scope): string {
  const { functionName, qualifier } = parseFunctionLabel(encodeURIComponent(arn), undefined, scope, 'plain')
  if (qualifier !== undefined)
    throw new EngineError(
      'invalid',
      'Tags on function aliases and versions are not supported. Please specify a function ARN.',
    )
  return functionName
}
