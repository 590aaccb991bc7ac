// time limit: 240 s
import {
  CreateStreamCommand,
  DescribeStreamCommand,
  KinesisClient,
  PutRecordCommand,
  SplitShardCommand,
} from '@aws-sdk/client-kinesis'
import {
  CreateTableCommand,
  DynamoDBClient,
  PutItemCommand,
  type AttributeValue,
} from '@aws-sdk/client-dynamodb'
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { CreateQueueCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { recordsOf, startSourcesWorld, type Given, type SourcesWorld } from '../support/event-sources.ts'
import { motoMissing } from '../support/moto.ts'
import { unlessMissing } from '../support/skip.ts'
import { until } from '../support/until.ts'

/** Streams of a mocked Kinesis and DynamoDB that feed functions of the built program. */
const streams = suite('streams as event sources')
const test = unlessMissing(streams, motoMissing())

let started: Promise<SourcesWorld> | undefined
const startedWorld = (): Promise<SourcesWorld> => (started ??= startSourcesWorld())

const ACCOUNT = '123456789012'
const streamArn = (name: string): string => `arn:aws:kinesis:us-east-1:${ACCOUNT}:stream/${name}`

async function createStream(world: SourcesWorld, StreamName: string, ShardCount = 1): Promise<KinesisClient> {
  // Kinesis's own handler speaks HTTP/2, which moto does not
  const { requestHandler } = world.sqs.config
  const kinesis = new KinesisClient({ ...world.service, requestHandler })
  await kinesis.send(new CreateStreamCommand({ StreamName, ShardCount }))
  await until('the stream is there', async () => {
    const { StreamDescription } = await kinesis.send(new DescribeStreamCommand({ StreamName }))
    return StreamDescription?.StreamStatus === 'ACTIVE'
  })
  return kinesis
}

async function put(
  kinesis: KinesisClient,
  StreamName: string,
  PartitionKey: string,
  text: string,
): Promise<string> {
  const { SequenceNumber = '' } = await kinesis.send(
    new PutRecordCommand({ StreamName, PartitionKey, Data: Buffer.from(text) }),
  )
  return SequenceNumber
}

interface KinesisRecord {
  readonly kinesis: { readonly data: string; readonly sequenceNumber: string; readonly partitionKey: string }
}

const textsOf = (given: Given): string[] =>
  // the cast: what the mapping of a Kinesis stream gives
  (recordsOf(given) as unknown as KinesisRecord[]).map(({ kinesis }) =>
    Buffer.from(kinesis.data, 'base64').toString('utf8'),
  )

const allTexts = (world: SourcesWorld, name: string): string[] => world.given(name).flatMap(textsOf)

test('records arrive in batches, in order, as the service shapes them', async () => {
  const world = await startedWorld()
  const kinesis = await createStream(world, 'shape')
  await world.define('shape')
  const sequences: string[] = []
  for (const text of ['one', 'two', 'three']) sequences.push(await put(kinesis, 'shape', 'key', text))

  const UUID = await world.map({
    FunctionName: 'shape',
    EventSourceArn: streamArn('shape'),
    StartingPosition: 'TRIM_HORIZON',
    BatchSize: 2,
  })

  await until('all are there', () => allTexts(world, 'shape').length === 3)
  const [first, second] = world.given('shape')
  assert.equal(textsOf(first as Given), ['one', 'two'])
  assert.equal(textsOf(second as Given), ['three'])
  const [record] = recordsOf(first as Given)
  const { kinesis: data, ...rest } = record as { kinesis: Record<string, unknown> }
  assert.equal(rest, {
    eventSource: 'aws:kinesis',
    eventVersion: '1.0',
    eventID: `shardId-000000000000:${sequences[0]}`,
    eventName: 'aws:kinesis:record',
    invokeIdentityArn: 'arn:aws:iam::000000000000:role/test',
    awsRegion: 'us-east-1',
    eventSourceARN: streamArn('shape'),
  })
  assert.is(typeof data['approximateArrivalTimestamp'], 'number')
  assert.equal(
    { ...data, approximateArrivalTimestamp: 0 },
    {
      kinesisSchemaVersion: '1.0',
      partitionKey: 'key',
      sequenceNumber: sequences[0],
      data: 'b25l',
      approximateArrivalTimestamp: 0,
    },
  )
  await until('it says so', async () => (await world.state(UUID)).LastProcessingResult === 'OK')
})

test('only what comes after it was enabled is the newest', async () => {
  const world = await startedWorld()
  const kinesis = await createStream(world, 'newest')
  await world.define('newest')
  await put(kinesis, 'newest', 'key', 'before')

  await world.map({ FunctionName: 'newest', EventSourceArn: streamArn('newest'), StartingPosition: 'LATEST' })
  await put(kinesis, 'newest', 'key', 'after')

  await until('it is there', () => allTexts(world, 'newest').length > 0)
  assert.equal(allTexts(world, 'newest'), ['after'])
})

test('a batch that fails keeps its shard waiting until it is given up, and a queue is told', async () => {
  const world = await startedWorld()
  const kinesis = await createStream(world, 'failing')
  await world.define('failing')
  const { QueueUrl = '' } = await world.sqs.send(new CreateQueueCommand({ QueueName: 'given-up' }))
  world.sink.reply = (given) =>
    given.functionName === 'failing' && textsOf(given).includes('bad') ? { error: 'no' } : { result: null }
  const sequence = await put(kinesis, 'failing', 'key', 'bad')
  await put(kinesis, 'failing', 'key', 'good')

  await world.map({
    FunctionName: 'failing',
    EventSourceArn: streamArn('failing'),
    StartingPosition: 'TRIM_HORIZON',
    BatchSize: 1,
    MaximumRetryAttempts: 1,
    DestinationConfig: { OnFailure: { Destination: `arn:aws:sqs:us-east-1:${ACCOUNT}:given-up` } },
  })

  await until('the other is there', () => allTexts(world, 'failing').includes('good'), 20_000)
  assert.equal(allTexts(world, 'failing'), ['bad', 'bad', 'good'])
  const { Messages: [message] = [] } = await world.sqs.send(new ReceiveMessageCommand({ QueueUrl }))
  const told = JSON.parse(message?.Body ?? '{}') as Record<string, Record<string, unknown>>
  assert.equal(Object.keys(told), [
    'requestContext',
    'responseContext',
    'version',
    'timestamp',
    'KinesisBatchInfo',
  ])
  assert.equal(
    { ...told['requestContext'], requestId: '' },
    {
      requestId: '',
      functionArn: `arn:aws:lambda:us-east-1:${ACCOUNT}:function:failing`,
      condition: 'RetryAttemptsExhausted',
      approximateInvokeCount: 2,
    },
  )
  assert.equal(told['responseContext'], {
    statusCode: 200,
    executedVersion: '$LATEST',
    functionError: 'Unhandled',
  })
  const info = told['KinesisBatchInfo'] ?? {}
  assert.match(String(info['approximateArrivalOfFirstRecord']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  assert.equal(
    { ...info, approximateArrivalOfFirstRecord: '', approximateArrivalOfLastRecord: '' },
    {
      shardId: 'shardId-000000000000',
      startSequenceNumber: sequence,
      endSequenceNumber: sequence,
      approximateArrivalOfFirstRecord: '',
      approximateArrivalOfLastRecord: '',
      batchSize: 1,
      streamArn: streamArn('failing'),
    },
  )
})

test('a bucket is told with the records themselves', async () => {
  const world = await startedWorld()
  const kinesis = await createStream(world, 'bucketed')
  const s3 = new S3Client({ ...world.service, forcePathStyle: true })
  await s3.send(new CreateBucketCommand({ Bucket: 'given-up' }))
  await world.define('bucketed')
  world.sink.reply = ({ functionName }) => (functionName === 'bucketed' ? { error: 'no' } : { result: null })
  await put(kinesis, 'bucketed', 'key', 'lost')

  const UUID = await world.map({
    FunctionName: 'bucketed',
    EventSourceArn: streamArn('bucketed'),
    StartingPosition: 'TRIM_HORIZON',
    MaximumRetryAttempts: 0,
    DestinationConfig: { OnFailure: { Destination: 'arn:aws:s3:::given-up' } },
  })

  const Key = await until('there is an object', async () => {
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'given-up' }))
    return Contents?.[0]?.Key
  })
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'given-up', Key }))
  const told = JSON.parse((await Body?.transformToString()) ?? '{}') as { payload: string }
  assert.match(
    Key,
    new RegExp(
      `^aws/lambda/${UUID}/shardId-000000000000/\\d{4}/\\d\\d/\\d\\d/[\\d-]{10}T\\d\\d\\.\\d\\d\\.\\d\\d-[0-9a-f-]{36}$`,
    ),
  )
  assert.equal(JSON.parse(told.payload), world.given('bucketed')[0]?.event)
})

