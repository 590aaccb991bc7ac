import {
  DeleteFunctionCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  PublishVersionCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  type CreateFunctionCommand,
  type Runtime,
  type VpcConfig,
} from '@aws-sdk/client-lambda'
import { runnable, type Case, type CaseRun } from '../case.ts'
import { codeOf, type ServiceCommand } from '../service.ts'

const SNAPSHOTS = 'lambda_api::TestLambdaSnapStart::'

/** Settings beside the common ones: networks, snapshots, images. */
export const SETTING_CASES: readonly Case[] = [
  { recording: 'lambda_api::TestLambdaFunction::test_vpc_config', script: network },
  { recording: 'lambda_api::TestLambdaFunction::test_invalid_vpc_config_subnet', script: networkRefusals },
  {
    recording: `${SNAPSHOTS}test_snapstart_exceptions`,
    script: async (run) => {
      const SnapStart = { ApplyOn: 'invalidOption' as 'None' }
      await run.record('create_function_invalid_snapstart_apply', await run.creation({ SnapStart }))
    },
  },
  ...['dotnet10', 'dotnet8', 'java17', 'java21', 'java25', 'python3.13'].map((runtime) => ({
    recording: `${SNAPSHOTS}test_snapstart_lifecycle[${runtime}]`,
    script: (run: CaseRun) => snapshotLifecycle(run, runtime as Runtime),
  })),
  ...['dotnet10', 'dotnet8', 'java11', 'java21', 'java25', 'python3.12'].map((runtime) => ({
    recording: `${SNAPSHOTS}test_snapstart_update_function_configuration[${runtime}]`,
    script: (run: CaseRun) => snapshotUpdate(run, runtime as Runtime),
  })),
  { recording: 'lambda_api::TestLambdaImages::test_lambda_image_crud', script: images },
]

async function network(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  const get = new GetFunctionCommand({ FunctionName })
  const change = async (entry: string, VpcConfig: VpcConfig): Promise<void> => {
    const update = new UpdateFunctionConfigurationCommand({ FunctionName, VpcConfig })
    await run.record(`${entry}_update_response`, update)
    await run.ready()
    await run.record(`${entry}_get_function_response`, get)
  }
  const VpcConfig = { SubnetIds: ['subnet-1'], SecurityGroupIds: ['sg-1'] }
  await run.record('create_response', await run.creation({ Timeout: 5, MemorySize: 256, VpcConfig }))
  await run.ready()
  await run.record('get_function_response', get)
  await change('update_vpcconfig', { SubnetIds: ['subnet-2'], SecurityGroupIds: ['sg-2'] })
  await change('delete_vpcconfig', { SubnetIds: [], SecurityGroupIds: [] })
}

async function networkRefusals(run: CaseRun): Promise<void> {
  const VpcConfig = { SubnetIds: ['bad-format-subnet'], SecurityGroupIds: ['sg-1'] }
  await run.record('create-response-invalid-format-subnet-id', await run.creation({ VpcConfig }))
}

/** Functions for snapshots; their code never runs here. */
function snapshotCreation(run: CaseRun, runtime: Runtime): Promise<CreateFunctionCommand> {
  const Handler = runtime.startsWith('java')
    ? 'echo.Handler'
    : runtime.startsWith('dotnet')
      ? 'dotnet::Dotnet.Function::FunctionHandler'
      : 'handler.handler'
  return run.plainCreation({ Runtime: runtime, Handler, MemorySize: 1024, Timeout: 5 })
}

async function snapshotLifecycle(run: CaseRun, runtime: Runtime): Promise<void> {
  const FunctionName = run.name
  await run.record('create_function_response', await snapshotCreation(run, runtime))
  await run.ready()
  await run.send(new PublishVersionCommand({ FunctionName, Description: 'version1' }))
  await run.ready(FunctionName, '1')
  await run.record('get_function_response_latest', new GetFunctionCommand({ FunctionName }))
  const first = new GetFunctionCommand({ FunctionName, Qualifier: '1' })
  await run.record('get_function_response_version_1', first)
}

async function snapshotUpdate(run: CaseRun, runtime: Runtime): Promise<void> {
  const FunctionName = run.name
  const SnapStart = { ApplyOn: 'PublishedVersions' as const }
  const record = async (entry: string, command: ServiceCommand): Promise<void> =>
    run.compare(entry, runnable(await run.send(command)))
  await record('create_function_response', await snapshotCreation(run, runtime))
  await run.ready()
  await record(
    'update_function_response',
    new UpdateFunctionConfigurationCommand({ FunctionName, SnapStart }),
  )
}

async function images(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  const repository = (name: string): string => `111111111111.dkr.ecr.us-east-1.amazonaws.com/${name}:latest`
  const get = new GetFunctionCommand({ FunctionName })
  const configuration = new GetFunctionConfigurationCommand({ FunctionName })
  const creation = await run.creation({
    Runtime: undefined,
    Handler: undefined,
    Timeout: undefined,
    PackageType: 'Image',
    Environment: { Variables: { CUSTOM_ENV: 'test' } },
    Code: { ImageUri: repository('first') },
  })
  await run.record('create-image-response', creation)
  await run.ready()
  await run.record('get-function-code-response', get)
  await run.record('get-function-config-response', configuration)
  const ZipFile = await codeOf('exports.handler = async () => 1')
  await run.record('image-to-zipfile-error', new UpdateFunctionCodeCommand({ FunctionName, ZipFile }))
  const update = new UpdateFunctionCodeCommand({ FunctionName, ImageUri: repository('second') })
  await run.record('update-function-code-response', update)
  await run.ready()
  await run.record('get-function-code-response-after-update', get)
  await run.record('get-function-config-response-after-update', configuration)
  await run.send(new DeleteFunctionCommand({ FunctionName }))
}
