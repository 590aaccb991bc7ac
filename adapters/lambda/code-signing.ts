import type { Context } from 'hono'
import { EngineError } from '../../runtime/errors.ts'
import type {
  CodeSigningChange,
  CodeSigningConfig,
  CodeSigningConfigs,
} from '../../runtime/registry/code-signing.ts'
import { arnOf, type FunctionRecord } from '../../runtime/registry/function-record.ts'
import type { Registry } from '../../runtime/registry/registry.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { Constraints, pattern } from './constraints.ts'
import { empty, fieldsFor, labelFor, scopeFor, type Routes } from './context.ts'
import type { Fields } from './fields.ts'
import { pageOf } from './paging.ts'
import { isoTime, type Wire } from './wire.ts'

/** Under this name a function carries the id of its configuration. */
export const CODE_SIGNING = 'code-signing'

const CONFIG_ARN = pattern(
  String.raw`arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:code-signing-config:csc-[a-z0-9]{17}`,
)
const PROFILE_ARN = pattern(
  String.raw`arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)`,
)
const POLICIES = ['Warn', 'Enforce']
const MAX_PROFILES = 20

/** Code signing configurations, and which function has which. */
export const codeSigningRoutes: Routes = (app, { registry, codeSigning }) => {
  const path = '/2020-04-22/code-signing-configs'
  const ofFunction = '/2020-06-30/functions/:function/code-signing-config'

  app.post(path, async (context) => {
    const body = await fieldsFor(context, 'CreateCodeSigningConfig')
    checkConfig(body, true)
    const config = await codeSigning.create(scopeFor(context), {
      description: undefined,
      publishers: [],
      policy: 'warn',
      ...changeIn(body),
      tags: body.textMap('Tags') ?? {},
    })
    return context.json({ CodeSigningConfig: wireConfig(config) }, 201)
  })

  app.get(path, (context) => {
    const page = pageOf(codeSigning.list(scopeFor(context)), ({ configId }) => configId, {
      marker: context.req.query('Marker'),
      maxItems: context.req.query('MaxItems'),
    })
    return context.json({ CodeSigningConfigs: page.items.map(wireConfig), NextMarker: page.nextMarker })
  })

  app.get(`${path}/:arn`, (context) =>
    context.json({ CodeSigningConfig: wireConfig(configFor(context, codeSigning)) }),
  )

  app.put(`${path}/:arn`, async (context) => {
    const body = await fieldsFor(context, 'UpdateCodeSigningConfig')
    checkConfig(body, false)
    const config = await codeSigning.update(configFor(context, codeSigning), changeIn(body))
    return context.json({ CodeSigningConfig: wireConfig(config) })
  })

  app.delete(`${path}/:arn`, async (context) => {
    const config = configFor(context, codeSigning)
    if (usersOf(registry, config).length > 0)
      throw new EngineError(
        'conflict',
        `The code signing configuration ${configArn(config)} is used by functions and cannot be deleted.`,
      )
    await codeSigning.remove(config)
    return empty(context)
  })

  app.get(`${path}/:arn/functions`, (context) => {
    const users = usersOf(registry, configFor(context, codeSigning))
    const page = pageOf(users, ({ functionName }) => functionName, {
      marker: context.req.query('Marker'),
      maxItems: context.req.query('MaxItems'),
    })
    return context.json({
      FunctionArns: page.items.map((record) => arnOf(record)),
      NextMarker: page.nextMarker,
    })
  })

  app.get(ofFunction, (context) => {
    const { scope, functionName } = labelFor(context, 'plain')
    const record = registry.get(scope, functionName)
    refuseImages(record)
    const config = configOfFunction(record, codeSigning)
    return context.json(
      config === undefined ? {} : { CodeSigningConfigArn: configArn(config), FunctionName: functionName },
    )
  })

  app.put(ofFunction, async (context) => {
    const { scope, functionName } = labelFor(context, 'plain')
    const body = await fieldsFor(context, 'PutFunctionCodeSigningConfig')
    const arn = body.text('CodeSigningConfigArn')
    const constraints = new Constraints()
    constraints.required(arn, 'codeSigningConfigArn')
    constraints.check()
    const config = configNamed(arn ?? '', scope, codeSigning)
    refuseImages(registry.get(scope, functionName))
    await registry.attach(scope, functionName, CODE_SIGNING, config.configId)
    return context.json({ CodeSigningConfigArn: configArn(config), FunctionName: functionName })
  })

  app.delete(ofFunction, async (context) => {
    const { scope, functionName } = labelFor(context, 'plain')
    if (registry.get(scope, functionName).attachments.has(CODE_SIGNING))
      await registry.attach(scope, functionName, CODE_SIGNING, undefined)
    return empty(context)
  })
}

/**
 * The configuration that a function is to have from its creation on. Throws EngineError 'invalid', or
 * 'not-found' with detail 'code-signing-config'.
 */
