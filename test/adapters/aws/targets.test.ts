import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CreateEventBusCommand, PutRuleCommand, PutTargetsCommand } from '@aws-sdk/client-eventbridge'
import { CreateBucketCommand, GetObjectCommand } from '@aws-sdk/client-s3'
import { CreateTopicCommand, SubscribeCommand } from '@aws-sdk/client-sns'
import {
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  type Message,
} from '@aws-sdk/client-sqs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { AwsClients } from '../../../adapters/aws/clients.ts'
import { createTargets, type Targets } from '../../../adapters/aws/targets.ts'
import { systemClock } from '../../../runtime/clock.ts'
import { EngineError } from '../../../runtime/errors.ts'
import type { EventRequest } from '../../../runtime/invoke/types.ts'
import { systemRng } from '../../../runtime/rng.ts'
import { rejectsWith } from '../../support/assert.ts'
import { MOTO_ACCOUNT, motoMissing, startMoto, type Moto } from '../../support/moto.ts'
import { unlessMissing } from '../../support/skip.ts'

const scope = { account: '000000000000', region: 'eu-central-1' }
const arn = (service: string, resource: string): string =>
  `arn:aws:${service}:${scope.region}:${MOTO_ACCOUNT}:${resource}`

let shared: Promise<{ moto: Moto; clients: AwsClients; targets: Targets }> | undefined
/** One moto for all tests: it takes seconds to start. */
const world = () => (shared ??= open())
async function open() {
  const moto = await startMoto()
  const clients = new AwsClients({ AWS_ENDPOINT_URL: moto.url })
  return { moto, clients, targets: targetsOver(clients) }
}
const targetsOver = (clients: AwsClients, accepted: EventRequest[] = []): Targets =>
  createTargets({
    clients,
    clock: systemClock,
    rng: systemRng(),
    invoker: { accept: async (request) => void accepted.push(request) },
  })

const received = async (clients: AwsClients, QueueName: string): Promise<Message[]> => {
  const sqs = await clients.get('sqs', scope)
  const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName }))
  const answer = await sqs.send(
    new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 2, MessageAttributeNames: ['All'] }),
  )
  return answer.Messages ?? []
}
const makeQueue = async (clients: AwsClients, QueueName: string): Promise<void> => {
  await (await clients.get('sqs', scope)).send(new CreateQueueCommand({ QueueName }))
}

const delivering = suite('delivery to AWS')
const withMoto = unlessMissing(delivering, motoMissing())

withMoto('a queue gets the body and the attributes', async () => {
  const { clients, targets } = await world()
  await makeQueue(clients, 'plain')

  await targets.deliver(scope, arn('sqs', 'plain'), {
    body: '{"é":1}',
    attributes: { ErrorCode: { type: 'Number', value: '200' } },
  })

  const [message] = await received(clients, 'plain')
  assert.is(message?.Body, '{"é":1}')
  assert.equal(message?.MessageAttributes?.['ErrorCode'], { DataType: 'Number', StringValue: '200' })
})

withMoto('a queue that was made anew is found again', async () => {
  const { clients, targets } = await world()
  await makeQueue(clients, 'renewed')
  await targets.deliver(scope, arn('sqs', 'renewed'), { body: '1' })
  const sqs = await clients.get('sqs', scope)
  const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: 'renewed' }))
  await sqs.send(new DeleteQueueCommand({ QueueUrl }))

  const failure = await rejectsWith(targets.deliver(scope, arn('sqs', 'renewed'), { body: '2' }), 'not-found')
  await makeQueue(clients, 'renewed')
  await targets.deliver(scope, arn('sqs', 'renewed'), { body: '3' })

  assert.match(failure.message, arn('sqs', 'renewed'))
  assert.is((await received(clients, 'renewed'))[0]?.Body, '3')
})

withMoto('a topic hands the message to its subscribers', async () => {
  const { clients, targets } = await world()
  await makeQueue(clients, 'subscriber')
  const sns = await clients.get('sns', scope)
  const { TopicArn = '' } = await sns.send(new CreateTopicCommand({ Name: 'news' }))
  const Endpoint = arn('sqs', 'subscriber')
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint }))

  await targets.deliver(scope, TopicArn, { body: '{"a":1}' })

  const [message] = await received(clients, 'subscriber')
  assert.is((JSON.parse(message?.Body ?? '{}') as { Message?: string }).Message, '{"a":1}')
})

