import {
  AddPermissionCommand,
  CreateAliasCommand,
  CreateFunctionUrlConfigCommand,
  DeleteFunctionCommand,
  DeleteFunctionConcurrencyCommand,
  DeleteFunctionEventInvokeConfigCommand,
  DeleteFunctionUrlConfigCommand,
  GetAliasCommand,
  GetFunctionCommand,
  GetFunctionConcurrencyCommand,
  GetFunctionEventInvokeConfigCommand,
  GetFunctionRecursionConfigCommand,
  GetFunctionUrlConfigCommand,
  GetPolicyCommand,
  ListFunctionEventInvokeConfigsCommand,
  ListTagsCommand,
  PublishVersionCommand,
  PutFunctionConcurrencyCommand,
  PutFunctionEventInvokeConfigCommand,
  PutFunctionRecursionConfigCommand,
  RemovePermissionCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateFunctionEventInvokeConfigCommand,
  UpdateFunctionUrlConfigCommand,
  type AddPermissionCommandInput,
} from '@aws-sdk/client-lambda'
import type { Case, CaseRun } from '../case.ts'
import { arnOf } from '../service.ts'
import { WRONG_REVISION } from './versions.ts'

/** What hangs on functions: tags, permissions, concurrency, URLs, settings of events. */
export const ATTACHMENT_CASES: readonly Case[] = [
  { recording: 'lambda_api::TestLambdaTag::test_create_tag_on_fn_create', script: tagOnCreate },
  { recording: 'lambda_api::TestLambdaTag::test_tag_lifecycle', script: tagging },
  { recording: 'lambda_api::TestLambdaTag::test_tag_nonexisting_resource', script: tagNothing },
  { recording: 'lambda_api::TestLambdaTag::test_tag_exceptions[lambda_function]', script: tagRefusals },
  { recording: 'lambda_api::TestLambdaTags::test_tag_exceptions', script: tagExceptions },
  { recording: 'lambda_api::TestLambdaTags::test_tag_limits', script: tagLimits },
  { recording: 'lambda_api::TestLambdaTags::test_tag_lifecycle', script: tagLifecycle },
  { recording: 'lambda_api::TestLambdaPermissions::test_permission_exceptions', script: permissionRefusals },
  {
    recording: 'lambda_api::TestLambdaPermissions::test_lambda_permission_fn_versioning',
    script: permissions,
  },
  {
    recording: 'lambda_api::TestLambdaRevisions::test_function_revisions_permissions',
    script: policyRevision,
  },
  { recording: 'lambda_api::TestLambdaReservedConcurrency::test_function_concurrency', script: concurrency },
  {
    recording: 'lambda_api::TestLambdaReservedConcurrency::test_function_concurrency_limits',
    script: concurrencyLimits,
  },
  { recording: 'lambda::TestLambdaConcurrency::test_lambda_concurrency_update', script: concurrencyUpdate },
  { recording: 'lambda_api::TestLambdaUrl::test_url_config_lifecycle', script: url },
  { recording: 'lambda::TestLambdaURL::test_lambda_update_function_url_config', script: urlUpdate },
  { recording: 'lambda::TestLambdaURL::test_lambda_url_invalid_invoke_mode', script: urlMode },
  {
    recording: 'lambda_api::TestLambdaEventInvokeConfig::test_lambda_eventinvokeconfig_lifecycle',
    script: eventSettings,
  },
  {
    recording: 'lambda_api::TestLambdaRecursion::test_put_function_recursion_config_default_terminate',
    script: async (run) => {
      await run.create()
      const get = new GetFunctionRecursionConfigCommand({ FunctionName: run.name })
      await run.record('get_recursion_default_terminate_response', get)
    },
  },
  {
    recording: 'lambda_api::TestLambdaRecursion::test_put_function_recursion_config_invalid_value',
    script: async (run) => {
      await run.create()
      const put = { FunctionName: run.name, RecursiveLoop: 'InvalidValue' as 'Allow' }
      await run.record('put_recursion_invalid_value_error', new PutFunctionRecursionConfigCommand(put))
    },
  },
]