test('shards that others were made from come first, and nothing is left out', async () => {
  const world = await startedWorld()
  const kinesis = await createStream(world, 'split')
  await world.define('split')
  world.sink.reply = () => ({ result: null })
  const keys = Array.from({ length: 8 }, (_, index) => `key-${index}`)
  for (const key of keys) await put(kinesis, 'split', key, `${key} before`)
  await kinesis.send(
    new SplitShardCommand({
      StreamName: 'split',
      ShardToSplit: 'shardId-000000000000',
      NewStartingHashKey: (2n ** 127n).toString(),
    }),
  )
  for (const key of keys) await put(kinesis, 'split', key, `${key} after`)

  await world.map({
    FunctionName: 'split',
    EventSourceArn: streamArn('split'),
    StartingPosition: 'TRIM_HORIZON',
  })

  await until('all are there', () => new Set(allTexts(world, 'split')).size === 16, 20_000)
  const texts = allTexts(world, 'split')
  assert.is(texts.length, 16)
  for (const key of keys) assert.ok(texts.indexOf(`${key} before`) < texts.indexOf(`${key} after`), key)
})

test('records of one key stay in order while those of others run beside them', async () => {
  const world = await startedWorld()
  const kinesis = await createStream(world, 'beside')
  await world.define('beside')
  let running = 0
  let most = 0
  const waiting: (() => void)[] = []
  world.sink.reply = ({ functionName }) => {
    if (functionName !== 'beside') return { result: null }
    running += 1
    most = Math.max(most, running)
    return { later: new Promise((resolve) => waiting.push(() => resolve((running -= 1)))) }
  }
  const keys = ['a', 'b', 'c', 'd', 'e', 'f']
  for (let round = 0; round < 3; round++)
    for (const key of keys) await put(kinesis, 'beside', key, `${key}${round}`)

  await world.map({
    FunctionName: 'beside',
    EventSourceArn: streamArn('beside'),
    StartingPosition: 'TRIM_HORIZON',
    BatchSize: 1,
    ParallelizationFactor: 4,
  })

  for (let answered = 0; answered < 18; answered++) {
    if (answered === 0) await until('several run', () => running > 1)
    await until('one runs', () => waiting.length > 0)
    waiting.shift()?.()
  }
  assert.is(allTexts(world, 'beside').length, 18)
  assert.ok(most > 1 && most <= 4, `${most} at once`)
  for (const key of keys)
    assert.equal(
      allTexts(world, 'beside').filter((text) => text.startsWith(key)),
      [`${key}0`, `${key}1`, `${key}2`],
    )
})

