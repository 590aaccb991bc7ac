// time limit: 180 s
import {
  CreateAliasCommand,
  DeleteProvisionedConcurrencyConfigCommand,
  GetProvisionedConcurrencyConfigCommand,
  InvokeCommand,
  LambdaClient,
  PublishVersionCommand,
  PutProvisionedConcurrencyConfigCommand,
  UntagResourceCommand,
  UpdateAliasCommand,
  UpdateFunctionCodeCommand,
  type GetProvisionedConcurrencyConfigCommandOutput,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { define, environmentsOf } from '../support/function-calls.ts'
import { active, startLambent, zipOf, type RunningLambent } from '../support/lambent.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { until } from '../support/until.ts'

/** Environments that are there before anybody asks: real ones, counted from outside. */
const provisioned = suite('provisioned concurrency')

const CODE = `
  exports.handler = async (event) => {
    if (event.exit) process.exit(1)
    return { type: process.env.AWS_LAMBDA_INITIALIZATION_TYPE, version: 'one' }
  }`

const clientOf = ({ url }: RunningLambent): LambdaClient =>
  new LambdaClient({
    endpoint: url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  })

/** A function with version 1 behind the alias `live`. */
async function published(lambent: RunningLambent, FunctionName: string, code = CODE): Promise<LambdaClient> {
  const client = clientOf(lambent)
  await define(lambent, FunctionName, code)
  await client.send(new PublishVersionCommand({ FunctionName }))
  await client.send(new CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1' }))
  return client
}

const put = (
  client: LambdaClient,
  FunctionName: string,
  Qualifier: string,
  count: number,
): Promise<unknown> =>
  client.send(
    new PutProvisionedConcurrencyConfigCommand({
      FunctionName,
      Qualifier,
      ProvisionedConcurrentExecutions: count,
    }),
  )

const settled = (
  client: LambdaClient,
  FunctionName: string,
  Qualifier: string,
  status = 'READY',
): Promise<GetProvisionedConcurrencyConfigCommandOutput> =>
  until(
    `${FunctionName}:${Qualifier} is ${status}`,
    async () => {
      const answer = await client.send(
        new GetProvisionedConcurrencyConfigCommand({ FunctionName, Qualifier }),
      )
      return answer.Status === status ? answer : undefined
    },
    30_000,
  )

interface Seen {
  readonly type: string
  readonly version: string
  readonly report: string
}

async function call(
  client: LambdaClient,
  FunctionName: string,
  Qualifier: string,
  payload = {},
): Promise<Seen> {
  const { Payload, LogResult } = await client.send(
    new InvokeCommand({ FunctionName, Qualifier, LogType: 'Tail', Payload: JSON.stringify(payload) }),
  )
  const log = Buffer.from(LogResult ?? '', 'base64').toString('utf8')
  // the handler above gives these
  const answer = JSON.parse(Buffer.from(Payload ?? []).toString('utf8')) as Omit<Seen, 'report'>
  return { ...answer, report: log.split('\n').find((line) => line.startsWith('REPORT')) ?? '' }
}

provisioned(
  'they are loaded, serve first, outlive idle time and a crash, and end with the setting',
  async () => {
    await using lambent = await startLambent({ settings: { LAMBENT_IDLE_TIMEOUT_MS: '1500' } })
    const FunctionName = 'kept'
    const client = await published(lambent, FunctionName)
    const cold = await call(client, FunctionName, '1')

    await put(client, FunctionName, 'live', 2)
    const ready = await settled(client, FunctionName, 'live')
    const warm = await call(client, FunctionName, 'live')
    const latest = await call(client, FunctionName, '$LATEST')
    await until('what was not kept is gone', async () => {
      const left = await environmentsOf(lambent, FunctionName)
      return left.length === 2
    })
    const kept = (await environmentsOf(lambent, FunctionName)).map(({ pid }) => pid)
    await call(client, FunctionName, 'live', { exit: true })
    await until('the one that crashed is replaced', async () => {
      const now = (await environmentsOf(lambent, FunctionName)).filter(({ state }) => state === 'idle')
      return now.length === 2 && now.some(({ pid }) => !kept.includes(pid))
    })
    await client.send(new DeleteProvisionedConcurrencyConfigCommand({ FunctionName, Qualifier: 'live' }))
    await until('none is left', async () => (await environmentsOf(lambent, FunctionName)).length === 0)

    assert.is(cold.type, 'on-demand')
    assert.match(cold.report, /Init Duration/)
    assert.equal(
      [
        ready.RequestedProvisionedConcurrentExecutions,
        ready.AllocatedProvisionedConcurrentExecutions,
        ready.AvailableProvisionedConcurrentExecutions,
      ],
      [2, 2, 2],
    )
    assert.is(warm.type, 'provisioned-concurrency')
    assert.match(warm.report, /^REPORT/)
    assert.not.match(warm.report, /Init Duration/)
    assert.is(latest.type, 'on-demand')
  },
)

provisioned('they follow their alias to another version', async () => {
  await using lambent = await startLambent()
  const FunctionName = 'moving'
  const client = await published(lambent, FunctionName)
  await put(client, FunctionName, 'live', 1)
  await settled(client, FunctionName, 'live')
  const before = await call(client, FunctionName, 'live')
  const [old] = await environmentsOf(lambent, FunctionName)
  const ZipFile = await zipOf({ 'index.js': CODE.replace("'one'", "'two'") })
  await client.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile }))
  await active(lambent.url, FunctionName)
  await client.send(new PublishVersionCommand({ FunctionName }))

  await client.send(new UpdateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '2' }))
  await settled(client, FunctionName, 'live')
  const after = await call(client, FunctionName, 'live')
  await until('only the new version has an environment', async () => {
    const left = await environmentsOf(lambent, FunctionName)
    return left.length === 1 && left[0]?.pid !== old?.pid
  })

  assert.equal([before.version, after.version], ['one', 'two'])
  assert.equal([before.type, after.type], ['provisioned-concurrency', 'provisioned-concurrency'])
})

