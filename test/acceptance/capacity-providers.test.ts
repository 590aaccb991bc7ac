// time limit: 120 s
import { writeFileSync } from 'node:fs'
import {
  CreateCapacityProviderCommand,
  CreateFunctionCommand,
  GetCapacityProviderCommand,
  InvokeCommand,
  LambdaClient,
  PublishVersionCommand,
  PutFunctionScalingConfigCommand,
  UpdateCapacityProviderCommand,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { environmentsOf } from '../support/function-calls.ts'
import { active, startLambent, zipOf, type RunningLambent } from '../support/lambent.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { until } from '../support/until.ts'

/** Pools of processors that functions share, over real processes. */
const providers = suite('capacity providers')

const ARN = 'arn:aws:lambda:us-east-1:000000000000:capacity-provider:pool'
const ROLE = 'arn:aws:iam::000000000000:role/r'
const RESOURCES = ['--resources', '{"cpu":8,"memoryMb":64000}']
/** Holds its environment until the file that the event names is there; says how the environment began. */
const CODE = `
  const fs = require('fs')
  let calls = 0
  exports.handler = async ({ until }) => {
    calls += 1
    while (until && !fs.existsSync(until)) await new Promise((end) => setTimeout(end, 10))
    return { calls, type: process.env.AWS_LAMBDA_INITIALIZATION_TYPE, max: process.env.AWS_LAMBDA_MAX_CONCURRENCY ?? '1' }
  }`

const clientOf = ({ url }: RunningLambent): LambdaClient =>
  new LambdaClient({
    endpoint: url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  })

const aPool = (client: LambdaClient, MaxVCpuCount: number): Promise<unknown> =>
  client.send(
    new CreateCapacityProviderCommand({
      CapacityProviderName: 'pool',
      VpcConfig: { SubnetIds: ['subnet-1'], SecurityGroupIds: [] },
      PermissionsConfig: { CapacityProviderOperatorRoleArn: ROLE },
      CapacityProviderScalingConfig: { MaxVCpuCount },
    }),
  )

/** A function of which each environment takes one processor of the pool. */
async function inPool(lambent: RunningLambent, FunctionName: string, concurrency: number): Promise<void> {
  await clientOf(lambent).send(
    new CreateFunctionCommand({
      FunctionName,
      Role: ROLE,
      Runtime: `nodejs${process.versions.node.split('.')[0]}.x` as 'nodejs20.x',
      Handler: 'index.handler',
      Timeout: 60,
      MemorySize: 2048,
      Code: { ZipFile: await zipOf({ 'index.js': CODE }) },
      Publish: true,
      CapacityProviderConfig: {
        LambdaManagedInstancesCapacityProviderConfig: {
          CapacityProviderArn: ARN,
          PerExecutionEnvironmentMaxConcurrency: concurrency,
        },
      },
    }),
  )
  await active(lambent.url, FunctionName)
}

interface Answer {
  readonly calls: number
  readonly type: string
  readonly max: string
  readonly version: string | undefined
}

async function call(client: LambdaClient, FunctionName: string, more: object = {}): Promise<Answer> {
  const { Payload, ExecutedVersion } = await client.send(
    new InvokeCommand({ FunctionName, Payload: '{}', ...more }),
  )
  // the handler above gives these
  const answer = JSON.parse(Buffer.from(Payload ?? []).toString('utf8')) as Omit<Answer, 'version'>
  return { ...answer, version: ExecutedVersion }
}

const busy = async (lambent: RunningLambent, name: string): Promise<number> =>
  (await environmentsOf(lambent, name)).filter(({ state }) => state === 'busy').length

const scale = (client: LambdaClient, FunctionName: string, low: number, high: number): Promise<unknown> =>
  client.send(
    new PutFunctionScalingConfigCommand({
      FunctionName,
      Qualifier: '1',
      FunctionScalingConfig: { MinExecutionEnvironments: low, MaxExecutionEnvironments: high },
    }),
  )

providers('functions hold no more processors than their provider has, until it has more', async () => {
  await using lambent = await startLambent({ argv: [...RESOURCES, '--isolation', 'none'] })
  using folder = temporaryDirectory()
  const client = clientOf(lambent)
  await aPool(client, 2)
  await inPool(lambent, 'first', 1)
  await inPool(lambent, 'second', 1)
  const gate = folder.join('open')
  const Payload = JSON.stringify({ until: gate })
  const held = () => Promise.all([busy(lambent, 'first'), busy(lambent, 'second')])

  const calls = [call(client, 'first', { Payload }), call(client, 'second', { Payload })]
  await until('two run', async () => (await held()).join() === '1,1')
  calls.push(call(client, 'first', { Payload }))
  const waits = await until('the third waits, and the reason is known', async () => {
    const health = (await (await fetch(`${lambent.url}/lambent/v1/health`)).json()) as {
      waiting: { reason: string }[]
    }
    return health.waiting.find(({ reason }) => reason.includes('capacity-provider:pool'))
  })
  const meanwhile = await held()
  await client.send(
    new UpdateCapacityProviderCommand({
      CapacityProviderName: 'pool',
      CapacityProviderScalingConfig: { MaxVCpuCount: 3 },
    }),
  )
  await until('the third runs', async () => (await held()).join() === '2,1')
  writeFileSync(folder.join('open'), '')
  const answers = await Promise.all(calls)

  assert.match(waits.reason, /hold 2 of 2 cpu/)
  assert.equal(meanwhile, [1, 1])
  assert.equal(
    answers.map(({ type }) => type),
    Array.from({ length: 3 }, () => 'lambda-managed-instances'),
  )
})

providers(
  'an environment runs as many calls at once as it may, and there are as many as was set',
  async () => {
    await using lambent = await startLambent({ argv: [...RESOURCES, '--isolation', 'none'] })
    using folder = temporaryDirectory()
    const client = clientOf(lambent)
    await aPool(client, 8)
    await inPool(lambent, 'bounded', 2)
    const Qualifier = '1'
    const Payload = JSON.stringify({ until: folder.join('open') })

    await scale(client, 'bounded', 2, 3)
    await until('two are ready before anybody asks', async () => {
      const ready = await environmentsOf(lambent, 'bounded')
      return ready.length === 2 && ready.every(({ state }) => state === 'idle')
    })
    const calls = Array.from({ length: 8 }, () => call(client, 'bounded', { Qualifier, Payload }))
    const most = await until('there are three', async () => {
      const { length } = await environmentsOf(lambent, 'bounded')
      return length >= 3 ? length : undefined
    })
    writeFileSync(folder.join('open'), '')
    const answers = await Promise.all(calls)
    await scale(client, 'bounded', 0, 0)
    await until('none is left', async () => (await environmentsOf(lambent, 'bounded')).length === 0)
    const refusal = await call(client, 'bounded', { Qualifier }).catch((error: Error) => error)

    assert.is(most, 3)
    assert.is(answers[0]?.max, '2')
    assert.is((refusal as Error).name, 'ResourceConflictException')
  },
)

providers(
  'the newest published version is replaced without a gap, and runs where nothing is named',
  async () => {
    await using lambent = await startLambent({ argv: RESOURCES })
    const client = clientOf(lambent)
    await aPool(client, 8)
    await inPool(lambent, 'newest', 4)
    const publish = new PublishVersionCommand({ FunctionName: 'newest', PublishTo: 'LATEST_PUBLISHED' })

    const before = await call(client, 'newest')
    await client.send(publish)
    const after = await call(client, 'newest')
    const named = await call(client, 'newest', { Qualifier: '$LATEST.PUBLISHED' })

    assert.is(before.version, '$LATEST')
    assert.equal([after.version, named.version], ['$LATEST.PUBLISHED', '$LATEST.PUBLISHED'])
  },
)

providers(
  'providers, bounds and the newest version are there again after a restart of the engine',
  async () => {
    using folder = temporaryDirectory()
    {
      await using first = await startLambent({ argv: RESOURCES, data: folder.path })
      const client = clientOf(first)
      await aPool(client, 2)
      await inPool(first, 'again', 1)
      await client.send(new PublishVersionCommand({ FunctionName: 'again', PublishTo: 'LATEST_PUBLISHED' }))
      await scale(client, 'again', 1, 2)
      await first.kill()
    }

    await using second = await startLambent({ argv: RESOURCES, data: folder.path })
    const client = clientOf(second)
    await until('one is ready before anybody asks', async () => {
      const ready = await environmentsOf(second, 'again')
      return ready.length === 1 && ready.every(({ state }) => state === 'idle')
    })
    const { CapacityProvider } = await client.send(
      new GetCapacityProviderCommand({ CapacityProviderName: 'pool' }),
    )
    const tooMany = await scale(client, 'again', 3, 3).catch((error: Error) => error)

    assert.is(CapacityProvider?.State, 'Active')
    assert.is(CapacityProvider?.CapacityProviderScalingConfig?.MaxVCpuCount, 2)
    assert.is((await call(client, 'again')).version, '$LATEST.PUBLISHED')
    assert.match((tooMany as Error).message, /capacity-provider:pool has 2 cpu/)
  },
)

providers.run()
