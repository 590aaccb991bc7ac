import * as assert from 'node:assert/strict'
import { suite } from 'uvu'
import { EngineError } from '../../runtime/errors.ts'
import { findActor } from '../../runtime/store/actor-reading.ts'
import { actorWorld, address, awake, put, stored } from './actor-world.ts'

const actors = suite('lives of actors')

actors(
  'a crash fails what may have run, moves what waited, and the next life sees what was committed',
  async () => {
    const world = await actorWorld()
    world.call('a', 'put')
    world
      .latest()
      .wake()
      .reply('ok', [put('n', '1')])
    await world.settle()
    const first = world.latest()
    const [running, waiting] = [world.call('a', 'slow'), world.call('a', 'next')]

    first.crash()
    await world.settle()
    assert.equal(running.error?.detail, 'ActorCrashed')
    assert.match(running.error?.message ?? '', /SIGKILL/)
    assert.equal(waiting.told, 0)
    const second = world.latest()
    assert.notEqual(second, first)
    assert.deepEqual(
      second.start.rows.map(({ key, value }) => [key, value?.toString()]),
      [['n', '1']],
    )
    assert.ok(second.start.epoch > first.start.epoch)

    second.wake().reply('done')
    assert.equal(waiting.text, 'done')
    assert.deepEqual([running.told, waiting.told], [1, 1])
  },
)

actors('what an earlier life says late does not count', async () => {
  const world = await actorWorld()
  await awake(world)
  const first = world.latest()
  const outcome = world.call('a', 'add')
  first.crash()
  await world.settle()

  first.say('reply\n2\n0', Buffer.from('late'))
  first.say('flush\n9\n2', Buffer.alloc(0))
  first.end([put('n', 'stale')])
  await world.settle()

  assert.equal(outcome.error?.detail, 'ActorCrashed')
  assert.equal(outcome.told, 1)
  assert.equal(stored(world, 'a', 'n'), undefined)
})

actors('the next life begins when everything of the last one is on disk', async () => {
  const world = await actorWorld()
  await awake(world)
  const [add, next] = [world.call('a', 'add'), world.call('a', 'next')]
  world.commits.hold()
  world.latest().reply('1', [put('n', '1')])
  const lives = world.activations.length

  world.latest().crash()
  await world.settle()
  assert.equal(world.activations.length, lives)

  await world.commits.release()
  assert.equal(add.text, '1')
  assert.equal(next.error?.detail, 'ActorCrashed')
  world.call('a', 'again')
  assert.equal(world.latest().start.rows[0]?.value?.toString(), '1')
})

actors('a crash has calls with a key made again, and those with retries as often as they say', async () => {
  const world = await actorWorld()
  const keyed = world.call('a', 'keyed', { idempotencyKey: 'k' })
  const retried = world.call('b', 'retried', { retries: 1 })
  const [a, b] = world.activations
  a?.wake().crash()
  b?.wake().crash()
  await world.settle()
  assert.deepEqual([keyed.told, retried.told], [0, 0])

  const [, , a2, b2] = world.activations
  a2?.wake().reply('once')
  b2?.wake().crash()
  await world.settle()

  assert.equal(keyed.text, 'once')
  assert.equal(retried.error?.detail, 'ActorCrashed')
})

actors('when the disk takes nothing, nobody is told otherwise and the cache is thrown away', async () => {
  const world = await actorWorld()
  await awake(world)
  const first = world.latest()
  const [add, running, waiting] = ['add', 'running', 'waiting'].map((name) => world.call('a', name))
  world.commits.failWith(new EngineError('unavailable', 'The disk is full.'))

  await world.clock.advance(10)
  first.reply('1', [put('n', '1')])
  await world.settle()
  world.commits.failWith(undefined)

  assert.match(add?.error?.message ?? '', /was not stored: The disk is full/)
  assert.equal(running?.error?.code, 'unavailable')
  assert.equal(first.expired, true)
  assert.equal(waiting?.error?.code, 'unavailable')
  const next = world.call('a', 'next')
  world.latest().wake().reply('fresh')
  await world.settle()
  assert.equal(next.text, 'fresh')
  assert.equal(stored(world, 'a', 'n'), undefined)
})

