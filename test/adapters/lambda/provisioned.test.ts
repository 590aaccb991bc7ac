import {
  CreateAliasCommand,
  CreateFunctionCommand,
  DeleteAliasCommand,
  DeleteFunctionConcurrencyCommand,
  DeleteProvisionedConcurrencyConfigCommand,
  GetAccountSettingsCommand,
  GetProvisionedConcurrencyConfigCommand,
  ListProvisionedConcurrencyConfigsCommand,
  PublishVersionCommand,
  PutFunctionConcurrencyCommand,
  PutProvisionedConcurrencyConfigCommand,
  UpdateAliasCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { within } from '../../support/until.ts'
import { NEW, refusalOf, startApi, type Refusal, type TestApi, type TestApiOptions } from './start-api.ts'

const provisioned = suite('Lambda API: provisioned concurrency')

const ARN = 'arn:aws:lambda:us-east-1:000000000000:function:orders'
const FunctionName = 'orders'
const HERE = { account: '000000000000', region: 'us-east-1' }
const refused = (name: string, status: number, message: string): Refusal => ({ name, message, status })
const invalid = (message: string): Refusal => refused('InvalidParameterValueException', 400, message)

/** An API with an active function, its versions 1 and 2 and the alias `live` for 1. */
async function started(options: TestApiOptions = {}): Promise<TestApi> {
  const api = await startApi(options)
  const settled = (): Promise<void> => within('a settled function', api.registry.ready(HERE, FunctionName))
  await api.client.send(new CreateFunctionCommand({ ...NEW, Publish: true }))
  await settled()
  await api.client.send(new UpdateFunctionConfigurationCommand({ FunctionName, Timeout: 4 }))
  await settled()
  await api.client.send(new PublishVersionCommand({ FunctionName }))
  await api.client.send(new CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1' }))
  return api
}

const putter =
  ({ client }: TestApi) =>
  (Qualifier: string, ProvisionedConcurrentExecutions = 1, name = FunctionName) =>
    client.send(
      new PutProvisionedConcurrencyConfigCommand({
        FunctionName: name,
        Qualifier,
        ProvisionedConcurrentExecutions,
      }),
    )

const get = ({ client }: TestApi, Qualifier: string, name = FunctionName) =>
  client.send(new GetProvisionedConcurrencyConfigCommand({ FunctionName: name, Qualifier }))

const reserve = ({ client }: TestApi, ReservedConcurrentExecutions: number) =>
  client.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions }))

provisioned('it is asked for, shown, listed and taken back', async () => {
  await using api = await started()
  const put = putter(api)

  const { $metadata, ...asked } = await put('live', 3)
  const share = api.registry.get(HERE, FunctionName).limits.provisioned?.get('1')
  if (share !== undefined) share.ready = 2
  const partly = await get(api, 'live')
  if (share !== undefined) share.ready = 3
  const all = await get(api, 'live')
  await put('2', 1)
  const first = await api.client.send(
    new ListProvisionedConcurrencyConfigsCommand({ FunctionName, MaxItems: 1 }),
  )
  const second = await api.client.send(
    new ListProvisionedConcurrencyConfigsCommand({ FunctionName, Marker: first.NextMarker }),
  )
  const gone = await api.client.send(
    new DeleteProvisionedConcurrencyConfigCommand({ FunctionName, Qualifier: 'live' }),
  )
  const again = await api.client.send(
    new DeleteProvisionedConcurrencyConfigCommand({ FunctionName, Qualifier: 'live' }),
  )

  assert.is($metadata.httpStatusCode, 202)
  assert.equal(asked, {
    RequestedProvisionedConcurrentExecutions: 3,
    AvailableProvisionedConcurrentExecutions: 0,
    AllocatedProvisionedConcurrentExecutions: 0,
    Status: 'IN_PROGRESS',
    LastModified: '2026-01-02T03:04:05.678+0000',
  })
  assert.equal([partly.Status, partly.AvailableProvisionedConcurrentExecutions], ['IN_PROGRESS', 2])
  assert.equal([all.Status, all.AllocatedProvisionedConcurrentExecutions], ['READY', 3])
  assert.equal(
    [...(first.ProvisionedConcurrencyConfigs ?? []), ...(second.ProvisionedConcurrencyConfigs ?? [])].map(
      (one) => [one.FunctionArn, one.RequestedProvisionedConcurrentExecutions],
    ),
    [
      [`${ARN}:2`, 1],
      [`${ARN}:live`, 3],
    ],
  )
  assert.is(second.NextMarker, undefined)
  assert.equal([gone.$metadata.httpStatusCode, again.$metadata.httpStatusCode], [204, 204])
  assert.equal(
    await refusalOf(get(api, 'live')),
    refused(
      'ProvisionedConcurrencyConfigNotFoundException',
      404,
      'No Provisioned Concurrency Config found for this function',
    ),
  )
})

