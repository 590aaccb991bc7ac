import { EngineError } from '../../runtime/errors.ts'
import { imagePackage, LATEST, LATEST_PUBLISHED } from '../../runtime/registry/function-record.ts'
import type { FunctionRecord, VersionRecord } from '../../runtime/registry/function-record.ts'
import type { CodeLinks } from './code-links.ts'
import { CODE_SIGNING, configNamed, configOfFunction, refuseUnsigned } from './code-signing.ts'
import { checkCodeSource, readZip } from './code-source.ts'
import { readConfiguration } from './configuration.ts'
import { readPublishTo } from './capacity-settings.ts'
import { Constraints } from './constraints.ts'
import { empty, fieldsFor, labelFor, scopeFor, versionFor, type Routes } from './context.ts'
import { CODE_BODY_BYTES, readFields } from './fields.ts'
import { resolvedUri } from './images.ts'
import { withSourceKey } from './kept-members.ts'
import { parseNewFunctionName } from './labels.ts'
import { pageOf, versionKey } from './paging.ts'
import { configurationRow, functionConfiguration, type Wire } from './wire.ts'

/**
 * CreateFunction, GetFunction, GetFunctionConfiguration, UpdateFunctionConfiguration, DeleteFunction,
 * ListFunctions.
 */
export const functionRoutes: Routes = (app, parts) => {
  const { registry, links, layers, capacityProviders } = parts
  const common = { limits: parts.config.limits, layers, capacityProviders }

  app.post('/2015-03-31/functions', async (context) => {
    const scope = scopeFor(context)
    const body = await readFields(context.req.raw, CODE_BODY_BYTES, 'CreateFunction')
    const constraints = new Constraints()
    constraints.required(body.text('FunctionName'), 'functionName')
    const code = body.fields('Code')
    constraints.required(code, 'code')
    if (code !== undefined) checkCodeSource(code, 'code.', constraints)
    constraints.check()
    const functionName = parseNewFunctionName(body.text('FunctionName') ?? '', scope)
    const settings = readConfiguration(body, undefined, { ...common, scope, functionName })
    const { image } = settings
    if (image === undefined && (settings.runtime === '' || settings.handler === '')) throw mandatory()
    const signing = body.text('CodeSigningConfigArn')
    const config = signing === undefined ? undefined : configNamed(signing, scope, parts.codeSigning)
    if (registry.find(scope, functionName) !== undefined)
      throw new EngineError('already-exists', `Function already exist: ${functionName}`)
    refuseUnsigned(config)
    const codePackage = image === undefined ? await readZip(code, parts, scope) : imagePackage(image)
    const version = await registry.create(scope, functionName, {
      settings: { ...settings, kept: withSourceKey(settings.kept, code) },
      codePackage,
      tags: body.textMap('Tags') ?? {},
      publish: readPublishTo(body),
      ...(config === undefined ? {} : { attachments: { [CODE_SIGNING]: config.configId } }),
    })
    return context.json(functionConfiguration(registry.get(scope, functionName), version, ''), 201)
  })

  app.get('/2015-03-31/functions', (context) => {
    const scope = scopeFor(context)
    const constraints = new Constraints()
    constraints.oneOf(context.req.query('FunctionVersion'), 'functionVersion', ['ALL'])
    constraints.check()
    const all = context.req.query('FunctionVersion') === 'ALL'
    const rows = registry.list(scope).flatMap((record) => rowsOf(record, all))
    const page = pageOf(rows, (row) => row.key, {
      marker: context.req.query('Marker'),
      maxItems: context.req.query('MaxItems'),
    })
    const Functions = page.items.map(({ record, version }) =>
      configurationRow(record, version, all ? version.version : ''),
    )
    return context.json({ Functions, NextMarker: page.nextMarker })
  })

  app.get('/2015-03-31/functions/:function', (context) => {
    const { scope, functionName, qualifier } = labelFor(context)
    const record = registry.get(scope, functionName, qualifier)
    const version = versionFor(record, qualifier)
    const reserved = record.reservedConcurrency
    return context.json({
      Configuration: functionConfiguration(record, version, qualifier ?? ''),
      Code: codeLocation(version, links),
      Tags: Object.keys(record.tags).length === 0 ? undefined : record.tags,
      Concurrency: reserved === null ? undefined : { ReservedConcurrentExecutions: reserved },
    })
  })

  app.get('/2015-03-31/functions/:function/configuration', (context) => {
    const { scope, functionName, qualifier } = labelFor(context)
    const record = registry.get(scope, functionName, qualifier)
    return context.json(functionConfiguration(record, versionFor(record, qualifier), qualifier ?? ''))
  })

  app.put('/2015-03-31/functions/:function/configuration', async (context) => {
    const { scope, functionName } = labelFor(context, 'plain')
    const body = await fieldsFor(context, 'UpdateFunctionConfiguration')
    const revisionId = body.text('RevisionId')
    if ((body.texts('Layers') ?? []).length > 0)
      refuseUnsigned(configOfFunction(registry.get(scope, functionName), parts.codeSigning))
    const version = await registry.update(scope, functionName, (record) => ({
      settings: readConfiguration(body, latestSettings(record), { ...common, scope, functionName }),
      ...(revisionId === undefined ? {} : { revisionId }),
    }))
    return context.json(functionConfiguration(registry.get(scope, functionName), version, ''))
  })

  app.delete('/2015-03-31/functions/:function', async (context) => {
    const { scope, functionName, qualifier } = labelFor(context)
    if (qualifier === LATEST)
      throw new EngineError('invalid', '$LATEST version cannot be deleted without deleting the function.')
    if (qualifier !== undefined && qualifier !== LATEST_PUBLISHED && !/^\d+$/.test(qualifier))
      throw new EngineError('invalid', 'Deletion of aliases is not currently supported.')
    await registry.remove(scope, functionName, qualifier)
    return empty(context)
  })
}

interface Row {
  readonly key: string
  readonly record: FunctionRecord
  readonly version: VersionRecord
}

/** A function's rows in a list: `$LATEST` alone, or every version from there on. */
function rowsOf(record: FunctionRecord, all: boolean): Row[] {
  const rows = [...record.versions.values()]
    .filter((version) => all || version.version === LATEST)
    // the space sorts before any letter of a name, so versions stay with their function
    .map((version) => ({ key: `${record.functionName} ${versionKey(version.version)}`, record, version }))
  return rows.sort((left, right) => (left.key < right.key ? -1 : 1))
}

const latestSettings = (record: FunctionRecord): VersionRecord['settings'] => versionFor(record).settings

/** Where a version's code can be fetched from. */
const codeLocation = ({ settings: { image, kept }, codePackage }: VersionRecord, links: CodeLinks): Wire =>
  image === undefined
    ? {
        RepositoryType: 'S3',
        Location: links.urlOf(codePackage),
        SourceKMSKeyArn: kept['SourceKMSKeyArn'],
      }
    : { RepositoryType: 'ECR', ImageUri: image.uri, ResolvedImageUri: resolvedUri(image) }

const mandatory = (): EngineError =>
  new EngineError(
    'invalid',
    'Runtime and Handler are mandatory parameters for functions created with deployment packages.',
  )
