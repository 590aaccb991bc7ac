import type { Context } from 'hono'
import { EngineError } from '../../runtime/errors.ts'
import { providerArn, type CapacityProvider } from '../../runtime/registry/capacity-providers.ts'
import { arnOf, LATEST, type FunctionRecord } from '../../runtime/registry/function-record.ts'
import type { Registry } from '../../runtime/registry/registry.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { Constraints, pattern } from './constraints.ts'
import { fieldsFor, scopeFor, type Routes } from './context.ts'
import type { Fields } from './fields.ts'
import { pageOf, versionKey } from './paging.ts'
import { isoTime, stateOf, type Wire } from './wire.ts'

const NAME = pattern(
  String.raw`(arn:aws[a-zA-Z-]*:lambda:[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:capacity-provider:[a-zA-Z0-9-_]+)|[a-zA-Z0-9-_]+`,
)
const ROLE = pattern(String.raw`arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+`)
const KEY = pattern(String.raw`arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*`)
const STATES = ['Pending', 'Active', 'Failed', 'Deleting']
const METRIC = 'LambdaCapacityProviderAverageCPUUtilization'
/** Members that are stored and shown as they came: they say where instances of AWS's own would be started. */
const KEPT = [
  'VpcConfig',
  'PermissionsConfig',
  'InstanceRequirements',
  'KmsKeyArn',
  'PropagateTags',
  'TelemetryConfig',
]

/** Create-, Get-, Update-, Delete- and ListCapacityProviders, and what runs in one. */
export const capacityProviderRoutes: Routes = (app, { registry, capacityProviders }) => {
  const path = '/2025-11-30/capacity-providers'

  app.post(path, async (context) => {
    const body = await fieldsFor(context, 'CreateCapacityProvider')
    const given = body.text('CapacityProviderName')
    const constraints = new Constraints()
    constraints.required(given, 'capacityProviderName')
    constraints.length(given, 'capacityProviderName', 1, 140)
    constraints.pattern(given, 'capacityProviderName', NAME)
    checkMembers(body, constraints)
    checkScaling(body, constraints)
    constraints.check()
    const scope = scopeFor(context)
    const provider = await capacityProviders.create(scope, nameIn(given ?? '', scope), {
      maxCpus: maxCpusOf(body) ?? null,
      kept: { ...keptOf(body), ...scalingOf(body) },
      tags: body.textMap('Tags') ?? {},
    })
    return context.json({ CapacityProvider: wireOf(provider) }, 202)
  })

  app.get(path, (context) => {
    const state = context.req.query('State')
    const constraints = new Constraints()
    constraints.oneOf(state, 'state', STATES)
    constraints.check()
    const all = capacityProviders
      .list(scopeFor(context))
      .map((one) => ({ name: one.name, wire: wireOf(one) }))
    const page = pageOf(
      all.filter(({ wire }) => state === undefined || wire['State'] === state),
      ({ name }) => name,
      pageQuery(context),
    )
    return context.json({
      CapacityProviders: page.items.map(({ wire }) => wire),
      NextMarker: page.nextMarker,
    })
  })

  app.get(`${path}/:provider`, (context) => {
    const { scope, name } = placeOf(context)
    return context.json({ CapacityProvider: wireOf(capacityProviders.get(scope, name)) })
  })

  app.put(`${path}/:provider`, async (context) => {
    const body = await fieldsFor(context, 'UpdateCapacityProvider')
    const constraints = new Constraints()
    checkScaling(body, constraints)
    const { scope, name } = placeOf(context, constraints)
    const { kept } = capacityProviders.get(scope, name)
    const maxCpus = maxCpusOf(body)
    const provider = await capacityProviders.update(scope, name, {
      kept: { ...kept, ...scalingOf(body, kept['CapacityProviderScalingConfig'] as object | undefined) },
      ...(maxCpus === undefined ? {} : { maxCpus }),
    })
    return context.json({ CapacityProvider: wireOf(provider) }, 202)
  })

  app.delete(`${path}/:provider`, async (context) => {
    const { scope, name } = placeOf(context)
    const provider = await capacityProviders.remove(scope, name, (arn) => refuseInUse(registry, scope, arn))
    return context.json({ CapacityProvider: { ...wireOf(provider), State: 'Deleting' } }, 202)
  })

  app.get(`${path}/:provider/function-versions`, (context) => {
    const { scope, name } = placeOf(context)
    const arn = providerArn(capacityProviders.get(scope, name))
    const rows = registry
      .list(scope)
      .flatMap((record) => versionsIn(record, arn).filter((row) => row.version !== LATEST))
    const page = pageOf(rows, (row) => row.key, pageQuery(context))
    return context.json({
      CapacityProviderArn: arn,
      FunctionVersions: page.items.map(({ record, version }) => ({
        FunctionArn: arnOf(record, version),
        State: stateOf(record, version),
      })),
      NextMarker: page.nextMarker,
    })
  })
}

/** A provider's name from a name or an ARN. Throws EngineError 'not-found' for one of somebody else's. */
function nameIn(given: string, scope: Scope): string {
  const name = given.slice(given.lastIndexOf(':') + 1)
  if (given !== name && given !== providerArn({ scope, name }))
    throw new EngineError('not-found', `Capacity provider not found: ${given}`)
  return name
}

