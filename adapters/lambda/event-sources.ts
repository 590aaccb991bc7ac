import type { Context } from 'hono'
import { EngineError } from '../../runtime/errors.ts'
import type { EventSourceRecord } from '../../runtime/registry/event-source-record.ts'
import { functionArn } from '../../runtime/registry/function-record.ts'
import { checkQualifier } from '../../runtime/registry/policies.ts'
import type { Registry } from '../../runtime/registry/registry.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { parseSourceArn } from '../event-sources/source-arn.ts'
import { Constraints, pattern } from './constraints.ts'
import { fieldsFor, scopeFor, versionFor, type Routes } from './context.ts'
import {
  changedSettings,
  checkSettings,
  isStream,
  newSettings,
  type NamedSource,
} from './event-source-settings.ts'
import { eventSourceConfiguration } from './event-source-wire.ts'
import type { Fields } from './fields.ts'
import { parseFunctionLabel, type FunctionLabel } from './labels.ts'
import { pageOf } from './paging.ts'

const PATH = '/2015-03-31/event-source-mappings'
const SOURCE_ARN = pattern(
  String.raw`arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:([a-z]{2}(-gov)?-[a-z]+-\d{1})?:(\d{12})?:(.*)`,
)

/** CreateEventSourceMapping and its family: what functions are fed from. */
export const eventSourceRoutes: Routes = (app, { registry, eventSources, sourceProbe }) => {
  app.post(PATH, async (context) => {
    const scope = scopeFor(context)
    const body = await fieldsFor(context, 'CreateEventSourceMapping')
    const label = checkedCreation(body, scope)
    const source = sourceOf(body)
    const settings = newSettings(body, source)
    checkFunction(registry, scope, label)
    if (source.arn !== undefined)
      await sourceProbe.check(scope, source.arn, timeoutOf(registry, scope, label))
    const input = {
      ...label,
      kind: source.kind,
      sourceArn: source.arn ?? null,
      enabled: body.flag('Enabled') ?? true,
      tags: body.textMap('Tags') ?? {},
      settings,
    }
    const wanted = { scope, ...label, sourceArn: input.sourceArn, settings: settings('') }
    const record = await eventSources.create(scope, input, (existing) => refuseDuplicate(wanted, existing))
    return context.json(eventSourceConfiguration(record), 202)
  })

  app.get(PATH, (context) => {
    const scope = scopeFor(context)
    const page = pageOf(eventSources.list(scope).filter(listed(context, scope)), ({ id }) => id, {
      marker: context.req.query('Marker'),
      maxItems: context.req.query('MaxItems'),
    })
    return context.json({
      EventSourceMappings: page.items.map(eventSourceConfiguration),
      NextMarker: page.nextMarker,
    })
  })

  app.get(`${PATH}/:id`, (context) =>
    context.json(eventSourceConfiguration(eventSources.get(scopeFor(context), idOf(context)))),
  )

  app.put(`${PATH}/:id`, async (context) => {
    const scope = scopeFor(context)
    const body = await fieldsFor(context, 'UpdateEventSourceMapping')
    const label = checkedUpdate(body, scope)
    const before = eventSources.get(scope, idOf(context))
    if (label !== undefined) {
      checkFunction(registry, scope, label)
      if (before.sourceArn !== null)
        await sourceProbe.check(scope, before.sourceArn, timeoutOf(registry, scope, label))
    }
    const record = await eventSources.update(scope, before.id, (current, existing) => {
      const settings = changedSettings(body, namedSource(current), current.settings)
      if (label !== undefined)
        refuseDuplicate(
          { ...current, ...label, settings },
          existing.filter(({ id }) => id !== current.id),
        )
      const enabled = body.flag('Enabled')
      return { ...label, settings, ...(enabled === undefined ? {} : { enabled }) }
    })
    return context.json(eventSourceConfiguration(record), 202)
  })

  app.delete(`${PATH}/:id`, async (context) =>
    context.json(eventSourceConfiguration(await eventSources.remove(scopeFor(context), idOf(context))), 202),
  )
}

const idOf = (context: Context): string => context.req.param('id') ?? ''

/** The function that a new mapping is for. Throws EngineError 'invalid' with detail 'constraint'. */
function checkedCreation(body: Fields, scope: Scope): FunctionLabel {
  const constraints = new Constraints()
  constraints.required(body.text('FunctionName'), 'functionName')
  constraints.pattern(body.text('EventSourceArn'), 'eventSourceArn', SOURCE_ARN)
  checkSettings(body, constraints)
  constraints.check()
  return labelOf(body.text('FunctionName') ?? '', scope)
}

function checkedUpdate(body: Fields, scope: Scope): FunctionLabel | undefined {
  const constraints = new Constraints()
  checkSettings(body, constraints)
  constraints.check()
  const name = body.text('FunctionName')
  return name === undefined ? undefined : labelOf(name, scope)
}