async function tagOnCreate(run: CaseRun): Promise<void> {
  await run.create({ Tags: { testtag: 'custom-value' } })
  await run.record('get_function_result', new GetFunctionCommand({ FunctionName: run.name }))
  await run.record('list_tags_result', new ListTagsCommand({ Resource: arnOf(run.name) }))
}

async function tagging(run: CaseRun): Promise<void> {
  const Resource = arnOf(run.name)
  await run.create()
  const tag = async (entry: string, Tags: Record<string, string>): Promise<void> => {
    await run.record(entry, new TagResourceCommand({ Resource, Tags }))
    await run.record(`${entry}_listtags`, new ListTagsCommand({ Resource }))
  }
  const untag = async (entry: string, TagKeys: string[]): Promise<void> => {
    await run.record(entry, new UntagResourceCommand({ Resource, TagKeys }))
    await run.record(`${entry}_listtags`, new ListTagsCommand({ Resource }))
  }
  await tag('tag_single_response', { A: 'tag-a' })
  await tag('tag_multiple_response', { B: 'tag-b', C: 'tag-c' })
  await tag('tag_overlap_response', { C: 'tag-c-newsuffix', D: 'tag-d' })
  await untag('untag_single_response', ['A'])
  await untag('untag_multiple_response', ['B', 'C'])
  await untag('untag_nonexisting_response', ['F'])
  await untag('untag_existing_and_nonexisting_response', ['D', 'F'])
}

async function tagNothing(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  const Resource = arnOf(FunctionName)
  await run.create()
  await run.record('pre_delete_get_function', new GetFunctionCommand({ FunctionName }))
  await run.send(new DeleteFunctionCommand({ FunctionName }))
  await run.record('not_found_exception_tag', new TagResourceCommand({ Resource, Tags: { A: 'B' } }))
  await run.record('not_found_exception_untag', new UntagResourceCommand({ Resource, TagKeys: ['A'] }))
  await run.record('not_found_exception_list', new ListTagsCommand({ Resource }))
}

async function tagRefusals(run: CaseRun): Promise<void> {
  const Resource = arnOf('nobody')
  const tag = (arn: string): TagResourceCommand => new TagResourceCommand({ Resource: arn, Tags: { A: 'B' } })
  await run.record('not_found_exception_tag', tag(Resource))
  await run.record('not_found_exception_untag', new UntagResourceCommand({ Resource, TagKeys: ['A'] }))
  await run.record('not_found_exception_list', new ListTagsCommand({ Resource }))
  await run.record('aliased_arn_exception', tag(`${Resource}:alias`))
  await run.record('invalid_arn_exception', tag(Resource.replace(':function:', ':foobar:')))
}

async function tagExceptions(run: CaseRun): Promise<void> {
  const Resource = arnOf(run.name)
  await run.create()
  const tag = (arn: string, Tags: Record<string, string> = { A: 'B' }): TagResourceCommand =>
    new TagResourceCommand({ Resource: arn, Tags })
  await run.record('tag_lambda_invalidarn', tag('arn:aws:something'))
  await run.record('tag_lambda_doesnotexist', tag(arnOf('doesnotexist')))
  await run.record('tag_lambda_qualifier_doesnotexist', tag(`${Resource}:v1`))
  await run.record('list_tag_lambda_empty', new ListTagsCommand({ Resource }))
  await run.record('untag_nomatch', new UntagResourceCommand({ Resource, TagKeys: ['somekey'] }))
  await run.record('untag_empty_keys', new UntagResourceCommand({ Resource, TagKeys: [] }))
  await run.record('tag_empty_tags', tag(Resource, {}))
}

