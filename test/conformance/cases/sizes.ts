import {
  GetAccountSettingsCommand,
  InvokeCommand,
  PublishLayerVersionCommand,
  PublishVersionCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  type CreateFunctionCommand,
} from '@aws-sdk/client-lambda'
import { zipOf as zipBytes } from '../../registry/zip-bytes.ts'
import { zipOf } from '../../support/lambent.ts'
import type { Case, CaseRun } from '../case.ts'
import { codeOf } from '../service.ts'

/** How large code is, and how large it may be. */
export const SIZE_CASES: readonly Case[] = [
  {
    recording: 'lambda_api::TestLambdaAccountSettings::test_account_settings_total_code_size',
    script: total,
  },
  {
    recording: 'lambda_api::TestLambdaAccountSettings::test_account_settings_total_code_size_config_update',
    script: totalOfUpdates,
  },
  { recording: 'lambda_api::TestLambdaSizeLimits::test_large_lambda', script: large },
  {
    recording: 'lambda_api::TestLambdaSizeLimits::test_oversized_lambda',
    script: (run) => tooLarge(run, (zip) => run.creation({ ...LARGE, Code: { ZipFile: zip } })),
  },
  {
    recording: 'lambda_api::TestLambdaSizeLimits::test_oversized_unzipped_lambda',
    script: (run) => tooLarge(run, (zip) => run.creation({ ...LARGE, Code: stored(run, zip) })),
  },
  { recording: 'lambda_api::TestLambdaFunction::test_lambda_code_location_s3_errors', script: noObjects },
  { recording: 'lambda_api::TestLambdaLayer::test_layer_s3_content', script: storedLayer },
  { recording: 'lambda::TestLambdaFeatures::test_upload_lambda_from_s3', script: storedFunction },
]

const UNZIPPED_BYTES = 262_144_000
const LARGE = { Handler: 'handler.handler', Timeout: 10, Environment: undefined }

async function totalCodeSize(run: CaseRun): Promise<number> {
  const { AccountUsage } = await run.send(new GetAccountSettingsCommand({}))
  return (AccountUsage as { TotalCodeSize: number }).TotalCodeSize
}

/** What `work` adds to the account's code. */
async function added(run: CaseRun, work: () => Promise<unknown>): Promise<number> {
  const before = await totalCodeSize(run)
  await work()
  return (await totalCodeSize(run)) - before
}

/** A zip of exactly so many bytes: its comment fills it up. */
function filled(zip: Buffer, sizeBytes: number): Buffer {
  const comment = Buffer.alloc(sizeBytes - zip.length, 'x')
  const whole = Buffer.concat([zip, comment])
  whole.writeUInt16LE(comment.length, zip.length - 2) // the last field of a zip without a comment
  return whole
}

async function total(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  const code = filled(await zipOf({ 'index.js': '' }), 276)
  const layer = filled(await zipOf({ dummy: '' }), 169)
  const publish = new PublishLayerVersionCommand({ LayerName: run.name, Content: { ZipFile: layer } })
  const update = new UpdateFunctionCodeCommand({ FunctionName, ZipFile: code, Publish: true })
  const create = (): Promise<void> => run.create({ Code: { ZipFile: code } })
  run.compare('total_code_size_diff_create_function', await added(run, create))
  run.compare('total_code_size_diff_update_function', await added(run, () => run.send(update)))
  run.compare('total_code_size_diff_publish_layer', await added(run, () => run.send(publish)))
  run.compare('total_code_size_diff_publish_layer_version', await added(run, () => run.send(publish)))
}

async function totalOfUpdates(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  const created = await added(run, () => run.create())
  run.compare('is_total_code_size_diff_create_function_more_than_200', created > 200)
  const update = new UpdateFunctionConfigurationCommand({ FunctionName, Description: 'changed' })
  const updated = await added(run, () => run.send(update))
  run.compare('total_code_size_diff_update_function_configuration', updated)
  await run.ready()
  const published = await added(run, () => run.send(new PublishVersionCommand({ FunctionName })))
  run.compare('is_total_code_size_diff_publish_version_after_config_update_more_than_200', published > 200)
}

/** Where `bytes` can be fetched from now. */
function stored(run: CaseRun, bytes: Buffer): { S3Bucket: string; S3Key: string } {
  run.service.store.buckets.get('code')?.set(`${run.name}.zip`, bytes)
  return { S3Bucket: 'code', S3Key: `${run.name}.zip` }
}

/** A zip of two files that unpack to so many bytes: one with nothing in it that does not shrink. */
const unpackingTo = (sizeBytes: number): Buffer => {
  const handler = 'exports.handler = async () => 1'
  const rest = Buffer.alloc(sizeBytes - handler.length)
  return zipBytes([
    { name: 'handler.js', content: handler },
    { name: 'rest', content: rest, deflate: true },
  ])
}

async function large(run: CaseRun): Promise<void> {
  const Code = stored(run, unpackingTo(UNZIPPED_BYTES - 1000))
  await run.record('create_function_large_zip', await run.creation({ ...LARGE, Code }))
}

async function tooLarge(
  run: CaseRun,
  creation: (zip: Buffer) => Promise<CreateFunctionCommand>,
): Promise<void> {
  await run.record('invalid_param_exc', await creation(unpackingTo(UNZIPPED_BYTES + 1)))
}

async function noObjects(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  const places = { bucket: { S3Bucket: 'nowhere', S3Key: 'x' }, key: { S3Bucket: 'code', S3Key: 'nothing' } }
  for (const [name, Code] of Object.entries(places))
    await run.record(`create-error-wrong-${name}`, await run.creation({ Code }))
  await run.create()
  for (const [name, place] of Object.entries(places))
    await run.record(`update-error-wrong-${name}`, new UpdateFunctionCodeCommand({ FunctionName, ...place }))
}

async function storedLayer(run: CaseRun): Promise<void> {
  const Content = stored(run, await zipOf({ dummy: '' }))
  const publish = new PublishLayerVersionCommand({ LayerName: run.name, Content })
  await run.record('publish_layer_result', publish)
}

/** Answers with what the recorded function, which is in Python, sees of its context. */
const ECHO_CONTEXT = `exports.handler = async (event, context) => ({
  event,
  context: {
    invoked_function_arn: context.invokedFunctionArn,
    function_version: context.functionVersion,
    function_name: context.functionName,
    memory_limit_in_mb: context.memoryLimitInMB,
    aws_request_id: context.awsRequestId,
    log_group_name: context.logGroupName,
    log_stream_name: context.logStreamName,
    client_context: context.clientContext ?? null,
  },
})`

async function storedFunction(run: CaseRun): Promise<void> {
  const Code = stored(run, await codeOf(ECHO_CONTEXT))
  await run.record('creation-response', await run.creation({ ...LARGE, Code }))
  await run.ready()
  const Payload = JSON.stringify({ foo: `bar with 'quotes"` })
  await run.record('invocation-response', new InvokeCommand({ FunctionName: run.name, Payload }))
}
