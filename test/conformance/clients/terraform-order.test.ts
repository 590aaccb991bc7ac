// time limit: 120 s
import { createHash } from 'node:crypto'
import {
  CreateFunctionCommand,
  type CreateFunctionCommandInput,
  DeleteFunctionCommand,
  DeleteFunctionConcurrencyCommand,
  GetFunctionCodeSigningConfigCommand,
  GetFunctionCommand,
  LambdaClient,
  ListVersionsByFunctionCommand,
  PublishVersionCommand,
  PutFunctionConcurrencyCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  type GetFunctionCommandOutput,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startLambent, zipOf } from '../../support/lambent.ts'
import { until } from '../../support/until.ts'

/** The calls that Terraform makes, in its order: what was written is what is read. */
const order = suite("Terraform's order of calls")

const FunctionName = 'ordered'
const hashOf = (zip: Buffer): string => createHash('sha256').update(zip).digest('base64')

const WRITTEN: Omit<CreateFunctionCommandInput, 'Code'> = {
  FunctionName,
  Role: 'arn:aws:iam::000000000000:role/tf/deep-role',
  Runtime: 'nodejs22.x',
  Handler: 'src/index.handler',
  Description: 'made in order',
  Timeout: 17,
  MemorySize: 192,
  EphemeralStorage: { Size: 640 },
  Architectures: ['x86_64'],
  Environment: { Variables: { STAGE: 'one', EMPTY: '' } },
  TracingConfig: { Mode: 'Active' },
  LoggingConfig: {
    LogFormat: 'JSON',
    ApplicationLogLevel: 'DEBUG',
    SystemLogLevel: 'WARN',
    LogGroup: '/custom/ordered',
  },
  DeadLetterConfig: { TargetArn: 'arn:aws:sqs:us-east-1:000000000000:dead' },
}

/** Every written member as it was written; those AWS adds beside them are not looked at. */
function assertRead(read: GetFunctionCommandOutput, written: object): void {
  const { Configuration = {} } = read
  const seen = Object.fromEntries(
    Object.keys(written).map((name) => [name, Configuration[name as keyof typeof Configuration]]),
  )
  assert.equal(seen, written)
}

order('a function is created, read, updated and deleted without drift', async () => {
  await using lambent = await startLambent({ argv: ['--limits', 'strict'] })
  const client = new LambdaClient({
    endpoint: lambent.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  })
  const first = await zipOf({ 'src/index.js': 'exports.handler = async () => 1' })
  const second = await zipOf({ 'src/index.js': 'exports.handler = async () => 2' })
  const read = (): Promise<GetFunctionCommandOutput> => client.send(new GetFunctionCommand({ FunctionName }))
  const settled = (): Promise<unknown> =>
    until('the function is settled', async () => {
      const { Configuration } = await read()
      return Configuration?.State === 'Active' && Configuration.LastUpdateStatus === 'Successful'
    })

  const Tags = { team: 'a', 'with space': 'b c' }
  await client.send(new CreateFunctionCommand({ ...WRITTEN, Tags, Code: { ZipFile: first } }))
  await settled()
  await client.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions: 0 }))
  const created = await read()
  assertRead(created, { ...WRITTEN, CodeSha256: hashOf(first), CodeSize: first.length, PackageType: 'Zip' })
  assert.equal(created.Tags, Tags)
  assert.is(created.Concurrency?.ReservedConcurrentExecutions, 0)
  assert.equal(Buffer.from(await (await fetch(created.Code?.Location ?? '')).arrayBuffer()), first)
  const signing = await client.send(new GetFunctionCodeSigningConfigCommand({ FunctionName }))
  assert.is(signing.CodeSigningConfigArn, undefined)

  const changed = { Timeout: 21, Environment: { Variables: { STAGE: 'two' } }, Description: '' }
  await client.send(new UpdateFunctionConfigurationCommand({ FunctionName, ...changed }))
  await settled()
  await client.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile: second }))
  await settled()
  await client.send(new DeleteFunctionConcurrencyCommand({ FunctionName }))
  await client.send(new PublishVersionCommand({ FunctionName }))
  const updated = await read()
  assertRead(updated, { ...WRITTEN, ...changed, CodeSha256: hashOf(second) })
  assert.is(updated.Concurrency, undefined)
  const { Versions = [] } = await client.send(new ListVersionsByFunctionCommand({ FunctionName }))
  assert.equal(
    Versions.map(({ Version }) => Version),
    ['$LATEST', '1'],
  )

  await client.send(new DeleteFunctionCommand({ FunctionName }))
  const gone = await read().catch((error: unknown) => error)
  assert.is(gone instanceof Error && gone.name, 'ResourceNotFoundException')
  client.destroy()
})

order.run()
