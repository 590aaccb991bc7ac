import {
  CreateAliasCommand,
  CreateFunctionCommand,
  DeleteAliasCommand,
  DeleteFunctionCommand,
  GetAliasCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  ListAliasesCommand,
  ListVersionsByFunctionCommand,
  PublishVersionCommand,
  UpdateAliasCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { within } from '../../support/until.ts'
import { NEW, refusalOf, startApi, zipWith, type TestApi, type TestApiOptions } from './start-api.ts'

const versions = suite('Lambda API: versions and aliases')

const ARN = 'arn:aws:lambda:us-east-1:000000000000:function:orders'
const FunctionName = 'orders'
const HERE = { account: '000000000000', region: 'us-east-1' }
const settled = (api: TestApi) => within('a settled function', api.registry.ready(HERE, FunctionName))

async function startWithFunction(options: TestApiOptions = {}, publish = false): Promise<TestApi> {
  const api = await startApi(options)
  await api.client.send(new CreateFunctionCommand({ ...NEW, Publish: publish }))
  await settled(api)
  return api
}

async function describe(api: TestApi, Description: string): Promise<void> {
  await api.client.send(new UpdateFunctionConfigurationCommand({ FunctionName, Description }))
  await settled(api)
}

versions('publishing active code gives an active version and $LATEST a new revision', async () => {
  await using api = await startWithFunction()
  const before = await api.client.send(new GetFunctionConfigurationCommand({ FunctionName }))

  const published = await api.client.send(new PublishVersionCommand({ FunctionName, Description: 'first' }))
  const read = await api.client.send(new GetFunctionCommand({ FunctionName, Qualifier: '1' }))
  const after = await api.client.send(
    new GetFunctionConfigurationCommand({ FunctionName, Qualifier: '$LATEST' }),
  )

  assert.is(published.$metadata.httpStatusCode, 201)
  assert.is(published.Version, '1')
  assert.is(published.FunctionArn, `${ARN}:1`)
  assert.is(published.Description, 'first')
  assert.is(published.State, 'Active')
  assert.is(published.LastUpdateStatus, 'Successful')
  assert.is(read.Configuration?.RevisionId, published.RevisionId)
  assert.is(after.FunctionArn, `${ARN}:$LATEST`)
  assert.is(after.Description, '')
  assert.is.not(after.RevisionId, before.RevisionId)
})

versions('an unchanged function publishes the version it has', async () => {
  await using api = await startWithFunction()
  await api.client.send(new PublishVersionCommand({ FunctionName, Description: 'first' }))

  const again = await api.client.send(new PublishVersionCommand({ FunctionName, Description: 'other' }))
  await describe(api, '')
  const redundant = await api.client.send(new PublishVersionCommand({ FunctionName }))
  await describe(api, 'changed')
  const changed = await api.client.send(new PublishVersionCommand({ FunctionName }))

  assert.is(again.Version, '1')
  assert.is(again.Description, 'first')
  assert.is(redundant.Version, '1')
  assert.is(changed.Version, '2')
  assert.is(changed.Description, 'changed')
})

versions('a version published with the function waits for the same preparation', async () => {
  await using api = await startApi()

  const created = await api.client.send(new CreateFunctionCommand({ ...NEW, Publish: true }))
  await settled(api)
  const [latest, first] = await Promise.all([
    api.client.send(new GetFunctionConfigurationCommand({ FunctionName })),
    api.client.send(new GetFunctionConfigurationCommand({ FunctionName, Qualifier: '1' })),
  ])

  assert.is(created.Version, '1')
  assert.is(created.FunctionArn, ARN)
  assert.is(created.State, 'Pending')
  assert.is(created.LastUpdateStatus, undefined)
  assert.is(first.State, 'Active')
  assert.is(new Set([created.RevisionId, latest.RevisionId, first.RevisionId]).size, 3)
})

versions('code that is updated and published at once is pending under its number', async () => {
  await using api = await startWithFunction()

  const published = await api.client.send(
    new UpdateFunctionCodeCommand({ FunctionName, ZipFile: zipWith('() => 2'), Publish: true }),
  )

  assert.is(published.FunctionArn, `${ARN}:1`)
  assert.is(published.Version, '1')
  assert.is(published.State, 'Pending')
  assert.is(published.LastUpdateStatus, undefined)
})

versions('a dry run changes nothing', async () => {
  await using api = await startWithFunction()
  const before = await api.client.send(new GetFunctionConfigurationCommand({ FunctionName }))

  await api.client.send(
    new UpdateFunctionCodeCommand({ FunctionName, ZipFile: zipWith('() => 2'), DryRun: true }),
  )
  const after = await api.client.send(new GetFunctionConfigurationCommand({ FunctionName }))

  assert.is(after.CodeSha256, before.CodeSha256)
  assert.is(after.RevisionId, before.RevisionId)
})

versions('publishing checks revision and hash', async () => {
  await using api = await startWithFunction()

  const stale = await refusalOf(
    api.client.send(new PublishVersionCommand({ FunctionName, RevisionId: 'no-such-revision' })),
  )
  const other = await refusalOf(
    api.client.send(new PublishVersionCommand({ FunctionName, CodeSha256: 'other' })),
  )

  assert.is(stale.name, 'PreconditionFailedException')
  assert.is(other.name, 'InvalidParameterValueException')
  assert.match(other.message, /^CodeSHA256 \(other\) is different from current CodeSHA256 in \$LATEST/)
})

versions(
  'lists begin with $LATEST, qualify every ARN, sort numbers as numbers and come in pages',
  async () => {
    await using api = await startWithFunction()
    for (let number = 1; number <= 11; number += 1) {
      await describe(api, `${number}`)
      await api.client.send(new PublishVersionCommand({ FunctionName }))
    }

    const first = await api.client.send(new ListVersionsByFunctionCommand({ FunctionName, MaxItems: 10 }))
    const rest = await api.client.send(
      new ListVersionsByFunctionCommand({ FunctionName, MaxItems: 10, Marker: first.NextMarker }),
    )

    assert.is(first.Versions?.[0]?.FunctionArn, `${ARN}:$LATEST`)
    assert.is(first.Versions?.[0]?.State, undefined)
    assert.equal(
      [...(first.Versions ?? []), ...(rest.Versions ?? [])].map((version) => version.Version),
      ['$LATEST', ...Array.from({ length: 11 }, (_, index) => `${index + 1}`)],
    )
    assert.is(rest.NextMarker, undefined)
  },
)

versions('one version goes, its number is not given again', async () => {
  await using api = await startWithFunction({}, true)

  await api.client.send(new DeleteFunctionCommand({ FunctionName, Qualifier: '1' }))
  const gone = await refusalOf(api.client.send(new GetFunctionCommand({ FunctionName, Qualifier: '1' })))
  const next = await api.client.send(new PublishVersionCommand({ FunctionName }))

  assert.is(gone.message, `Function not found: ${ARN}:1`)
  assert.is(next.Version, '2')
})

versions('$LATEST, aliases and versions that an alias needs are not deleted', async () => {
  await using api = await startWithFunction({}, true)
  await api.client.send(new CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1' }))

  const refusals = await Promise.all(
    ['$LATEST', 'live', '1'].map((Qualifier) =>
      refusalOf(api.client.send(new DeleteFunctionCommand({ FunctionName, Qualifier }))),
    ),
  )

  assert.equal(refusals, [
    {
      name: 'InvalidParameterValueException',
      message: '$LATEST version cannot be deleted without deleting the function.',
      status: 400,
    },
    {
      name: 'InvalidParameterValueException',
      message: 'Deletion of aliases is not currently supported.',
      status: 400,
    },
    {
      name: 'ResourceConflictException',
      message: 'Unable to delete version because the following aliases reference it: [live]',
      status: 409,
    },
  ])
})

versions('an alias is made, read, changed and removed', async () => {
  await using api = await startWithFunction({}, true)

  const made = await api.client.send(
    new CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1' }),
  )
  const read = await api.client.send(new GetAliasCommand({ FunctionName, Name: 'live' }))
  const through = await api.client.send(new GetFunctionCommand({ FunctionName: `${FunctionName}:live` }))
  const changed = await api.client.send(
    new UpdateAliasCommand({
      FunctionName,
      Name: 'live',
      Description: 'changed',
      RevisionId: made.RevisionId,
    }),
  )
  const stale = await refusalOf(
    api.client.send(new UpdateAliasCommand({ FunctionName, Name: 'live', RevisionId: made.RevisionId })),
  )
  const removed = await api.client.send(new DeleteAliasCommand({ FunctionName, Name: 'live' }))
  const removedAgain = await api.client.send(new DeleteAliasCommand({ FunctionName, Name: 'live' }))
  const gone = await refusalOf(api.client.send(new GetAliasCommand({ FunctionName, Name: 'live' })))

  const { $metadata, ...body } = made
  assert.is($metadata.httpStatusCode, 201)
  assert.equal(body, {
    AliasArn: `${ARN}:live`,
    Name: 'live',
    FunctionVersion: '1',
    Description: '',
    RevisionId: read.RevisionId,
  })
  assert.is(through.Configuration?.FunctionArn, `${ARN}:live`)
  assert.is(through.Configuration?.Version, '1')
  assert.is(changed.Description, 'changed')
  assert.is.not(changed.RevisionId, made.RevisionId)
  assert.is(stale.name, 'PreconditionFailedException')
  assert.is(removed.$metadata.httpStatusCode, 204)
  assert.is(removedAgain.$metadata.httpStatusCode, 204)
  assert.is(gone.message, `Cannot find alias arn: ${ARN}:live`)
})

versions('weights are given, shown and cleared', async () => {
  await using api = await startWithFunction({}, true)
  await describe(api, 'two')
  await api.client.send(new PublishVersionCommand({ FunctionName }))
  const RoutingConfig = { AdditionalVersionWeights: { 2: 0.5 } }

  const made = await api.client.send(
    new CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1', RoutingConfig }),
  )
  const listed = await api.client.send(new ListAliasesCommand({ FunctionName, FunctionVersion: '2' }))
  const cleared = await api.client.send(
    new UpdateAliasCommand({ FunctionName, Name: 'live', RoutingConfig: { AdditionalVersionWeights: {} } }),
  )

  assert.equal(made.RoutingConfig, RoutingConfig)
  assert.equal(
    listed.Aliases?.map((alias) => alias.Name),
    ['live'],
  )
  assert.is(cleared.RoutingConfig, undefined)
})

const NAME = '(?!^[0-9]+$)([a-zA-Z0-9-_]+)'
const REFUSED_ALIASES: readonly [change: object, name: string, message: string | RegExp][] = [
  [{ Name: 'taken' }, 'ResourceConflictException', `Alias already exists: ${ARN}:taken`],
  [{ FunctionVersion: '9' }, 'ResourceNotFoundException', `Function not found: ${ARN}:9`],
  [
    { Name: '2024' },
    'ValidationException',
    "1 validation error detected: Value '2024' at 'name' failed to satisfy constraint: " +
      `Member must satisfy regular expression pattern: ${NAME}`,
  ],
  [
    { RoutingConfig: { AdditionalVersionWeights: { 1: 0.5 } } },
    'InvalidParameterValueException',
    'Invalid function version 1. Function version 1 is already included in routing configuration.',
  ],
  [
    { FunctionVersion: '$LATEST', RoutingConfig: { AdditionalVersionWeights: { 1: 0.5 } } },
    'InvalidParameterValueException',
    '$LATEST is not supported for an alias pointing to more than 1 version',
  ],
  [
    { RoutingConfig: { AdditionalVersionWeights: { 2: 0.1, 3: 0.1 } } },
    'InvalidParameterValueException',
    'Number of items in AdditionalVersionWeights cannot be greater than 1',
  ],
  [
    { RoutingConfig: { AdditionalVersionWeights: { 2: 2 } } },
    'ValidationException',
    /^1 validation error detected: Value '\{2=2\.0\}' at/,
  ],
  [
    { RoutingConfig: { AdditionalVersionWeights: { $LATEST: 0.5 } } },
    'ValidationException',
    /Map keys must satisfy/,
  ],
]

versions('a version that is not there is deleted already', async () => {
  await using api = await startWithFunction({}, true)

  const { $metadata } = await api.client.send(new DeleteFunctionCommand({ FunctionName, Qualifier: '1233' }))
  const { Versions = [] } = await api.client.send(new ListVersionsByFunctionCommand({ FunctionName }))
  const nobody = { FunctionName: 'nobody', Qualifier: '1' }
  const refused = await refusalOf(api.client.send(new DeleteFunctionCommand(nobody)))

  assert.is($metadata.httpStatusCode, 204)
  assert.is(Versions.length, 2)
  assert.is(refused.name, 'ResourceNotFoundException')
})

versions('aliases that cannot be are refused', async () => {
  await using api = await startWithFunction({}, true)
  const alias = { FunctionName, Name: 'taken', FunctionVersion: '1' }
  await api.client.send(new CreateAliasCommand(alias))

  for (const [change, name, message] of REFUSED_ALIASES) {
    const refused = await refusalOf(
      api.client.send(new CreateAliasCommand({ ...alias, Name: 'new', ...change })),
    )
    assert.is(refused.name, name, JSON.stringify(change))
    if (typeof message === 'string') assert.is(refused.message, message)
    else assert.match(refused.message, message)
  }
  const missing = await refusalOf(
    api.client.send(new UpdateAliasCommand({ FunctionName, Name: 'non-existent' })),
  )
  assert.is(missing.message, `Alias not found: ${ARN}:non-existent`)
})

versions.run()
