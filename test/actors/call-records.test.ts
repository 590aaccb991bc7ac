import * as assert from 'node:assert/strict'
import { suite } from 'uvu'
import { actorWorld, awake, put } from './actor-world.ts'

const records = suite('calls of actors as runs')

records('a call is written down when its reply leaves, with what it took in its process', async () => {
  const world = await actorWorld()
  world.call('a b', 'add')
  await world.clock.advance(100)
  world.latest().wake()
  await world.clock.advance(20)
  world.commits.hold()
  world.latest().reply('1', [put('n', '1')])
  await world.clock.advance(5)
  assert.equal(world.runs.length, 0)

  await world.commits.release()

  const [run] = world.runs
  assert.equal(run?.kind, 'actor')
  assert.equal(run.functionName, 'shop')
  assert.equal(run.version, '$LATEST')
  assert.equal(run.qualifier, 'Tally/a%20b/add')
  assert.equal(run.status, 'succeeded')
  assert.equal(run.durationMs, 20)
  assert.equal(run.startedAtMs - run.acceptedAtMs, 100)
})

records('a call that waits behind another begins when that has ended', async () => {
  const world = await actorWorld()
  for (const name of ['x', 'y']) world.call('a', name)
  const activation = world.latest().wake()
  await world.clock.advance(10)
  activation.reply('ok')
  await world.clock.advance(30)
  activation.reply('ok')
  await world.settle()

  assert.deepEqual(
    world.runs.map(({ durationMs }) => durationMs),
    [10, 30],
  )
})

records('failures say how they ended, and a call that is made again counts its attempts', async () => {
  const world = await actorWorld()
  await awake(world)
  world.runs.length = 0
  const activation = world.latest()
  world.call('a', 'throws')
  activation.fail('TypeError')
  world.call('a', 'late', { timeoutMs: 50 })
  await world.clock.advance(50)
  activation.reply('ok')
  world.call('a', 'dies')
  activation.crash()
  world.call('a', 'keyed', { idempotencyKey: 'k' })
  await world.settle()
  await world.clock.advance(10_000)
  world.latest().wake().crash()
  await world.settle()
  await world.clock.advance(10_000)
  world.latest().wake().reply('ok')
  await world.settle()

  assert.deepEqual(
    world.runs.map(({ qualifier, status, errorType, attempt }) => [qualifier, status, errorType, attempt]),
    [
      ['Tally/a/throws', 'failed', 'TypeError', 1],
      ['Tally/a/late', 'timed-out', 'TimeoutError', 1],
      ['Tally/a/dies', 'crashed', 'ActorCrashed', 1],
      ['Tally/a/keyed', 'succeeded', null, 2],
    ],
  )
})

records('neither a repeat nor a call that was not let in is a run', async () => {
  const world = await actorWorld({ Tally: { mailbox: 1 } })
  world.call('a', 'add', { idempotencyKey: 'k' })
  world.call('a', 'add', { idempotencyKey: 'k' })
  const refused = world.call('a', 'add')
  world.latest().wake().reply('1')
  await world.settle()
  world.call('a', 'add', { idempotencyKey: 'k' })
  await world.settle()

  assert.equal(refused.error?.detail, 'MailboxFull')
  assert.equal(world.runs.length, 1)
})

records('of very many calls some are written down, of those that fail all', async () => {
  const world = await actorWorld()
  await awake(world)
  const activation = world.latest()
  for (let n = 0; n < 800; n++) {
    world.call('a', 'add')
    activation.reply('ok')
  }
  for (let n = 0; n < 3; n++) {
    world.call('a', 'fails')
    activation.fail('RangeError')
  }
  await world.settle()
  const kept = world.runs.length
  await world.clock.advance(1000)
  world.call('a', 'add')
  activation.reply('ok')
  await world.settle()

  assert.equal(kept, 503)
  assert.equal(world.runs.filter(({ status }) => status === 'failed').length, 3)
  assert.equal(world.runs.length, 504)
})

records.run()
