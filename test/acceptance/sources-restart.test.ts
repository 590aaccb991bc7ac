// time limit: 180 s
import {
  CreateStreamCommand,
  DescribeStreamCommand,
  KinesisClient,
  PutRecordCommand,
} from '@aws-sdk/client-kinesis'
import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageCommand } from '@aws-sdk/client-sqs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { recordsOf, startSourcesWorld, type SourcesWorld } from '../support/event-sources.ts'
import { motoMissing } from '../support/moto.ts'
import { unlessMissing } from '../support/skip.ts'
import { until } from '../support/until.ts'

/** Event sources of an engine that ends in the middle of a batch. */
const restarts = suite('event sources over a restart')
const test = unlessMissing(restarts, motoMissing())

const STREAM = 'arn:aws:kinesis:us-east-1:123456789012:stream/clicks'
const QUEUE = 'arn:aws:sqs:us-east-1:123456789012:orders'

async function createSources(
  world: SourcesWorld,
): Promise<{ put(text: string): Promise<unknown>; url: string }> {
  // Kinesis's own handler speaks HTTP/2, which moto does not
  const { requestHandler } = world.sqs.config
  const kinesis = new KinesisClient({ ...world.service, requestHandler })
  const StreamName = 'clicks'
  await kinesis.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }))
  await until('the stream is there', async () => {
    const { StreamDescription } = await kinesis.send(new DescribeStreamCommand({ StreamName }))
    return StreamDescription?.StreamStatus === 'ACTIVE'
  })
  const { QueueUrl: url = '' } = await world.sqs.send(
    new CreateQueueCommand({ QueueName: 'orders', Attributes: { VisibilityTimeout: '3' } }),
  )
  return {
    url,
    put: async (text) => {
      await kinesis.send(new PutRecordCommand({ StreamName, PartitionKey: 'key', Data: Buffer.from(text) }))
      await world.sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: text }))
    },
  }
}

const textsOf = (world: SourcesWorld, functionName: string): string[] =>
  world
    .given(functionName)
    .flatMap(recordsOf)
    .map((record) => {
      const { kinesis, body } = record as { kinesis?: { data: string }; body?: string }
      return kinesis === undefined ? (body ?? '') : Buffer.from(kinesis.data, 'base64').toString()
    })

async function emptied({ sqs }: SourcesWorld, QueueUrl: string): Promise<void> {
  await until(
    'the queue is empty',
    async () => {
      const { Attributes = {} } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
      )
      const { ApproximateNumberOfMessages: seen, ApproximateNumberOfMessagesNotVisible: hidden } = Attributes
      return seen === '0' && hidden === '0'
    },
    20_000,
  )
}

async function startMapped(): Promise<SourcesWorld & { put(text: string): Promise<unknown>; url: string }> {
  const world = await startSourcesWorld({ settings: { LAMBENT_DRAIN_MS: '2000' } })
  const sources = await createSources(world)
  await world.define('stream', { timeoutSeconds: 30 })
  await world.define('queue', { timeoutSeconds: 3 })
  await world.map({ FunctionName: 'stream', EventSourceArn: STREAM, StartingPosition: 'TRIM_HORIZON' })
  await world.map({ FunctionName: 'queue', EventSourceArn: QUEUE })
  return Object.assign(world, sources)
}

test('killed in the middle of a batch: what was done stays done, and the rest runs again', async () => {
  await using world = await startMapped()
  await world.put('done')
  await until('both are there', () => world.sink.given.length === 2)
  await emptied(world, world.url)
  world.sink.reply = () => ({ never: true })
  await world.put('cut off')
  await until('both run', () => world.sink.given.length === 4)

  await world.restart('kill')
  world.sink.reply = () => ({ result: null })

  await until('the record came again', () => textsOf(world, 'stream').length === 3)
  await until('the message came again', () => textsOf(world, 'queue').length === 3, 20_000)
  await emptied(world, world.url)
  await world.put('afterwards')
  await until('what comes later comes, too', () => textsOf(world, 'stream').at(-1) === 'afterwards')
  assert.equal(textsOf(world, 'stream'), ['done', 'cut off', 'cut off', 'afterwards'])
  assert.equal(textsOf(world, 'queue').slice(0, 3), ['done', 'cut off', 'cut off'])
})

test('stopped in the middle of a batch that ends in time: nothing comes twice', async () => {
  await using world = await startMapped()
  const waiting: (() => void)[] = []
  world.sink.reply = () => ({ later: new Promise((resolve) => waiting.push(() => resolve(null))) })
  await world.put('in time')
  await until('both run', () => waiting.length === 2)

  const stopped = world.restart('stop')
  for (const answer of waiting) answer()
  await stopped
  world.sink.reply = () => ({ result: null })
  await world.put('next')

  await until('the next is there', () => textsOf(world, 'stream').includes('next'))
  await emptied(world, world.url)
  assert.equal(textsOf(world, 'stream'), ['in time', 'next'])
  assert.equal(textsOf(world, 'queue'), ['in time', 'next'])
})

test('stopped in the middle of a batch that does not end: the engine stops in time, and it runs again', async () => {
  await using world = await startMapped()
  world.sink.reply = () => ({ never: true })
  await world.put('too long')
  await until('both run', () => world.sink.given.length === 2)

  const beginning = performance.now()
  const code = await world.lambent.stop()
  const tookMs = performance.now() - beginning
  await world.restart('stop')
  world.sink.reply = () => ({ result: null })

  await until('the record came again', () => textsOf(world, 'stream').length === 2, 20_000)
  await emptied(world, world.url)
  assert.is(code, 0)
  assert.ok(tookMs < 10_000, `${Math.round(tookMs)} ms`)
  assert.equal(textsOf(world, 'stream'), ['too long', 'too long'])
})

restarts.run()
