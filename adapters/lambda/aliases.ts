import { aliasNamed } from '../../runtime/registry/aliases.ts'
import { Constraints, pattern } from './constraints.ts'
import { empty, fieldsFor, labelFor, type Routes } from './context.ts'
import type { Fields } from './fields.ts'
import { pageOf } from './paging.ts'
import { aliasConfiguration } from './wire.ts'

const NAME = pattern('(?!^[0-9]+$)([a-zA-Z0-9-_]+)')
const VERSION = pattern(String.raw`(\$LATEST(\.PUBLISHED)?|[0-9]+)`)

/** CreateAlias, ListAliases, GetAlias, UpdateAlias, DeleteAlias. */
export const aliasRoutes: Routes = (app, { registry }) => {
  const path = '/2015-03-31/functions/:function/aliases'

  app.post(path, async (context) => {
    const { scope, functionName } = labelFor(context, 'plain')
    const body = await fieldsFor(context, 'CreateAlias')
    const constraints = new Constraints()
    constraints.required(body.text('Name'), 'name')
    constraints.required(body.text('FunctionVersion'), 'functionVersion')
    const weights = readAlias(body, body.text('Name'), constraints)
    constraints.check()
    const alias = await registry.createAlias(scope, functionName, {
      name: body.text('Name') ?? '',
      version: body.text('FunctionVersion') ?? '',
      description: body.text('Description') ?? '',
      weights: weights ?? {},
    })
    return context.json(aliasConfiguration(registry.get(scope, functionName), alias), 201)
  })

  app.get(path, (context) => {
    const { scope, functionName } = labelFor(context, 'plain')
    const version = context.req.query('FunctionVersion')
    const constraints = new Constraints()
    constraints.pattern(version, 'functionVersion', VERSION)
    constraints.check()
    const record = registry.get(scope, functionName)
    const aliases = [...record.aliases.values()]
      .filter(
        (alias) => version === undefined || alias.version === version || alias.weights[version] !== undefined,
      )
      .sort((left, right) => (left.name < right.name ? -1 : 1))
    const page = pageOf(aliases, (alias) => alias.name, {
      marker: context.req.query('Marker'),
      maxItems: context.req.query('MaxItems'),
    })
    return context.json({
      Aliases: page.items.map((alias) => aliasConfiguration(record, alias)),
      NextMarker: page.nextMarker,
    })
  })

  app.get(`${path}/:alias`, (context) => {
    const { scope, functionName } = labelFor(context, 'plain')
    const record = registry.get(scope, functionName)
    return context.json(aliasConfiguration(record, aliasNamed(record, context.req.param('alias'))))
  })

  app.put(`${path}/:alias`, async (context) => {
    const { scope, functionName } = labelFor(context, 'plain')
    const name = context.req.param('alias')
    const body = await fieldsFor(context, 'UpdateAlias')
    const constraints = new Constraints()
    const weights = readAlias(body, name, constraints)
    constraints.check()
    const version = body.text('FunctionVersion')
    const description = body.text('Description')
    const revisionId = body.text('RevisionId')
    const alias = await registry.updateAlias(scope, functionName, name, {
      ...(version === undefined ? {} : { version }),
      ...(description === undefined ? {} : { description }),
      ...(weights === undefined ? {} : { weights }),
      ...(revisionId === undefined ? {} : { revisionId }),
    })
    return context.json(aliasConfiguration(registry.get(scope, functionName), alias))
  })

  app.delete(`${path}/:alias`, async (context) => {
    const { scope, functionName } = labelFor(context, 'plain')
    await registry.deleteAlias(scope, functionName, context.req.param('alias'))
    return empty(context)
  })
}

/**
 * Checks what both writing operations take; gives the weights, undefined when the body does not mention any.
 */
function readAlias(
  body: Fields,
  name: string | undefined,
  constraints: Constraints,
): Record<string, number> | undefined {
  constraints.length(name, 'name', 1, 128)
  constraints.pattern(name, 'name', NAME)
  constraints.pattern(body.text('FunctionVersion'), 'functionVersion', VERSION)
  constraints.length(body.text('Description'), 'description', 0, 256)
  const routing = body.fields('RoutingConfig')
  if (routing === undefined) return undefined
  const weights = routing.numberMap('AdditionalVersionWeights') ?? {}
  const at = 'routingConfig.additionalVersionWeights'
  const shown = `{${Object.entries(weights)
    .map(([version, weight]) => `${version}=${Number.isInteger(weight) ? weight.toFixed(1) : weight}`)
    .join(', ')}}`
  if (Object.keys(weights).some((version) => !/^[0-9]+$/.test(version)))
    constraints.add(
      shown,
      at,
      'Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have ' +
        'length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+, Member must not be null]',
    )
  if (Object.values(weights).some((weight) => weight < 0 || weight > 1))
    constraints.add(
      shown,
      at,
      'Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have ' +
        'value greater than or equal to 0.0, Member must not be null]',
    )
  return weights
}
