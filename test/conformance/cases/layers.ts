import {
  AddLayerVersionPermissionCommand,
  DeleteLayerVersionCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  GetLayerVersionByArnCommand,
  GetLayerVersionCommand,
  GetLayerVersionPolicyCommand,
  ListLayerVersionsCommand,
  PublishLayerVersionCommand,
  RemoveLayerVersionPermissionCommand,
  UpdateFunctionConfigurationCommand,
  type AddLayerVersionPermissionCommandInput,
  type Architecture,
  type PublishLayerVersionCommandInput,
  type Runtime,
} from '@aws-sdk/client-lambda'
import { zipOf } from '../../support/lambent.ts'
import type { Case, CaseRun } from '../case.ts'
import { readRecordings } from '../recordings.ts'
import { ACCOUNT, REGION } from '../service.ts'
import { WRONG_REVISION } from './versions.ts'

const PREFIX = 'lambda_api::TestLambdaLayer::'

/** Layers: their versions, who may have them, and functions that have them. */
export const LAYER_CASES: readonly Case[] = [
  { recording: `${PREFIX}test_layer_lifecycle`, script: lifecycle },
  { recording: `${PREFIX}test_layer_policy_exceptions`, script: policyRefusals },
  { recording: `${PREFIX}test_layer_function_exceptions`, script: functionRefusals },
  { recording: `${PREFIX}test_layer_function_quota_exception`, script: tooMany },
  ...['runtimes0', 'runtimes1'].map((parameter) => compatibilities(parameter)),
]

/** A layer's zip: what is in it does not matter here. */
const layerZip = (): Promise<Buffer> => zipOf({ 'nodejs/node_modules/dummy/index.js': '' })

const layerArn = (name: string, region = REGION): string =>
  `arn:aws:lambda:${region}:${ACCOUNT}:layer:${name}`

const publication = async (
  run: CaseRun,
  input: Partial<PublishLayerVersionCommandInput>,
): Promise<PublishLayerVersionCommand> =>
  new PublishLayerVersionCommand({ LayerName: run.name, Content: { ZipFile: await layerZip() }, ...input })

async function lifecycle(run: CaseRun): Promise<void> {
  const [FunctionName, LayerName] = [run.name, run.name]
  await run.create()
  await run.record('get_fn_result', new GetFunctionCommand({ FunctionName }))
  const configuration = new GetFunctionConfigurationCommand({ FunctionName })
  await run.record('get_fn_config_result', configuration)
  const publish = await publication(run, {
    CompatibleRuntimes: ['python3.12'],
    Description: 'A layer of the recorded case',
    LicenseInfo: 'MIT',
    CompatibleArchitectures: ['x86_64'],
  })
  await run.record('publish_result', publish)
  await run.record('publish_result_2', publish)
  const Layers = [`${layerArn(LayerName)}:1`]
  await run.record('update_fn_config', new UpdateFunctionConfigurationCommand({ FunctionName, Layers }))
  await run.ready()
  await run.record('get_fn_config', configuration)
  await run.record('get_layer_ver_result', new GetLayerVersionCommand({ LayerName, VersionNumber: 1 }))
  await run.record(
    'get_layer_by_arn_version',
    new GetLayerVersionByArnCommand({ Arn: `${layerArn(LayerName)}:1` }),
  )
  const list = new ListLayerVersionsCommand({ LayerName })
  await run.record('list_layer_versions_predelete', list)
  await run.record('delete_layer_1', new DeleteLayerVersionCommand({ LayerName, VersionNumber: 1 }))
  await run.record('get_fn_config_postdelete', configuration)
  await run.record('delete_layer_2', new DeleteLayerVersionCommand({ LayerName, VersionNumber: 2 }))
  await run.record('list_layer_versions_postdelete', list)
  await run.record('publish_result_3', publish)
}

function compatibilities(parameter: string): Case {
  const recording = `${PREFIX}test_layer_compatibilities[${parameter}]`
  return {
    recording,
    script: async (run) => {
      const { publish_result } = readRecordings().get(recording) ?? {}
      // the cast: what was asked for is in the answer
      const { CompatibleRuntimes, CompatibleArchitectures } = publish_result as {
        CompatibleRuntimes: Runtime[]
        CompatibleArchitectures: Architecture[]
      }
      await run.record(
        'publish_result',
        await publication(run, { CompatibleRuntimes, CompatibleArchitectures }),
      )
    },
  }
}

