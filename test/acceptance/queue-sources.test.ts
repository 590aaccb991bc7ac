// time limit: 240 s
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs'
import {
  DeleteEventSourceMappingCommand,
  DeleteFunctionCommand,
  PutFunctionConcurrencyCommand,
  UpdateEventSourceMappingCommand,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { recordsOf, startSourcesWorld, type Given, type SourcesWorld } from '../support/event-sources.ts'
import { deploy, startLambent, zipOf } from '../support/lambent.ts'
import { motoMissing } from '../support/moto.ts'
import { unlessMissing } from '../support/skip.ts'
import { until } from '../support/until.ts'

/** Queues of a mocked SQS that feed functions of the built program. */
const queues = suite('queues as event sources')
const test = unlessMissing(queues, motoMissing())

let started: Promise<SourcesWorld> | undefined
const startedWorld = (): Promise<SourcesWorld> => (started ??= startSourcesWorld())

interface TestQueue {
  readonly url: string
  readonly arn: string
}

async function createQueue(
  { sqs }: SourcesWorld,
  QueueName: string,
  Attributes: Record<string, string> = {},
): Promise<TestQueue> {
  const { QueueUrl: url = '' } = await sqs.send(new CreateQueueCommand({ QueueName, Attributes }))
  return { url, arn: `arn:aws:sqs:us-east-1:123456789012:${QueueName}` }
}

const send = async ({ sqs }: SourcesWorld, { url }: TestQueue, ...bodies: string[]): Promise<void> => {
  for (const MessageBody of bodies) await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody }))
}

/** Messages that are there, seen or hidden. */
async function left({ sqs }: SourcesWorld, { url }: TestQueue): Promise<number> {
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] }),
  )
  return (
    Number(Attributes['ApproximateNumberOfMessages']) +
    Number(Attributes['ApproximateNumberOfMessagesNotVisible'])
  )
}

const bodiesOf = (given: readonly Given[]): unknown[] =>
  given.flatMap(recordsOf).map((record) => record['body'])

const emptied = (world: SourcesWorld, queue: TestQueue): Promise<unknown> =>
  until('the queue is empty', async () => (await left(world, queue)) === 0, 20_000)

test('a message arrives as the service shapes it, and is gone when the function has succeeded', async () => {
  const world = await startedWorld()
  const queue = await createQueue(world, 'shape')
  await world.define('shape')
  await world.map({ FunctionName: 'shape', EventSourceArn: queue.arn })

  await world.sqs.send(
    new SendMessageCommand({
      QueueUrl: queue.url,
      MessageBody: 'hello',
      MessageAttributes: {
        Title: { DataType: 'String', StringValue: 'The Whistler' },
        Bytes: { DataType: 'Binary', BinaryValue: Buffer.from('bytes') },
      },
    }),
  )

  await emptied(world, queue)
  // the cast: looked at member by member
  const [record = {}] = world.given('shape').flatMap(recordsOf) as Record<string, Record<string, unknown>>[]
  assert.equal(Object.keys(record).sort(), [
    'attributes',
    'awsRegion',
    'body',
    'eventSource',
    'eventSourceARN',
    'md5OfBody',
    'md5OfMessageAttributes',
    'messageAttributes',
    'messageId',
    'receiptHandle',
  ])
  assert.is(record['body'] as unknown, 'hello')
  assert.is(record['eventSourceARN'] as unknown, queue.arn)
  assert.is(record['attributes']?.['ApproximateReceiveCount'], '1')
  assert.equal(record['messageAttributes'], {
    Title: {
      stringValue: 'The Whistler',
      stringListValues: [],
      binaryListValues: [],
      dataType: 'String',
    },
    Bytes: { binaryValue: 'Ynl0ZXM=', stringListValues: [], binaryListValues: [], dataType: 'Binary' },
  })
})

test('a batch that fails comes again after its visibility timeout, then goes where the queue says', async () => {
  const world = await startedWorld()
  const dead = await createQueue(world, 'dead')
  const queue = await createQueue(world, 'failing', {
    VisibilityTimeout: '1',
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount: '2' }),
  })
  await world.define('failing', { timeoutSeconds: 1 })
  world.sink.reply = ({ functionName }) => (functionName === 'failing' ? { error: 'no' } : { result: null })
  await world.map({ FunctionName: 'failing', EventSourceArn: queue.arn, BatchSize: 1 })

  await send(world, queue, 'again')

  await until('it is dead', async () => (await left(world, dead)) === 1, 20_000)
  const counts = world
    .given('failing')
    .flatMap(recordsOf)
    .map(({ attributes }) => (attributes as Record<string, string>)['ApproximateReceiveCount'])
  assert.equal(counts, ['1', '2'])
})

