import {
  CreateAliasCommand,
  CreateFunctionCommand,
  CreateFunctionUrlConfigCommand,
  DeleteFunctionConcurrencyCommand,
  DeleteFunctionEventInvokeConfigCommand,
  DeleteFunctionUrlConfigCommand,
  GetAccountSettingsCommand,
  GetFunctionCodeSigningConfigCommand,
  GetFunctionCommand,
  GetFunctionConcurrencyCommand,
  GetFunctionEventInvokeConfigCommand,
  GetFunctionRecursionConfigCommand,
  GetFunctionUrlConfigCommand,
  GetRuntimeManagementConfigCommand,
  ListFunctionEventInvokeConfigsCommand,
  ListFunctionUrlConfigsCommand,
  ListTagsCommand,
  PutFunctionConcurrencyCommand,
  PutFunctionEventInvokeConfigCommand,
  PutFunctionRecursionConfigCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateFunctionEventInvokeConfigCommand,
  UpdateFunctionUrlConfigCommand,
  type DestinationConfig,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { within } from '../../support/until.ts'
import { NEW, refusalOf, startApi, type Refusal, type TestApi, type TestApiOptions } from './start-api.ts'

const attachments = suite('Lambda API: what hangs on functions')

const ARN = 'arn:aws:lambda:us-east-1:000000000000:function:orders'
const FunctionName = 'orders'
const HERE = { account: '000000000000', region: 'us-east-1' }
const refused = (name: string, status: number, message: string): Refusal => ({ name, message, status })

/** An API with an active function, its version 1 and the alias `live`. */
async function startWithAlias(options: TestApiOptions = {}): Promise<TestApi> {
  const api = await startApi(options)
  await api.client.send(new CreateFunctionCommand({ ...NEW, Publish: true }))
  await within('a settled function', api.registry.ready(HERE, FunctionName))
  await api.client.send(new CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1' }))
  return api
}

attachments('tags come and go, and each change is a new revision', async () => {
  await using api = await startWithAlias()
  const revision = async () =>
    (await api.client.send(new GetFunctionCommand({ FunctionName }))).Configuration?.RevisionId
  const tags = async () => (await api.client.send(new ListTagsCommand({ Resource: ARN }))).Tags
  const before = await revision()

  await api.client.send(new TagResourceCommand({ Resource: ARN, Tags: { A: 'a', B: 'b', C: 'c' } }))
  await api.client.send(new TagResourceCommand({ Resource: ARN, Tags: { C: 'x' } }))
  const tagged = await tags()
  await api.client.send(new UntagResourceCommand({ Resource: ARN, TagKeys: ['A', 'C', 'none'] }))
  const left = await tags()
  await api.client.send(new UntagResourceCommand({ Resource: ARN, TagKeys: ['B'] }))
  const { Tags } = await api.client.send(new GetFunctionCommand({ FunctionName }))

  assert.equal(tagged, { A: 'a', B: 'b', C: 'x' })
  assert.equal(left, { B: 'b' })
  assert.equal(await tags(), {})
  assert.is(Tags, undefined)
  assert.is.not(await revision(), before)
})

attachments('only functions that exist are tagged, and no more than 50 times', async () => {
  await using api = await startWithAlias()
  const tag = (Resource: string, Tags: Record<string, string> = { a: 'b' }): Promise<Refusal> =>
    refusalOf(api.client.send(new TagResourceCommand({ Resource, Tags })))
  const many = Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`${index}_key`, 'v']))

  assert.is((await tag(ARN.replace('orders', 'nothing'))).name, 'ResourceNotFoundException')
  for (const qualified of [`${ARN}:live`, `${ARN}:$LATEST`])
    assert.is(
      (await tag(qualified)).message,
      'Tags on function aliases and versions are not supported. Please specify a function ARN.',
    )
  assert.match(
    (await tag('arn:aws:something')).message,
    /^1 validation error detected: Value 'arn:aws:something' at 'resource' failed to satisfy/,
  )
  assert.is((await tag(ARN, {})).message, 'An error occurred and the request cannot be processed.')
  assert.is((await tag(ARN, many)).message, 'Number of tags exceeds resource tag limit.')
  assert.match(
    (await tag(ARN, { 'lambent:timeout': 'soon' })).message,
    /it takes none, or a duration such as/,
  )
  const provider = ARN.replace('function:orders', 'capacity-provider:x')
  assert.is((await tag(provider)).message, `Capacity provider not found: ${provider}`)
  const response = await fetch(`${api.url}/2017-03-31/tags/${encodeURIComponent(ARN)}`, { method: 'DELETE' })
  assert.equal(await response.json(), {
    __type: 'ValidationException',
    message:
      "1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must not be null",
  })
})