export function configNamed(arn: string, scope: Scope, codeSigning: CodeSigningConfigs): CodeSigningConfig {
  const constraints = new Constraints()
  constraints.length(arn, 'codeSigningConfigArn', 0, 200)
  constraints.pattern(arn, 'codeSigningConfigArn', CONFIG_ARN)
  constraints.check()
  const config = codeSigning.find(scope, arn.slice(arn.lastIndexOf(':') + 1))
  if (config !== undefined && configArn(config) === arn) return config
  throw new EngineError(
    'not-found',
    `The code signing configuration cannot be found. Check that the provided configuration is not deleted: ${arn}.`,
    { detail: 'function-code-signing-config' },
  )
}

/** The configuration a function has; undefined when it has none. */
export function configOfFunction(
  { scope, attachments }: Pick<FunctionRecord, 'scope' | 'attachments'>,
  codeSigning: CodeSigningConfigs,
): CodeSigningConfig | undefined {
  const configId = attachments.get(CODE_SIGNING)
  return typeof configId === 'string' ? codeSigning.find(scope, configId) : undefined
}

/**
 * Throws EngineError 'invalid' with detail 'unsigned' where code must be signed. Nothing here can check a
 * signature, so every zip counts as unsigned.
 */
export function refuseUnsigned(config: CodeSigningConfig | undefined): void {
  if (config?.policy !== 'enforce') return
  throw new EngineError(
    'invalid',
    'Lambda cannot deploy the function. The function or layer might be signed using a signature that the client ' +
      'is not configured to accept. Check the provided signature for unsigned.',
    { detail: 'unsigned' },
  )
}

/** The configuration behind an ARN. Throws EngineError 'not-found' with detail 'code-signing-config'. */
export function configByArn(arn: string, scope: Scope, codeSigning: CodeSigningConfigs): CodeSigningConfig {
  const config = codeSigning.find(scope, arn.slice(arn.lastIndexOf(':') + 1))
  if (config !== undefined && configArn(config) === arn) return config
  throw new EngineError('not-found', `The Lambda code signing configuration ${arn} can not be found.`, {
    detail: 'code-signing-config',
  })
}

function configFor(context: Context, codeSigning: CodeSigningConfigs): CodeSigningConfig {
  const arn = context.req.param('arn') ?? ''
  const constraints = new Constraints()
  constraints.length(arn, 'codeSigningConfigArn', 0, 200)
  constraints.pattern(arn, 'codeSigningConfigArn', CONFIG_ARN)
  constraints.check()
  return configByArn(arn, scopeFor(context), codeSigning)
}

function refuseImages(record: FunctionRecord): void {
  if (record.versions.get('$LATEST')?.settings.image !== undefined)
    throw new EngineError(
      'invalid',
      'Code signing is not supported for functions created with container images.',
    )
}

const usersOf = (registry: Registry, { scope, configId }: CodeSigningConfig): FunctionRecord[] =>
  registry.list(scope).filter((record) => record.attachments.get(CODE_SIGNING) === configId)

function checkConfig(body: Fields, isNew: boolean): void {
  const constraints = new Constraints()
  const publishers = body.fields('AllowedPublishers')
  const profiles = publishers?.texts('SigningProfileVersionArns')
  const at = 'allowedPublishers.signingProfileVersionArns'
  if (isNew) constraints.required(publishers, 'allowedPublishers')
  if (publishers !== undefined) constraints.required(profiles, at)
  if (profiles !== undefined && profiles.length === 0)
    constraints.add(profiles, at, 'Member must have length greater than or equal to 1')
  if (profiles !== undefined && profiles.length > MAX_PROFILES)
    constraints.add(profiles, at, `Member must have length less than or equal to ${MAX_PROFILES}`)
  if (profiles?.some((arn) => !PROFILE_ARN.expression.test(arn)) === true)
    constraints.add(
      profiles,
      at,
      `Member must satisfy constraint: [Member must satisfy regular expression pattern: ${PROFILE_ARN.source}]`,
    )
  constraints.length(body.text('Description'), 'description', 0, 256)
  const policies = body.fields('CodeSigningPolicies')
  constraints.oneOf(
    policies?.text('UntrustedArtifactOnDeployment'),
    'codeSigningPolicies.untrustedArtifactOnDeployment',
    POLICIES,
  )
  constraints.check()
}

function changeIn(body: Fields): CodeSigningChange {
  const description = body.text('Description')
  const publishers = body.fields('AllowedPublishers')?.texts('SigningProfileVersionArns')
  const policy = body.fields('CodeSigningPolicies')?.text('UntrustedArtifactOnDeployment')
  return {
    ...(description === undefined ? {} : { description }),
    ...(publishers === undefined ? {} : { publishers }),
    ...(policy === undefined ? {} : { policy: policy === 'Enforce' ? 'enforce' : 'warn' }),
  }
}

/** The ARN of a configuration. */
export const configArn = ({ scope, configId }: CodeSigningConfig): string =>
  `arn:aws:lambda:${scope.region}:${scope.account}:code-signing-config:${configId}`

const wireConfig = (config: CodeSigningConfig): Wire => ({
  CodeSigningConfigId: config.configId,
  CodeSigningConfigArn: configArn(config),
  Description: config.description,
  AllowedPublishers: { SigningProfileVersionArns: config.publishers },
  CodeSigningPolicies: { UntrustedArtifactOnDeployment: config.policy === 'enforce' ? 'Enforce' : 'Warn' },
  LastModified: isoTime(config.modifiedAtMs),
})
