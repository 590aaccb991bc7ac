import {
  CreateCodeSigningConfigCommand,
  CreateFunctionCommand,
  DeleteCodeSigningConfigCommand,
  DeleteFunctionCodeSigningConfigCommand,
  DeleteFunctionCommand,
  GetCodeSigningConfigCommand,
  GetFunctionCodeSigningConfigCommand,
  ListFunctionsByCodeSigningConfigCommand,
  ListTagsCommand,
  PublishLayerVersionCommand,
  PutFunctionCodeSigningConfigCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateCodeSigningConfigCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  type CodeSigningConfig,
  type LambdaClient,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { temporaryDirectory } from '../../support/temporary.ts'
import { within } from '../../support/until.ts'
import { NEW, refusalOf, startApi } from './start-api.ts'

const signing = suite('Lambda API: code signing')

const HERE = { account: '000000000000', region: 'us-east-1' }
const FunctionName = 'orders'
const PROFILE = 'arn:aws:signer:us-east-1:000000000000:/signing-profiles/test'

async function create(client: LambdaClient, policy: 'Warn' | 'Enforce'): Promise<CodeSigningConfig> {
  const { CodeSigningConfig } = await client.send(
    new CreateCodeSigningConfigCommand({
      AllowedPublishers: { SigningProfileVersionArns: [PROFILE] },
      CodeSigningPolicies: { UntrustedArtifactOnDeployment: policy },
      Tags: { team: 'one' },
    }),
  )
  if (CodeSigningConfig === undefined) throw new Error('no configuration')
  return CodeSigningConfig
}

signing('an enforcing configuration refuses code and layers, which nobody has signed', async () => {
  await using api = await startApi()
  const { CodeSigningConfigArn } = await create(api.client, 'Enforce')
  const { LayerVersionArn = '' } = await api.client.send(
    new PublishLayerVersionCommand({ LayerName: 'tools', Content: NEW.Code }),
  )
  const born = await refusalOf(api.client.send(new CreateFunctionCommand({ ...NEW, CodeSigningConfigArn })))
  await api.client.send(new CreateFunctionCommand(NEW))
  await within('a settled function', api.registry.ready(HERE, FunctionName))
  await api.client.send(new PutFunctionCodeSigningConfigCommand({ FunctionName, CodeSigningConfigArn }))

  const code = await refusalOf(api.client.send(new UpdateFunctionCodeCommand({ FunctionName, ...NEW.Code })))
  const layer = await refusalOf(
    api.client.send(new UpdateFunctionConfigurationCommand({ FunctionName, Layers: [LayerVersionArn] })),
  )
  const description = await api.client.send(
    new UpdateFunctionConfigurationCommand({ FunctionName, Description: 'allowed' }),
  )

  for (const refused of [born, code, layer]) {
    assert.is(refused.name, 'CodeVerificationFailedException')
    assert.is(refused.status, 400)
    assert.match(refused.message, /^Lambda cannot deploy the function\. .* unsigned\.$/)
  }
  assert.is(description.Description, 'allowed')
})

signing('a function may be created with a configuration that warns, and holds it', async () => {
  using folder = temporaryDirectory()
  const data = folder.path
  let arn = ''
  {
    await using api = await startApi({ data })
    const { CodeSigningConfigArn = '', CodeSigningConfigId } = await create(api.client, 'Warn')
    arn = CodeSigningConfigArn
    await api.client.send(new CreateFunctionCommand({ ...NEW, CodeSigningConfigArn }))

    assert.match(CodeSigningConfigId ?? '', /^csc-[0-9a-f]{17}$/)
  }
  await using api = await startApi({ data })
  const key = { CodeSigningConfigArn: arn }

  const { CodeSigningConfig: kept } = await api.client.send(new GetCodeSigningConfigCommand(key))
  const held = await api.client.send(new GetFunctionCodeSigningConfigCommand({ FunctionName }))
  const users = await api.client.send(new ListFunctionsByCodeSigningConfigCommand(key))
  const inUse = await refusalOf(api.client.send(new DeleteCodeSigningConfigCommand(key)))
  await api.client.send(new DeleteFunctionCommand({ FunctionName }))
  const deleted = await api.client.send(new DeleteCodeSigningConfigCommand(key))

  assert.is(kept?.CodeSigningPolicies?.UntrustedArtifactOnDeployment, 'Warn')
  assert.is(kept?.Description, undefined)
  assert.is(held.CodeSigningConfigArn, arn)
  assert.equal(users.FunctionArns, ['arn:aws:lambda:us-east-1:000000000000:function:orders'])
  assert.equal([inUse.name, inUse.status], ['ResourceConflictException', 409])
  assert.is(deleted.$metadata.httpStatusCode, 204)
})

signing('members that are not mentioned stay, and a function can be freed', async () => {
  await using api = await startApi()
  const { CodeSigningConfigArn = '' } = await create(api.client, 'Enforce')
  await api.client.send(new CreateFunctionCommand(NEW))
  await api.client.send(new PutFunctionCodeSigningConfigCommand({ FunctionName, CodeSigningConfigArn }))

  const { CodeSigningConfig: updated } = await api.client.send(
    new UpdateCodeSigningConfigCommand({ CodeSigningConfigArn, Description: 'now described' }),
  )
  await api.client.send(new DeleteFunctionCodeSigningConfigCommand({ FunctionName }))
  const held = await api.client.send(new GetFunctionCodeSigningConfigCommand({ FunctionName }))

  assert.is(updated?.Description, 'now described')
  assert.is(updated?.CodeSigningPolicies?.UntrustedArtifactOnDeployment, 'Enforce')
  assert.equal(updated?.AllowedPublishers?.SigningProfileVersionArns, [PROFILE])
  assert.is(held.CodeSigningConfigArn, undefined)
})

signing('configurations carry tags, and others of another account are not seen', async () => {
  await using api = await startApi()
  const { CodeSigningConfigArn: Resource = '' } = await create(api.client, 'Warn')
  await api.client.send(new TagResourceCommand({ Resource, Tags: { stage: 'test' } }))
  await api.client.send(new UntagResourceCommand({ Resource, TagKeys: ['team'] }))

  const { Tags } = await api.client.send(new ListTagsCommand({ Resource }))
  const stranger = api.clientFor({ keyId: '222222222222' })
  const foreign = await refusalOf(
    stranger.send(new GetCodeSigningConfigCommand({ CodeSigningConfigArn: Resource })),
  )
  const unknown = await refusalOf(
    api.client.send(new ListTagsCommand({ Resource: `${Resource.slice(0, -5)}00000` })),
  )
  const odd = await refusalOf(
    api.client.send(new GetCodeSigningConfigCommand({ CodeSigningConfigArn: 'arn:aws:something' })),
  )

  assert.equal(Tags, { stage: 'test' })
  assert.is(foreign.name, 'ResourceNotFoundException')
  assert.is(unknown.name, 'ResourceNotFoundException')
  assert.is(odd.name, 'ValidationException')
})

signing.run()