attachments('concurrency is reserved, shown and given back', async () => {
  await using api = await startWithAlias()
  const reserve = (ReservedConcurrentExecutions: number) =>
    api.client.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions }))

  const none = await api.client.send(new GetFunctionConcurrencyCommand({ FunctionName }))
  const zero = await reserve(0)
  await reserve(3)
  const three = await api.client.send(new GetFunctionConcurrencyCommand({ FunctionName }))
  const shown = await api.client.send(new GetFunctionCommand({ FunctionName }))
  const settings = await api.client.send(new GetAccountSettingsCommand({}))
  await api.client.send(new DeleteFunctionConcurrencyCommand({ FunctionName }))
  const after = await api.client.send(new GetFunctionConcurrencyCommand({ FunctionName }))
  const tooMuch = await refusalOf(reserve(901))
  const qualified = await refusalOf(
    api.client.send(
      new PutFunctionConcurrencyCommand({ FunctionName: 'orders:live', ReservedConcurrentExecutions: 1 }),
    ),
  )

  assert.is(none.ReservedConcurrentExecutions, undefined)
  assert.is(zero.ReservedConcurrentExecutions, 0)
  assert.is(three.ReservedConcurrentExecutions, 3)
  assert.equal(shown.Concurrency, { ReservedConcurrentExecutions: 3 })
  assert.equal(settings.AccountLimit, {
    TotalCodeSize: 80_530_636_800,
    CodeSizeUnzipped: 262_144_000,
    CodeSizeZipped: 52_428_800,
    ConcurrentExecutions: 1000,
    UnreservedConcurrentExecutions: 997,
  })
  assert.is(settings.AccountUsage?.FunctionCount, 1)
  assert.is(after.ReservedConcurrentExecutions, undefined)
  assert.equal(
    tooMuch,
    refused(
      'InvalidParameterValueException',
      400,
      "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].",
    ),
  )
  assert.is(qualified.name, 'InvalidParameterValueException')
})

attachments('a function URL is made once, and each answer shows what the service shows', async () => {
  await using api = await startWithAlias()

  const { $metadata, ...created } = await api.client.send(
    new CreateFunctionUrlConfigCommand({ FunctionName, AuthType: 'NONE' }),
  )
  const twice = await refusalOf(
    api.client.send(new CreateFunctionUrlConfigCommand({ FunctionName, AuthType: 'NONE' })),
  )
  const read = await api.client.send(new GetFunctionUrlConfigCommand({ FunctionName }))
  await api.clock.advance(1000)
  const updated = await api.client.send(
    new UpdateFunctionUrlConfigCommand({ FunctionName, AuthType: 'AWS_IAM', Cors: { AllowOrigins: ['*'] } }),
  )
  const urlId = new URL(created.FunctionUrl ?? '').hostname.split('.')[0] ?? ''
  const found = api.registry.byUrl(urlId)
  await api.client.send(new DeleteFunctionUrlConfigCommand({ FunctionName }))
  const gone = await refusalOf(api.client.send(new GetFunctionUrlConfigCommand({ FunctionName })))

  assert.is($metadata.httpStatusCode, 201)
  assert.match(created.FunctionUrl ?? '', /^http:\/\/[a-z0-9]{32}\.lambda-url\.us-east-1\.localhost:4701\/$/)
  assert.equal(created, {
    FunctionUrl: created.FunctionUrl,
    FunctionArn: ARN,
    AuthType: 'NONE',
    CreationTime: '2026-01-02T03:04:05.678Z',
  })
  assert.equal(
    twice,
    refused(
      'ResourceConflictException',
      409,
      `Failed to create function url config for [functionArn = ${ARN}]. Error message:  FunctionUrlConfig exists for this Lambda function`,
    ),
  )
  assert.is(read.InvokeMode, 'BUFFERED')
  assert.is(read.LastModifiedTime, '2026-01-02T03:04:05.678Z')
  assert.is(updated.InvokeMode, undefined)
  assert.equal(updated.Cors, { AllowOrigins: ['*'] })
  assert.is(updated.LastModifiedTime, '2026-01-02T03:04:06.678Z')
  assert.is(found?.record.functionName, FunctionName)
  assert.is(found?.url.auth, 'iam')
  assert.is(api.registry.byUrl(urlId), undefined)
  assert.is(gone.message, 'The resource you requested does not exist.')
})

