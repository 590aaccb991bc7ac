import { createHash } from 'node:crypto'
import {
  CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  ListFunctionsCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionActiveV2,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { within } from '../../support/until.ts'
import { NEW, refusalOf, ROLE, startApi, zipWith, type TestApi } from './start-api.ts'

const functions = suite('Lambda API: functions')

const ARN = 'arn:aws:lambda:us-east-1:000000000000:function:orders'
const ZIP = NEW.Code.ZipFile
const SHA256 = createHash('sha256').update(ZIP).digest('base64')

/** The whole body of a response, as it was on the wire. */
async function wire(api: TestApi, method: string, path: string, body?: object): Promise<Response> {
  return await fetch(
    `${api.url}${path}`,
    body === undefined ? { method } : { method, body: JSON.stringify(body) },
  )
}

// the cast: every body here is an object, checked member by member
const jsonOf = async (response: Response) => (await response.json()) as Record<string, unknown>

const CREATE = {
  ...NEW,
  Code: { ZipFile: ZIP.toString('base64') },
}

const settled = (api: TestApi, name = 'orders') =>
  within('a settled function', api.registry.ready({ account: '000000000000', region: 'us-east-1' }, name))

functions('a new function has the defaults of the service, field by field', async () => {
  await using api = await startApi()

  const response = await wire(api, 'POST', '/2015-03-31/functions', CREATE)
  const { RevisionId, RuntimeVersionConfig, ...rest } = await jsonOf(response)

  assert.is(response.status, 201)
  assert.match(response.headers.get('x-amzn-requestid') ?? '', /^[0-9a-f-]{36}$/)
  assert.match(String(RevisionId), /^[0-9a-f-]{36}$/)
  assert.match(JSON.stringify(RuntimeVersionConfig), /"arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}"/)
  assert.equal(rest, {
    FunctionName: 'orders',
    FunctionArn: ARN,
    Runtime: 'nodejs24.x',
    Role: ROLE,
    Handler: 'index.handler',
    CodeSize: ZIP.length,
    Description: '',
    Timeout: 3,
    MemorySize: 128,
    LastModified: '2026-01-02T03:04:05.678+0000',
    CodeSha256: SHA256,
    Version: '$LATEST',
    TracingConfig: { Mode: 'PassThrough' },
    PackageType: 'Zip',
    Architectures: ['x86_64'],
    EphemeralStorage: { Size: 512 },
    SnapStart: { ApplyOn: 'None', OptimizationStatus: 'Off' },
    LoggingConfig: { LogFormat: 'Text', LogGroup: '/aws/lambda/orders' },
    State: 'Pending',
    StateReason: 'The function is being created.',
    StateReasonCode: 'Creating',
  })
})

functions('it becomes active with a new revision, and the waiters of the SDK see it', async () => {
  await using api = await startApi()
  const created = await api.client.send(new CreateFunctionCommand(NEW))

  await waitUntilFunctionActiveV2({ client: api.client, maxWaitTime: 10 }, { FunctionName: 'orders' })
  const active = await api.client.send(new GetFunctionConfigurationCommand({ FunctionName: 'orders' }))

  assert.is(active.State, 'Active')
  assert.is(active.LastUpdateStatus, 'Successful')
  assert.is(active.StateReason, undefined)
  assert.is.not(active.RevisionId, created.RevisionId)
  assert.is(active.FunctionArn, ARN)
})

functions('a preparation that fails shows its reason', async () => {
  await using api = await startApi({ prepare: () => Promise.reject(new Error('nodejs24.x cannot be had')) })
  await api.client.send(new CreateFunctionCommand(NEW))

  await settled(api)
  const failed = await api.client.send(new GetFunctionConfigurationCommand({ FunctionName: 'orders' }))

  assert.is(failed.State, 'Failed')
  assert.is(failed.StateReason, 'nodejs24.x cannot be had')
})

functions('GetFunction links to the zip, byte for byte, for ten minutes', async () => {
  await using api = await startApi()
  await api.client.send(new CreateFunctionCommand({ ...NEW, Tags: { team: 'a' } }))

  const found = await api.client.send(new GetFunctionCommand({ FunctionName: 'orders' }))
  const location = found.Code?.Location ?? ''
  const download = Buffer.from(await (await fetch(location)).arrayBuffer())
  const forged = await fetch(`${location.slice(0, -1)}${location.endsWith('0') ? '1' : '0'}`)
  await api.clock.advance(601_000)
  const late = await fetch(location)

  assert.is(found.Code?.RepositoryType, 'S3')
  assert.equal(found.Tags, { team: 'a' })
  assert.is(found.Concurrency, undefined)
  assert.equal(download, ZIP)
  assert.is(forged.status, 403)
  assert.is(late.status, 403)
})

functions('an update is in progress, then successful, each time under a new revision', async () => {
  await using api = await startApi()
  await api.client.send(new CreateFunctionCommand(NEW))
  await settled(api)

  const changed = await api.client.send(
    new UpdateFunctionConfigurationCommand({
      FunctionName: ARN,
      Description: 'changed',
      Timeout: 10,
      Environment: { Variables: { ENV_A: 'a' } },
    }),
  )
  await waitUntilFunctionUpdatedV2({ client: api.client, maxWaitTime: 10 }, { FunctionName: 'orders' })
  const code = await api.client.send(
    new UpdateFunctionCodeCommand({ FunctionName: 'orders', ZipFile: zipWith('() => 2') }),
  )
  await settled(api)
  const after = await api.client.send(new GetFunctionConfigurationCommand({ FunctionName: 'orders' }))

  assert.is(changed.LastUpdateStatus, 'InProgress')
  assert.is(changed.LastUpdateStatusReason, 'The function is being created.')
  assert.is(changed.LastUpdateStatusReasonCode, 'Creating')
  assert.is(changed.State, 'Active')
  assert.equal(changed.Environment, { Variables: { ENV_A: 'a' } })
  assert.is(code.LastUpdateStatus, 'InProgress')
  assert.is.not(code.CodeSha256, SHA256)
  assert.is(after.LastUpdateStatus, 'Successful')
  assert.is(after.LastUpdateStatusReason, undefined)
  assert.is(after.Timeout, 10)
  assert.is(new Set([changed.RevisionId, code.RevisionId, after.RevisionId]).size, 3)
})

functions('what an update does not mention stays, and empty values clear', async () => {
  await using api = await startApi()
  await api.client.send(
    new CreateFunctionCommand({
      ...NEW,
      Environment: { Variables: { A_: '1' } },
      DeadLetterConfig: { TargetArn: 'arn:aws:sqs:us-east-1:000000000000:dead' },
      LoggingConfig: { LogFormat: 'JSON', LogGroup: 'shop' },
    }),
  )
  await settled(api)

  const kept = await api.client.send(
    new UpdateFunctionConfigurationCommand({
      FunctionName: 'orders',
      LoggingConfig: { ApplicationLogLevel: 'DEBUG' },
    }),
  )
  await settled(api)
  const cleared = await api.client.send(
    new UpdateFunctionConfigurationCommand({
      FunctionName: 'orders',
      Environment: { Variables: {} },
      DeadLetterConfig: { TargetArn: '' },
    }),
  )

  assert.equal(kept.Environment, { Variables: { A_: '1' } })
  assert.equal(kept.LoggingConfig, {
    LogFormat: 'JSON',
    ApplicationLogLevel: 'DEBUG',
    SystemLogLevel: 'INFO',
    LogGroup: 'shop',
  })
  assert.is(kept.DeadLetterConfig?.TargetArn, 'arn:aws:sqs:us-east-1:000000000000:dead')
  assert.equal(cleared.Environment, { Variables: {} })
  assert.is(cleared.DeadLetterConfig, undefined)
})

functions('a second change during an update conflicts in the words that clients retry on', async () => {
  let finish = (): void => {}
  let first = true
  await using api = await startApi({
    prepare: () =>
      first ? ((first = false), Promise.resolve()) : new Promise<void>((done) => (finish = done)),
  })
  await api.client.send(new CreateFunctionCommand(NEW))
  await settled(api)
  await api.client.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'orders', Description: 'a' }))

  const refused = await refusalOf(
    api.client.send(new UpdateFunctionConfigurationCommand({ FunctionName: 'orders', Description: 'b' })),
  )
  finish()
  await settled(api)

  assert.equal(refused, {
    name: 'ResourceConflictException',
    message: `The operation cannot be performed at this time. An update is in progress for resource: ${ARN}`,
    status: 409,
  })
})

