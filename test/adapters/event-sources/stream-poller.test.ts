import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { EngineError } from '../../../runtime/errors.ts'
import { StreamWorld } from './stream-world.ts'

const pollers = suite('streams, step by step')

const SECOND = 1000
const failing =
  (...bad: string[]) =>
  ({ sequences }: { sequences: readonly string[] }): unknown =>
    sequences.some((sequence) => bad.includes(sequence)) ? 'fail' : null

pollers('batches have the size that was asked for, and each moves the checkpoint', async () => {
  const world = new StreamWorld({ batchSize: 2 })
  world.put(5)

  await world.start()

  assert.equal(world.batches(), [['0001', '0002'], ['0003', '0004'], ['0005']])
  assert.is(world.reached(), '0005')
  assert.is(world.results.at(-1), 'OK')
  await world.stop()
})

pollers('a window waits for more, no longer than it is', async () => {
  const world = new StreamWorld({ batchWindowMs: 10 * SECOND })
  world.put(1)
  await world.start()
  await world.clock.advance(8 * SECOND)
  world.put(1)
  const early = world.calls.length

  await world.clock.advance(3 * SECOND)

  assert.is(early, 0)
  assert.equal(world.batches(), [['0001', '0002']])
  await world.stop()
})

pollers('a mapping goes on where it was', async () => {
  const world = new StreamWorld()
  world.put(2)
  await world.start()
  await world.stop()
  world.put(1)

  await world.start()

  assert.equal(world.batches(), [['0001', '0002'], ['0003']])
  await world.stop()
})

pollers('a batch that was cut off runs again', async () => {
  const world = new StreamWorld()
  world.answer = () => new EngineError('unavailable', 'The engine is stopping.')
  world.put(2)
  await world.start()
  await world.stop()
  const reached = world.reached()
  world.answer = () => null

  await world.start()

  assert.is(reached, 'start')
  assert.equal(world.batches().at(-1), ['0001', '0002'])
  assert.is(world.reached(), '0002')
  await world.stop()
})

pollers('a mapping to the newest record that had none yet misses nothing while it is off', async () => {
  const world = new StreamWorld({ startingPosition: { kind: 'latest' } })
  world.put(1)
  await world.clock.advance(SECOND)
  await world.start()
  await world.stop()
  await world.clock.advance(SECOND)
  world.put(1)

  await world.start()

  assert.equal(world.batches(), [['0002']])
  await world.stop()
})

pollers('a batch that fails is tried again and again, and its shard waits', async () => {
  const world = new StreamWorld({ batchSize: 1 })
  world.answer = failing('0001')
  world.put(2)
  await world.start()

  await world.clock.advance(60 * SECOND)

  const start = world.calls[0]?.atMs ?? 0
  const seconds = world.calls.map(({ atMs }) => (atMs - start) / SECOND)
  assert.equal(seconds, [0, 1, 3, 7, 15, 31, 51])
  assert.ok(world.batches().every(([sequence]) => sequence === '0001'))
  assert.is(world.reached(), 'start')
  assert.is(world.results.at(-1), 'PROBLEM: Function call failed')
  await world.stop()
})

pollers('after its last attempt a batch is given up and told of', async () => {
  const world = new StreamWorld({ batchSize: 2, maxRetries: 2 })
  world.answer = failing('0001')
  world.put(3)
  await world.start()

  await world.clock.advance(60 * SECOND)

  const [told] = world.told
  assert.equal(world.batches(), [['0001', '0002'], ['0001', '0002'], ['0001', '0002'], ['0003']])
  assert.is(told?.body['requestContext']?.['condition'], 'RetryAttemptsExhausted')
  assert.is(told?.body['requestContext']?.['approximateInvokeCount'], 3)
  assert.equal(told?.body['responseContext'], {
    statusCode: 200,
    executedVersion: '$LATEST',
    functionError: 'Unhandled',
  })
  assert.is(told?.body['KinesisBatchInfo']?.['batchSize'], 2)
  assert.is(told?.body['KinesisBatchInfo']?.['endSequenceNumber'], '0002')
  assert.is(world.reached(), '0003')
  await world.stop()
})