attachments('an alias has a URL of its own, a version has none', async () => {
  await using api = await startWithAlias()
  const make = (change: object) =>
    api.client.send(new CreateFunctionUrlConfigCommand({ FunctionName, AuthType: 'NONE', ...change }))

  const created = await make({ Qualifier: 'live', InvokeMode: 'RESPONSE_STREAM' })
  await make({})
  const listed = await api.client.send(new ListFunctionUrlConfigsCommand({ FunctionName }))
  const version = await refusalOf(make({ Qualifier: '1' }))
  const missing = await refusalOf(make({ FunctionName: 'doesnotexist' }))
  const mode = await refusalOf(make({ InvokeMode: 'UNKNOWN' }))

  assert.is(created.FunctionArn, `${ARN}:live`)
  assert.is(created.InvokeMode, 'RESPONSE_STREAM')
  assert.equal(
    listed.FunctionUrlConfigs?.map((url) => url.FunctionArn),
    [ARN, `${ARN}:live`],
  )
  assert.match(version.message, /^1 validation error detected: Value '1' at 'qualifier' failed to satisfy/)
  assert.is(missing.name, 'ResourceNotFoundException')
  assert.is(
    mode.message,
    "1 validation error detected: Value 'UNKNOWN' at 'invokeMode' failed to satisfy constraint: Member must satisfy enum value set: [RESPONSE_STREAM, BUFFERED]",
  )
})

attachments('event settings are replaced by put and merged by update', async () => {
  await using api = await startWithAlias()
  const at = { FunctionName, Qualifier: '$LATEST' }

  await api.client.send(new PutFunctionEventInvokeConfigCommand({ FunctionName, MaximumRetryAttempts: 0 }))
  const replaced = await api.client.send(
    new PutFunctionEventInvokeConfigCommand({ FunctionName, MaximumEventAgeInSeconds: 60 }),
  )
  await api.client.send(new UpdateFunctionEventInvokeConfigCommand({ ...at, MaximumRetryAttempts: 1 }))
  const { $metadata, LastModified, ...merged } = await api.client.send(
    new GetFunctionEventInvokeConfigCommand({ FunctionName }),
  )
  const listed = await api.client.send(new ListFunctionEventInvokeConfigsCommand({ FunctionName }))
  const nothing = await refusalOf(api.client.send(new PutFunctionEventInvokeConfigCommand({ FunctionName })))
  await api.client.send(new DeleteFunctionEventInvokeConfigCommand({ FunctionName }))
  const gone = await refusalOf(
    api.client.send(new GetFunctionEventInvokeConfigCommand({ FunctionName, Qualifier: '1' })),
  )

  assert.is(replaced.MaximumRetryAttempts, undefined)
  assert.is($metadata.httpStatusCode, 200)
  assert.is(LastModified?.toISOString(), '2026-01-02T03:04:05.678Z')
  assert.equal(merged, {
    FunctionArn: `${ARN}:$LATEST`,
    MaximumRetryAttempts: 1,
    MaximumEventAgeInSeconds: 60,
    DestinationConfig: { OnSuccess: {}, OnFailure: {} },
  })
  assert.is(listed.FunctionEventInvokeConfigs?.length, 1)
  assert.is(nothing.name, 'InvalidParameterValueException')
  assert.is(gone.message, `The function ${ARN}:1 doesn't have an EventInvokeConfig`)
})

