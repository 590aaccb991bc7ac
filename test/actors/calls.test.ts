import * as assert from 'node:assert/strict'
import { suite } from 'uvu'
import { unpackRows } from '../../runtime/environments/actor-messages.ts'
import { actorWorld, address, awake, put, stored } from './actor-world.ts'

const actors = suite('calls of actors')

actors('the first call wakes it, and the reply leaves when its writes are on disk', async () => {
  const world = await actorWorld()
  const outcome = world.call('a', 'add')
  const { start } = world.latest()
  world.commits.hold()

  world
    .latest()
    .wake()
    .reply('1', [put('n', '1')])
  await world.settle()
  assert.equal(outcome.told, 0)

  await world.commits.release()
  assert.equal(outcome.text, '1')
  assert.equal(stored(world, 'a', 'n'), '1')
  assert.deepEqual(start.rows, [])
  assert.equal(start.complete, true)
})

actors('calls run in order, one at a time until it is known how long they take', async () => {
  const world = await actorWorld()
  for (const name of ['x', 'y', 'z']) world.call('a', name)

  const activation = world.latest().wake()
  const seen: string[] = []
  for (let round = 0; round < 3; round++) {
    assert.equal(activation.calls.length, 1)
    seen.push(activation.calls[0]?.name ?? '')
    await world.clock.advance(10)
    activation.reply('ok')
  }

  assert.deepEqual(seen, ['x', 'y', 'z'])
})

actors('quick calls are sent ahead, slow ones are not', async () => {
  const world = await actorWorld()
  await awake(world)
  const activation = world.latest()
  for (let index = 0; index < 100; index++) world.call('a', `m${index}`)

  for (let index = 0; index < 30; index++) activation.reply('ok')
  assert.ok(activation.calls.length > 20, `${activation.calls.length} were sent ahead`)
  assert.deepEqual(
    activation.calls.map(({ name }) => name),
    Array.from(activation.calls, (_, index) => `m${index + 30}`),
  )

  while (activation.calls.length > 0) {
    await world.clock.advance(40)
    activation.reply('ok')
  }
  for (let index = 0; index < 5; index++) world.call('a', `n${index}`)
  assert.equal(activation.calls.length, 1)
})

actors('a reply that shows what is not on disk yet waits for it', async () => {
  const world = await actorWorld()
  await awake(world)
  const activation = world.latest()
  const [add, peek] = [world.call('a', 'add'), world.call('a', 'peek')]
  world.commits.hold()

  activation.reply('2', [put('n', '2')])
  activation.reply('2')
  await world.settle()
  assert.deepEqual([add.told, peek.told], [0, 0])

  await world.commits.release()
  assert.deepEqual([add.text, peek.text], ['2', '2'])
})

actors('writes of calls that reply together are one commit, led by the fence', async () => {
  const world = await actorWorld()
  await awake(world)
  const activation = world.latest()
  const calls = Array.from({ length: 10 }, () => world.call('a', 'add'))
  const before = world.commits.done.length

  for (let n = 1; n <= 10; n++) activation.reply(String(n), [put('n', String(n))])
  await world.settle()

  const sets = world.commits.done.slice(before)
  assert.ok(sets.length <= 2, `${sets.length} commits`)
  assert.equal(sets.flat().filter(([name]) => name === 'putActorValue').length, sets.length)
  for (const set of sets) assert.equal(set[0]?.[0], 'fenceActor')
  assert.deepEqual(
    calls.map(({ text }) => text),
    calls.map((_, index) => String(index + 1)),
  )
  assert.equal(stored(world, 'a', 'n'), '10')
})

actors('a throw discards what the call wrote, and the next call goes on', async () => {
  const world = await actorWorld()
  await awake(world)
  const [bad, good] = [world.call('a', 'bad'), world.call('a', 'good')]

  world.latest().fail('TypeError')
  world.latest().reply('fine')
  await world.settle()

  assert.equal(bad.thrown, 'TypeError')
  assert.equal(good.text, 'fine')
})

actors('a reply that comes twice is told once', async () => {
  const world = await actorWorld()
  await awake(world)
  const outcome = world.call('a', 'add')

  world.latest().reply('1', [put('n', '1')])
  world.latest().reply('2', [put('n', '2')], 2)
  await world.settle()

  assert.equal(outcome.text, '1')
  assert.equal(outcome.told, 1)
  assert.equal(stored(world, 'a', 'n'), '1')
})

actors('a call with a key gets its first reply again, also in later lives', async () => {
  const world = await actorWorld()
  const keyed = { idempotencyKey: 'order-1' }
  const first = world.call('a', 'add', keyed)
  world.latest().wake()
  assert.equal(world.latest().calls[0]?.flags, 32)
  world.latest().reply('1', [put('n', '1')])
  await world.settle()

  const repeat = world.call('a', 'add', keyed)
  world.latest().crash()
  await world.settle()
  const later = world.call('a', 'add', keyed)

  assert.deepEqual([first.text, repeat.text, later.text], ['1', '1', '1'])
  await world.clock.advance(86_400_001)
  const next = world.call('a', 'add', keyed)
  assert.equal(next.told, 0)
})

