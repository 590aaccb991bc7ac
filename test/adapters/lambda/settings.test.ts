import {
  AddPermissionCommand,
  CreateFunctionCommand,
  DeleteFunctionCommand,
  DeleteResourcePolicyCommand,
  GetFunctionCodeSigningConfigCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  GetPolicyCommand,
  GetResourcePolicyCommand,
  GetRuntimeManagementConfigCommand,
  ListVersionsByFunctionCommand,
  PublishVersionCommand,
  PutResourcePolicyCommand,
  PutRuntimeManagementConfigCommand,
  RemovePermissionCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  type CreateFunctionCommandInput,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { temporaryDirectory } from '../../support/temporary.ts'
import { within } from '../../support/until.ts'
import { NEW, refusalOf, ROLE, startApi, type TestApi } from './start-api.ts'

const settings = suite('Lambda API: settings beside the common ones')

const HERE = { account: '000000000000', region: 'us-east-1' }
const FunctionName = 'orders'
const ARN = 'arn:aws:lambda:us-east-1:000000000000:function:orders'
const settled = (api: TestApi): Promise<void> =>
  within('a settled function', api.registry.ready(HERE, FunctionName))

async function startWith(
  change: Partial<CreateFunctionCommandInput> = {},
  options: Parameters<typeof startApi>[0] = {},
): Promise<TestApi> {
  const api = await startApi(options)
  await api.client.send(new CreateFunctionCommand({ ...NEW, ...change }))
  await settled(api)
  return api
}

const IMAGE = {
  FunctionName,
  Role: ROLE,
  PackageType: 'Image' as const,
  Code: { ImageUri: 'registry.local:5000/shop/orders:v1' },
  ImageConfig: { Command: ['app.handler'], WorkingDirectory: '/srv' },
}

settings('a function from an image is kept over a restart, and changed by its image alone', async () => {
  using folder = temporaryDirectory()
  const data = folder.path
  {
    await using api = await startApi({ data })
    const created = await api.client.send(new CreateFunctionCommand({ ...IMAGE, Publish: true }))

    assert.is(created.PackageType, 'Image')
    assert.is(created.CodeSize, 0)
    assert.is('Runtime' in created || 'Handler' in created || 'RuntimeVersionConfig' in created, false)
    assert.equal(created.ImageConfigResponse, { ImageConfig: IMAGE.ImageConfig })
  }
  await using api = await startApi({ data })
  await settled(api)
  const get = async (Qualifier?: string) =>
    await api.client.send(new GetFunctionCommand({ FunctionName, Qualifier }))
  const zip = await refusalOf(api.client.send(new UpdateFunctionCodeCommand({ FunctionName, ...NEW.Code })))
  const runtime = await refusalOf(
    api.client.send(new UpdateFunctionConfigurationCommand({ FunctionName, Runtime: 'nodejs24.x' })),
  )
  const signing = await refusalOf(api.client.send(new GetFunctionCodeSigningConfigCommand({ FunctionName })))
  const digest = 'a'.repeat(64)
  const ImageUri = `registry.local:5000/shop/orders@sha256:${digest}`
  await api.client.send(new UpdateFunctionCodeCommand({ FunctionName, ImageUri }))
  await settled(api)
  await api.client.send(new UpdateFunctionConfigurationCommand({ FunctionName, ImageConfig: {} }))
  await settled(api)
  const [latest, first] = [await get(), await get('1')]

  assert.is(zip.message, 'Please provide ImageUri when updating a function with packageType Image.')
  assert.match(runtime.message, /^Please don't provide Handler or Runtime or Layer/)
  assert.is(signing.name, 'InvalidParameterValueException')
  assert.equal(latest.Code, { RepositoryType: 'ECR', ImageUri, ResolvedImageUri: ImageUri })
  assert.is(latest.Configuration?.CodeSha256, digest)
  assert.is(latest.Configuration?.ImageConfigResponse, undefined)
  assert.is(first.Code?.ImageUri, IMAGE.Code.ImageUri)
  assert.is(
    first.Code?.ResolvedImageUri,
    `registry.local:5000/shop/orders@sha256:${first.Configuration?.CodeSha256}`,
  )
  assert.equal(first.Configuration?.ImageConfigResponse?.ImageConfig, IMAGE.ImageConfig)
})

settings('an image and a zip do not go together', async () => {
  await using api = await startWith()
  const create = (change: object): Promise<{ name: string; message: string }> =>
    refusalOf(api.client.send(new CreateFunctionCommand({ ...NEW, FunctionName: 'x', ...change })))

  const refused = [
    await create({ Code: IMAGE.Code }),
    await create({ PackageType: 'Image' }),
    await create({ PackageType: 'Image', Runtime: undefined, Handler: undefined }),
    await refusalOf(api.client.send(new UpdateFunctionCodeCommand({ FunctionName, ...IMAGE.Code }))),
  ]

  assert.equal(
    refused.map(({ name, message }) => [name, message.slice(0, 28)]),
    [
      ['InvalidParameterValueException', 'Please do not provide ImageU'],
      ['InvalidParameterValueException', "Please don't provide Handler"],
      ['InvalidParameterValueException', 'Please provide ImageUri when'],
      ['InvalidParameterValueException', 'Please do not provide ImageU'],
    ],
  )
})

settings('networks and file systems are kept, shown and cleared', async () => {
  const Arn = 'arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0'
  const FileSystemConfigs = [{ Arn, LocalMountPath: '/mnt/models' }]
  const VpcConfig = { SubnetIds: ['subnet-1', 'subnet-2'], SecurityGroupIds: ['sg-1'] }
  await using api = await startWith({ VpcConfig, FileSystemConfigs })
  const shown = () => api.client.send(new GetFunctionConfigurationCommand({ FunctionName }))
  const update = (change: object) =>
    api.client.send(new UpdateFunctionConfigurationCommand({ FunctionName, ...change }))

  const before = await shown()
  const lonely = await refusalOf(update({ VpcConfig: { SubnetIds: ['subnet-1'], SecurityGroupIds: [] } }))
  const path = await refusalOf(update({ FileSystemConfigs: [{ Arn, LocalMountPath: '/tmp/x' }] }))
  const two = await refusalOf(update({ FileSystemConfigs: [...FileSystemConfigs, ...FileSystemConfigs] }))
  await update({ FileSystemConfigs: [], VpcConfig: { SubnetIds: [], SecurityGroupIds: [] } })
  const after = await shown()

  assert.match(before.VpcConfig?.VpcId ?? '', /^vpc-[0-9a-f]{17}$/)
  assert.equal(before.VpcConfig?.SubnetIds, VpcConfig.SubnetIds)
  assert.equal(before.FileSystemConfigs, FileSystemConfigs)
  assert.is(lonely.message, 'SecurityGroupIds and SubnetIds must coexist or be both empty list.')
  assert.equal([path.name, two.name], ['ValidationException', 'ValidationException'])
  assert.is(after.FileSystemConfigs, undefined)
  assert.equal(after.VpcConfig, {
    SubnetIds: [],
    SecurityGroupIds: [],
    VpcId: '',
    Ipv6AllowedForDualStack: false,
  })
})

settings('the key that a zip is encrypted with is shown with the code, until another zip', async () => {
  const SourceKMSKeyArn = 'arn:aws:kms:us-east-1:000000000000:key/one'
  await using api = await startWith({ Code: { ...NEW.Code, SourceKMSKeyArn } })
  const shown = async () =>
    (await api.client.send(new GetFunctionCommand({ FunctionName }))).Code?.SourceKMSKeyArn

  const created = await shown()
  await api.client.send(new UpdateFunctionConfigurationCommand({ FunctionName, Description: 'x' }))
  await settled(api)
  const configured = await shown()
  await api.client.send(new UpdateFunctionCodeCommand({ FunctionName, ...NEW.Code }))

  assert.equal([created, configured, await shown()], [SourceKMSKeyArn, SourceKMSKeyArn, undefined])
})

settings('snapshots are for some runtimes, and on in published versions', async () => {
  const SnapStart = { ApplyOn: 'PublishedVersions' } as const
  await using api = await startWith({ Runtime: 'python3.13', SnapStart })
  const node = { ...NEW, FunctionName: 'x', SnapStart }

  const refused = await refusalOf(api.client.send(new CreateFunctionCommand(node)))
  const changed = await refusalOf(
    api.client.send(new UpdateFunctionConfigurationCommand({ FunctionName, Runtime: 'nodejs24.x' })),
  )
  const published = await api.client.send(new PublishVersionCommand({ FunctionName }))
  const { Versions = [] } = await api.client.send(new ListVersionsByFunctionCommand({ FunctionName }))

  for (const { message } of [refused, changed])
    assert.is(message, 'nodejs24.x is not supported for SnapStart enabled functions.')
  assert.is(published.SnapStart?.OptimizationStatus, 'On')
  assert.equal(
    Versions.map((version) => version.SnapStart?.OptimizationStatus),
    ['Off', 'On'],
  )
})

settings('runtime management belongs to versions and ends with them', async () => {
  using folder = temporaryDirectory()
  const data = folder.path
  const RuntimeVersionArn = `arn:aws:lambda:us-east-1::runtime:${'b'.repeat(64)}`
  const get = (api: TestApi, Qualifier?: string) =>
    api.client.send(new GetRuntimeManagementConfigCommand({ FunctionName, Qualifier }))
  {
    await using api = await startWith({ Publish: true }, { data })
    const put = (change: object) =>
      api.client.send(
        new PutRuntimeManagementConfigCommand({ FunctionName, UpdateRuntimeOn: 'Manual', ...change }),
      )
    const manual = await put({ RuntimeVersionArn, Qualifier: '1' })
    const without = await refusalOf(put({}))
    const automatic = await refusalOf(put({ UpdateRuntimeOn: 'Auto', RuntimeVersionArn }))
    const odd = await refusalOf(put({ UpdateRuntimeOn: 'Never' }))
    await put({ UpdateRuntimeOn: 'FunctionUpdate' })

    assert.is(manual.FunctionArn, `${ARN}:1`)
    assert.is(manual.RuntimeVersionArn, RuntimeVersionArn)
    assert.equal(
      [without, automatic, odd].map(({ name }) => name),
      ['InvalidParameterValueException', 'InvalidParameterValueException', 'ValidationException'],
    )
  }
  await using api = await startApi({ data })

  const [latest, first] = [await get(api), await get(api, '1')]
  const shown = await api.client.send(new GetFunctionConfigurationCommand({ FunctionName, Qualifier: '1' }))
  await api.client.send(new DeleteFunctionCommand({ FunctionName, Qualifier: '1' }))
  const gone = await refusalOf(get(api, '1'))

  assert.equal([latest.UpdateRuntimeOn, latest.FunctionArn], ['FunctionUpdate', `${ARN}:$LATEST`])
  assert.is('RuntimeVersionArn' in latest, false)
  assert.is(first.UpdateRuntimeOn, 'Manual')
  assert.is(shown.RuntimeVersionConfig?.RuntimeVersionArn, RuntimeVersionArn)
  assert.is(gone.name, 'ResourceNotFoundException')
  assert.equal([...api.registry.get(HERE, FunctionName).attachments.keys()], ['runtime-management:$LATEST'])
})

settings('a whole policy document takes the place of single permissions', async () => {
  using folder = temporaryDirectory()
  const data = folder.path
  const grant = {
    FunctionName,
    StatementId: 's1',
    Action: 'lambda:InvokeFunction',
    Principal: '222222222222',
  }
  const Statement = [
    { Effect: 'Allow', Principal: '*', Action: 'lambda:InvokeFunction', Resource: ARN },
    { Sid: 'own', Effect: 'Deny', Principal: '*', Action: 'lambda:*', Resource: ARN },
  ]
  const Policy = JSON.stringify({ Version: '2012-10-17', Id: 'mine', Statement })
  let RevisionId: string | undefined
  {
    await using api = await startWith({}, { data })
    await api.client.send(new AddPermissionCommand(grant))
    const { RevisionId: first } = await api.client.send(new GetPolicyCommand({ FunctionName }))
    const put = (change: object) =>
      api.client.send(new PutResourcePolicyCommand({ ResourceArn: ARN, Policy, ...change }))
    const stale = await refusalOf(put({ RevisionId: '00000000-0000-4000-8000-000000000000' }))
    const replaced = await put({ RevisionId: first })
    const odd = await refusalOf(put({ Policy: 'no JSON' }))
    const long = await refusalOf(
      put({ Policy: JSON.stringify({ Statement: [{ ...Statement[0], Sid: 'x'.repeat(21_000) }] }) }),
    )
    RevisionId = replaced.RevisionId

    assert.is(stale.name, 'PreconditionFailedException')
    assert.equal(JSON.parse(replaced.Policy ?? ''), JSON.parse(Policy))
    assert.is(odd.name, 'InvalidParameterValueException')
    assert.is(long.name, 'PolicyLengthExceededException')
  }
  await using api = await startApi({ data })
  const get = () => api.client.send(new GetResourcePolicyCommand({ ResourceArn: ARN }))

  const kept = await get()
  await api.client.send(new RemovePermissionCommand({ FunctionName, StatementId: 'own' }))
  const { Policy: single = '' } = await api.client.send(new GetPolicyCommand({ FunctionName }))
  const stale = await refusalOf(
    api.client.send(new DeleteResourcePolicyCommand({ ResourceArn: ARN, RevisionId })),
  )
  await api.client.send(new DeleteResourcePolicyCommand({ ResourceArn: ARN }))
  const none = await refusalOf(get())
  const again = await refusalOf(api.client.send(new DeleteResourcePolicyCommand({ ResourceArn: ARN })))
  const latest = await refusalOf(
    api.client.send(new GetResourcePolicyCommand({ ResourceArn: `${ARN}:$LATEST` })),
  )

  assert.is(kept.RevisionId, RevisionId)
  assert.equal(JSON.parse(kept.Policy ?? ''), JSON.parse(Policy))
  assert.equal(JSON.parse(single), { Version: '2012-10-17', Id: 'mine', Statement: [Statement[0]] })
  assert.is(stale.name, 'PreconditionFailedException')
  assert.equal([none.name, again.name], ['ResourceNotFoundException', 'ResourceNotFoundException'])
  assert.is(latest.name, 'InvalidParameterValueException')
})

settings.run()
