import { EngineError } from '../../runtime/errors.ts'
import type { CapacityProviders } from '../../runtime/registry/capacity-providers.ts'
import type { FunctionSettings } from '../../runtime/registry/function-record.ts'
import type { Layers } from '../../runtime/registry/layers.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { Constraints, pattern } from './constraints.ts'
import type { Fields } from './fields.ts'
import { newImage, refuseZipMembers } from './images.ts'
import { checkCapacity, checkPublishTo, readCapacity } from './capacity-settings.ts'
import { checkTenancy, readTenancy } from './tenancy.ts'
import { checkKept, readKept } from './kept-members.ts'
import { LAYER_VERSION_ARN } from './layer-names.ts'
import { resolveLayers } from './layer-references.ts'

/** Where a configuration is read for, and how strictly. */
export interface ConfigurationFor {
  readonly scope: Scope
  readonly functionName: string
  readonly limits: 'extended' | 'strict'
  readonly layers: Layers
  readonly capacityProviders: CapacityProviders
}

const ROLE = pattern(String.raw`arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+`)
const HANDLER = pattern(String.raw`[^\s]+`)
const LOG_GROUP = pattern(String.raw`[\.\-_/#A-Za-z0-9]+`)
const TARGET = pattern(String.raw`(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()`)
const VARIABLE = pattern('[a-zA-Z]([a-zA-Z0-9_])+')
const APPLICATION_LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const
const SYSTEM_LEVELS = ['DEBUG', 'INFO', 'WARN'] as const

/** Members that would be stored and then not honoured: better refused than ignored. */
const NOT_BUILT = ['DurableConfig']

/** What a function has where nothing is said. */
const initialSettings = (functionName: string): FunctionSettings => ({
  runtime: '',
  handler: '',
  role: '',
  description: '',
  timeoutMs: 3000,
  memoryMb: 128,
  ephemeralMb: 512,
  architecture: 'x86_64',
  variables: undefined,
  logging: {
    format: 'Text',
    applicationLevel: 'INFO',
    systemLevel: 'INFO',
    group: `/aws/lambda/${functionName}`,
  },
  deadLetterTarget: undefined,
  layers: [],
  image: undefined,
  kept: {},
})

/**
 * The settings that `body` asks for. What it does not mention stays as in `before`, or is the service's
 * default.
 *
 * Throws EngineError 'invalid' for what the model or the function's rules refuse, 'unsupported' for what is
 * not built.
 */
export function readConfiguration(
  body: Fields,
  before: FunctionSettings | undefined,
  target: ConfigurationFor,
): FunctionSettings {
  const constraints = new Constraints()
  checkMembers(body, before === undefined, target, constraints)
  const variables = body.fields('Environment')?.textMap('Variables')
  checkVariableNames(variables, constraints)
  constraints.check()
  refuseNotBuilt(body)
  const base = before ?? { ...initialSettings(target.functionName), image: newImage(body) }
  if (before?.image !== undefined) refuseZipMembers(body)
  const runtime = body.text('Runtime') ?? base.runtime
  const seconds = body.integer('Timeout')
  const deadLetter = body.fields('DeadLetterConfig')?.text('TargetArn')
  return {
    runtime,
    handler: body.text('Handler') ?? base.handler,
    role: body.text('Role') ?? base.role,
    description: body.text('Description') ?? base.description,
    timeoutMs: seconds === undefined ? base.timeoutMs : seconds * 1000,
    memoryMb: body.integer('MemorySize') ?? base.memoryMb,
    ephemeralMb: body.fields('EphemeralStorage')?.integer('Size') ?? base.ephemeralMb,
    architecture: body.texts('Architectures')?.[0] === 'arm64' ? 'arm64' : base.architecture,
    variables: body.has('Environment') ? (variables ?? {}) : base.variables,
    logging: readLogging(body, base.logging),
    deadLetterTarget: deadLetter === '' ? undefined : (deadLetter ?? base.deadLetterTarget),
    layers: body.has('Layers')
      ? resolveLayers(body.texts('Layers') ?? [], base.layers, target.layers, target.scope)
      : base.layers,
    image: base.image,
    kept: readKept(body, base.kept, runtime, target.scope),
    ...readTenancy(body, before),
    ...readCapacity(body, before, target.capacityProviders),
  }
}

