import { EngineError } from '../../runtime/errors.ts'
import type { EventSourceRecord } from '../../runtime/registry/event-source-record.ts'
import type { EventSources } from '../../runtime/registry/event-sources.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { Constraints, pattern } from './constraints.ts'
import { empty, fieldsFor, scopeFor, type Routes } from './context.ts'
import { eventSourceArn } from './event-source-wire.ts'
import { parseFunctionLabel } from './labels.ts'

const RESOURCE = pattern(
  String.raw`arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)`,
)

/** What a tagged resource that is no function is called when it is not found. */
const KINDS: Readonly<Record<string, string>> = {
  layer: 'Layer',
  'code-signing-config': 'Code signing config',
  'event-source-mapping': 'Event source mapping',
  'capacity-provider': 'Capacity provider',
}

/** ListTags, TagResource, UntagResource. */
export const tagRoutes: Routes = (app, { registry, eventSources }) => {
  const path = '/2017-03-31/tags/:arn'

  app.get(path, (context) => {
    const scope = scopeFor(context)
    const mapping = mappingOf(context.req.param('arn'), scope, eventSources)
    if (mapping !== undefined) return context.json({ Tags: mapping.tags })
    return context.json({ Tags: registry.get(scope, taggedFunction(context.req.param('arn'), scope)).tags })
  })

  app.post(path, async (context) => {
    const scope = scopeFor(context)
    const body = await fieldsFor(context, 'TagResource')
    const constraints = new Constraints()
    constraints.required(body.fields('Tags'), 'tags')
    checkArn(context.req.param('arn'), constraints)
    const mapping = mappingOf(context.req.param('arn'), scope, eventSources)
    const functionName = mapping === undefined ? taggedFunction(context.req.param('arn'), scope) : ''
    const tags = body.textMap('Tags') ?? {}
    if (Object.keys(tags).length === 0)
      throw new EngineError('invalid', 'An error occurred and the request cannot be processed.')
    const edit = (before: Tags): Tags => ({ ...before, ...tags })
    if (mapping === undefined) await registry.tag(scope, functionName, edit)
    else await eventSources.tag(scope, mapping.id, edit)
    return empty(context)
  })

  app.delete(path, async (context) => {
    const scope = scopeFor(context)
    const keys = context.req.queries('tagKeys')
    const constraints = new Constraints()
    constraints.required(keys, 'tagKeys')
    checkArn(context.req.param('arn'), constraints)
    const mapping = mappingOf(context.req.param('arn'), scope, eventSources)
    const edit = (before: Tags): Tags =>
      Object.fromEntries(Object.entries(before).filter(([key]) => keys?.includes(key) !== true))
    if (mapping === undefined)
      await registry.tag(scope, taggedFunction(context.req.param('arn'), scope), edit)
    else await eventSources.tag(scope, mapping.id, edit)
    return empty(context)
  })
}

type Tags = Record<string, string>

/** The mapping an ARN names; undefined for other ARNs, and for a mapping that is not there. */
function mappingOf(arn: string, scope: Scope, eventSources: EventSources): EventSourceRecord | undefined {
  const record = eventSources.find(arn.split(':event-source-mapping:')[1] ?? '')
  return record !== undefined && eventSourceArn(record) === arn && isEqual(record.scope, scope)
    ? record
    : undefined
}

const isEqual = (left: Scope, right: Scope): boolean =>
  left.account === right.account && left.region === right.region

function checkArn(arn: string, constraints: Constraints): void {
  if (!arn.startsWith('arn:aws:lambda:') || !arn.includes(':function:'))
    constraints.pattern(arn, 'resource', RESOURCE)
  constraints.check()
}

/**
 * The function an ARN names. Throws EngineError 'invalid' for versions and aliases, 'not-found' for what is
 * no function.
 */
function taggedFunction(arn: string, scope: Scope): string {
  checkArn(arn, new Constraints())
  const kind = arn.split(':')[5] ?? ''
  if (kind !== 'function')
    throw new EngineError('not-found', `${KINDS[kind] ?? 'Resource'} not found: ${arn}`)
  const { functionName, qualifier } = parseFunctionLabel(encodeURIComponent(arn), undefined, scope, 'plain')
  if (qualifier !== undefined)
    throw new EngineError(
      'invalid',
      'Tags on function aliases and versions are not supported. Please specify a function ARN.',
    )
  return functionName
}