actors('idle actors sleep after stop(), with what that wrote, and cost nothing then', async () => {
  const world = await actorWorld({ Tally: { idle: '2s' } })
  await awake(world)
  const activation = world.latest()

  await world.clock.advance(1700)
  assert.equal(activation.heard('stop').length, 0)
  await world.clock.advance(600)
  assert.equal(activation.heard('stop').length, 1)
  const early = world.call('a', 'early')
  activation.end([put('last', 'word')])
  await world.settle()

  assert.equal(stored(world, 'a', 'last'), 'word')
  world.latest().wake().reply('woken')
  assert.equal(early.text, 'woken')
  await world.clock.advance(2500)
  world.latest().end()
  await world.clock.advance(500)
  assert.equal(world.directory.size, 0)
})

actors('stop() that takes too long is cut short', async () => {
  const world = await actorWorld({ Tally: { idle: 100 } })
  await awake(world)

  await world.clock.advance(500)
  await world.clock.advance(10_000)

  assert.equal(world.latest().expired, true)
  assert.equal(world.directory.find(address('a'))?.state ?? 'asleep', 'asleep')
})

actors('new code: the running call finishes, the next one runs on the new version', async () => {
  const world = await actorWorld()
  await awake(world)
  const old = world.latest()
  const [running, next] = [world.call('a', 'running'), world.call('a', 'next')]

  world.deploy('shop-2')
  world.directory.retire('shop-1')
  assert.equal(old.heard('stop').length, 0)
  old.reply('old')
  assert.equal(old.calls.length, 0)
  assert.equal(old.heard('stop').length, 1)
  old.end([put('n', '7')])
  await world.settle()

  assert.equal(running.text, 'old')
  assert.equal(world.latest().invocation.input.version.key, 'shop-2')
  assert.equal(world.latest().start.rows[0]?.value?.toString(), '7')
  world.latest().wake().reply('new')
  assert.equal(next.text, 'new')
})

actors('an activation that had not begun when its version was replaced begins with the new one', async () => {
  const world = await actorWorld()
  const outcome = world.call('a', 'first')
  const [waiting] = world.activations

  world.deploy('shop-2')
  world.directory.retire('shop-1')
  world.directory.reroute(waiting === undefined ? [] : [waiting.invocation])
  await world.settle()
  assert.equal(world.latest().invocation.input.version.key, 'shop-2')
  world.latest().wake().reply('new')

  assert.equal(outcome.text, 'new')
})

actors('an actor that crashes again and again is quarantined with the reason, then tried again', async () => {
  const world = await actorWorld({ Tally: { maxRestarts: 2 } })
  const outcomes = []
  for (let round = 0; round < 3; round++) {
    outcomes.push(world.call('a', 'poison'))
    await world.clock.advance(1000)
    world.latest().wake().crash({ signal: null, code: 7 })
    await world.settle()
  }
  assert.deepEqual(
    outcomes.map(({ error }) => error?.detail),
    ['ActorCrashed', 'ActorCrashed', 'ActorCrashed'],
  )

  const refused = world.call('a', 'next')
  assert.equal(refused.error?.detail, 'ActorQuarantined')
  assert.match(refused.error?.message ?? '', /ended 3 times in a row, last with exit status 7/)
  await world.clock.advance(60_000)
  const later = world.call('a', 'later')
  world.latest().wake().reply('better')
  await world.settle()
  assert.equal(later.text, 'better')
})

actors('a call that is answered ends the count of crashes, and kill ends a quarantine', async () => {
  const world = await actorWorld({ Tally: { maxRestarts: 0 } })
  await awake(world)
  world.call('a', 'poison')
  world.latest().crash()
  assert.equal(world.directory.find(address('a'))?.state, 'quarantined')

  world.directory.kill(address('a'))
  const next = world.call('a', 'next')
  await world.settle()
  world.latest().wake().reply('ok')

  assert.equal(next.text, 'ok')
})

actors('start() that throws is the answer of whoever waits', async () => {
  const world = await actorWorld()
  const [first, second] = [world.call('a', 'x'), world.call('a', 'y')]

  world.latest().host().throw('NoModel')

  assert.deepEqual([first.thrown, second.thrown], ['NoModel', 'NoModel'])
})

actors('what can never run is refused with the reason', async () => {
  const world = await actorWorld()
  const outcome = world.call('a', 'x')
  const { invocation } = world.latest()

  invocation.input.observer.refused(invocation, new EngineError('infeasible', 'No node has 9 GPUs.'))

  assert.equal(outcome.error?.code, 'infeasible')
  await world.clock.advance(500)
  assert.equal(world.directory.size, 0)
})