test('what a function says has failed stays, and the rest is deleted', async () => {
  const world = await startedWorld()
  const queue = await createQueue(world, 'partly', { VisibilityTimeout: '2' })
  await world.define('partly', { timeoutSeconds: 1 })
  world.sink.reply = (given) => {
    if (given.functionName !== 'partly') return { result: null }
    const failed = recordsOf(given).filter(({ body, attributes }) => {
      const receives = (attributes as Record<string, string>)['ApproximateReceiveCount']
      return body === 'bad' && receives === '1'
    })
    return { result: { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) } }
  }
  const entries = ['good', 'bad', 'fine'].map((MessageBody, index) => ({ Id: `m${index}`, MessageBody }))
  await world.sqs.send(new SendMessageBatchCommand({ QueueUrl: queue.url, Entries: entries }))

  await world.map({
    FunctionName: 'partly',
    EventSourceArn: queue.arn,
    FunctionResponseTypes: ['ReportBatchItemFailures'],
  })

  await emptied(world, queue)
  assert.equal(bodiesOf(world.given('partly')), ['good', 'bad', 'fine', 'bad'])
})

test('what is not wanted is deleted unseen', async () => {
  const world = await startedWorld()
  const queue = await createQueue(world, 'filtered')
  await world.define('filtered')
  const FilterCriteria = { Filters: [{ Pattern: '{"body":{"kind":["wanted"]}}' }] }
  await world.map({ FunctionName: 'filtered', EventSourceArn: queue.arn, FilterCriteria })

  await send(world, queue, '{"kind":"other"}', 'plain', '{"kind":"wanted"}')

  await emptied(world, queue)
  assert.equal(bodiesOf(world.given('filtered')), ['{"kind":"wanted"}'])
})

test('a window gathers more than one call gives, and says so of attributes that are not there', async () => {
  const world = await startedWorld()
  const queue = await createQueue(world, 'windowed')
  await world.define('windowed')
  await send(world, queue, ...Array.from({ length: 15 }, (_, index) => `m${index}`))

  await world.map({
    FunctionName: 'windowed',
    EventSourceArn: queue.arn,
    BatchSize: 100,
    MaximumBatchingWindowInSeconds: 2,
  })

  await emptied(world, queue)
  const batches = world.given('windowed')
  assert.is(batches.length, 1)
  assert.is(recordsOf(batches[0] as Given).length, 15)
  assert.is(recordsOf(batches[0] as Given)[0]?.['md5OfMessageAttributes'], null)
})

test('a group of a FIFO queue stays in order, failures included', async () => {
  const world = await startedWorld()
  const queue = await createQueue(world, 'ordered.fifo', {
    FifoQueue: 'true',
    ContentBasedDeduplication: 'true',
    VisibilityTimeout: '2',
  })
  await world.define('ordered', { timeoutSeconds: 1 })
  const done: string[] = []
  let failures = 0
  world.sink.reply = (given) => {
    if (given.functionName !== 'ordered') return { result: null }
    const bodies = recordsOf(given).map(({ body }) => String(body))
    if (bodies.includes('a1') && failures++ < 1) return { error: 'not yet' }
    done.push(...bodies)
    return { result: null }
  }
  // moto itself shows two messages of a group in the wrong order once both have timed out
  await world.map({ FunctionName: 'ordered', EventSourceArn: queue.arn, BatchSize: 1 })

  for (const body of ['a0', 'a1', 'a2', 'a3', 'b0', 'b1'])
    await world.sqs.send(
      new SendMessageCommand({ QueueUrl: queue.url, MessageBody: body, MessageGroupId: body.slice(0, 1) }),
    )

  await emptied(world, queue)
  assert.is(failures, 2)
  assert.equal(
    done.filter((body) => body.startsWith('a')),
    ['a0', 'a1', 'a2', 'a3'],
  )
  assert.equal(
    done.filter((body) => body.startsWith('b')),
    ['b0', 'b1'],
  )
})

test('a function without a place is not asked, and no receive is counted meanwhile', async () => {
  const world = await startedWorld()
  const queue = await createQueue(world, 'crowded', { VisibilityTimeout: '2' })
  await world.define('crowded', { timeoutSeconds: 2 })
  const FunctionName = 'crowded'
  const reserve = (ReservedConcurrentExecutions: number): Promise<unknown> =>
    world.lambda.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions }))
  await reserve(0)
  await world.map({ FunctionName, EventSourceArn: queue.arn })
  await send(world, queue, 'patient')
  await reserve(1)

  await emptied(world, queue)

  const [attributes] = world
    .given('crowded')
    .flatMap(recordsOf)
    .map((record) => record['attributes'] as Record<string, string>)
  assert.is(attributes?.['ApproximateReceiveCount'], '1')
})

