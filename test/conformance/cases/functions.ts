import {
  type CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionCommand,
  GetFunctionConcurrencyCommand,
  GetFunctionConfigurationCommand,
  GetFunctionUrlConfigCommand,
  InvokeCommand,
  ListFunctionsCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  type LoggingConfig,
  type Runtime,
} from '@aws-sdk/client-lambda'
import type { Case, CaseRun } from '../case.ts'
import { arnOf, codeOf, ROLE, type ServiceCommand } from '../service.ts'

/** Functions and their configuration. */
export const FUNCTION_CASES: readonly Case[] = [
  { recording: 'lambda_api::TestLambdaFunction::test_function_lifecycle', script: lifecycle },
  { recording: 'lambda_api::TestLambdaFunction::test_redundant_updates', script: redundantUpdates },
  { recording: 'lambda_api::TestLambdaFunction::test_list_functions', script: listing },
  { recording: 'lambda_api::TestLambdaFunction::test_update_lambda_exceptions', script: updateRefusals },
  { recording: 'lambda_api::TestLambdaFunction::test_function_arns', script: names },
  { recording: 'lambda_api::TestLambdaFunction::test_lambda_concurrent_config_updates', script: twoUpdates },
  ...['delete_function', 'get_function'].map((operation) => qualifierMismatch(operation)),
  ...['get_function', 'get_function_configuration'].map((operation) => ({
    recording: `lambda_api::TestLambdaFunction::test_ops_on_nonexisting_version[${operation}]`,
    script: async (run: CaseRun) => {
      await run.create()
      await run.record('version_not_found_exception', commandOf(operation, run.name, '1221'))
    },
  })),
  ...['delete_function', 'get_function_url_config', 'get_function_concurrency'].map((operation) => ({
    recording: `lambda_api::TestLambdaFunction::test_ops_on_nonexisting_fn[${operation}]`,
    script: async (run: CaseRun) => {
      await run.record('not_found_exception', commandOf(operation, 'i-dont-exist'))
    },
  })),
  ...[
    'get_function',
    'get_function_configuration',
    'get_function_concurrency',
    'delete_function',
    'invoke',
  ].map((operation) => ({
    recording: `lambda_api::TestLambdaFunction::test_get_function_wrong_region[${operation}]`,
    script: async (run: CaseRun) => {
      await run.create()
      const arn = arnOf(run.name, 'us-west-2')
      await run.record('wrong_region_exception', commandOf(operation, arn))
    },
  })),
  ...['java8', 'provided', 'nodejs14.x', 'python3.7', 'dotnetcore3.1'].map((runtime) => ({
    recording: `lambda_api::TestRuntimeValidation::test_create_deprecated_function_runtime_with_validation_enabled[${runtime}]`,
    script: async (run: CaseRun) => {
      await run.record('deprecation_error', await run.creation({ Runtime: runtime as Runtime }))
    },
  })),
  {
    recording: 'lambda_api::TestLoggingConfig::test_function_advanced_logging_configuration',
    script: (run) => logging(run, { LogGroup: 'cool_lambda' }, { LogFormat: 'JSON' }),
  },
  {
    recording:
      'lambda_api::TestLoggingConfig::test_function_partial_advanced_logging_configuration_update[partial_config0]',
    script: (run) => logging(run, { LogFormat: 'JSON' }),
  },
  {
    recording:
      'lambda_api::TestLoggingConfig::test_function_partial_advanced_logging_configuration_update[partial_config1]',
    script: (run) => logging(run, { LogFormat: 'JSON', ApplicationLogLevel: 'DEBUG' }),
  },
  {
    recording: 'lambda_api::TestLambdaSizeLimits::test_large_environment_fails_multiple_keys',
    script: async (run) => {
      const Variables = { SMALL_VAR: 'ok', LARGE_VAR: 'x'.repeat(4064) }
      await run.record(
        'failured_create_fn_result_multi_key',
        await run.creation({ Environment: { Variables } }),
      )
    },
  },
  {
    recording: 'lambda_api::TestLambdaSizeLimits::test_lambda_envvars_near_limit_succeeds',
    script: async (run) => {
      const Variables = { LARGE_VAR: 'x'.repeat(4080) }
      await run.record('successful_create_fn_result', await run.creation({ Environment: { Variables } }))
    },
  },
  { recording: 'lambda::TestLambdaBehavior::test_mixed_architecture', script: mixedArchitecture },
]