attachments('a destination that no outcome can get to is refused', async () => {
  await using api = await startWithAlias()
  const queue = 'arn:aws:sqs:us-east-1:000000000000:outcomes'
  const put = (DestinationConfig: DestinationConfig): Promise<Refusal> =>
    refusalOf(api.client.send(new PutFunctionEventInvokeConfigCommand({ FunctionName, DestinationConfig })))
  const failure = async (Destination: string): Promise<string> =>
    (await put({ OnFailure: { Destination } })).message

  assert.match(
    await failure('nonsense'),
    "1 validation error detected: Value 'nonsense' at 'destinationConfig.onFailure.destination' failed to satisfy constraint: Member must satisfy regular expression pattern: $|kafka://",
  )
  assert.is(await failure(ARN), "You can't specify the function as a destination for itself.")
  assert.is(await failure(`${ARN}:live`), "You can't specify the function as a destination for itself.")
  assert.is(await failure(`${ARN}x`), `The destination ARN ${ARN}x is invalid.`)
  const table = 'arn:aws:dynamodb:us-east-1:000000000000:table/t'
  const told = (success: string, other: string): string =>
    `The provided destination config DestinationConfig(onSuccess=${success}, onFailure=${other}) is invalid.`
  assert.is(await failure(table), told('null', `OnFailure(destination=${table})`))
  assert.is(await failure(`${queue}.fifo`), told('null', `OnFailure(destination=${queue}.fifo)`))
  const bucket = await put({
    OnSuccess: { Destination: 'arn:aws:s3:::b' },
    OnFailure: { Destination: queue },
  })
  assert.is(bucket.name, 'InvalidParameterValueException')
  assert.is(bucket.message, told('OnSuccess(destination=arn:aws:s3:::b)', `OnFailure(destination=${queue})`))
})

attachments('a destination of any kind is kept, and unknown functions have none', async () => {
  await using api = await startWithAlias()
  const destinations = {
    OnSuccess: { Destination: 'arn:aws:events:us-east-1:000000000000:event-bus/default' },
    OnFailure: { Destination: 'arn:aws:s3:::outcomes' },
  }
  const at = { FunctionName, Qualifier: 'live' }

  const put = await api.client.send(
    new PutFunctionEventInvokeConfigCommand({ ...at, DestinationConfig: destinations }),
  )
  const nobody = { FunctionName: 'nobody' }
  const refused = await Promise.all(
    [
      new PutFunctionEventInvokeConfigCommand({ ...nobody, MaximumRetryAttempts: 1 }),
      new UpdateFunctionEventInvokeConfigCommand({
        FunctionName,
        Qualifier: 'gone',
        MaximumRetryAttempts: 1,
      }),
      new ListFunctionEventInvokeConfigsCommand(nobody),
      new GetFunctionEventInvokeConfigCommand(nobody),
      new DeleteFunctionEventInvokeConfigCommand(nobody),
    ].map((command) => refusalOf(api.client.send(command as never))),
  )

  assert.equal(put.DestinationConfig, destinations)
  assert.is(put.FunctionArn, `${ARN}:live`)
  assert.equal(new Set(refused.map(({ name }) => name)), new Set(['ResourceNotFoundException']))
  const none = `The function ${ARN.replace(FunctionName, 'nobody')}:$LATEST doesn't have an EventInvokeConfig`
  assert.equal(
    refused.map(({ message }) => message),
    [...Array.from({ length: 3 }, () => "The function doesn't exist."), none, none],
  )
})

attachments('what Terraform reads on the way is answered', async () => {
  await using api = await startWithAlias()

  const { $metadata, ...signing } = await api.client.send(
    new GetFunctionCodeSigningConfigCommand({ FunctionName }),
  )
  const noFunction = await refusalOf(
    api.client.send(new GetFunctionCodeSigningConfigCommand({ FunctionName: 'doesnotexist' })),
  )
  const runtime = await api.client.send(new GetRuntimeManagementConfigCommand({ FunctionName }))
  const before = await api.client.send(new GetFunctionRecursionConfigCommand({ FunctionName }))
  await api.client.send(new PutFunctionRecursionConfigCommand({ FunctionName, RecursiveLoop: 'Allow' }))
  const after = await api.client.send(new GetFunctionRecursionConfigCommand({ FunctionName }))

  assert.is($metadata.httpStatusCode, 200)
  assert.equal(signing, {})
  assert.is(noFunction.message, `Function not found: ${ARN.replace('orders', 'doesnotexist')}`)
  assert.is(runtime.UpdateRuntimeOn, 'Auto')
  assert.is(before.RecursiveLoop, 'Terminate')
  assert.is(after.RecursiveLoop, 'Allow')
})

attachments.run()