provisioned('they are there again after a restart of the engine', async () => {
  using folder = temporaryDirectory()
  const FunctionName = 'again'
  {
    await using first = await startLambent({ data: folder.path })
    const client = await published(first, FunctionName)
    await put(client, FunctionName, '1', 2)
    await settled(client, FunctionName, '1')
    await first.kill()
  }

  await using second = await startLambent({ data: folder.path })
  const client = clientOf(second)
  const ready = await settled(client, FunctionName, '1')

  assert.is(ready.AvailableProvisionedConcurrentExecutions, 2)
  assert.is((await environmentsOf(second, FunctionName)).length, 2)
  assert.is((await call(client, FunctionName, '1')).type, 'provisioned-concurrency')
})

provisioned('a function folder keeps its newest code ready', async () => {
  await using lambent = await startLambent()
  const FunctionName = 'folder'
  const client = clientOf(lambent)
  await define(lambent, FunctionName, CODE, { tags: { 'lambent:provisioned': '2' } })
  const idle = (): Promise<number[]> =>
    until('two environments are ready', async () => {
      const ready = (await environmentsOf(lambent, FunctionName)).filter(({ state }) => state === 'idle')
      return ready.length === 2 ? ready.map(({ pid }) => pid ?? 0) : undefined
    })
  const before = await idle()
  const first = await call(client, FunctionName, '$LATEST')

  const ZipFile = await zipOf({ 'index.js': CODE.replace("'one'", "'two'") })
  await client.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile }))
  await active(lambent.url, FunctionName)
  await until('the old ones are gone', async () => (await idle()).every((pid) => !before.includes(pid)))
  const second = await call(client, FunctionName, '$LATEST')
  const Resource = `arn:aws:lambda:us-east-1:000000000000:function:${FunctionName}`
  await client.send(new UntagResourceCommand({ Resource, TagKeys: ['lambent:provisioned'] }))
  await until('none is left', async () => (await environmentsOf(lambent, FunctionName)).length === 0)

  assert.equal([first.type, second.type], ['provisioned-concurrency', 'provisioned-concurrency'])
  assert.equal([first.version, second.version], ['one', 'two'])
})

provisioned('code that does not load is FAILED; more than the machine has is refused', async () => {
  await using lambent = await startLambent({ settings: { LAMBENT_MAX_ENVIRONMENTS: '4' } })
  const client = await published(lambent, 'broken', 'throw new Error("no")')

  await put(client, 'broken', 'live', 1)
  const failed = await settled(client, 'broken', 'live', 'FAILED')
  const refusal = await put(client, 'broken', 'live', 5).catch((error: unknown) => error)

  assert.is(failed.StatusReason, 'FUNCTION_ERROR_INIT_FAILURE')
  assert.is(failed.AvailableProvisionedConcurrentExecutions, 0)
  assert.is((refusal as Error).name, 'InvalidParameterValueException')
  assert.match((refusal as Error).message, /5 environments .*LAMBENT_MAX_ENVIRONMENTS/)
})

provisioned.run()