async function tagLimits(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  const Resource = arnOf(FunctionName)
  const many = (count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`${index}_key`, `${index}_value`]))
  const tag = (Tags: Record<string, string>): TagResourceCommand => new TagResourceCommand({ Resource, Tags })
  await run.create()
  await run.record('tag_lambda_too_many_tags', tag(many(51)))
  await run.record('tag_response', tag(many(50)))
  await run.record('list_tags_response', new ListTagsCommand({ Resource }))
  await run.record('get_fn_response', new GetFunctionCommand({ FunctionName }))
  await run.record('tag_lambda_too_many_tags_additional', tag({ a_key: 'a_value' }))
  const other = await run.creation({ FunctionName: `${FunctionName}-b`, Tags: many(51) })
  await run.record('create_function_invalid_tags', other)
}

async function tagLifecycle(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  const Resource = arnOf(FunctionName)
  const look = async (suffix: string): Promise<void> => {
    await run.record(`list_tags_response_${suffix}`, new ListTagsCommand({ Resource }))
    await run.record(`get_fn_response_${suffix}`, new GetFunctionCommand({ FunctionName }))
  }
  const tag = (Tags: Record<string, string>): TagResourceCommand => new TagResourceCommand({ Resource, Tags })
  await run.create({ Tags: { key_a: 'value_a' } })
  await look('postfncreate')
  const added = { key_b: 'value_b', key_c: 'value_c', key_d: 'value_d', key_e: 'value_e' }
  await run.record('tag_resource_response', tag(added))
  await look('postaddtags')
  await run.record('tag_resource_overwrite', tag({ key_b: 'value_b', key_c: 'value_x' }))
  await look('overwrite')
  await run.send(new UntagResourceCommand({ Resource, TagKeys: ['key_c', 'key_d'] }))
  await look('postuntag')
  await run.send(new UntagResourceCommand({ Resource, TagKeys: ['key_a', 'key_b', 'key_e'] }))
  await look('postuntagall')
  await run.send(new DeleteFunctionCommand({ FunctionName }))
  await run.record('list_tags_postdelete', new ListTagsCommand({ Resource }))
}

const GRANT = { Action: 'lambda:InvokeFunction', StatementId: 's3', Principal: 's3.amazonaws.com' } as const

async function permissionRefusals(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  await run.create()
  const add = (change: Partial<AddPermissionCommandInput>): AddPermissionCommand =>
    new AddPermissionCommand({ FunctionName, ...GRANT, ...change })
  const remove = (name: string, Qualifier?: string): RemovePermissionCommand =>
    new RemovePermissionCommand({
      FunctionName: name,
      StatementId: 's3',
      ...(Qualifier ? { Qualifier } : {}),
    })
  await run.record('add_permission_invalid_statement_id', add({ StatementId: 'example.com' }))
  const mismatch = { FunctionName: `${FunctionName}:alias-not-42`, Qualifier: '42' }
  await run.record('add_permission_fn_qualifier_mismatch', add(mismatch))
  await run.record('add_permission_fn_qualifier_latest', add({ Qualifier: '$LATEST' }))
  await run.record('add_permission_principal_invalid', add({ Principal: 'invalid.nonaws.com' }))
  const policy = (name: string, Qualifier?: string): GetPolicyCommand =>
    new GetPolicyCommand({ FunctionName: name, ...(Qualifier === undefined ? {} : { Qualifier }) })
  await run.record('get_policy_fn_doesnotexist', policy('doesnotexist'))
  await run.record('get_policy_fn_version_doesnotexist', policy(FunctionName, '42'))
  await run.record('add_permission_fn_doesnotexist', add({ FunctionName: 'doesnotexist' }))
  await run.record('remove_permission_policy_doesnotexist', remove(FunctionName))
  await run.record('add_permission_fn_alias_doesnotexist', add({ Qualifier: 'alias-doesnotexist' }))
  await run.record('add_permission_fn_version_doesnotexist', add({ Qualifier: '42' }))
  const odd = 'invalid-qualifier-with-?-char'
  await run.record('add_permission_fn_qualifier_invalid', add({ Qualifier: odd }))
  const missing = 'valid-with-$-but-doesnotexist'
  await run.record('add_permission_fn_qualifier_valid_doesnotexist', add({ Qualifier: missing }))
  await run.send(add({}))
  await run.record('add_permission_conflicting_statement_id', add({}))
  await run.record('remove_permission_fn_doesnotexist', remove('doesnotexist'))
  await run.record('remove_permission_fn_alias_doesnotexist', remove(FunctionName, 'alias-doesnotexist'))
}