async function policyRefusals(run: CaseRun): Promise<void> {
  const LayerName = run.name
  const missing = `${LayerName}-doesnotexist`
  const add = (
    change: Partial<AddLayerVersionPermissionCommandInput> = {},
  ): AddLayerVersionPermissionCommand =>
    new AddLayerVersionPermissionCommand({
      LayerName,
      VersionNumber: 1,
      Action: 'lambda:GetLayerVersion',
      Principal: '*',
      StatementId: 's1',
      ...change,
    })
  const get = (name = LayerName, VersionNumber = 1): GetLayerVersionPolicyCommand =>
    new GetLayerVersionPolicyCommand({ LayerName: name, VersionNumber })
  const remove = (name = LayerName, VersionNumber = 1, change = {}): RemoveLayerVersionPermissionCommand =>
    new RemoveLayerVersionPermissionCommand({ LayerName: name, VersionNumber, StatementId: 's1', ...change })

  const publish = {
    CompatibleRuntimes: ['python3.12' as const],
    CompatibleArchitectures: ['x86_64' as const],
  }
  await run.record('publish_result', await publication(run, publish))
  await run.record('layer_permission_nopolicy_get', get())
  const { Statement, ...rest } = await run.send(add())
  run.compare('add_layer_permission_result', {
    Statement: JSON.parse(String(Statement)) as unknown,
    ...rest,
  })
  await run.record('layer_permission_action_invalid', add({ Action: '*', StatementId: 's2' }))
  await run.record('layer_permission_duplicate_statement', add())
  const stale = { StatementId: 's2', RevisionId: WRONG_REVISION }
  await run.record('layer_permission_wrong_revision', add(stale))
  await run.record('layer_permission_layername_doesnotexist_add', add({ LayerName: missing }))
  await run.record('layer_permission_layername_doesnotexist_get', get(missing))
  await run.record('layer_permission_layername_doesnotexist_remove', remove(missing))
  await run.record('layer_permission_layerversion_doesnotexist_add', add({ VersionNumber: 2 }))
  await run.record('layer_permission_layerversion_doesnotexist_get', get(LayerName, 2))
  await run.record('layer_permission_layerversion_doesnotexist_remove', remove(LayerName, 2))
  const unknown = remove(LayerName, 1, { StatementId: 'doesnotexist' })
  await run.record('layer_permission_statementid_doesnotexist_remove', unknown)
  const revised = remove(LayerName, 1, { RevisionId: WRONG_REVISION })
  await run.record('layer_permission_wrong_revision_remove', revised)
}

async function functionRefusals(run: CaseRun): Promise<void> {
  const [FunctionName, LayerName] = [run.name, run.name]
  const publish = await publication(run, { CompatibleRuntimes: [], CompatibleArchitectures: ['x86_64'] })
  for (const entry of ['publish_result', 'publish_result_2', 'publish_result_3'])
    await run.record(entry, publish)
  await run.create()
  await run.record('get_fn_result', new GetFunctionCommand({ FunctionName }))
  const arn = layerArn(LayerName)
  const use = (...Layers: string[]): UpdateFunctionConfigurationCommand =>
    new UpdateFunctionConfigurationCommand({ FunctionName, Layers })
  await run.record('two_layer_versions_single_function_exc', use(`${arn}:1`, `${arn}:2`))
  await run.record('three_layer_versions_single_function_exc', use(`${arn}:1`, `${arn}:2`, `${arn}:3`))
  await run.record('two_identical_layer_versions_single_function_exc', use(`${arn}:1`, `${arn}:1`))
  await run.record('add_nonexistent_layer_exc', use(`${layerArn('doesnotexist')}:1`))
  await run.record('add_nonexistent_layer_version_exc', use(`${arn}:9`))
  await run.record('add_layer_arn_without_version_exc', use(arn))
  const elsewhere = await run.creation({
    FunctionName: `${FunctionName}-b`,
    Layers: [`${layerArn(LayerName, 'eu-central-1')}:1`],
  })
  await run.record('create_function_with_layer_in_different_region', elsewhere)
}

async function tooMany(run: CaseRun): Promise<void> {
  const Layers: string[] = []
  for (let index = 0; index < 6; index += 1) {
    const LayerName = `${run.name}-${index}`
    await run.send(await publication(run, { LayerName }))
    Layers.push(`${layerArn(LayerName)}:1`)
  }
  await run.record('create_function_with_six_layers', await run.creation({ Layers }))
}
