// time limit: 240 s
import { CreateEventBusCommand, PutRuleCommand, PutTargetsCommand } from '@aws-sdk/client-eventbridge'
import {
  CreateAliasCommand,
  GetFunctionCommand,
  InvokeCommand,
  LambdaClient,
  PublishVersionCommand,
  PutFunctionConcurrencyCommand,
  PutFunctionEventInvokeConfigCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  type DestinationConfig,
} from '@aws-sdk/client-lambda'
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { CreateTopicCommand, SubscribeCommand } from '@aws-sdk/client-sns'
import {
  CreateQueueCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  type Message,
} from '@aws-sdk/client-sqs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { AwsClients } from '../../adapters/aws/clients.ts'
import { active, deploy, startLambent, zipOf, type RunningLambent } from '../support/lambent.ts'
import { MOTO_ACCOUNT, motoMissing, startMoto, type Moto } from '../support/moto.ts'
import { unlessMissing } from '../support/skip.ts'
import { until } from '../support/until.ts'

const scope = { account: '000000000000', region: 'us-east-1' }
const arn = (service: string, resource: string): string =>
  `arn:aws:${service}:${scope.region}:${MOTO_ACCOUNT}:${resource}`
const functionArn = (name: string): string => `arn:aws:lambda:us-east-1:000000000000:function:${name}`

const SOURCE = `let calls = 0
exports.handler = async (event, context) => {
  calls += 1
  console.log('call', calls, context.awsRequestId)
  if (event.fail) throw new TypeError('on purpose')
  return { event, id: context.awsRequestId }
}`

interface World {
  readonly moto: Moto
  readonly lambent: RunningLambent
  readonly lambda: LambdaClient
  readonly aws: AwsClients
}
let shared: Promise<World> | undefined
const world = (): Promise<World> => (shared ??= open())
async function open(): Promise<World> {
  const moto = await startMoto()
  const settings = { ...moto.environment, LAMBENT_EVENT_RETRY_DELAYS_MS: '40,80' }
  const lambent = await startLambent({ settings })
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  const lambda = new LambdaClient({ endpoint: lambent.url, region: scope.region, credentials })
  return { moto, lambent, lambda, aws: new AwsClients({ AWS_ENDPOINT_URL: moto.url }) }
}

/** A function of its own for a test, whose outcomes go where it says. */
async function deployed(name: string, DestinationConfig?: DestinationConfig): Promise<World> {
  const here = await world()
  await deploy(here.lambent.url, name, await zipOf({ 'index.js': SOURCE }))
  if (DestinationConfig !== undefined) {
    const config = { FunctionName: name, DestinationConfig }
    await here.lambda.send(new PutFunctionEventInvokeConfigCommand(config))
  }
  return here
}

async function queue(aws: AwsClients, QueueName: string): Promise<string> {
  await (await aws.get('sqs', scope)).send(new CreateQueueCommand({ QueueName }))
  return arn('sqs', QueueName)
}

/** The next message of a queue. */
async function received(aws: AwsClients, QueueName: string): Promise<Message> {
  const sqs = await aws.get('sqs', scope)
  const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName }))
  return await until(`${QueueName} has a message`, async () => {
    const receive = { QueueUrl, WaitTimeSeconds: 1, MessageAttributeNames: ['All'] }
    return (await sqs.send(new ReceiveMessageCommand(receive))).Messages?.[0]
  })
}

/** A record as far as these tests look at it. */
interface InvocationRecord {
  readonly requestContext: Readonly<Record<string, unknown>>
  readonly requestPayload: unknown
  readonly responseContext?: Readonly<Record<string, unknown>>
  readonly responsePayload?: Readonly<Record<string, unknown>>
}
const recordIn = (text: string | undefined): InvocationRecord => JSON.parse(text ?? '{}') as InvocationRecord

