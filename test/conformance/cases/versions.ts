import {
  CreateAliasCommand,
  DeleteFunctionCommand,
  GetAliasCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  ListVersionsByFunctionCommand,
  PublishVersionCommand,
  UpdateAliasCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda'
import type { Case, CaseRun } from '../case.ts'
import { codeOf } from '../service.ts'

/** Versions, aliases and revisions. */
export const VERSION_CASES: readonly Case[] = [
  { recording: 'lambda_api::TestLambdaVersions::test_publish_version_on_create', script: publishOnCreate },
  { recording: 'lambda_api::TestLambdaVersions::test_version_lifecycle', script: lifecycle },
  { recording: 'lambda_api::TestLambdaVersions::test_publish_with_wrong_revisionid', script: wrongRevision },
  { recording: 'lambda_api::TestLambdaVersions::test_publish_with_update', script: publishWithUpdate },
  { recording: 'lambda_api::TestLambdaAlias::test_alias_naming', script: aliasNames },
  { recording: 'lambda_api::TestLambdaAlias::test_non_existent_alias_update', script: missingAlias },
  {
    recording: 'lambda_api::TestLambdaRevisions::test_function_revisions_version_and_alias',
    script: revisions,
  },
  { recording: 'lambda::TestLambdaAliases::test_alias_routingconfig', script: routing },
  { recording: 'lambda::TestLambdaVersions::test_lambda_versions_with_code_changes', script: codeChanges },
]

/** A revision that nothing has. */
export const WRONG_REVISION = '00000000-0000-4000-8000-000000000000'

async function publishOnCreate(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  const list = new ListVersionsByFunctionCommand({ FunctionName })
  await run.record('create_response', await run.plainCreation({ Publish: true }))
  await run.ready()
  await run.ready(FunctionName, '1')
  await run.record('get_function_result', new GetFunctionCommand({ FunctionName }))
  await run.record('get_function_version_result', new GetFunctionCommand({ FunctionName, Qualifier: '1' }))
  const latest = new GetFunctionCommand({ FunctionName, Qualifier: '$LATEST' })
  await run.record('get_function_latest_result', latest)
  await run.record('list_versions_result', list)
  await run.record('repeated_publish_response', new PublishVersionCommand({ FunctionName }))
  await run.record('list_versions_result_after_publish', list)
}

async function lifecycle(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  const get = (Qualifier?: string): GetFunctionCommand =>
    new GetFunctionCommand(Qualifier === undefined ? { FunctionName } : { FunctionName, Qualifier })
  const list = new ListVersionsByFunctionCommand({ FunctionName })
  const update = (Description: string): UpdateFunctionConfigurationCommand =>
    new UpdateFunctionConfigurationCommand({ FunctionName, Description })
  await run.record('create_response', await run.plainCreation({ Description: 'No version :(' }))
  await run.ready()
  await run.record('get_function_result', get())
  await run.record('list_versions_result', list)
  await run.record('first_update_response', update('First version :)'))
  await run.ready()
  await run.record('first_update_get_function', get())
  const Description = 'First version description :)'
  await run.record('first_publish_response', new PublishVersionCommand({ FunctionName, Description }))
  await run.record('first_publish_get_function', get('1'))
  const configuration = new GetFunctionConfigurationCommand({ FunctionName, Qualifier: '1' })
  await run.record('first_publish_get_function_config', configuration)
  await run.record('second_update_response', update('Second version :))'))
  await run.ready()
  await run.record('first_publish_get_function_after_update', get('1'))
  await run.record('second_publish_response', new PublishVersionCommand({ FunctionName }))
  await run.record('third_publish_response', new PublishVersionCommand({ FunctionName }))
  await run.record('list_versions_result_after_third_publish', list)
  await run.send(new DeleteFunctionCommand({ FunctionName, Qualifier: '1' }))
  await run.record('list_versions_result_after_deletion_of_first_version', list)
}

async function wrongRevision(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  await run.record('create_response', await run.plainCreation())
  await run.ready()
  const { Configuration } = await run.record('get_fn_response', new GetFunctionCommand({ FunctionName }))
  const publish = (RevisionId: string): PublishVersionCommand =>
    new PublishVersionCommand({ FunctionName, RevisionId })
  await run.record('publish_wrong_revisionid_exc', publish(WRONG_REVISION))
  await run.record('publish_result', publish((Configuration as { RevisionId: string }).RevisionId))
}

async function publishWithUpdate(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  await run.record('create_response', await run.plainCreation())
  await run.ready()
  await run.record('get_function_result', new GetFunctionCommand({ FunctionName }))
  const ZipFile = await codeOf('exports.handler = async () => 2')
  const update = new UpdateFunctionCodeCommand({ FunctionName, ZipFile, Publish: true })
  await run.record('update_function_code_result', update)
  await run.record('get_function_version_result', new GetFunctionCommand({ FunctionName, Qualifier: '1' }))
  const latest = new GetFunctionCommand({ FunctionName, Qualifier: '$LATEST' })
  await run.record('get_function_latest_result', latest)
}

async function aliasNames(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  const Environment = { Variables: { testenv: 'staging' } }
  await run.record('create_response', await run.plainCreation({ Environment }))
  await run.ready()
  await run.record('publish_v1', new PublishVersionCommand({ FunctionName }))
  const alias = { FunctionName, FunctionVersion: '1', Description: 'custom-alias' }
  await run.record('create_alias_date', new CreateAliasCommand({ ...alias, Name: '2024-01-02' }))
  await run.record('get_alias_date', new GetAliasCommand({ FunctionName, Name: '2024-01-02' }))
  await run.record('create_alias_number_exception', new CreateAliasCommand({ ...alias, Name: '2024' }))
}

async function missingAlias(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  const Environment = { Variables: { testenv: 'staging' } }
  await run.record('create_response', await run.plainCreation({ Environment }))
  await run.ready()
  await run.record('update_alias_response', new UpdateAliasCommand({ FunctionName, Name: 'non-existent' }))
}

async function revisions(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  const get = (Qualifier?: string): GetFunctionCommand =>
    new GetFunctionCommand(Qualifier === undefined ? { FunctionName } : { FunctionName, Qualifier })
  const revisionOf = (answer: Readonly<Record<string, unknown>>): string =>
    (answer['Configuration'] as { RevisionId: string }).RevisionId
  const created = await run.record('create_function_response_rev1', await run.creation())
  await run.ready()
  const active = await run.record('get_function_active_rev2', get())
  const publish = (RevisionId: string): PublishVersionCommand =>
    new PublishVersionCommand({ FunctionName, RevisionId })
  await run.record('publish_version_revision_exception', publish(String(created['RevisionId'])))
  await run.record('publish_version_response_rev_v1', publish(revisionOf(active)))
  await run.record('get_function_published_version_rev_v2', get('1'))
  await run.record('get_function_latest_rev3', get())
  const alias = { FunctionName, Name: 'revision_alias' }
  const made = await run.record(
    'create_alias_response_rev_a1',
    new CreateAliasCommand({ ...alias, FunctionVersion: '1' }),
  )
  await run.record('get_function_latest_rev4', get())
  await run.record('get_function_published_version_rev_v3', get('1'))
  const update = (RevisionId: string): UpdateAliasCommand =>
    new UpdateAliasCommand({ ...alias, RevisionId, Description: 'something changed' })
  await run.record('update_alias_revision_exception', update(WRONG_REVISION))
  await run.record('update_alias_response_rev_a2', update(String(made['RevisionId'])))
}

async function routing(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  await run.create()
  await run.send(new PublishVersionCommand({ FunctionName }))
  const ZipFile = await codeOf('exports.handler = async () => 2')
  await run.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile }))
  await run.ready()
  await run.send(new PublishVersionCommand({ FunctionName }))
  const RoutingConfig = { AdditionalVersionWeights: { '2': 0.5 } }
  const alias = { FunctionName, Name: 'alias1', FunctionVersion: '1', RoutingConfig }
  await run.record('create_alias_response', new CreateAliasCommand(alias))
}

