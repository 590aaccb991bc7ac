import {
  CreateCodeSigningConfigCommand,
  DeleteCodeSigningConfigCommand,
  DeleteFunctionCodeSigningConfigCommand,
  GetCodeSigningConfigCommand,
  GetFunctionCodeSigningConfigCommand,
  ListCodeSigningConfigsCommand,
  ListFunctionsByCodeSigningConfigCommand,
  PutFunctionCodeSigningConfigCommand,
  UpdateCodeSigningConfigCommand,
} from '@aws-sdk/client-lambda'
import type { Case, CaseRun } from '../case.ts'
import { ACCOUNT, REGION } from '../service.ts'

/** Code signing configurations and the functions that have them. */
export const CODE_SIGNING_CASES: readonly Case[] = [
  { recording: 'lambda_api::TestCodeSigningConfig::test_function_code_signing_config', script: lifecycle },
  { recording: 'lambda_api::TestCodeSigningConfig::test_code_signing_not_found_excs', script: refusals },
]

async function create(run: CaseRun): Promise<string> {
  const profile = `arn:aws:signer:${REGION}:${ACCOUNT}:/signing-profiles/test`
  const answer = await run.record(
    'create_code_signing_config',
    new CreateCodeSigningConfigCommand({
      Description: 'Testing CodeSigning Config',
      AllowedPublishers: { SigningProfileVersionArns: [profile] },
      CodeSigningPolicies: { UntrustedArtifactOnDeployment: 'Enforce' },
    }),
  )
  return (answer['CodeSigningConfig'] as { CodeSigningConfigArn: string }).CodeSigningConfigArn
}

async function lifecycle(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  await run.create()
  const CodeSigningConfigArn = await create(run)
  const warn = { CodeSigningPolicies: { UntrustedArtifactOnDeployment: 'Warn' as const } }
  const update = new UpdateCodeSigningConfigCommand({ CodeSigningConfigArn, ...warn })
  await run.record('update_code_signing_config', update)
  await run.record('get_code_signing_config', new GetCodeSigningConfigCommand({ CodeSigningConfigArn }))
  await run.record(
    'put_function_code_signing_config',
    new PutFunctionCodeSigningConfigCommand({ FunctionName, CodeSigningConfigArn }),
  )
  await run.record(
    'get_function_code_signing_config',
    new GetFunctionCodeSigningConfigCommand({ FunctionName }),
  )
  const { CodeSigningConfigs } = await run.send(new ListCodeSigningConfigsCommand({}))
  const configs = CodeSigningConfigs as { CodeSigningConfigArn: string }[]
  // others may have some, too: the recorded case looked for its own
  const own = configs.find((config) => config.CodeSigningConfigArn === CodeSigningConfigArn)
  run.compare('list_code_signing_configs', { ...own })
  await run.record(
    'list_functions_by_code_signing_config',
    new ListFunctionsByCodeSigningConfigCommand({ CodeSigningConfigArn }),
  )
  await run.record(
    'delete_function_code_signing_config',
    new DeleteFunctionCodeSigningConfigCommand({ FunctionName }),
  )
  await run.record('delete_code_signing_config', new DeleteCodeSigningConfigCommand({ CodeSigningConfigArn }))
}

async function refusals(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  const nobody = 'csc-test-doesnotexist'
  await run.create()
  const CodeSigningConfigArn = await create(run)
  const missing = `${CodeSigningConfigArn.slice(0, -5)}00000`
  const deletion = new DeleteCodeSigningConfigCommand({ CodeSigningConfigArn: missing })
  await run.record('delete_csc_notfound', deletion)
  const detach = (name: string): DeleteFunctionCodeSigningConfigCommand =>
    new DeleteFunctionCodeSigningConfigCommand({ FunctionName: name })
  await run.record('nothing_to_delete_response', detach(FunctionName))
  await run.record('delete_function_csc_fnnotfound', detach(nobody))
  const put = (name: string, arn: string): PutFunctionCodeSigningConfigCommand =>
    new PutFunctionCodeSigningConfigCommand({ FunctionName: name, CodeSigningConfigArn: arn })
  await run.record('put_function_csc_invalid_fnname', put(nobody, CodeSigningConfigArn))
  await run.record('put_function_csc_invalid_csc_arn', put(FunctionName, missing))
  await run.record('put_function_csc_invalid_both', put(nobody, missing))
  const update = (arn: string, change = {}): UpdateCodeSigningConfigCommand =>
    new UpdateCodeSigningConfigCommand({ CodeSigningConfigArn: arn, ...change })
  await run.record('update_csc_invalid_csc_arn', update(missing, { Description: 'new-description' }))
  await run.record('update_csc_noupdates', update(missing))
  await run.record('update_csc_noupdate_response', update(CodeSigningConfigArn))
  await run.record('get_csc_invalid', new GetCodeSigningConfigCommand({ CodeSigningConfigArn: missing }))
  const get = (name: string): GetFunctionCodeSigningConfigCommand =>
    new GetFunctionCodeSigningConfigCommand({ FunctionName: name })
  await run.record('get_function_csc_fnwithoutcsc', get(FunctionName))
  await run.record('get_function_csc_nonexistingfn', get(nobody))
  const list = (arn: string): ListFunctionsByCodeSigningConfigCommand =>
    new ListFunctionsByCodeSigningConfigCommand({ CodeSigningConfigArn: arn })
  await run.record('list_functions_by_csc_fnwithoutcsc', list(CodeSigningConfigArn))
  await run.record('list_functions_by_csc_invalid_cscarn', list(missing))
}