function placeOf(context: Context, constraints = new Constraints()): { scope: Scope; name: string } {
  const given = context.req.param('provider') ?? ''
  constraints.length(given, 'capacityProviderName', 1, 140)
  constraints.pattern(given, 'capacityProviderName', NAME)
  constraints.check()
  const scope = scopeFor(context)
  return { scope, name: nameIn(given, scope) }
}

const pageQuery = (context: Context) => ({
  marker: context.req.query('Marker'),
  maxItems: context.req.query('MaxItems'),
  limit: 50,
})

function checkMembers(body: Fields, constraints: Constraints): void {
  const vpc = body.fields('VpcConfig')
  constraints.required(vpc, 'vpcConfig')
  if (vpc !== undefined) {
    const subnets = vpc.texts('SubnetIds')
    constraints.required(subnets, 'vpcConfig.subnetIds')
    checkCount(subnets, 'vpcConfig.subnetIds', 1, 16, constraints)
    constraints.required(vpc.texts('SecurityGroupIds'), 'vpcConfig.securityGroupIds')
    checkCount(vpc.texts('SecurityGroupIds'), 'vpcConfig.securityGroupIds', 0, 5, constraints)
  }
  const permissions = body.fields('PermissionsConfig')
  const role = permissions?.text('CapacityProviderOperatorRoleArn')
  constraints.required(permissions, 'permissionsConfig')
  if (permissions !== undefined)
    constraints.required(role, 'permissionsConfig.capacityProviderOperatorRoleArn')
  constraints.pattern(role, 'permissionsConfig.capacityProviderOperatorRoleArn', ROLE)
  constraints.pattern(body.text('KmsKeyArn'), 'kmsKeyArn', KEY)
  const instances = body.fields('InstanceRequirements')
  for (const architecture of instances?.texts('Architectures') ?? [])
    constraints.oneOf(architecture, 'instanceRequirements.architectures', ['x86_64', 'arm64'])
  if (instances?.has('AllowedInstanceTypes') === true && instances.has('ExcludedInstanceTypes')) {
    constraints.check()
    throw new EngineError(
      'invalid',
      'AllowedInstanceTypes and ExcludedInstanceTypes cannot be specified at the same time.',
    )
  }
}

function checkScaling(body: Fields, constraints: Constraints): void {
  const scaling = body.fields('CapacityProviderScalingConfig')
  const at = 'capacityProviderScalingConfig'
  constraints.range(scaling?.integer('MaxVCpuCount'), `${at}.maxVCpuCount`, 2, 15_000)
  constraints.oneOf(scaling?.text('ScalingMode'), `${at}.scalingMode`, ['Auto', 'Manual'])
  for (const [index, policy] of (scaling?.list('ScalingPolicies') ?? []).entries()) {
    const member = `${at}.scalingPolicies.${index + 1}.member`
    constraints.required(policy.text('PredefinedMetricType'), `${member}.predefinedMetricType`)
    constraints.oneOf(policy.text('PredefinedMetricType'), `${member}.predefinedMetricType`, [METRIC])
    constraints.required(policy.number('TargetValue'), `${member}.targetValue`)
    constraints.range(policy.number('TargetValue'), `${member}.targetValue`, 0, 100)
  }
}

function checkCount(
  values: readonly string[] | undefined,
  at: string,
  low: number,
  high: number,
  constraints: Constraints,
): void {
  if (values === undefined) return
  if (values.length < low)
    constraints.add(values, at, `Member must have length greater than or equal to ${low}`)
  if (values.length > high)
    constraints.add(values, at, `Member must have length less than or equal to ${high}`)
}

const maxCpusOf = (body: Fields): number | undefined =>
  body.fields('CapacityProviderScalingConfig')?.integer('MaxVCpuCount')

const keptOf = (body: Fields): Record<string, unknown> =>
  Object.fromEntries(KEPT.filter((name) => body.has(name)).map((name) => [name, body.value(name)]))

/** What is not mentioned stays. */
function scalingOf(body: Fields, before?: object): Record<string, unknown> {
  if (!body.has('CapacityProviderScalingConfig')) return {}
  const given = body.value('CapacityProviderScalingConfig') as object // an object: its members were read
  return { CapacityProviderScalingConfig: { ...before, ...given } }
}

const wireOf = (provider: CapacityProvider): Wire => ({
  CapacityProviderArn: providerArn(provider),
  State: provider.state === 'active' ? 'Active' : 'Pending',
  ...provider.kept,
  LastModified: isoTime(provider.modifiedAtMs),
})

/** The versions of a function that are set to run in a provider. */
const versionsIn = (
  record: FunctionRecord,
  arn: string,
): { key: string; record: FunctionRecord; version: string }[] =>
  [...record.versions.values()]
    .filter(({ settings }) => settings.capacity?.providerArn === arn)
    .map(({ version }) => ({ key: `${record.functionName} ${versionKey(version)}`, record, version }))
    .sort((left, right) => (left.key < right.key ? -1 : 1))

function refuseInUse(registry: Registry, scope: Scope, arn: string): void {
  const [used] = registry.list(scope).flatMap((record) => versionsIn(record, arn))
  if (used === undefined) return
  throw new EngineError(
    'conflict',
    `Capacity provider ${arn} cannot be deleted because it is used by ${arnOf(used.record, used.version)}.`,
  )
}