functions('a stale revision changes nothing', async () => {
  await using api = await startApi()
  const created = await api.client.send(new CreateFunctionCommand(NEW))
  await settled(api)

  const refusals = [
    await refusalOf(
      api.client.send(
        new UpdateFunctionConfigurationCommand({ FunctionName: 'orders', RevisionId: created.RevisionId }),
      ),
    ),
    await refusalOf(
      api.client.send(
        new UpdateFunctionCodeCommand({
          FunctionName: 'orders',
          ZipFile: ZIP,
          RevisionId: created.RevisionId,
        }),
      ),
    ),
  ]

  for (const refused of refusals)
    assert.equal(refused, {
      name: 'PreconditionFailedException',
      message:
        'The Revision Id provided does not match the latest Revision Id. ' +
        'Call the GetFunction/GetAlias API to retrieve the latest Revision Id',
      status: 412,
    })
})

functions('a deleted function is gone, and its name is free', async () => {
  await using api = await startApi()
  await api.client.send(new CreateFunctionCommand(NEW))

  const deleted = await api.client.send(new DeleteFunctionCommand({ FunctionName: 'orders' }))
  const gone = await refusalOf(api.client.send(new GetFunctionCommand({ FunctionName: 'orders' })))
  const again = await api.client.send(new CreateFunctionCommand(NEW))

  assert.is(deleted.$metadata.httpStatusCode, 204)
  assert.equal(gone, {
    name: 'ResourceNotFoundException',
    message: `Function not found: ${ARN}`,
    status: 404,
  })
  assert.is(again.Version, '$LATEST')
})