pollers('halving leads to the record that fails, and costs no attempt', async () => {
  const world = new StreamWorld({ batchSize: 4, bisect: true, maxRetries: 1 })
  world.answer = failing('0003')
  world.put(4)
  await world.start()

  await world.clock.advance(60 * SECOND)

  assert.equal(world.batches(), [
    ['0001', '0002', '0003', '0004'],
    ['0001', '0002'],
    ['0003', '0004'],
    ['0003'],
    ['0003'],
    ['0004'],
  ])
  assert.is(world.told.length, 1)
  assert.is(world.told[0]?.body['KinesisBatchInfo']?.['startSequenceNumber'], '0003')
  assert.is(world.told[0]?.body['requestContext']?.['approximateInvokeCount'], 2)
  await world.stop()
})

pollers(
  'what comes before the first record that failed is done, and the rest is a batch of its own',
  async () => {
    const world = new StreamWorld({ batchSize: 3, itemFailures: true, maxRetries: 1 })
    const seen: (string | undefined)[] = []
    world.answer = ({ sequences }) => {
      seen.push(world.reached())
      const failed = sequences.filter((sequence) => sequence === '0002' || sequence === '0003')
      return { batchItemFailures: failed.toReversed().map((itemIdentifier) => ({ itemIdentifier })) }
    }
    world.put(4)
    await world.start()

    await world.clock.advance(60 * SECOND)

    const rest = ['0002', '0003']
    assert.equal(world.batches(), [['0001', '0002', '0003'], rest, rest, ['0004']])
    assert.equal(seen, ['start', '0001', '0001', '0003'])
    assert.is(world.told[0]?.body['responseContext']?.['functionError'], null)
    assert.is(world.told[0]?.body['requestContext']?.['approximateInvokeCount'], 2)
    await world.stop()
  },
)

pollers('an answer that cannot be understood counts as a failure of all', async () => {
  const world = new StreamWorld({ itemFailures: true, maxRetries: 0 })
  world.answer = () => ({ batchItemFailures: [{ foo: null }] })
  world.put(2)

  await world.start()

  assert.is(world.told[0]?.body['KinesisBatchInfo']?.['batchSize'], 2)
  assert.is(world.told[0]?.body['requestContext']?.['approximateInvokeCount'], 1)
  await world.stop()
})

pollers('records that are too old are given up unseen', async () => {
  const world = new StreamWorld({ maxRecordAgeMs: 60 * SECOND })
  world.put(1)
  await world.clock.advance(60 * SECOND)
  world.put(2)

  await world.start()

  const [told] = world.told
  assert.equal(world.batches(), [['0002', '0003']])
  assert.is(told?.body['requestContext']?.['condition'], 'RecordAgeExceeded')
  assert.is(told?.body['requestContext']?.['approximateInvokeCount'], 1)
  assert.is(told?.body['responseContext'], undefined)
  assert.is(told?.body['KinesisBatchInfo']?.['batchSize'], 1)
  await world.stop()
})

pollers('records that grow too old while they are tried are given up in time', async () => {
  const world = new StreamWorld({ maxRecordAgeMs: 60 * SECOND })
  world.answer = failing('0001')
  world.put(1)
  await world.start()

  await world.clock.advance(59.9 * SECOND)
  const early = world.told.length
  await world.clock.advance(0.2 * SECOND)

  assert.is(early, 0)
  assert.is(world.told[0]?.body['requestContext']?.['condition'], 'RecordAgeExceeded')
  assert.is(world.told[0]?.body['requestContext']?.['approximateInvokeCount'], 8)
  assert.is(world.reached(), '0001')
  await world.stop()
})