actors('a repeat while the first is under way waits for its reply', async () => {
  const world = await actorWorld()
  await awake(world)
  const [first, repeat] = [
    world.call('a', 'add', { idempotencyKey: 'k', timeoutMs: 5 }),
    world.call('a', 'add', { idempotencyKey: 'k' }),
  ]
  assert.equal(world.latest().calls.length, 1)

  await world.clock.advance(6)
  world.latest().reply('1')
  await world.settle()

  assert.equal(first.error?.code, 'timeout')
  assert.equal(repeat.text, '1')
})

actors('the mailbox has a bound', async () => {
  const world = await actorWorld({ Tally: { mailbox: 2 } })
  await awake(world)
  world.call('a', 'runs')
  const [, , third] = [world.call('a', 'w1'), world.call('a', 'w2'), world.call('a', 'w3')]

  assert.equal(third.error?.detail, 'MailboxFull')
  assert.equal(third.error?.code, 'throttled')
})

actors('concurrent methods run beside others', async () => {
  const world = await actorWorld({ Tally: { concurrent: ['peek'] } })
  world.call('a', 'slow')
  const early = world.call('a', 'peek')
  const activation = world.latest().wake()
  const late = world.call('a', 'peek')

  assert.deepEqual(
    activation.calls.map(({ name, mode }) => [name, mode]),
    [
      ['peek', 'beside'],
      ['slow', 'turn'],
      ['peek', 'beside'],
    ],
  )
  activation.reply('early')
  activation.reply('late', [], activation.calls[1]?.id)
  await world.settle()

  assert.deepEqual([early.text, late.text], ['early', 'late'])
})

actors('a call that comes back to where its chain began runs inside it', async () => {
  const world = await actorWorld()
  world.call('a', 'outer')
  const a = world.latest().wake()
  const outer = world.directory.find(address('a'))?.activation?.turn
  world.call('b', 'middle', { parent: outer })
  const b = world.latest().wake()
  const middle = world.directory.find(address('b'))?.activation?.turn

  const inner = world.call('a', 'inner', { parent: middle })
  assert.deepEqual(
    a.calls.map(({ name, mode, outer: of }) => [name, mode, of]),
    [
      ['outer', 'turn', 0],
      ['inner', 'inner', a.calls[0]?.id],
    ],
  )
  a.reply('in', [], a.calls[1]?.id)
  await world.settle()
  assert.equal(inner.text, 'in')
  b.reply('mid')
  a.reply('out')
  await world.settle()
})

actors(
  'calls that wait for each other in a circle are told, calls that nobody waits for are not',
  async () => {
    const world = await actorWorld()
    world.call('a', 'toB')
    world.call('b', 'toA')
    const [a, b] = world.activations
    a?.wake()
    b?.wake()
    const inA = world.directory.find(address('a'))?.activation?.turn
    const inB = world.directory.find(address('b'))?.activation?.turn

    const free = world.call('b', 'detached', { parent: inA, detached: true })
    const toA = world.call('a', 'waits', { parent: inB })
    await world.clock.advance(1000)
    assert.deepEqual([free.told, toA.told], [0, 0])

    const toB = world.call('b', 'closes', { parent: inA })
    await world.clock.advance(600)
    assert.equal(toB.error?.detail, 'ActorDeadlock')
    assert.match(toB.error?.message ?? '', /"b" waits for .*"a" waits for .*"b"/)
    assert.equal(toA.told, 0)
    a?.reply('ok')
    a?.reply('ok')
    assert.equal(toA.text, 'ok')
  },
)

actors('a timeout answers the caller; what runs goes on and is told', async () => {
  const world = await actorWorld()
  await awake(world)
  const [running, waiting] = [
    world.call('a', 'slow', { timeoutMs: 50 }),
    world.call('a', 'late', { timeoutMs: 50 }),
  ]

  await world.clock.advance(51)
  assert.deepEqual([running.error?.code, waiting.error?.code], ['timeout', 'timeout'])
  assert.equal(world.latest().heard('abort')[0]?.fields[0], '2')
  world.latest().reply('anyway', [put('n', '1')])
  await world.settle()

  assert.equal(running.told, 1)
  assert.equal(stored(world, 'a', 'n'), '1')
  assert.equal(world.latest().calls.length, 0)
})

actors('reads show what was handed in before, and flushes are on disk when they are done', async () => {
  const world = await actorWorld()
  await awake(world)
  const activation = world.latest()
  world.call('a', 'reads')
  world.commits.hold()
  const writes = Buffer.concat([
    Buffer.from([1, 1, 0, 0, 0]),
    Buffer.from('k'),
    Buffer.from([1, 0, 0, 0]),
    Buffer.from('v'),
  ])

  activation.say('flush\n1\n2', writes)
  activation.say(
    'read\n2',
    Buffer.concat([Buffer.from([1, 0, 0, 0]), Buffer.from('k'), Buffer.from([1, 0, 0, 0]), Buffer.from('x')]),
  )
  activation.say('list\n3', Buffer.from(JSON.stringify({ prefix: 'k', limit: 5 })))
  await world.settle()
  assert.equal(activation.told.length, 0)

  await world.commits.release()
  assert.deepEqual(
    activation.told.map(({ operation, fields }) => [operation, fields[0]]),
    [
      ['done', '1'],
      ['rows', '2'],
      ['rows', '3'],
    ],
  )
  assert.deepEqual(
    unpackRows(activation.told[1]?.payload ?? Buffer.alloc(0)).map(({ key, value }) => [
      key,
      value?.toString(),
    ]),
    [
      ['k', 'v'],
      ['x', undefined],
    ],
  )
})

actors.run()
