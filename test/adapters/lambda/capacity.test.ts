import {
  CreateCapacityProviderCommand,
  CreateFunctionCommand,
  DeleteCapacityProviderCommand,
  DeleteFunctionCommand,
  GetCapacityProviderCommand,
  GetFunctionConfigurationCommand,
  GetFunctionScalingConfigCommand,
  ListCapacityProvidersCommand,
  ListFunctionVersionsByCapacityProviderCommand,
  ListTagsCommand,
  ListVersionsByFunctionCommand,
  PublishVersionCommand,
  PutFunctionScalingConfigCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateCapacityProviderCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { until, within } from '../../support/until.ts'
import { NEW, refusalOf, ROLE, startApi, type TestApi, type TestApiOptions } from './start-api.ts'

const capacity = suite('Lambda API: capacity providers')

const HERE = { account: '000000000000', region: 'us-east-1' }
const ARN = 'arn:aws:lambda:us-east-1:000000000000:capacity-provider:pool'
const FUNCTION = 'arn:aws:lambda:us-east-1:000000000000:function:orders'
const FunctionName = 'orders'
const CapacityProviderName = 'pool'
const VpcConfig = { SubnetIds: ['subnet-1'], SecurityGroupIds: ['sg-1'] }
const PermissionsConfig = { CapacityProviderOperatorRoleArn: ROLE }
const IN_POOL = {
  CapacityProviderConfig: {
    LambdaManagedInstancesCapacityProviderConfig: {
      CapacityProviderArn: ARN,
      PerExecutionEnvironmentMaxConcurrency: 10,
      ExecutionEnvironmentMemoryGiBPerVCpu: 4,
    },
  },
}

const creation = (more: object = {}): CreateCapacityProviderCommand =>
  new CreateCapacityProviderCommand({ CapacityProviderName, VpcConfig, PermissionsConfig, ...more })

const settled = (api: TestApi): Promise<void> =>
  within('a settled function', api.registry.ready(HERE, FunctionName))

/** An API with the provider `pool` and an active function of version 1 in it. */
async function started(options: TestApiOptions = {}): Promise<TestApi> {
  const api = await startApi(options)
  await api.client.send(creation())
  await api.client.send(new CreateFunctionCommand({ ...NEW, MemorySize: 2048, Publish: true, ...IN_POOL }))
  await settled(api)
  return api
}

capacity('a provider is made, becomes active, changes and goes', async () => {
  await using api = await startApi()
  const get = async () =>
    (await api.client.send(new GetCapacityProviderCommand({ CapacityProviderName }))).CapacityProvider

  const made = await api.client.send(
    creation({ CapacityProviderScalingConfig: { MaxVCpuCount: 4 }, Tags: { team: 'blue' } }),
  )
  const active = await until('it is active', async () => {
    const provider = await get()
    return provider?.State === 'Active' ? provider : undefined
  })
  const again = await refusalOf(api.client.send(creation()))
  const updated = await api.client.send(
    new UpdateCapacityProviderCommand({
      CapacityProviderName: ARN,
      CapacityProviderScalingConfig: { ScalingMode: 'Auto' },
    }),
  )
  const listed = await api.client.send(new ListCapacityProvidersCommand({ State: 'Active' }))
  const none = await api.client.send(new ListCapacityProvidersCommand({ State: 'Failed' }))
  const gone = await api.client.send(new DeleteCapacityProviderCommand({ CapacityProviderName }))
  const missing = await refusalOf(get())

  assert.equal(
    [made.$metadata.httpStatusCode, updated.$metadata.httpStatusCode, gone.$metadata.httpStatusCode],
    [202, 202, 202],
  )
  assert.is(made.CapacityProvider?.State, 'Pending')
  assert.equal(active, {
    CapacityProviderArn: ARN,
    State: 'Active',
    VpcConfig,
    PermissionsConfig,
    CapacityProviderScalingConfig: { MaxVCpuCount: 4 },
    LastModified: '2026-01-02T03:04:05.678+0000',
  })
  assert.equal([again.name, again.status], ['ResourceConflictException', 409])
  assert.equal(updated.CapacityProvider?.CapacityProviderScalingConfig, {
    MaxVCpuCount: 4,
    ScalingMode: 'Auto',
  })
  assert.equal([listed.CapacityProviders?.length, none.CapacityProviders?.length], [1, 0])
  assert.is(gone.CapacityProvider?.State, 'Deleting')
  assert.equal(
    [missing.name, missing.message],
    ['ResourceNotFoundException', `Capacity provider not found: ${ARN}`],
  )
})

capacity('what the model does not take is refused, all of it at once', async () => {
  await using api = await startApi()

  const empty = await fetch(`${api.url}/2025-11-30/capacity-providers`, { method: 'POST', body: '{}' })
  const wrong = await refusalOf(
    api.client.send(
      creation({
        VpcConfig: { SubnetIds: [], SecurityGroupIds: [] },
        CapacityProviderScalingConfig: { MaxVCpuCount: 1, ScalingMode: 'Some' },
      }),
    ),
  )

  const { message } = (await empty.json()) as { message: string }
  assert.match(
    message,
    /^3 validation errors detected: .*'capacityProviderName'.*'vpcConfig'.*'permissionsConfig'/,
  )
  assert.match(wrong.message, /^3 validation errors detected: /)
  assert.match(wrong.message, /'capacityProviderScalingConfig.maxVCpuCount' .* greater than or equal to 2/)
})

capacity('its tags are its own', async () => {
  await using api = await startApi()
  await api.client.send(creation({ Tags: { a: '1' } }))

  await api.client.send(new TagResourceCommand({ Resource: ARN, Tags: { b: '2' } }))
  await api.client.send(new UntagResourceCommand({ Resource: ARN, TagKeys: ['a'] }))

  assert.equal((await api.client.send(new ListTagsCommand({ Resource: ARN }))).Tags, { b: '2' })
})

capacity('a function in it takes processors for its memory and runs as many calls as it may', async () => {
  await using api = await started()
  const { execution } = api.registry.resolve(HERE, FunctionName, '1').version

  const shown = await api.client.send(new GetFunctionConfigurationCommand({ FunctionName }))
  const versions = await api.client.send(
    new ListFunctionVersionsByCapacityProviderCommand({ CapacityProviderName }),
  )
  const inUse = await refusalOf(api.client.send(new DeleteCapacityProviderCommand({ CapacityProviderName })))
  await api.client.send(
    new UpdateFunctionConfigurationCommand({
      FunctionName,
      CapacityProviderConfig: {
        LambdaManagedInstancesCapacityProviderConfig: { CapacityProviderArn: ARN },
      },
    }),
  )
  await settled(api)
  const usual = api.registry.resolve(HERE, FunctionName, '$LATEST').version.execution
  await api.client.send(new DeleteFunctionCommand({ FunctionName }))
  await api.client.send(new DeleteCapacityProviderCommand({ CapacityProviderName }))

  assert.equal(shown.CapacityProviderConfig, IN_POOL.CapacityProviderConfig)
  assert.equal(
    [execution.provider, execution.concurrency, execution.resources],
    [ARN, 10, { cpu: 500, memoryMb: 2_048_000 }],
  )
  assert.equal([usual.concurrency, usual.resources['cpu']], [64, 1000])
  assert.equal(versions.FunctionVersions, [{ FunctionArn: `${FUNCTION}:1`, State: 'Active' }])
  assert.equal([inUse.name, inUse.status], ['ResourceConflictException', 409])
})

capacity('a provider that is not there, and one that comes later, are refused', async () => {
  await using api = await startApi()
  await api.client.send(new CreateFunctionCommand(NEW))
  await settled(api)
  await api.client.send(creation())

  const missing = await refusalOf(
    api.client.send(
      new CreateFunctionCommand({
        ...NEW,
        FunctionName: 'other',
        CapacityProviderConfig: {
          LambdaManagedInstancesCapacityProviderConfig: { CapacityProviderArn: `${ARN}-none` },
        },
      }),
    ),
  )
  const later = await refusalOf(
    api.client.send(new UpdateFunctionConfigurationCommand({ FunctionName, ...IN_POOL })),
  )
  const published = await refusalOf(
    api.client.send(new PublishVersionCommand({ FunctionName, PublishTo: 'LATEST_PUBLISHED' })),
  )

  assert.equal(
    [missing.name, missing.message],
    ['ResourceNotFoundException', `Capacity provider not found: ${ARN}-none`],
  )
  assert.is(later.name, 'InvalidParameterValueException')
  assert.is(published.name, 'InvalidParameterValueException')
})

capacity('the newest published version has a name that stays, and unqualified calls run it', async () => {
  await using api = await started({ limits: 'strict' })
  const resolved = (): string => api.registry.resolve(HERE, FunctionName, undefined).executedVersion
  const before = await refusalOf(Promise.resolve().then(resolved).catch(asRefusal))
  const publish = new PublishVersionCommand({ FunctionName, PublishTo: 'LATEST_PUBLISHED' })

  const first = await api.client.send(publish)
  const same = await api.client.send(publish)
  await api.client.send(new UpdateFunctionConfigurationCommand({ FunctionName, Timeout: 9 }))
  await settled(api)
  const second = await api.client.send(publish)
  const numbered = await api.client.send(new PublishVersionCommand({ FunctionName }))
  const listed = await api.client.send(new ListVersionsByFunctionCommand({ FunctionName }))

  assert.equal(
    [before.name, before.message],
    ['invalid', 'The function has no published versions available.'],
  )
  assert.equal(
    [first.Version, first.FunctionArn, first.Timeout],
    ['$LATEST.PUBLISHED', `${FUNCTION}:$LATEST.PUBLISHED`, 3],
  )
  assert.is(same.RevisionId, first.RevisionId)
  assert.is(second.Timeout, 9)
  assert.is(resolved(), '$LATEST.PUBLISHED')
  assert.is(numbered.Version, '2')
  assert.equal(
    listed.Versions?.map(({ Version }) => Version),
    ['$LATEST', '$LATEST.PUBLISHED', '1', '2'],
  )
})

capacity('bounds of a version’s environments are kept and shown; no environments switch it off', async () => {
  await using api = await started()
  const put = (MinExecutionEnvironments: number, MaxExecutionEnvironments: number, Qualifier = '1') =>
    api.client.send(
      new PutFunctionScalingConfigCommand({
        FunctionName,
        Qualifier,
        FunctionScalingConfig: { MinExecutionEnvironments, MaxExecutionEnvironments },
      }),
    )
  const get = () => api.client.send(new GetFunctionScalingConfigCommand({ FunctionName, Qualifier: '1' }))

  const none = await get()
  const set = await put(1, 3)
  const shown = await get()
  const crossed = await refusalOf(put(4, 3))
  const missing = await refusalOf(put(1, 3, '9'))
  const off = await put(0, 0)
  const state = await api.client.send(new GetFunctionConfigurationCommand({ FunctionName, Qualifier: '1' }))

  assert.equal([none.FunctionArn, none.AppliedFunctionScalingConfig], [`${FUNCTION}:1`, undefined])
  assert.equal([set.$metadata.httpStatusCode, set.FunctionState], [202, 'Active'])
  assert.equal(shown.RequestedFunctionScalingConfig, {
    MinExecutionEnvironments: 1,
    MaxExecutionEnvironments: 3,
  })
  assert.equal(shown.AppliedFunctionScalingConfig, shown.RequestedFunctionScalingConfig)
  assert.is(crossed.name, 'InvalidParameterValueException')
  assert.equal([missing.name, missing.status], ['ResourceNotFoundException', 404])
  assert.equal([off.FunctionState, state.State], ['Deactivated', 'Deactivated'])
  assert.throws(() => api.registry.resolve(HERE, FunctionName, '1'), /state: Deactivated/)
})

capacity.run()

/** What the registry refuses, in the form that a client's refusals have. */
function asRefusal(error: Error & { code?: string }): never {
  throw Object.assign(new Error(error.message), { name: error.code ?? error.name, $metadata: {} })
}