test('changes of a table arrive as the service shapes them, bytes as base64', async () => {
  const world = await startedWorld()
  const dynamodb = new DynamoDBClient(world.service)
  const { TableDescription } = await dynamodb.send(
    new CreateTableCommand({
      TableName: 'pets',
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      BillingMode: 'PAY_PER_REQUEST',
      StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_AND_OLD_IMAGES' },
    }),
  )
  const EventSourceArn = TableDescription?.LatestStreamArn ?? ''
  await world.define('pets')
  world.sink.reply = () => ({ result: null })
  await world.map({
    FunctionName: 'pets',
    EventSourceArn,
    StartingPosition: 'TRIM_HORIZON',
    FilterCriteria: { Filters: [{ Pattern: '{"dynamodb":{"NewImage":{"kind":{"S":[{"prefix":"c"}]}}}}' }] },
  })

  const items: Record<string, AttributeValue>[] = [
    {
      id: { S: '1' },
      kind: { S: 'cat' },
      picture: { B: Buffer.from('foobar') },
      all: { L: [{ B: Buffer.from('x') }] },
    },
    { id: { S: '2' }, kind: { S: 'dog' } },
    { id: { S: '3' }, kind: { S: 'cow' } },
  ]
  for (const Item of items) await dynamodb.send(new PutItemCommand({ TableName: 'pets', Item }))

  await until('both are there', () => world.given('pets').flatMap(recordsOf).length === 2)
  const [record] = world.given('pets').flatMap(recordsOf)
  const { dynamodb: change, ...rest } = record as { dynamodb: Record<string, unknown> } & Record<
    string,
    unknown
  >
  assert.equal(
    { ...rest, eventID: '' },
    {
      eventID: '',
      eventName: 'INSERT',
      eventVersion: rest['eventVersion'],
      eventSource: 'aws:dynamodb',
      awsRegion: 'us-east-1',
      eventSourceARN: EventSourceArn,
    },
  )
  assert.equal(change['Keys'], { id: { S: '1' } })
  assert.equal(change['NewImage'], {
    id: { S: '1' },
    kind: { S: 'cat' },
    picture: { B: 'Zm9vYmFy' },
    all: { L: [{ B: 'eA==' }] },
  })
  assert.ok(Number.isInteger(change['ApproximateCreationDateTime']))
  assert.is(change['StreamViewType'], 'NEW_AND_OLD_IMAGES')
})

test('a stream that is not there is refused with its name', async () => {
  const world = await startedWorld()
  await world.define('careful')
  const table = `arn:aws:dynamodb:us-east-1:${ACCOUNT}:table/nothing/stream/2025-02-22T03:03:25.490`
  const refusal = (EventSourceArn: string): Promise<string> =>
    world
      .map({ FunctionName: 'careful', EventSourceArn, StartingPosition: 'LATEST' })
      .catch(({ name, message }: Error) => `${name}: ${message}`)

  const told = 'InvalidParameterValueException: Stream not found: '
  assert.is(await refusal(streamArn('nobody')), `${told}${streamArn('nobody')}`)
  assert.is(await refusal(table), `${told}${table}`)
})

test('stops cleanly in the end', async () => {
  const world = await startedWorld()
  const code = await world.lambent.stop()
  await world[Symbol.asyncDispose]()

  assert.is(code, 0)
})

streams.run()