/** Invokes asynchronously; returns the request id. */
async function send(
  lambda: LambdaClient,
  FunctionName: string,
  payload: object,
  Qualifier?: string,
): Promise<string> {
  const invoke = { FunctionName, InvocationType: 'Event', Payload: JSON.stringify(payload) } as const
  const { $metadata } = await lambda.send(
    new InvokeCommand({ ...invoke, ...(Qualifier ? { Qualifier } : {}) }),
  )
  return $metadata.requestId ?? ''
}

const runOf = async ({ lambent }: World, id: string): Promise<Readonly<Record<string, unknown>>> =>
  (await (await fetch(`${lambent.url}/lambent/v1/runs/${id}`)).json()) as Record<string, unknown>

const telling = suite('destinations and dead letters')
const withMoto = unlessMissing(telling, motoMissing())

withMoto('a success is told to a queue', async () => {
  const { aws } = await world()
  const Destination = await queue(aws, 'successes')
  const { lambda } = await deployed('succeeds', { OnSuccess: { Destination } })

  const id = await send(lambda, 'succeeds', { n: 1 })

  const record = recordIn((await received(aws, 'successes')).Body)
  assert.equal(record.requestContext, {
    requestId: id,
    functionArn: `${functionArn('succeeds')}:$LATEST`,
    condition: 'Success',
    approximateInvokeCount: 1,
  })
  assert.equal(record.requestPayload, { n: 1 })
  assert.equal(record.responseContext, { statusCode: 200, executedVersion: '$LATEST' })
  assert.equal(record.responsePayload, { event: { n: 1 }, id })
})

withMoto(
  'a failure is tried three times under one id, then told to both the destination and the dead-letter queue',
  async () => {
    const { aws, lambent } = await world()
    const Destination = await queue(aws, 'failures')
    const TargetArn = await queue(aws, 'dead')
    const here = await deployed('fails', { OnFailure: { Destination } })
    const FunctionName = 'fails'
    await here.lambda.send(
      new UpdateFunctionConfigurationCommand({ FunctionName, DeadLetterConfig: { TargetArn } }),
    )
    await active(lambent.url, FunctionName)

    const id = await send(here.lambda, FunctionName, { fail: true })

    const record = recordIn((await received(aws, 'failures')).Body)
    assert.equal(record.requestContext, {
      requestId: id,
      functionArn: `${functionArn('fails')}:$LATEST`,
      condition: 'RetriesExhausted',
      approximateInvokeCount: 3,
    })
    assert.equal(record.responseContext, {
      statusCode: 200,
      executedVersion: '$LATEST',
      functionError: 'Unhandled',
    })
    assert.is(record.responsePayload?.['errorMessage'], 'on purpose')
    const dead = await received(aws, 'dead')
    assert.is(dead.Body, '{"fail":true}')
    const attributes = Object.entries(dead.MessageAttributes ?? {}).map(([name, one]) => [
      name,
      one.DataType,
      one.StringValue,
    ])
    assert.equal(attributes.sort(), [
      ['ErrorCode', 'Number', '200'],
      ['ErrorMessage', 'String', 'on purpose'],
      ['RequestID', 'String', id],
    ])
    const logs = (await (await fetch(`${lambent.url}/lambent/v1/runs/${id}/logs`)).json()) as {
      lines: { message: string }[]
    }
    const ends = logs.lines.filter(({ message }) => message.startsWith(`END RequestId: ${id}`))
    assert.is(ends.length, 3)
    const run = await runOf(here, id)
    assert.equal([run['status'], run['attempt'], run['outcome']], ['failed', 3, 'retries-exhausted'])
  },
)