/** The recorded cases show a policy as the object that its text holds. */
async function recordPolicy(run: CaseRun, entry: string, Qualifier?: string): Promise<string> {
  const FunctionName = run.name
  const command = new GetPolicyCommand(
    Qualifier === undefined ? { FunctionName } : { FunctionName, Qualifier },
  )
  const answer = await run.send(command)
  const Policy = 'Policy' in answer ? { Policy: JSON.parse(String(answer['Policy'])) as unknown } : {}
  run.compare(entry, { ...answer, ...Policy })
  return String(answer['RevisionId'])
}

async function permissions(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  const SourceArn = 'arn:aws:s3:::bucket-of-conformance'
  const add = (change: Partial<AddPermissionCommandInput> = {}): AddPermissionCommand =>
    new AddPermissionCommand({ FunctionName, ...GRANT, SourceArn, ...change })
  await run.create()
  const { Statement, ...rest } = await run.send(add())
  run.compare('add_permission', { Statement: JSON.parse(String(Statement)) as unknown, ...rest })
  await recordPolicy(run, 'get_policy')
  await run.record('publish_version_result', new PublishVersionCommand({ FunctionName }))
  await run.record('get_function_result_after_publishing', new GetFunctionCommand({ FunctionName }))
  await recordPolicy(run, 'get_policy_after_publishing_latest')
  await recordPolicy(run, 'get_policy_after_publishing_new_version', '1')
  await run.send(add({ Qualifier: '1' }))
  await recordPolicy(run, 'get_policy_version', '1')
  const Name = 'permission-alias'
  await run.record(
    'create_alias_response',
    new CreateAliasCommand({ FunctionName, Name, FunctionVersion: '1' }),
  )
  await run.record('get_alias', new GetAliasCommand({ FunctionName, Name }))
  const stale = add({ Qualifier: Name, RevisionId: WRONG_REVISION })
  await run.record('add_permission_alias_revision_exception', stale)
  await run.send(add({ Qualifier: Name }))
  await recordPolicy(run, 'get_policy_alias', Name)
  await recordPolicy(run, 'get_policy_after_adding_to_new_version')
  await run.send(add({ StatementId: 's3_2' }))
  await recordPolicy(run, 'get_policy_after_adding_2')
}

async function policyRevision(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  await run.create()
  await run.send(new AddPermissionCommand({ FunctionName, ...GRANT }))
  const again = { FunctionName, ...GRANT, StatementId: 's3_2', RevisionId: WRONG_REVISION }
  await run.record('add_permission_revision_exception', new AddPermissionCommand(again))
}

const reserve = (run: CaseRun, ReservedConcurrentExecutions: number): PutFunctionConcurrencyCommand =>
  new PutFunctionConcurrencyCommand({ FunctionName: run.name, ReservedConcurrentExecutions })

async function concurrency(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  await run.create()
  await run.record('put_function_concurrency_with_reserved_0', reserve(run, 0))
  await run.record('put_function_concurrency_with_reserved_1', reserve(run, 1))
  await run.record('get_function_concurrency', new GetFunctionConcurrencyCommand({ FunctionName }))
  await run.record('delete_response', new DeleteFunctionConcurrencyCommand({ FunctionName }))
  await run.record(
    'get_function_concurrency_after_delete',
    new GetFunctionConcurrencyCommand({ FunctionName }),
  )
}

async function concurrencyLimits(run: CaseRun): Promise<void> {
  await run.create()
  await run.record('put_function_concurrency_account_limit_exceeded', reserve(run, 1001))
  await run.record('put_function_concurrency_below_unreserved_min_value', reserve(run, 950))
}

