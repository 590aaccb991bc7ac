import {
  GetAccountSettingsCommand,
  PublishLayerVersionCommand,
  PublishVersionCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda'
import { zipOf } from '../../support/lambent.ts'
import type { Case, CaseRun } from '../case.ts'

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
]

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