withMoto('a topic, a bus and a bucket are told of failures', async () => {
  const { aws } = await world()
  const sns = await aws.get('sns', scope)
  const { TopicArn = '' } = await sns.send(new CreateTopicCommand({ Name: 'failures' }))
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: await queue(aws, 'of-topic') }))
  const events = await aws.get('eventbridge', scope)
  const EventBusName = 'outcomes'
  await events.send(new CreateEventBusCommand({ Name: EventBusName }))
  const EventPattern = JSON.stringify({ 'detail-type': ['Lambda Function Invocation Result - Failure'] })
  await events.send(new PutRuleCommand({ Name: 'failures', EventBusName, EventPattern }))
  const Targets = [{ Id: '1', Arn: await queue(aws, 'of-bus') }]
  await events.send(new PutTargetsCommand({ Rule: 'failures', EventBusName, Targets }))
  const s3 = await aws.get('s3', scope)
  await s3.send(new CreateBucketCommand({ Bucket: 'failures' }))
  const bus = arn('events', 'event-bus/outcomes')
  const { lambda } = await deployed('to-topic', { OnFailure: { Destination: TopicArn } })
  await deployed('to-bus', { OnFailure: { Destination: bus } })
  await deployed('to-bucket', { OnFailure: { Destination: 'arn:aws:s3:::failures' } })

  const ids = []
  for (const name of ['to-topic', 'to-bus', 'to-bucket']) ids.push(await send(lambda, name, { fail: true }))

  const notification = JSON.parse((await received(aws, 'of-topic')).Body ?? '{}') as { Message: string }
  assert.is(recordIn(notification.Message).requestContext['requestId'], ids[0])
  const event = JSON.parse((await received(aws, 'of-bus')).Body ?? '{}') as Record<string, unknown>
  assert.is(event['source'], 'lambda')
  assert.equal(event['resources'], [bus, `${functionArn('to-bus')}:$LATEST`])
  assert.is((event['detail'] as InvocationRecord).requestContext['requestId'], ids[1])
  const Key = await until('the object is there', async () => {
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'failures' }))
    return Contents?.[0]?.Key
  })
  assert.match(
    Key,
    /^aws\/lambda\/async\/to-bucket\/\d{4}\/\d\d\/\d\d\/\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{36}$/,
  )
  const object = await s3.send(new GetObjectCommand({ Bucket: 'failures', Key }))
  assert.is(recordIn(await object.Body?.transformToString()).requestContext['requestId'], ids[2])
})

withMoto('a function is told with the record as its event', async () => {
  const { aws } = await world()
  const Destination = await queue(aws, 'of-function')
  await deployed('told', { OnSuccess: { Destination } })
  const { lambda } = await deployed('tells', { OnFailure: { Destination: functionArn('told') } })

  const id = await send(lambda, 'tells', { fail: true })

  const { requestPayload } = recordIn((await received(aws, 'of-function')).Body)
  assert.is((requestPayload as InvocationRecord).requestContext['requestId'], id)
})

withMoto('a function that is off makes no attempt', async () => {
  const { aws } = await world()
  const Destination = await queue(aws, 'of-off')
  const { lambda } = await deployed('off', { OnFailure: { Destination } })
  const zero = { FunctionName: 'off', ReservedConcurrentExecutions: 0 }
  await lambda.send(new PutFunctionConcurrencyCommand(zero))

  await send(lambda, 'off', { n: 1 })

  const record = recordIn((await received(aws, 'of-off')).Body)
  assert.equal(
    [record.requestContext['condition'], record.requestContext['approximateInvokeCount']],
    ['ZeroReservedConcurrency', 0],
  )
  assert.equal(Object.keys(record), ['version', 'timestamp', 'requestContext', 'requestPayload'])
})

withMoto('the settings of the qualifier that was used count', async () => {
  const { aws } = await world()
  const Destination = await queue(aws, 'of-alias')
  const { lambda, lambent } = await deployed('aliased')
  const FunctionName = 'aliased'
  await lambda.send(new PublishVersionCommand({ FunctionName }))
  await active(lambent.url, FunctionName)
  await lambda.send(new CreateAliasCommand({ FunctionName, Name: 'live', FunctionVersion: '1' }))
  await lambda.send(
    new PutFunctionEventInvokeConfigCommand({
      ...{ FunctionName, Qualifier: 'live', MaximumRetryAttempts: 0 },
      DestinationConfig: { OnFailure: { Destination } },
    }),
  )

  await send(lambda, FunctionName, { fail: true })
  const id = await send(lambda, FunctionName, { fail: true }, 'live')

  const record = recordIn((await received(aws, 'of-alias')).Body)
  assert.equal(record.requestContext, {
    requestId: id,
    functionArn: `${functionArn('aliased')}:live`,
    condition: 'RetriesExhausted',
    approximateInvokeCount: 1,
  })
  assert.is(record.responseContext?.['executedVersion'], '1')
})