/** The command that a recorded case is named for. */
export function commandOf(operation: string, FunctionName: string, Qualifier?: string): ServiceCommand {
  const input = { FunctionName, ...(Qualifier === undefined ? {} : { Qualifier }) }
  if (operation === 'get_function') return new GetFunctionCommand(input)
  if (operation === 'get_function_configuration') return new GetFunctionConfigurationCommand(input)
  if (operation === 'get_function_concurrency') return new GetFunctionConcurrencyCommand(input)
  if (operation === 'get_function_url_config') return new GetFunctionUrlConfigCommand(input)
  if (operation === 'delete_function') return new DeleteFunctionCommand(input)
  if (operation === 'invoke') return new InvokeCommand(input)
  throw new Error(`No command for ${operation}.`)
}

async function lifecycle(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  await run.record('create_response', await run.creation({ Timeout: 5, MemorySize: 256 }))
  await run.ready()
  await run.record('get_function_response', new GetFunctionCommand({ FunctionName }))
  const update = {
    Runtime: 'nodejs20.x' as const,
    Description: 'Changed-Description',
    MemorySize: 512,
    Timeout: 10,
    Environment: { Variables: { ENV_A: 'a' } },
  }
  await run.record(
    'update_func_conf_response',
    new UpdateFunctionConfigurationCommand({ FunctionName, ...update }),
  )
  await run.ready()
  await run.record('get_function_response_postupdate', new GetFunctionCommand({ FunctionName }))
  const ZipFile = await codeOf('exports.handler = async () => 2')
  await run.record('update_code_response', new UpdateFunctionCodeCommand({ FunctionName, ZipFile }))
  await run.ready()
  await run.record('get_function_response_postcodeupdate', new GetFunctionCommand({ FunctionName }))
  await run.record('delete_response', new DeleteFunctionCommand({ FunctionName }))
  await run.record('delete_postdelete', new GetFunctionCommand({ FunctionName }))
}

async function redundantUpdates(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  await run.record('create_response', await run.creation({ Description: 'Initial description' }))
  await run.ready()
  const update = new UpdateFunctionConfigurationCommand({
    FunctionName,
    Description: '1st update description',
  })
  await run.record('first_update_result', update)
  await run.ready()
  await run.record('get_fn_config_result', new GetFunctionConfigurationCommand({ FunctionName }))
  await run.record('get_fn_result', new GetFunctionCommand({ FunctionName }))
  await run.record('redundant_update_result', update)
  await run.ready()
  await run.record('get_fn_result_after_redundant_update', new GetFunctionCommand({ FunctionName }))
}

async function listing(run: CaseRun): Promise<void> {
  const [first, second] = [`${run.name}-a`, `${run.name}-b`]
  await run.record('create_response_1', await run.creation({ FunctionName: first, Publish: true }))
  await run.record('create_response_2', await run.creation({ FunctionName: second }))
  await run.ready(first)
  await run.ready(first, '1')
  await run.ready(second)
  const invalid = new ListFunctionsCommand({ FunctionVersion: 'invalid' as 'ALL' })
  await run.record('list_functions_invalid_functionversion', invalid)
  // The cases before this one leave functions behind; the recorded one looked at its own alone, too.
  const own = async (entry: string, command: ListFunctionsCommand): Promise<void> => {
    const { Functions } = await run.send(command)
    const list = Functions as { FunctionName: string }[]
    run.compare(entry, { Functions: list.filter((one) => one.FunctionName.startsWith(`${run.name}-`)) })
  }
  await own('list_all', new ListFunctionsCommand({ FunctionVersion: 'ALL' }))
  await own('list_default', new ListFunctionsCommand({}))
}

