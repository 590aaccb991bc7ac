import { EngineError } from '../../runtime/errors.ts'
import type { LayerVersion, Layers } from '../../runtime/registry/layers.ts'
import { LAYER_RUNTIMES } from '../../runtime/registry/rules.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import type { CodeLinks } from './code-links.ts'
import { checkCodeSource, readZip } from './code-source.ts'
import { Constraints } from './constraints.ts'
import { empty, scopeFor, type Routes } from './context.ts'
import { CODE_BODY_BYTES, readFields, type Fields } from './fields.ts'
import {
  allow,
  findByArn,
  layerArn,
  layerFor,
  layerVersionArn,
  layerVersionNumber,
  LAYER_VERSION_ARN,
  nothing,
} from './layer-names.ts'
import { pageOf } from './paging.ts'
import { isoTime, type Wire } from './wire.ts'

const ARCHITECTURES = ['x86_64', 'arm64']

/**
 * PublishLayerVersion, ListLayerVersions, ListLayers, GetLayerVersion, GetLayerVersionByArn,
 * DeleteLayerVersion.
 */
export const layerRoutes: Routes = (app, parts) => {
  const { layers, links } = parts
  const path = '/2018-10-31/layers'

  app.post(`${path}/:layer/versions`, async (context) => {
    const { scope, caller, layerName } = layerFor(context)
    const body = await readFields(context.req.raw, CODE_BODY_BYTES, 'PublishLayerVersion')
    checkNewVersion(body)
    refuseOthers(scope, caller)
    const version = await layers.publish(scope, layerName, {
      codePackage: await readZip(body.fields('Content'), parts, caller),
      description: body.text('Description') ?? '',
      license: body.text('LicenseInfo'),
      runtimes: body.texts('CompatibleRuntimes'),
      architectures: body.texts('CompatibleArchitectures'),
    })
    return context.json(wholeVersion(version, links), 201)
  })

  app.get(path, (context) => {
    const scope = scopeFor(context)
    if (context.req.query('find') === 'LayerVersion') {
      const arn = context.req.query('Arn')
      const constraints = new Constraints()
      constraints.required(arn, 'arn')
      constraints.pattern(arn, 'arn', LAYER_VERSION_ARN)
      constraints.check()
      const version = findByArn(layers, arn ?? '', scope)
      if (version === undefined) throw nothing()
      return context.json(wholeVersion(version, links))
    }
    const fits = compatibility(
      context.req.query('CompatibleRuntime'),
      context.req.query('CompatibleArchitecture'),
    )
    const rows = layers.names(scope).flatMap((name) => newestOf(layers, scope, name, fits))
    const page = pageOf(rows, ({ layerName }) => layerName, pageQuery(context.req.query()))
    const Layers = page.items.map((version) => ({
      LayerName: version.layerName,
      LayerArn: layerArn(scope, version.layerName),
      LatestMatchingVersion: versionRow(version),
    }))
    return context.json({ Layers, NextMarker: page.nextMarker })
  })

  app.get(`${path}/:layer/versions`, (context) => {
    const { scope, caller, layerName } = layerFor(context)
    const fits = compatibility(
      context.req.query('CompatibleRuntime'),
      context.req.query('CompatibleArchitecture'),
    )
    refuseOthers(scope, caller)
    const rows = layers.versions(scope, layerName).filter(fits)
    const page = pageOf(rows, descendingKey, pageQuery(context.req.query()))
    return context.json({ LayerVersions: page.items.map(versionRow), NextMarker: page.nextMarker })
  })

  app.get(`${path}/:layer/versions/:version`, (context) => {
    const { scope, caller, layerName } = layerFor(context)
    const version = layers.find(scope, layerName, layerVersionNumber(context))
    if (version === undefined) throw nothing()
    allow(version, caller)
    return context.json(wholeVersion(version, links))
  })

  app.delete(`${path}/:layer/versions/:version`, async (context) => {
    const { scope, caller, layerName } = layerFor(context)
    const version = layerVersionNumber(context)
    refuseOthers(scope, caller)
    await layers.remove(scope, layerName, version)
    return empty(context)
  })
}

/** Throws EngineError 'forbidden': a layer is changed and listed by its own account alone. */
export function refuseOthers(owner: Scope, caller: Scope): void {
  if (owner.account !== caller.account)
    throw new EngineError(
      'forbidden',
      `Account ${caller.account} is not authorized to change or list layers of account ${owner.account}`,
    )
}

function checkNewVersion(body: Fields): void {
  const constraints = new Constraints()
  const content = body.fields('Content')
  constraints.required(content, 'content')
  if (content !== undefined) checkCodeSource(content, 'content.', constraints)
  constraints.length(body.text('Description'), 'description', 0, 256)
  constraints.length(body.text('LicenseInfo'), 'licenseInfo', 0, 512)
  checkList(body.texts('CompatibleRuntimes'), 'compatibleRuntimes', LAYER_RUNTIMES, 15, constraints)
  checkList(body.texts('CompatibleArchitectures'), 'compatibleArchitectures', ARCHITECTURES, 2, constraints)
  constraints.check()
}

function checkList(
  values: readonly string[] | undefined,
  at: string,
  allowed: readonly string[],
  maxLength: number,
  constraints: Constraints,
): void {
  if (values === undefined) return
  if (values.length > maxLength)
    constraints.add(values, at, `Member must have length less than or equal to ${maxLength}`)
  if (values.some((value) => !allowed.includes(value)))
    constraints.add(
      values,
      at,
      `Member must satisfy constraint: [Member must satisfy enum value set: [${allowed.join(', ')}]]`,
    )
}

/** Throws EngineError 'invalid' for what is no runtime or architecture. */
function compatibility(
  runtime: string | undefined,
  architecture: string | undefined,
): (version: LayerVersion) => boolean {
  const constraints = new Constraints()
  constraints.oneOf(runtime, 'compatibleRuntime', LAYER_RUNTIMES)
  constraints.oneOf(architecture, 'compatibleArchitecture', ARCHITECTURES)
  constraints.check()
  return ({ runtimes, architectures }) =>
    (runtime === undefined || runtimes?.includes(runtime) === true) &&
    (architecture === undefined || architectures?.includes(architecture) === true)
}

const newestOf = (
  layers: Layers,
  scope: Scope,
  name: string,
  fits: (version: LayerVersion) => boolean,
): LayerVersion[] => layers.versions(scope, name).filter(fits).slice(0, 1)

/** The newest first. */
const descendingKey = ({ version }: LayerVersion): string =>
  String(Number.MAX_SAFE_INTEGER - version).padStart(16, '0')

const pageQuery = (
  query: Record<string, string | undefined>,
): { marker: string | undefined; maxItems: string | undefined; limit: number } => ({
  marker: query['Marker'],
  maxItems: query['MaxItems'],
  limit: 50,
})

const versionRow = (version: LayerVersion): Wire => ({
  LayerVersionArn: layerVersionArn(version),
  Version: version.version,
  Description: version.description,
  CreatedDate: isoTime(version.createdAtMs),
  CompatibleRuntimes: version.runtimes,
  LicenseInfo: version.license,
  CompatibleArchitectures: version.architectures,
})

const wholeVersion = (version: LayerVersion, links: CodeLinks): Wire => ({
  Content: {
    Location: links.urlOf(version.codePackage),
    CodeSha256: version.codePackage.sha256,
    CodeSize: version.codePackage.sizeBytes,
  },
  LayerArn: layerArn(version.scope, version.layerName),
  ...versionRow(version),
})