withMoto('an event bus routes the envelope to a rule’s target', async () => {
  const { clients, targets } = await world()
  await makeQueue(clients, 'bus-target')
  const events = await clients.get('eventbridge', scope)
  await events.send(new CreateEventBusCommand({ Name: 'bus' }))
  const EventPattern = JSON.stringify({ source: ['lambda'] })
  await events.send(new PutRuleCommand({ Name: 'all', EventBusName: 'bus', EventPattern }))
  const Targets = [{ Id: '1', Arn: arn('sqs', 'bus-target') }]
  await events.send(new PutTargetsCommand({ Rule: 'all', EventBusName: 'bus', Targets }))
  const bus = arn('events', 'event-bus/bus')

  await targets.deliver(scope, bus, {
    body: '{"a":1}',
    envelope: { source: 'lambda', detailType: 'It', resources: [bus, 'fn'], timeMs: 1_700_000_000_000 },
  })

  const [message] = await received(clients, 'bus-target')
  const event = JSON.parse(message?.Body ?? '{}') as Record<string, unknown>
  assert.equal(event['detail'], { a: 1 })
  assert.is(event['detail-type'], 'It')
  assert.equal(event['resources'], [bus, 'fn'])
})

withMoto('a bucket gets an object', async () => {
  const { clients, targets } = await world()
  const s3 = await clients.get('s3', scope)
  const CreateBucketConfiguration = { LocationConstraint: 'eu-central-1' as const }
  await s3.send(new CreateBucketCommand({ Bucket: 'outcomes', CreateBucketConfiguration }))

  await targets.deliver(scope, 'arn:aws:s3:::outcomes', { body: '{"a":1}', objectKey: 'x/y' })

  const object = await s3.send(new GetObjectCommand({ Bucket: 'outcomes', Key: 'x/y' }))
  assert.is(await object.Body?.transformToString(), '{"a":1}')
})

withMoto('what is missing or refused says so by code', async () => {
  const { targets } = await world()
  const deliver = (target: string) => targets.deliver(scope, target, { body: '1', objectKey: 'k' })

  await rejectsWith(deliver(arn('sqs', 'nobody')), 'not-found')
  await rejectsWith(deliver(arn('sns', 'nobody')), 'not-found')
  await rejectsWith(deliver('arn:aws:s3:::nobody-has-this'), 'not-found')
  await rejectsWith(deliver(arn('events', 'event-bus/bus')), 'invalid')
  await rejectsWith(deliver('not an arn'), 'invalid')
})

delivering('a function gets the message as an event', async () => {
  const accepted: EventRequest[] = []
  const targets = targetsOver(new AwsClients({}), accepted)

  await targets.deliver(scope, 'arn:aws:lambda:us-east-1:111111111111:function:next:live', {
    body: '{"a":1}',
  })

  assert.equal(
    accepted.map(({ scope: whose, functionName, qualifier, payload }) => [
      whose,
      functionName,
      qualifier,
      String(payload),
    ]),
    [[{ account: '111111111111', region: 'us-east-1' }, 'next', 'live', '{"a":1}']],
  )
})

delivering('a refusal of the engine keeps its code', async () => {
  const parts = { clients: new AwsClients({}), clock: systemClock, rng: systemRng() }
  const accept = () => Promise.reject(new EngineError('throttled', 'Too many.'))
  const targets = createTargets({ ...parts, invoker: { accept } })

  const next = 'arn:aws:lambda:us-east-1:111111111111:function:next'
  await rejectsWith(targets.deliver(scope, next, { body: '1' }), 'throttled')
})

delivering(
  'nobody there is told as such, and keys are the engine’s own or the account’s number',
  async () => {
    const keys: string[] = []
    const server = createServer((request, response) => {
      keys.push(/Credential=([^/]+)/.exec(request.headers.authorization ?? '')?.[1] ?? '')
      response.writeHead(400, { 'x-amzn-errortype': 'NoIdea' }).end('{}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}` // it listens on a port
    const deliver = (environment: Record<string, string>) =>
      targetsOver(new AwsClients(environment)).deliver(scope, arn('sqs', 'q'), { body: '1' })

    await rejectsWith(deliver({ AWS_ENDPOINT_URL: url }), 'invalid')
    const own = { AWS_ACCESS_KEY_ID: 'AKIA', AWS_SECRET_ACCESS_KEY: 's' }
    await rejectsWith(
      deliver({ AWS_ENDPOINT_URL_SQS: url, AWS_ENDPOINT_URL: 'http://127.0.0.1:1', ...own }),
      'invalid',
    )
    await new Promise((resolve) => server.close(resolve))
    await rejectsWith(deliver({ AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }), 'unavailable')

    assert.equal(keys, ['000000000000', 'AKIA'])
  },
)

delivering('the clients of one service, account and region are one, and closed ones are none', async () => {
  const clients = new AwsClients({ AWS_ENDPOINT_URL: 'http://127.0.0.1:1' })
  const first = await clients.get('sqs', scope)

  assert.is(await clients.get('sqs', scope), first)
  for (let number = 0; number < 64; number++)
    await clients.get('kinesis', { ...scope, account: String(number).padStart(12, '0') })
  assert.is.not(await clients.get('sqs', scope), first)
  assert.is((await clients.get('kinesis', scope)).config.requestHandler, first.config.requestHandler)
  clients.close()
  await rejectsWith(clients.get('sqs', scope), 'unavailable')
})

delivering.after(async () => {
  if (shared === undefined) return
  const { moto, clients } = await shared
  clients.close()
  await moto[Symbol.asyncDispose]()
})

delivering.run()