const labelOf = (name: string, scope: Scope): FunctionLabel =>
  parseFunctionLabel(encodeURIComponent(name), undefined, scope)

/** Throws EngineError 'invalid' for a request that names no source, or one that nothing is read from. */
function sourceOf(body: Fields): NamedSource {
  const own = body.fields('SelfManagedEventSource')
  if (own !== undefined) {
    if (!body.has('SourceAccessConfigurations'))
      throw new EngineError('invalid', "Required 'sourceAccessConfigurations' parameter is missing.")
    return { kind: 'log', fifo: false }
  }
  const source = parseSourceArn(body.text('EventSourceArn') ?? '')
  if (source === undefined) throw new EngineError('invalid', 'Unrecognized event source.')
  return source
}

const namedSource = (record: EventSourceRecord): NamedSource =>
  (record.sourceArn === null ? undefined : parseSourceArn(record.sourceArn)) ?? {
    kind: record.kind,
    fifo: false,
  }

function checkFunction(registry: Registry, scope: Scope, { functionName, qualifier }: FunctionLabel): void {
  const record = registry.find(scope, functionName)
  try {
    if (record !== undefined) return checkQualifier(record, qualifier ?? '$LATEST')
  } catch (cause) {
    throw new EngineError('invalid', 'Function does not exist', { cause })
  }
  throw new EngineError('invalid', 'Function does not exist')
}

const timeoutOf = (registry: Registry, scope: Scope, label: FunctionLabel): number =>
  versionFor(registry.get(scope, label.functionName), label.qualifier).settings.timeoutMs

type Mapped = Pick<EventSourceRecord, 'scope' | 'functionName' | 'qualifier' | 'sourceArn' | 'settings'>

/** Throws EngineError 'already-exists' when the function is fed from this source already. */
function refuseDuplicate(wanted: Mapped, existing: readonly EventSourceRecord[]): void {
  const same = existing.find(
    (one) =>
      one.functionName === wanted.functionName &&
      (one.qualifier ?? '$LATEST') === (wanted.qualifier ?? '$LATEST') &&
      (wanted.sourceArn === null ? sharesTopic(one, wanted) : one.sourceArn === wanted.sourceArn),
  )
  if (same !== undefined) throw new EngineError('already-exists', duplicateText(wanted, same))
}

function duplicateText(
  { scope, functionName, qualifier, sourceArn, settings }: Mapped,
  same: EventSourceRecord,
): string {
  const advice = `Please update or delete the existing mapping with UUID ${same.id}`
  const name = qualifier === undefined ? functionName : `${functionName}:${qualifier}`
  if (sourceArn === null)
    return (
      `An event source mapping with event source ("${serversOf(settings).join(',')}"), ` +
      `function ("${functionArn(scope, functionName, qualifier)}"), ` +
      `topics ("${topicsOf(settings).join(',')}") already exists. ${advice}`
    )
  if (isStream(same.kind))
    return `The event source arn (" ${sourceArn} ") and function (" ${name} ") provided mapping already exists. ${advice}`
  return `An event source mapping with SQS arn (" ${sourceArn} ") and function (" ${name} ") already exists. ${advice}`
}

/** Two mappings of one's own clusters are the same when they share an address and a topic. */
const sharesTopic = (one: Mapped, other: Mapped): boolean =>
  one.sourceArn === null &&
  serversOf(one.settings).some((server) => serversOf(other.settings).includes(server)) &&
  topicsOf(one.settings).some((topic) => topicsOf(other.settings).includes(topic))

/** The casts: both were stored as they were sent, and are looked at with care. */
function serversOf({ kept }: Mapped['settings']): string[] {
  const source = kept['SelfManagedEventSource'] as { Endpoints?: Record<string, unknown> } | undefined
  return textsIn(source?.Endpoints?.['KAFKA_BOOTSTRAP_SERVERS'])
}

const topicsOf = ({ kept }: Mapped['settings']): string[] => textsIn(kept['Topics'])

const textsIn = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []

/** Which mappings a list asks for. */
function listed(context: Context, scope: Scope): (record: EventSourceRecord) => boolean {
  const arn = context.req.query('EventSourceArn')
  const name = context.req.query('FunctionName')
  const constraints = new Constraints()
  constraints.pattern(arn, 'eventSourceArn', SOURCE_ARN)
  constraints.check()
  const label = name === undefined ? undefined : labelOf(name, scope)
  return (record) =>
    (arn === undefined || record.sourceArn === arn) &&
    (label === undefined ||
      (record.functionName === label.functionName &&
        (record.qualifier ?? '$LATEST') === (label.qualifier ?? '$LATEST')))
}