/** The architecture a code update names; undefined when it names none. Throws EngineError 'invalid'. */
export function readArchitecture(body: Fields, constraints: Constraints): 'x86_64' | 'arm64' | undefined {
  const architectures = body.texts('Architectures')
  if (architectures === undefined) return undefined
  const known = ['x86_64', 'arm64']
  if (architectures.length !== 1)
    constraints.add(
      architectures,
      'architectures',
      `Member must have length ${architectures.length === 0 ? 'greater' : 'less'} than or equal to 1`,
    )
  else if (!known.includes(architectures[0] ?? ''))
    constraints.add(
      architectures,
      'architectures',
      `Member must satisfy constraint: [Member must satisfy enum value set: [${known.join(', ')}], Member must not be null]`,
    )
  return architectures[0] === 'arm64' ? 'arm64' : 'x86_64'
}

function checkMembers(
  body: Fields,
  isNew: boolean,
  { limits }: ConfigurationFor,
  constraints: Constraints,
): void {
  const strict = limits === 'strict'
  if (isNew) constraints.required(body.text('Role'), 'role')
  constraints.pattern(body.text('Role'), 'role', ROLE)
  const handler = body.text('Handler')
  constraints.length(handler, 'handler', 0, 128)
  if (handler !== '') constraints.pattern(handler, 'handler', HANDLER)
  constraints.length(body.text('Description'), 'description', 0, 256)
  constraints.range(body.integer('Timeout'), 'timeout', 1, strict ? 900 : undefined)
  constraints.range(body.integer('MemorySize'), 'memorySize', strict ? 128 : 1, strict ? 10_240 : undefined)
  const storage = body.fields('EphemeralStorage')?.integer('Size')
  constraints.range(storage, 'ephemeralStorage.size', strict ? 512 : 1, strict ? 10_240 : undefined)
  constraints.oneOf(body.text('PackageType'), 'packageType', ['Zip', 'Image'])
  readArchitecture(body, constraints)
  checkKept(body, constraints)
  checkCapacity(body, constraints)
  if (isNew) {
    checkTenancy(body, constraints)
    checkPublishTo(body, constraints)
  }
  constraints.pattern(
    body.fields('DeadLetterConfig')?.text('TargetArn'),
    'deadLetterConfig.targetArn',
    TARGET,
  )
  const logging = body.fields('LoggingConfig')
  constraints.oneOf(logging?.text('LogFormat'), 'loggingConfig.logFormat', ['Text', 'JSON'])
  constraints.oneOf(
    logging?.text('ApplicationLogLevel'),
    'loggingConfig.applicationLogLevel',
    APPLICATION_LEVELS,
  )
  constraints.oneOf(logging?.text('SystemLogLevel'), 'loggingConfig.systemLogLevel', SYSTEM_LEVELS)
  constraints.pattern(logging?.text('LogGroup'), 'loggingConfig.logGroup', LOG_GROUP)
  const layers = body.texts('Layers') ?? []
  if (layers.some((arn) => !LAYER_VERSION_ARN.expression.test(arn)))
    constraints.add(
      layers,
      'layers',
      'Member must satisfy constraint: [Member must have length less than or equal to 2048, Member must have ' +
        `length greater than or equal to 1, Member must satisfy regular expression pattern: ${LAYER_VERSION_ARN.source}, Member must not be null]`,
    )
}

function checkVariableNames(variables: Record<string, string> | undefined, constraints: Constraints): void {
  const names = Object.keys(variables ?? {})
  // names alone are shown: a value may be a secret
  if (names.some((name) => !VARIABLE.expression.test(name)))
    constraints.add(
      names,
      'environment.variables',
      `Map keys must satisfy constraint: [Member must satisfy regular expression pattern: ${VARIABLE.source}, Member must not be null]`,
    )
}

function refuseNotBuilt(body: Fields): void {
  for (const name of NOT_BUILT)
    if (body.has(name)) throw new EngineError('unsupported', `${name} is not built yet.`)
}

/** A partial change; levels have a meaning in JSON format only. */
function readLogging(body: Fields, base: FunctionSettings['logging']): FunctionSettings['logging'] {
  const logging = body.fields('LoggingConfig')
  const application = logging?.text('ApplicationLogLevel')
  const system = logging?.text('SystemLogLevel')
  return {
    format:
      logging?.text('LogFormat') === undefined
        ? base.format
        : logging.text('LogFormat') === 'JSON'
          ? 'JSON'
          : 'Text',
    applicationLevel: APPLICATION_LEVELS.find((level) => level === application) ?? base.applicationLevel,
    systemLevel: SYSTEM_LEVELS.find((level) => level === system) ?? base.systemLevel,
    group: logging?.text('LogGroup') ?? base.group,
  }
}