async function codeChanges(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  const source = (version: number): string =>
    `exports.handler = async (event, context) => ({ version_id: 'version${version}', ` +
    'invoked_arn: context.invokedFunctionArn, version_from_ctx: context.functionVersion })'
  const invoke = (Qualifier?: string): InvokeCommand =>
    new InvokeCommand(Qualifier === undefined ? { FunctionName } : { FunctionName, Qualifier })
  const publish = (Description: string): PublishVersionCommand =>
    new PublishVersionCommand({ FunctionName, Description })
  const creation = { Timeout: undefined, Environment: undefined, Description: 'No version :(' }
  await run.record('create_response', await run.creation({ ...creation, source: source(1) }))
  await run.ready()
  await run.record('first_publish_response', publish('First version description :)'))
  const second = { FunctionName, ZipFile: await codeOf(source(2)) }
  await run.record('update_lambda_response', new UpdateFunctionCodeCommand(second))
  await run.ready()
  await run.record('invocation_result_latest', invoke())
  await run.record('invocation_result_v1', invoke('1'))
  await run.record('second_publish_response', publish('Second version description :)'))
  await run.record('invocation_result_v2', invoke('2'))
  const third = { FunctionName, ZipFile: await codeOf(source(3)), Publish: true }
  await run.record('update_lambda_response_with_publish', new UpdateFunctionCodeCommand(third))
  await run.ready()
  await run.ready(FunctionName, '3')
  await run.record('invocation_result_v3', invoke('3'))
  await run.record('invocation_result_latest_end', invoke())
  await run.record('invocation_result_v2_end', invoke('2'))
  await run.record('invocation_result_v1_end', invoke('1'))
}
