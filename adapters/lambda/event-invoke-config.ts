import { EngineError } from '../../runtime/errors.ts'
import { eventSettingsOf, type EventSettingsChange } from '../../runtime/registry/event-settings.ts'
import { functionArn } from '../../runtime/registry/function-record.ts'
import { Constraints } from './constraints.ts'
import { empty, fieldsFor, labelFor, type Routes } from './context.ts'
import type { Fields } from './fields.ts'
import { pageOf } from './paging.ts'
import { eventConfiguration } from './wire.ts'

/** PutFunctionEventInvokeConfig and its family: how asynchronous invocations are retried. */
export const eventInvokeRoutes: Routes = (app, { registry }) => {
  const path = '/2019-09-25/functions/:function/event-invoke-config'

  app.get(`${path}/list`, (context) => {
    const { scope, functionName } = labelFor(context)
    const record = registry.get(scope, functionName)
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
    const record = registry.find(scope, functionName)
    if (record === undefined)
      throw new EngineError(
        'not-found',
        `The function ${functionArn(scope, functionName, qualifier)} doesn't have an EventInvokeConfig`,
      )
    return context.json(eventConfiguration(record, qualifier, eventSettingsOf(record, qualifier)))
  })

  for (const [method, mode] of [
    ['PUT', 'replace'],
    ['POST', 'merge'],
  ] as const)
    app.on(method, path, async (context) => {
      const { scope, functionName, qualifier = '$LATEST' } = labelFor(context)
      const change = readChange(await fieldsFor(context, 'PutFunctionEventInvokeConfig'))
      registry.get(scope, functionName, qualifier)
      const settings = await registry.putEventSettings(scope, functionName, qualifier, change, mode)
      return context.json(eventConfiguration(registry.get(scope, functionName), qualifier, settings))
    })

  app.delete(path, async (context) => {
    const { scope, functionName, qualifier = '$LATEST' } = labelFor(context)
    await registry.deleteEventSettings(scope, functionName, qualifier)
    return empty(context)
  })
}

function readChange(body: Fields): EventSettingsChange {
  const retries = body.integer('MaximumRetryAttempts')
  const ageSeconds = body.integer('MaximumEventAgeInSeconds')
  const destinations = body.fields('DestinationConfig')
  const constraints = new Constraints()
  constraints.range(retries, 'maximumRetryAttempts', 0, 2)
  constraints.range(ageSeconds, 'maximumEventAgeInSeconds', 60, 21_600)
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