functions('lists come by name in pages and leave states out', async () => {
  await using api = await startApi()
  for (const name of ['c', 'a', 'b'])
    await api.client.send(new CreateFunctionCommand({ ...NEW, FunctionName: name, Publish: name === 'a' }))

  const first = await api.client.send(new ListFunctionsCommand({ MaxItems: 2 }))
  const second = await api.client.send(new ListFunctionsCommand({ MaxItems: 2, Marker: first.NextMarker }))
  const all = await api.client.send(new ListFunctionsCommand({ FunctionVersion: 'ALL' }))

  assert.equal(
    first.Functions?.map((row) => row.FunctionName),
    ['a', 'b'],
  )
  assert.equal(
    second.Functions?.map((row) => row.FunctionName),
    ['c'],
  )
  assert.is(second.NextMarker, undefined)
  const [row] = first.Functions ?? []
  for (const member of ['State', 'StateReason', 'LastUpdateStatus', 'RuntimeVersionConfig'] as const)
    assert.is(row?.[member], undefined, member)
  assert.equal(
    all.Functions?.map(({ FunctionArn }) => FunctionArn?.split(':').slice(-2).join(':')),
    ['a:$LATEST', 'a:1', 'b:$LATEST', 'c:$LATEST'],
  )
})

functions('accounts and regions are kept apart', async () => {
  await using api = await startApi()
  const other = api.clientFor({ keyId: '111111111111', region: 'eu-west-1' })

  await api.client.send(new CreateFunctionCommand(NEW))
  const theirs = await other.send(new CreateFunctionCommand(NEW))
  const listed = await api.client.send(new ListFunctionsCommand({}))

  assert.is(theirs.FunctionArn, 'arn:aws:lambda:eu-west-1:111111111111:function:orders')
  assert.is(listed.Functions?.length, 1)
})

functions('any base path leads to the same operations', async () => {
  await using api = await startApi()
  const below = api.clientFor({ path: '/some/base' })

  await below.send(new CreateFunctionCommand(NEW))
  const listed = await api.client.send(new ListFunctionsCommand({}))
  const slash = await wire(api, 'GET', '/2015-03-31/functions/')

  assert.is(listed.Functions?.length, 1)
  assert.is(slash.status, 200)
})

functions('what nobody knows is a 404 in JSON with a name', async () => {
  await using api = await startApi()

  const response = await wire(api, 'GET', '/2025-09-09/microvms')

  assert.is(response.status, 404)
  assert.is(response.headers.get('x-amzn-errortype'), 'UnknownOperationException')
  assert.match(response.headers.get('content-type') ?? '', /^application\/json/)
  assert.match(String((await jsonOf(response)).message), /microvms/)
})

functions.run()