withMoto('a target that is missing is on the run’s record, and counted', async () => {
  const here = await deployed('tells-nobody', { OnFailure: { Destination: arn('sqs', 'nobody') } })
  const { lambda, lambent } = here

  const id = await send(lambda, 'tells-nobody', { fail: true })

  const run = await until('the delivery has failed', async () => {
    const shown = await runOf(here, id)
    const [delivery] = (shown['deliveries'] ?? []) as { state: string; lastError: string }[]
    return delivery?.state === 'failed' ? delivery : undefined
  })
  assert.match(run.lastError, 'nobody')
  const metrics = await (await fetch(`${lambent.url}/metrics`)).text()
  assert.match(metrics, 'lambent_lost_deliveries_total{function="tells-nobody",kind="destination"} 1')
})

telling('a retry runs the code that is there by then', async () => {
  await using lambent = await startLambent({ settings: { LAMBENT_EVENT_RETRY_DELAYS_MS: '1500' } })
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  const lambda = new LambdaClient({ endpoint: lambent.url, region: scope.region, credentials })
  const FunctionName = 'mended'
  await deploy(lambent.url, FunctionName, await zipOf({ 'index.js': SOURCE }))
  const id = await send(lambda, FunctionName, { fail: true })
  const here = { lambent, lambda } as World
  await until('the first attempt has failed', async () => (await runOf(here, id))['attempt'] === 1)

  const ZipFile = await zipOf({ 'index.js': 'exports.handler = async () => "mended"' })
  await lambda.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile }))
  await lambda.send(new GetFunctionCommand({ FunctionName }))

  const run = await until('it has run', async () => {
    const shown = await runOf(here, id)
    return shown['status'] === 'succeeded' ? shown : undefined
  })
  assert.equal([run['attempt'], run['outcome']], [2, 'success'])
})

telling('functions that are each other’s destination come to an end', async () => {
  await using lambent = await startLambent()
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  const lambda = new LambdaClient({ endpoint: lambent.url, region: scope.region, credentials })
  const zip = await zipOf({ 'index.js': 'exports.handler = async () => { throw new Error("always") }' })
  for (const name of ['ping', 'pong']) await deploy(lambent.url, name, zip)
  for (const [FunctionName, other] of [
    ['ping', 'pong'],
    ['pong', 'ping'],
  ] as const) {
    const DestinationConfig = { OnFailure: { Destination: functionArn(other) } }
    const config = { FunctionName, MaximumRetryAttempts: 0, DestinationConfig }
    await lambda.send(new PutFunctionEventInvokeConfigCommand(config))
  }

  await send(lambda, 'ping', {})

  await until(
    'nothing is owed',
    async () => {
      const answer = await fetch(`${lambent.url}/lambent/v1/health`)
      const health = (await answer.json()) as { queuedEvents: number; owedDeliveries: number }
      return health.queuedEvents + health.owedDeliveries === 0
    },
    30_000,
  )
  const answer = await fetch(`${lambent.url}/lambent/v1/runs?limit=1000`)
  const { runs } = (await answer.json()) as { runs: { errorType: string | null }[] }
  assert.is(runs.filter(({ errorType }) => errorType === 'RecursiveInvocation').length, 1)
  assert.ok(runs.length >= 32 && runs.length <= 34, `there were ${runs.length} runs`)
})

telling.after(async () => {
  if (shared === undefined) return
  const { moto, lambent, lambda, aws } = await shared
  lambda.destroy()
  aws.close()
  await lambent[Symbol.asyncDispose]()
  await moto[Symbol.asyncDispose]()
})

telling.run()