provisioned('what is missing and what is never provisioned is refused in the service’s words', async () => {
  await using api = await started()
  const put = putter(api)
  const unpublished = invalid('The function resource provided must be an alias or a published version.')
  const zero =
    "1 validation error detected: Value '0' at 'provisionedConcurrentExecutions' failed to satisfy constraint: " +
    'Member must have value greater than or equal to 1'

  assert.equal(await refusalOf(put('live', 0)), refused('ValidationException', 400, zero))
  assert.equal(
    await refusalOf(put('$LATEST')),
    invalid('Provisioned Concurrency Configs cannot be applied to unpublished function versions.'),
  )
  assert.equal(await refusalOf(get(api, '$LATEST')), unpublished)
  assert.equal(
    await refusalOf(put('9')),
    refused('ResourceNotFoundException', 404, `Function not found: ${ARN}:9`),
  )
  assert.equal(
    await refusalOf(get(api, 'none')),
    refused('ResourceNotFoundException', 404, `Cannot find alias arn: ${ARN}:none`),
  )
  assert.equal(
    await refusalOf(get(api, '1', 'nobody')),
    refused('ResourceNotFoundException', 404, `Function not found: ${ARN.replace('orders', 'nobody')}:1`),
  )
  const list = new ListProvisionedConcurrencyConfigsCommand({ FunctionName: 'nobody' })
  assert.is((await refusalOf(api.client.send(list))).name, 'ResourceNotFoundException')
  const bare = await fetch(`${api.url}/2019-09-30/functions/orders/provisioned-concurrency`)
  assert.is(bare.status, 400)
  assert.match(await bare.text(), /Value null at 'qualifier' failed to satisfy constraint/)
})

provisioned(
  'a version has it from its alias or by itself, not both; a divided alias asks for none',
  async () => {
    await using api = await started()
    const put = putter(api)
    await put('live')

    const version = await refusalOf(put('1'))
    await put('2')
    await api.client.send(new CreateAliasCommand({ FunctionName, Name: 'next', FunctionVersion: '2' }))
    const alias = await refusalOf(put('next'))
    const RoutingConfig = { AdditionalVersionWeights: { 2: 0.25 } }
    await put('live', 8)
    await api.client.send(new UpdateAliasCommand({ FunctionName, Name: 'live', RoutingConfig }))
    const divided = await refusalOf(put('live'))
    const shares = api.registry.get(HERE, FunctionName).limits.provisioned

    assert.equal(
      version,
      refused('ResourceConflictException', 409, 'Version is pointed by a Provisioned Concurrency alias'),
    )
    assert.equal(
      alias,
      refused(
        'ResourceConflictException',
        409,
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version",
      ),
    )
    assert.equal(divided, invalid('Alias with weights can not be used with Provisioned Concurrency'))
    assert.equal([shares?.get('1')?.count, shares?.get('2')?.count], [6, 3])
  },
)

provisioned('it counts in what is reserved for the function, or against the account', async () => {
  await using api = await started()
  const put = putter(api)
  const unreserved = async (): Promise<number | undefined> =>
    (await api.client.send(new GetAccountSettingsCommand({}))).AccountLimit?.UnreservedConcurrentExecutions

  await put('live', 5)
  const without = await unreserved()
  await reserve(api, 10)
  const within = await unreserved()
  const tooMuch = await refusalOf(put('live', 11))
  const tooLow = await refusalOf(reserve(api, 4))
  await api.client.send(new DeleteFunctionConcurrencyCommand({ FunctionName }))
  const all = await refusalOf(put('live', 1001))
  const nearlyAll = await refusalOf(put('live', 901))
  await put('live', 900)

  assert.equal([without, within], [995, 990])
  assert.equal(
    tooMuch,
    invalid(
      'Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function',
    ),
  )
  assert.equal(
    tooLow,
    invalid(
      " ReservedConcurrentExecutions  4 should not be lower than function's total provisioned concurrency [5].",
    ),
  )
  assert.equal(
    all,
    invalid(
      "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [1000].",
    ),
  )
  assert.equal(
    nearlyAll,
    invalid(
      "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].",
    ),
  )
})

provisioned('more than the machine could ever hold is refused with the reason', async () => {
  await using api = await started({
    feasible: (_version, times = 1) => (times > 3 ? 'There is room for 3 times memoryMb 128.' : undefined),
  })
  const put = putter(api)

  const tooMany = await refusalOf(put('live', 4))
  await put('live', 3)

  assert.equal(
    tooMany,
    invalid(
      `4 environments of ${ARN}:live can never be ready at once: There is room for 3 times memoryMb 128.`,
    ),
  )
})

provisioned('it goes with its alias', async () => {
  await using api = await started()
  await putter(api)('live')

  await api.client.send(new DeleteAliasCommand({ FunctionName, Name: 'live' }))
  await api.client.send(new CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1' }))

  assert.is((await refusalOf(get(api, 'live'))).name, 'ProvisionedConcurrencyConfigNotFoundException')
  assert.is(api.registry.get(HERE, FunctionName).limits.provisioned, undefined)
})

provisioned.run()
