import { EngineError } from '../../runtime/errors.ts'
import { eventSettingsOf, type EventSettingsChange } from '../../runtime/registry/event-settings.ts'
import { functionArn, type FunctionRecord } from '../../runtime/registry/function-record.ts'
import type { Registry } from '../../runtime/registry/registry.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { parseTargetArn, type TargetArn } from '../aws/target-arn.ts'
import { Constraints, pattern } from './constraints.ts'
import { empty, fieldsFor, labelFor, type Routes } from './context.ts'
import type { Fields } from './fields.ts'
import { pageOf } from './paging.ts'
import { eventConfiguration } from './wire.ts'

/** PutFunctionEventInvokeConfig and its family: how asynchronous invocations are retried. */
export const eventInvokeRoutes: Routes = (app, { registry }) => {
  const path = '/2019-09-25/functions/:function/event-invoke-config'

  app.get(`${path}/list`, (context) => {
    const { scope, functionName } = labelFor(context)
    const record = existing(registry, scope, functionName, undefined)
    const all = [...record.eventSettings].sort(([left], [right]) => (left < right ? -1 : 1))
    const page = pageOf(all, ([qualifier]) => qualifier, {
      marker: context.req.query('Marker'),
      maxItems: context.req.query('MaxItems'),
      limit: 50,
    })
    return context.json({
      FunctionEventInvokeConfigs: page.items.map(([qualifier, settings]) =>
        eventConfiguration(record, qualifier, settings),
      ),
      NextMarker: page.nextMarker,
    })
  })

  app.get(path, (context) => {
    const { scope, functionName, qualifier = '$LATEST' } = labelFor(context)
    const record = configured(registry, scope, functionName, qualifier)
    return context.json(eventConfiguration(record, qualifier, eventSettingsOf(record, qualifier)))
  })

  for (const [method, mode] of [
    ['PUT', 'replace'],
    ['POST', 'merge'],
  ] as const)
    app.on(method, path, async (context) => {
      const { scope, functionName, qualifier = '$LATEST' } = labelFor(context)
      const change = readChange(await fieldsFor(context, 'PutFunctionEventInvokeConfig'))
      const record = existing(registry, scope, functionName, qualifier)
      checkDestinations(registry, record, change)
      const settings = await registry.putEventSettings(scope, functionName, qualifier, change, mode)
      return context.json(eventConfiguration(registry.get(scope, functionName), qualifier, settings))
    })

  app.delete(path, async (context) => {
    const { scope, functionName, qualifier = '$LATEST' } = labelFor(context)
    configured(registry, scope, functionName, qualifier)
    await registry.deleteEventSettings(scope, functionName, qualifier)
    return empty(context)
  })
}

/** The function with this qualifier. Throws EngineError 'not-found' in these operations' own words. */
function existing(
  registry: Registry,
  scope: Scope,
  functionName: string,
  qualifier: string | undefined,
): FunctionRecord {
  const record = registry.find(scope, functionName)
  const known =
    qualifier === undefined ||
    record?.versions.has(qualifier) === true ||
    record?.aliases.has(qualifier) === true
  if (record === undefined || !known) throw new EngineError('not-found', "The function doesn't exist.")
  return record
}

/** A function that is not there has no configuration either. */
function configured(
  registry: Registry,
  scope: Scope,
  functionName: string,
  qualifier: string,
): FunctionRecord {
  const record = registry.find(scope, functionName)
  if (record !== undefined) return record
  throw new EngineError(
    'not-found',
    `The function ${functionArn(scope, functionName, qualifier)} doesn't have an EventInvokeConfig`,
  )
}

/** Which kinds of target take which outcome: buckets take failures alone. */
const TAKES: Readonly<Record<'onSuccess' | 'onFailure', ReadonlySet<TargetArn['kind']>>> = {
  onSuccess: new Set(['queue', 'topic', 'function', 'event-bus']),
  onFailure: new Set(['queue', 'topic', 'function', 'event-bus', 'bucket']),
}

/** Throws EngineError 'invalid' for a destination that no outcome can get to. */
function checkDestinations(registry: Registry, record: FunctionRecord, change: EventSettingsChange): void {
  for (const side of ['onFailure', 'onSuccess'] as const) {
    const arn = change[side] ?? null
    if (arn === null) continue
    const target = parseTargetArn(arn)
    if (target === undefined || !TAKES[side].has(target.kind) || isFifo(target))
      throw new EngineError(
        'invalid',
        `The provided destination config DestinationConfig(onSuccess=${shownAs('OnSuccess', change.onSuccess)}, ` +
          `onFailure=${shownAs('OnFailure', change.onFailure)}) is invalid.`,
      )
    if (target.kind === 'function') checkFunction(registry, record, target, arn)
  }
}

function checkFunction(
  registry: Registry,
  record: FunctionRecord,
  { scope, functionName, qualifier }: Extract<TargetArn, { kind: 'function' }>,
  arn: string,
): void {
  const target = registry.find(scope, functionName)
  const known =
    qualifier === undefined ||
    target?.versions.has(qualifier) === true ||
    target?.aliases.has(qualifier) === true
  if (target === undefined || !known)
    throw new EngineError('invalid', `The destination ARN ${arn} is invalid.`)
  if (target.functionId === record.functionId)
    throw new EngineError('invalid', "You can't specify the function as a destination for itself.")
}

const isFifo = (target: TargetArn): boolean => 'fifo' in target && target.fifo

const shownAs = (name: string, destination: string | null | undefined): string =>
  destination === null || destination === undefined ? 'null' : `${name}(destination=${destination})`

const DESTINATION = pattern(
  String.raw`$|kafka://([^.]([a-zA-Z0-9\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)`,
)
const DESTINATION_LENGTH = 350

function readChange(body: Fields): EventSettingsChange {
  const retries = body.integer('MaximumRetryAttempts')
  const ageSeconds = body.integer('MaximumEventAgeInSeconds')
  const destinations = body.fields('DestinationConfig')
  const constraints = new Constraints()
  constraints.range(retries, 'maximumRetryAttempts', 0, 2)
  constraints.range(ageSeconds, 'maximumEventAgeInSeconds', 60, 21_600)
  for (const [member, path] of [
    ['OnFailure', 'destinationConfig.onFailure.destination'],
    ['OnSuccess', 'destinationConfig.onSuccess.destination'],
  ] as const) {
    const destination = destinations?.fields(member)?.text('Destination')
    constraints.length(destination, path, 0, DESTINATION_LENGTH)
    constraints.pattern(destination, path, DESTINATION)
  }
  constraints.check()
  if (retries === undefined && ageSeconds === undefined && destinations === undefined)
    throw new EngineError(
      'invalid',
      'You must specify at least one of error handling or destination setting.',
    )
  return {
    ...(retries === undefined ? {} : { maxRetries: retries }),
    ...(ageSeconds === undefined ? {} : { maxAgeMs: ageSeconds * 1000 }),
    ...(destinations === undefined
      ? {}
      : {
          onSuccess: destinationIn(destinations, 'OnSuccess'),
          onFailure: destinationIn(destinations, 'OnFailure'),
        }),
  }
}

const destinationIn = (destinations: Fields, name: string): string | null => {
  const destination = destinations.fields(name)?.text('Destination')
  return destination === undefined || destination === '' ? null : destination
}