async function updateRefusals(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  await run.create()
  const update = (change: { Role?: string; Runtime?: string }): UpdateFunctionConfigurationCommand =>
    new UpdateFunctionConfigurationCommand({ FunctionName, ...(change as { Role?: string }) })
  await run.record('invalid_role_arn_exc', update({ Role: 'r1' }))
  await run.record('invalid_runtime_exc', update({ Runtime: 'non-existent-runtime' }))
  await run.record('uppercase_runtime_exc', update({ Runtime: 'PYTHON3.9' }))
}

async function names(run: CaseRun): Promise<void> {
  const [first, second] = [`${run.name}-a`, `${run.name}-b`]
  const create = (FunctionName: string): Promise<CreateFunctionCommand> => run.creation({ FunctionName })
  await run.record('create-function-arn-response', await create(arnOf(first)))
  await run.record('create-function-partial-arn-response', await create(`111111111111:function:${second}`))
  await run.record('invalid_function_name_exc', await create('invalid:function:name'))
  await run.record('long_function_name_exc', await create('a'.repeat(65)))
  await run.record('long_function_arn_exc', await create(arnOf('a'.repeat(141))))
  await run.record('function_arn_other_region_exc', await create(arnOf(first, 'ap-southeast-1')))
  await run.record(
    'function_arn_other_account_exc',
    await create(arnOf(first).replace('111111111111', '123456789012')),
  )
}

async function twoUpdates(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  await run.record('create-function-response', await run.creation())
  await run.ready()
  const update = (value: string): UpdateFunctionConfigurationCommand =>
    new UpdateFunctionConfigurationCommand({ FunctionName, Environment: { Variables: { KEY: value } } })
  // Updates are quick here: of many at once some meet, and any may come first.
  const values = ['one', 'two', 'three', 'four', 'five', 'six']
  const answers = await Promise.all(values.map((value) => run.service.other().answer(update(value))))
  const refused = answers.find((answer) => 'Error' in answer)
  run.compare('update-during-in-progress-update-exc', refused ?? {})
}

function qualifierMismatch(operation: string): Case {
  return {
    recording: `lambda_api::TestLambdaFunction::test_ops_with_arn_qualifier_mismatch[${operation}]`,
    script: async (run) => {
      const arn = arnOf('some-function:$LATEST')
      await run.record('not_match_exception', commandOf(operation, arn, '1'))
      await run.record('match_exception', commandOf(operation, arn, '$LATEST'))
    },
  }
}

async function logging(run: CaseRun, LoggingConfig: LoggingConfig, created?: LoggingConfig): Promise<void> {
  const FunctionName = run.name
  const initial = created === undefined ? {} : { LoggingConfig: created }
  const creation = { Timeout: 5, MemorySize: 256, ...initial }
  await run.record('create_response', await run.creation(creation))
  await run.ready()
  await run.record('get_function_response', new GetFunctionCommand({ FunctionName }))
  await run.record('function_config', new GetFunctionConfigurationCommand({ FunctionName }))
  await run.record('updated_config', new UpdateFunctionConfigurationCommand({ FunctionName, LoggingConfig }))
  await run.ready()
  await run.record('received_config', new GetFunctionConfigurationCommand({ FunctionName }))
}

async function mixedArchitecture(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  await run.record('create_function_response', await run.creation({ Role: ROLE, Architectures: ['x86_64'] }))
  await run.ready()
  const ZipFile = await codeOf('exports.handler = async (event) => event')
  const update = { FunctionName, ZipFile, Architectures: ['arm64' as const] }
  await run.record('update_function_code_response', new UpdateFunctionCodeCommand(update))
}