actors('options that are none are told', async () => {
  const world = await actorWorld({ Tally: { idel: '5s' }, Other: { mailbox: 0 } })

  assert.match(world.call('a', 'x').error?.message ?? '', /Option idel .* there are cpu/)
  assert.match(world.call('a', 'x', { of: 'Other' }).error?.message ?? '', /Option mailbox/)
})

actors('kill ends its part of a process; what waits goes on in the next life', async () => {
  const world = await actorWorld()
  await awake(world)
  const first = world.latest()
  const [running, waiting] = [world.call('a', 'running'), world.call('a', 'waiting')]

  world.directory.kill(address('a'))
  await world.settle()

  assert.equal(first.expired, true)
  assert.equal(running.error?.detail, 'ActorKilled')
  world.latest().wake().reply('ok')
  assert.equal(waiting.text, 'ok')
})

actors('a life that was ended before it ran ends when it runs', async () => {
  const world = await actorWorld()
  world.call('a', 'x')
  const first = world.latest()

  world.directory.kill(address('a'))
  await world.settle()
  assert.equal(first.expired, false)
  first.wake()

  assert.equal(first.expired, true)
  assert.notEqual(world.latest(), first)
})

actors('destroy leaves nothing, and what comes meanwhile finds it new', async () => {
  const world = await actorWorld()
  world.call('a', 'put')
  world
    .latest()
    .wake()
    .reply('ok', [put('n', '1')])
  await world.settle()
  const old = findActor(world.store.reader, address('a'))
  world.commits.hold()

  const destroyed = world.directory.destroy(address('a'))
  const next = world.call('a', 'next')
  await world.settle()
  await world.commits.release()
  await destroyed

  assert.deepEqual(world.latest().start.rows, [])
  world
    .latest()
    .wake()
    .reply('new', [put('n', '2')])
  await world.settle()
  assert.equal(next.text, 'new')
  assert.notEqual(findActor(world.store.reader, address('a'))?.id, old?.id)
  assert.equal(stored(world, 'a', 'n'), '2')
})

actors('an actor that is destroyed twice at once has one life afterwards', async () => {
  const world = await actorWorld()
  await awake(world)
  world.commits.hold()

  const first = world.directory.destroy(address('a'))
  await world.settle()
  void world.commits.release()
  world.commits.hold()
  const second = world.directory.destroy(address('a'))
  await first
  const between = world.call('a', 'between')
  await world.settle()
  await world.commits.release()
  await second
  const after = world.call('a', 'after')
  await world.settle()

  assert.equal(world.activations.length, 2)
  world.latest().wake().reply('first')
  await world.settle()
  world.latest().reply('second')
  assert.equal(between.text, 'first')
  assert.equal(after.text, 'second')
})

actors('an actor that ends itself goes on in a new life for those that wait', async () => {
  const world = await actorWorld()
  await awake(world)
  const [last, next] = [world.call('a', 'leave'), world.call('a', 'next')]

  await world.clock.advance(10)
  world.latest().reply('bye')
  world.latest().end()
  await world.settle()
  assert.equal(last.text, 'bye')
  world.latest().wake().reply('hello')

  assert.equal(next.text, 'hello')
})

actors(
  'actors that never sleep have a process of their own, restart by themselves and wake with the engine',
  async () => {
    const world = await actorWorld({ Tally: { idle: 'none' } })
    await awake(world)
    assert.match(world.latest().invocation.input.version.execution.concurrency.toString(), /^1$/)

    await world.clock.advance(600_000)
    assert.equal(world.latest().heard('stop').length, 0)
    world.latest().crash()
    await world.settle()
    assert.equal(world.activations.length, 2)

    const after = await actorWorld({ Tally: { idle: 'none' } }, world.store)
    after.directory.open()
    assert.equal(after.activations.length, 1)
  },
)

actors('the engine stops when what runs has ended and everybody sleeps', async () => {
  const world = await actorWorld()
  await awake(world)
  const [running, waiting] = [world.call('a', 'running'), world.call('a', 'waiting')]

  const closed = world.directory.close(60_000)
  const late = world.call('a', 'late')
  assert.equal(waiting.error?.code, 'unavailable')
  assert.equal(late.error?.code, 'unavailable')
  world.latest().reply('done', [put('n', '1')])
  assert.equal(world.latest().heard('stop').length, 1)
  world.latest().end([put('m', '2')])
  await closed

  assert.equal(running.text, 'done')
  assert.deepEqual([stored(world, 'a', 'n'), stored(world, 'a', 'm')], ['1', '2'])
})

actors.run()