test('no more batches run at once than the mapping allows', async () => {
  const world = await startedWorld()
  const queue = await createQueue(world, 'limited')
  await world.define('limited')
  let running = 0
  let most = 0
  const waiting: (() => void)[] = []
  world.sink.reply = ({ functionName }) => {
    if (functionName !== 'limited') return { result: null }
    running += 1
    most = Math.max(most, running)
    return {
      later: new Promise((resolve) =>
        waiting.push(() => {
          running -= 1
          resolve(null)
        }),
      ),
    }
  }
  await send(world, queue, ...Array.from({ length: 6 }, (_, index) => `m${index}`))
  await world.map({
    FunctionName: 'limited',
    EventSourceArn: queue.arn,
    BatchSize: 1,
    ScalingConfig: { MaximumConcurrency: 2 },
  })

  for (let answered = 0; answered < 6; answered += 1) {
    await until('a batch waits', () => waiting.length > 0)
    if (answered === 0) await until('two batches run', () => running === 2)
    waiting.shift()?.()
  }

  await emptied(world, queue)
  assert.is(most, 2)
})

test('a mapping that is switched off reads no more, and goes on when it is switched on', async () => {
  const world = await startedWorld()
  const queue = await createQueue(world, 'switched')
  await world.define('switched')
  world.sink.reply = () => ({ result: null })
  const UUID = await world.map({ FunctionName: 'switched', EventSourceArn: queue.arn })
  const change = async (Enabled: boolean, state: string): Promise<void> => {
    await world.lambda.send(new UpdateEventSourceMappingCommand({ UUID, Enabled }))
    await until(`it is ${state}`, async () => (await world.state(UUID)).State === state)
  }

  await change(false, 'Disabled')
  await send(world, queue, 'while off')
  const { Messages = [] } = await world.sqs.send(
    new ReceiveMessageCommand({ QueueUrl: queue.url, VisibilityTimeout: 0 }),
  )
  await change(true, 'Enabled')
  await emptied(world, queue)
  await world.lambda.send(new DeleteEventSourceMappingCommand({ UUID }))
  await until('it is gone', () =>
    world.state(UUID).then(
      () => false,
      ({ name }) => name === 'ResourceNotFoundException',
    ),
  )

  assert.is(Messages.length, 1)
  assert.equal(bodiesOf(world.given('switched')), ['while off'])
})

test('a queue that is not there, or shows its messages too early, is refused', async () => {
  const world = await startedWorld()
  const short = await createQueue(world, 'short', { VisibilityTimeout: '1' })
  await world.define('careful')
  const refusal = (EventSourceArn: string): Promise<string> =>
    world
      .map({ FunctionName: 'careful', EventSourceArn })
      .catch(({ name, message }: Error) => `${name}: ${message}`)

  assert.is(
    await refusal('arn:aws:sqs:us-east-1:123456789012:nobody'),
    'InvalidParameterValueException: Error occurred while ReceiveMessage. SQS Error Code: ' +
      'AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.',
  )
  assert.is(
    await refusal(short.arn),
    'InvalidParameterValueException: Queue visibility timeout: 1 seconds is less than Function timeout: 20 seconds',
  )
})

test('a function that is gone leaves its messages alone, and the mapping stays as it is', async () => {
  const world = await startedWorld()
  const queue = await createQueue(world, 'orphaned')
  await world.define('orphaned')
  const UUID = await world.map({ FunctionName: 'orphaned', EventSourceArn: queue.arn })
  const shown = async (): Promise<object> => ({ ...(await world.state(UUID)), $metadata: undefined })
  const before = await shown()

  await world.lambda.send(new DeleteFunctionCommand({ FunctionName: 'orphaned' }))
  await until('the log says why', () =>
    world.lambent.stderr().includes('event source waits for its function'),
  )
  await send(world, queue, 'waits')
  const waiting = await left(world, queue)
  const after = await shown()
  await world.define('orphaned')

  await emptied(world, queue)
  assert.is(waiting, 1)
  assert.equal(after, before)
  const [attributes] = world
    .given('orphaned')
    .flatMap(recordsOf)
    .map((record) => record['attributes'] as Record<string, string>)
  assert.is(attributes?.['ApproximateReceiveCount'], '1')
})

test('a queue that cannot be reached is named as the problem', async () => {
  await using lambent = await startLambent({ settings: { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' } })
  await deploy(lambent.url, 'unreached', await zipOf({ 'index.js': 'exports.handler = () => null' }))
  const path = `${lambent.url}/2015-03-31/event-source-mappings`
  const EventSourceArn = 'arn:aws:sqs:us-east-1:000000000000:nowhere'

  const created = await fetch(path, {
    method: 'POST',
    body: JSON.stringify({ FunctionName: 'unreached', EventSourceArn }),
  })
  // the cast: looked at member by member
  const { UUID } = (await created.json()) as { UUID: string }
  const mapping = await until('it says so', async () => {
    const answer = (await (await fetch(`${path}/${UUID}`)).json()) as Record<string, string>
    return answer['LastProcessingResult'] !== undefined && answer['State'] === 'Enabled' ? answer : undefined
  })

  assert.is(created.status, 202)
  assert.match(mapping['LastProcessingResult'] ?? '', /^PROBLEM: .*ECONNREFUSED 127\.0\.0\.1:1/)
})

test('stops cleanly in the end', async () => {
  const world = await startedWorld()
  const code = await world.lambent.stop()
  await world[Symbol.asyncDispose]()

  assert.is(code, 0)
})

queues.run()
