import { EngineError } from '../../runtime/errors.ts'
import { arnOf, type FunctionRecord } from '../../runtime/registry/function-record.ts'
import { Constraints, pattern } from './constraints.ts'
import { fieldsFor, labelFor, versionFor, type Routes } from './context.ts'

const MODES = ['Auto', 'Manual', 'FunctionUpdate'] as const
const RUNTIME_VERSION_ARN = pattern(
  String.raw`arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}::runtime:.+`,
)

/** When a version's runtime is replaced by a newer patch, as it was asked for. */
export interface RuntimeManagement {
  readonly mode: (typeof MODES)[number]
  /** Only with `Manual`. */
  readonly runtimeVersionArn?: string
}

/**
 * GetRuntimeManagementConfig and PutRuntimeManagementConfig. Runtimes here are what the machine has: what is
 * asked for is kept and shown, and there is nothing to choose between.
 */
export const runtimeManagementRoutes: Routes = (app, { registry }) => {
  const path = '/2021-07-20/functions/:function/runtime-management-config'

  app.get(path, (context) => {
    const { scope, functionName, qualifier } = labelFor(context)
    const record = registry.get(scope, functionName)
    const version = publishedOrLatest(record, qualifier)
    return context.json(wireManagement(record, version, runtimeManagementOf(record, version)))
  })

  app.put(path, async (context) => {
    const { scope, functionName, qualifier } = labelFor(context)
    const body = await fieldsFor(context, 'PutRuntimeManagementConfig')
    const mode = body.text('UpdateRuntimeOn')
    const runtimeVersionArn = body.text('RuntimeVersionArn')
    const constraints = new Constraints()
    constraints.required(mode, 'updateRuntimeOn')
    constraints.oneOf(mode, 'updateRuntimeOn', MODES)
    constraints.length(runtimeVersionArn, 'runtimeVersionArn', 26, 2048)
    constraints.pattern(runtimeVersionArn, 'runtimeVersionArn', RUNTIME_VERSION_ARN)
    constraints.check()
    if (mode === 'Manual' && runtimeVersionArn === undefined)
      throw new EngineError('invalid', 'RuntimeVersionArn is required when UpdateRuntimeOn is Manual.')
    if (mode !== 'Manual' && runtimeVersionArn !== undefined)
      throw new EngineError('invalid', 'RuntimeVersionArn is only supported when UpdateRuntimeOn is Manual.')
    const version = publishedOrLatest(registry.get(scope, functionName), qualifier)
    const management: RuntimeManagement = {
      mode: MODES.find((one) => one === mode) ?? 'Auto',
      ...(runtimeVersionArn === undefined ? {} : { runtimeVersionArn }),
    }
    await registry.attach(scope, functionName, nameFor(version), management)
    return context.json(wireManagement(registry.get(scope, functionName), version, management))
  })
}

/** What a version was last told; Auto when nothing. */
export const runtimeManagementOf = (
  { attachments }: Pick<FunctionRecord, 'attachments'>,
  version: string,
): RuntimeManagement =>
  // the cast reads back what the route above attached
  (attachments.get(nameFor(version)) as RuntimeManagement | undefined) ?? { mode: 'Auto' }

const nameFor = (version: string): string => `runtime-management:${version}`

/** Throws EngineError 'invalid' for aliases, 'not-found'. */
function publishedOrLatest(record: FunctionRecord, qualifier: string | undefined): string {
  const { version } = versionFor(record, qualifier)
  if (qualifier !== undefined && record.aliases.has(qualifier))
    throw new EngineError('invalid', 'Runtime management configurations belong to versions, not to aliases.')
  return version
}

const wireManagement = (record: FunctionRecord, version: string, management: RuntimeManagement): object => ({
  UpdateRuntimeOn: management.mode,
  FunctionArn: arnOf(record, version),
  RuntimeVersionArn: management.runtimeVersionArn,
})