async function concurrencyUpdate(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  await run.create()
  await run.record('put_function_concurrency', reserve(run, 3))
  await run.record('get_function_concurrency_updated', new GetFunctionConcurrencyCommand({ FunctionName }))
  await run.record('get_function_concurrency_info', new GetFunctionCommand({ FunctionName }))
  await run.send(new DeleteFunctionConcurrencyCommand({ FunctionName }))
  await run.record('get_function_concurrency_deleted', new GetFunctionConcurrencyCommand({ FunctionName }))
}

async function url(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  await run.create()
  const creation = new CreateFunctionUrlConfigCommand({ FunctionName, AuthType: 'NONE' })
  const get = new GetFunctionUrlConfigCommand({ FunctionName })
  await run.record('url_creation', creation)
  await run.record('failed_duplication', creation)
  await run.record('get_url_config', get)
  const update = new UpdateFunctionUrlConfigCommand({ FunctionName, AuthType: 'AWS_IAM' })
  await run.record('updated_url_config', update)
  await run.send(new DeleteFunctionUrlConfigCommand({ FunctionName }))
  await run.record('failed_getter', get)
}

async function urlUpdate(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  await run.create()
  const get = new GetFunctionUrlConfigCommand({ FunctionName })
  const update = (change: { InvokeMode?: 'RESPONSE_STREAM' }): UpdateFunctionUrlConfigCommand =>
    new UpdateFunctionUrlConfigCommand({ FunctionName, ...change })
  const input = { FunctionName, AuthType: 'NONE', InvokeMode: 'BUFFERED' } as const
  await run.record('create_lambda_url_config', new CreateFunctionUrlConfigCommand(input))
  await run.record('get_url_config', get)
  await run.record('modify_lambda_url_config', update({ InvokeMode: 'RESPONSE_STREAM' }))
  await run.record('get_url_config_2', get)
  const nothing = new UpdateFunctionUrlConfigCommand({ FunctionName, AuthType: 'NONE' })
  await run.record('modify_lambda_url_config_none', nothing)
  await run.record('get_url_config_3', get)
}

async function urlMode(run: CaseRun): Promise<void> {
  await run.create()
  const input = { FunctionName: run.name, AuthType: 'NONE' as const, InvokeMode: 'UNKNOWN' as 'BUFFERED' }
  await run.record('invoke_function_invalid_invoke_type', new CreateFunctionUrlConfigCommand(input))
}

async function eventSettings(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  await run.create()
  const put = (change: object): PutFunctionEventInvokeConfigCommand =>
    new PutFunctionEventInvokeConfigCommand({ FunctionName, ...change })
  const update = (change: object): UpdateFunctionEventInvokeConfigCommand =>
    new UpdateFunctionEventInvokeConfigCommand({ FunctionName, ...change })
  const get = (Qualifier?: string): GetFunctionEventInvokeConfigCommand =>
    new GetFunctionEventInvokeConfigCommand({ FunctionName, ...(Qualifier ? { Qualifier } : {}) })
  const list = new ListFunctionEventInvokeConfigsCommand({ FunctionName })
  await run.record('put_invokeconfig_retries_0', put({ MaximumRetryAttempts: 0 }))
  await run.record('put_invokeconfig_eventage_60', put({ MaximumEventAgeInSeconds: 60 }))
  await run.record('update_invokeconfig_eventage_nochange', update({ MaximumEventAgeInSeconds: 60 }))
  await run.record('update_invokeconfig_retries', update({ MaximumRetryAttempts: 1 }))
  await run.record('get_invokeconfig', get())
  await run.record('get_invokeconfig_latest', get('$LATEST'))
  await run.record('list_single_invokeconfig', list)
  await run.record('publish_version_result', new PublishVersionCommand({ FunctionName }))
  await run.record('get_invokeconfig_postpublish', get('1'))
  const published = { Qualifier: '1', MaximumEventAgeInSeconds: 120 }
  await run.record('put_published_invokeconfig', put(published))
  await run.record('get_published_invokeconfig', get('1'))
  await run.send(new DeleteFunctionEventInvokeConfigCommand({ FunctionName }))
  await run.record('list_paging_nolimit_postdelete', list)
}
