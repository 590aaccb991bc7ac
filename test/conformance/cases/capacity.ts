import {
  GetFunctionConfigurationCommand,
  GetProvisionedConcurrencyConfigCommand,
  InvokeCommand,
  ListTagsCommand,
  PublishVersionCommand,
  PutFunctionConcurrencyCommand,
  PutProvisionedConcurrencyConfigCommand,
  CreateAliasCommand,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-lambda'
import { until } from '../../support/until.ts'
import type { Case, CaseRun } from '../case.ts'
import { arnOf } from '../service.ts'

/** What is reserved for functions and kept ready for them, and where they run. */
export const CAPACITY_CASES: readonly Case[] = [
  {
    recording: 'lambda_api::TestLambdaTag::test_tag_exceptions[capacity_provider]',
    script: async (run) => {
      const Resource = arnOf('nothing').replace(':function:', ':capacity-provider:')
      const tag = (arn: string): TagResourceCommand =>
        new TagResourceCommand({ Resource: arn, Tags: { A: 'B' } })
      await run.record('not_found_exception_tag', tag(Resource))
      await run.record('not_found_exception_untag', new UntagResourceCommand({ Resource, TagKeys: ['A'] }))
      await run.record('not_found_exception_list', new ListTagsCommand({ Resource }))
      await run.record('aliased_arn_exception', tag(`${Resource}:alias`))
      await run.record('invalid_arn_exception', tag(Resource.replace(':capacity-provider:', ':foobar:')))
    },
  },
  { recording: 'lambda::TestLambdaConcurrency::test_lambda_concurrency_block', script: block },
  {
    recording: 'lambda::TestLambdaConcurrency::test_provisioned_concurrency_on_alias',
    script: async (run) => {
      const FunctionName = run.name
      await run.create()
      await publish(run)
      await run.send(new CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1' }))
      await run.record('put_provisioned_5', provision(run, 'live', 5))
      await run.record('get_provisioned_prewait', provisioned(run, 'live'))
      await ready(run, 'live')
      await run.record('get_provisioned_postwait', provisioned(run, 'live'))
    },
  },
  {
    recording: 'lambda::TestLambdaConcurrency::test_lambda_provisioned_concurrency_scheduling',
    script: async (run) => {
      await run.create()
      await publish(run)
      await run.send(provision(run, '1', 1))
      await ready(run, '1')
      await run.record('get_provisioned_postwait', provisioned(run, '1'))
    },
  },
  {
    recording: 'lambda::TestLambdaConcurrency::test_reserved_concurrency_async_queue',
    script: async (run) => {
      const FunctionName = run.name
      await run.create({ source: 'exports.handler = (ms) => new Promise((end) => setTimeout(end, ms))' })
      const Qualifier = '$LATEST'
      await run.record('fn', new GetFunctionConfigurationCommand({ FunctionName, Qualifier }))
      await run.record(
        'put_fn_concurrency',
        new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions: 1 }),
      )
      const sleeper = new InvokeCommand({
        FunctionName,
        InvocationType: 'Event',
        Payload: Buffer.from('2000'),
      })
      await run.send(sleeper)
      await run.record('too_many_requests_exc', new InvokeCommand({ FunctionName }))
    },
  },
]

/** All that is reserved for the function is kept ready for one version: the others have nothing left. */
async function block(run: CaseRun): Promise<void> {
  const FunctionName = run.name
  await run.create()
  const call = (Qualifier: string): InvokeCommand =>
    new InvokeCommand({ FunctionName, Qualifier, Payload: Buffer.from('{"hello":"world"}') })
  await run.record('v1_result', new PublishVersionCommand({ FunctionName }))
  await run.ready(FunctionName, '1')
  await run.record(
    'reserved_concurrency_result',
    new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions: 1 }),
  )
  await run.record('invoke_latest_before_block', call('$LATEST'))
  await run.record('provisioned_concurrency_result', provision(run, '1', 1))
  await run.record('invoke_latest_first_exc', call('$LATEST'))
  await run.record('invoke_v1_after_block', call('1'))
  await run.record('invoke_latest_second_exc', call('$LATEST'))
}

async function publish(run: CaseRun): Promise<void> {
  await run.send(new PublishVersionCommand({ FunctionName: run.name }))
  await run.ready(run.name, '1')
}

const provision = (run: CaseRun, Qualifier: string, count: number): PutProvisionedConcurrencyConfigCommand =>
  new PutProvisionedConcurrencyConfigCommand({
    FunctionName: run.name,
    Qualifier,
    ProvisionedConcurrentExecutions: count,
  })

const provisioned = (run: CaseRun, Qualifier: string): GetProvisionedConcurrencyConfigCommand =>
  new GetProvisionedConcurrencyConfigCommand({ FunctionName: run.name, Qualifier })

const ready = (run: CaseRun, qualifier: string): Promise<unknown> =>
  until(
    'all environments are ready',
    async () => (await run.send(provisioned(run, qualifier)))['Status'] === 'READY',
    30_000,
  )