pollers('a throttle, and a function that is not there, are no attempts', async () => {
  const world = new StreamWorld({ maxRetries: 0 })
  world.put(1)
  world.answer = () => new EngineError('throttled', 'Rate Exceeded.')
  await world.start()
  await world.clock.advance(5 * SECOND)
  const throttled = world.results.at(-1)
  world.answer = () => new EngineError('not-found', 'Function not found: f')
  await world.clock.advance(30 * SECOND)
  const missing = world.results.at(-1)
  world.answer = () => null

  await world.clock.advance(60 * SECOND)

  assert.is(throttled, 'PROBLEM: Rate Exceeded.')
  assert.is(missing, 'PROBLEM: Function not found: f')
  assert.equal(world.told, [])
  assert.is(world.reached(), '0001')
  await world.stop()
})

pollers('what is filtered out is skipped, and not read again', async () => {
  const world = new StreamWorld({ filters: ['{"key":["wanted"]}'] })
  world.put(2, { key: 'other' })
  world.put(1, { key: 'wanted' })
  world.put(2, { key: 'other' })

  await world.start()
  await world.stop()

  assert.equal(world.batches(), [['0003']])
  assert.is(world.reached(), '0005')
})

pollers('a shard is read after the one it was made from', async () => {
  const world = new StreamWorld({ batchSize: 1 })
  let failures = 3
  world.answer = ({ sequences }) => (sequences[0] === '0002' && failures-- > 0 ? 'fail' : null)
  world.put(2)
  world.closeShard('s0')
  world.addShard('s1', ['s0'])
  world.put(1, { shard: 's1' })
  await world.start()

  await world.clock.advance(60 * SECOND)

  assert.equal(world.batches(), [['0001'], ['0002'], ['0002'], ['0002'], ['0002'], ['0003']])
  assert.is(world.reached('s0'), 'end')
  assert.is(world.reached('s1'), '0003')
  await world.stop()
})

pollers('shards that the stream has forgotten are forgotten', async () => {
  const world = new StreamWorld()
  world.closeShard('s0')
  world.addShard('s1', ['s0'])
  await world.start()
  await world.clock.advance(SECOND)
  world.shards.delete('s0')

  await world.clock.advance(120 * SECOND)

  assert.is(world.reached('s0'), undefined)
  assert.is(world.reached('s1'), 'start')
  await world.stop()
})

pollers('keys that run side by side do not move the checkpoint over each other', async () => {
  const world = new StreamWorld({ batchSize: 1, parallelization: 10 })
  world.answer = failing('0001')
  world.put(1, { key: 'a' })
  for (const key of ['b', 'c', 'd', 'e', 'f']) world.put(1, { key })
  await world.start()
  await world.clock.advance(SECOND)
  const blocked = world.reached()
  const others = new Set(world.batches().flat())
  world.answer = () => null

  await world.clock.advance(60 * SECOND)

  assert.is(blocked, 'start')
  assert.ok(others.size > 1, [...others].join())
  assert.is(world.reached(), '0006')
  await world.stop()
})

pollers('reading stays behind when batches do not end', async () => {
  const world = new StreamWorld({ batchSize: 10 })
  world.answer = () => 'fail'
  world.put(1000)
  await world.start()

  await world.clock.advance(600 * SECOND)
  world.answer = () => null
  await world.clock.advance(60 * SECOND)

  const done = world
    .batches()
    .filter((batch) => batch[0] !== '0001')
    .flat()
  assert.is(world.reached(), '1000')
  assert.is(new Set(done).size, 990)
  await world.stop()
})

pollers('an idle shard is asked once a second', async () => {
  const world = new StreamWorld()
  let reads = 0
  const shards = world.shards.get('s0')
  if (shards !== undefined)
    Object.defineProperty(shards, 'records', {
      get: () => {
        reads += 1
        return []
      },
    })
  await world.start()

  await world.clock.advance(60 * SECOND)

  assert.ok(reads <= 70, `${reads} reads`)
  await world.stop()
  assert.is(world.clock.pending, 0)
})

pollers.run()
