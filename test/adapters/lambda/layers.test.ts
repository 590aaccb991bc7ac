import {
  AddLayerVersionPermissionCommand,
  CreateFunctionCommand,
  DeleteLayerVersionCommand,
  GetAccountSettingsCommand,
  GetFunctionConfigurationCommand,
  GetLayerVersionByArnCommand,
  GetLayerVersionCommand,
  GetLayerVersionPolicyCommand,
  ListLayersCommand,
  ListLayerVersionsCommand,
  PublishLayerVersionCommand,
  PublishVersionCommand,
  RemoveLayerVersionPermissionCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  type LambdaClient,
  type PublishLayerVersionCommandInput,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { zipOf } from '../../registry/zip-bytes.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { within } from '../../support/until.ts'
import { NEW, refusalOf, startApi, type TestApi } from './start-api.ts'

const layers = suite('Lambda API: layers')

const HERE = { account: '000000000000', region: 'us-east-1' }
const FunctionName = 'orders'
const LayerName = 'tools'
const ARN = 'arn:aws:lambda:us-east-1:000000000000:layer:tools'
const ZipFile = zipOf([{ name: 'nodejs/node_modules/dummy/index.js', content: '' }])

const publish = (client: LambdaClient, change: Partial<PublishLayerVersionCommandInput> = {}) =>
  client.send(new PublishLayerVersionCommand({ LayerName, Content: { ZipFile }, ...change }))

const settled = (api: TestApi): Promise<void> =>
  within('a settled function', api.registry.ready(HERE, FunctionName))

layers('versions are numbered from 1 and no number is given twice, over a restart too', async () => {
  using folder = temporaryDirectory()
  const data = folder.path
  {
    await using api = await startApi({ data })
    await publish(api.client)
    await publish(api.client, {
      Description: 'second',
      LicenseInfo: 'MIT',
      CompatibleRuntimes: ['nodejs24.x'],
    })
    await api.client.send(new DeleteLayerVersionCommand({ LayerName, VersionNumber: 2 }))
  }
  await using api = await startApi({ data })

  const third = await publish(api.client, { LayerName: ARN })
  const { LayerVersions = [] } = await api.client.send(new ListLayerVersionsCommand({ LayerName }))
  const gone = await refusalOf(api.client.send(new GetLayerVersionCommand({ LayerName, VersionNumber: 2 })))
  const again = await api.client.send(new DeleteLayerVersionCommand({ LayerName, VersionNumber: 2 }))
  const download = await fetch(third.Content?.Location ?? '')

  assert.is(third.Version, 3)
  assert.is(third.LayerVersionArn, `${ARN}:3`)
  assert.equal(
    LayerVersions.map(({ Version }) => Version),
    [3, 1],
  )
  assert.equal(gone, {
    name: 'ResourceNotFoundException',
    message: 'The resource you requested does not exist.',
    status: 404,
  })
  assert.is(again.$metadata.httpStatusCode, 204)
  assert.equal(Buffer.from(await download.arrayBuffer()), ZipFile)
})

layers('lists show the newest version that fits, page by page', async () => {
  await using api = await startApi()
  for (const name of ['a', 'b', 'c']) await publish(api.client, { LayerName: name })
  await publish(api.client, { LayerName: 'b', CompatibleRuntimes: ['nodejs22.x'] })
  await publish(api.client, { LayerName: 'b', CompatibleArchitectures: ['arm64'] })

  const first = await api.client.send(new ListLayersCommand({ MaxItems: 2 }))
  const second = await api.client.send(new ListLayersCommand({ Marker: first.NextMarker }))
  const fitting = await api.client.send(new ListLayersCommand({ CompatibleRuntime: 'nodejs22.x' }))
  const versions = { LayerName: 'b', MaxItems: 1 }
  const newest = await api.client.send(new ListLayerVersionsCommand(versions))
  const older = await api.client.send(
    new ListLayerVersionsCommand({ ...versions, Marker: newest.NextMarker }),
  )
  const none = await api.client.send(new ListLayerVersionsCommand({ LayerName: 'nothing' }))
  const odd = await refusalOf(
    api.client.send(
      new ListLayersCommand({
        CompatibleRuntime: 'cobol' as 'java8',
        CompatibleArchitecture: 'z80' as 'arm64',
      }),
    ),
  )

  assert.equal(
    [...(first.Layers ?? []), ...(second.Layers ?? [])].map((layer) => layer.LayerName),
    ['a', 'b', 'c'],
  )
  assert.is(first.Layers?.[1]?.LatestMatchingVersion?.Version, 3)
  assert.equal(
    fitting.Layers?.map((layer) => [layer.LayerName, layer.LatestMatchingVersion?.Version]),
    [['b', 2]],
  )
  assert.equal([newest.LayerVersions?.[0]?.Version, older.LayerVersions?.[0]?.Version], [3, 2])
  assert.equal(none.LayerVersions, [])
  assert.is(odd.name, 'ValidationException')
  assert.match(odd.message, /^2 validation errors detected: Value 'cobol' at 'compatibleRuntime' failed/)
})

layers('what no layer can be is refused by name', async () => {
  await using api = await startApi()
  await publish(api.client)
  const refusals = await Promise.all([
    refusalOf(publish(api.client, { LayerName: 'not a name' })),
    refusalOf(publish(api.client, { Content: { ZipFile: Buffer.from('x') } })),
    refusalOf(publish(api.client, { CompatibleRuntimes: ['cobol' as 'java8'] })),
    refusalOf(api.client.send(new GetLayerVersionCommand({ LayerName, VersionNumber: 0 }))),
    refusalOf(api.client.send(new DeleteLayerVersionCommand({ LayerName, VersionNumber: -1 }))),
    refusalOf(api.client.send(new GetLayerVersionByArnCommand({ Arn: ARN }))),
    refusalOf(api.client.send(new GetLayerVersionByArnCommand({ Arn: `${ARN}:9` }))),
  ])

  assert.equal(
    refusals.map(({ name, status }) => `${status} ${name}`),
    [
      '400 ValidationException',
      '400 InvalidParameterValueException',
      '400 ValidationException',
      '400 InvalidParameterValueException',
      '400 InvalidParameterValueException',
      '400 ValidationException',
      '404 ResourceNotFoundException',
    ],
  )
  assert.match(refusals[2]?.message ?? '', /^1 validation error detected: Value '\[cobol\]' at 'compat/)
  assert.match(refusals[3]?.message ?? '', /^Layer Version Cannot be less than 1/)
  assert.match(
    refusals[5]?.message ?? '',
    /at 'arn' failed to satisfy constraint: Member must satisfy regular/,
  )
})

layers('a policy lets other accounts have a layer, and survives a restart', async () => {
  using folder = temporaryDirectory()
  const data = folder.path
  const key = { LayerName, VersionNumber: 1 }
  const add = { ...key, StatementId: 's1', Action: 'lambda:GetLayerVersion', Principal: '222222222222' }
  const use = { ...NEW, Role: NEW.Role.replace('000000000000', '222222222222'), Layers: [`${ARN}:1`] }
  {
    await using api = await startApi({ data })
    await publish(api.client)
    const stranger = api.clientFor({ keyId: '222222222222' })
    const before = await refusalOf(stranger.send(new CreateFunctionCommand(use)))
    await api.client.send(new AddLayerVersionPermissionCommand(add))
    const { Layers } = await stranger.send(new CreateFunctionCommand(use))
    const seen = await stranger.send(new GetLayerVersionByArnCommand({ Arn: `${ARN}:1` }))
    const listed = await refusalOf(stranger.send(new ListLayerVersionsCommand({ LayerName: ARN })))

    assert.is(before.name, 'AccessDeniedException')
    assert.match(
      before.message,
      /is not authorized to perform: lambda:GetLayerVersion on resource: .*tools:1/,
    )
    assert.equal(Layers, [{ Arn: `${ARN}:1`, CodeSize: ZipFile.length }])
    assert.is(seen.Version, 1)
    assert.is(listed.name, 'AccessDeniedException')
  }
  await using api = await startApi({ data })

  const { Policy = '', RevisionId } = await api.client.send(new GetLayerVersionPolicyCommand(key))
  const organization = {
    ...add,
    StatementId: 's2',
    Principal: '*',
    OrganizationId: 'o-a1b2c3d4e5',
    RevisionId,
  }
  const { Statement = '' } = await api.client.send(new AddLayerVersionPermissionCommand(organization))
  for (const StatementId of ['s1', 's2'])
    await api.client.send(new RemoveLayerVersionPermissionCommand({ ...key, StatementId }))
  const none = await refusalOf(api.client.send(new GetLayerVersionPolicyCommand(key)))

  assert.equal(JSON.parse(Policy), {
    Version: '2012-10-17',
    Id: 'default',
    Statement: [
      {
        Sid: 's1',
        Effect: 'Allow',
        Principal: { AWS: 'arn:aws:iam::222222222222:root' },
        Action: 'lambda:GetLayerVersion',
        Resource: `${ARN}:1`,
      },
    ],
  })
  assert.equal((JSON.parse(Statement) as { Condition?: unknown }).Condition, {
    StringEquals: { 'aws:PrincipalOrgID': 'o-a1b2c3d4e5' },
  })
  assert.is(none.message, 'No policy is associated with the given resource.')
})

layers('a version keeps the layers it was published with', async () => {
  await using api = await startApi()
  await publish(api.client)
  const Layers = [`${ARN}:1`]
  await api.client.send(new CreateFunctionCommand({ ...NEW, Layers, Publish: true }))
  await settled(api)
  const shown = async (Qualifier?: string) =>
    (await api.client.send(new GetFunctionConfigurationCommand({ FunctionName, Qualifier }))).Layers

  await api.client.send(new UpdateFunctionConfigurationCommand({ FunctionName, Layers: [] }))
  await settled(api)
  const second = await api.client.send(new PublishVersionCommand({ FunctionName }))

  assert.equal(await shown('1'), [{ Arn: `${ARN}:1`, CodeSize: ZipFile.length }])
  assert.is(await shown(), undefined)
  assert.is(second.Version, '2')
  assert.is(second.Layers, undefined)
})

layers('code and layers together may not be larger than 250 MB unpacked', async () => {
  await using api = await startApi()
  const half = Buffer.alloc(131_100_000)
  const big = zipOf([{ name: 'big', content: half, deflate: true }])
  await publish(api.client, { Content: { ZipFile: big } })
  await publish(api.client, { LayerName: 'other', Content: { ZipFile: big } })
  const other = `${ARN.replace('tools', 'other')}:1`
  const Layers = [`${ARN}:1`, other]
  const own = zipOf([{ name: 'index.js', content: half, deflate: true }])

  const two = await refusalOf(api.client.send(new CreateFunctionCommand({ ...NEW, Layers })))
  await api.client.send(new CreateFunctionCommand({ ...NEW, Layers: [other] }))
  await settled(api)
  const code = await refusalOf(api.client.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile: own })))

  assert.is(two.name, 'InvalidParameterValueException')
  assert.match(
    two.message,
    /^Function code combined with layers exceeds the maximum allowed size of 262144000/,
  )
  assert.match(two.message, /The actual size is 26220\d{4} bytes\.$/)
  assert.match(code.message, /The actual size is 262200000 bytes\.$/)
})

layers('account settings count layers as code', async () => {
  await using api = await startApi()
  const total = async () =>
    (await api.client.send(new GetAccountSettingsCommand({}))).AccountUsage?.TotalCodeSize ?? 0
  const before = await total()

  await publish(api.client)
  await publish(api.client)
  const published = await total()
  await api.client.send(new DeleteLayerVersionCommand({ LayerName, VersionNumber: 1 }))

  assert.is(published - before, 2 * ZipFile.length)
  assert.is((await total()) - before, ZipFile.length)
})

layers.run()
