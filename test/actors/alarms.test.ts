import * as assert from 'node:assert/strict'
import { suite } from 'uvu'
import { alarmCallName } from '../../runtime/environments/actor-messages.ts'
import { actorWorld, address, put, stored } from './actor-world.ts'

const actors = suite('alarms of actors')

actors('an alarm rings when it is due, and is gone with the commit of its reply', async () => {
  const world = await actorWorld()
  world.call('a', 'set')
  const dueAtMs = world.clock.nowMs() + 5000
  const alarm = { kind: 'set-alarm', name: 'tick', dueAtMs, schedule: '', payload: Buffer.from('p') } as const
  world.latest().wake().reply('ok', [alarm])
  await world.settle()

  await world.clock.advance(4900)
  assert.equal(world.latest().calls.length, 0)
  await world.clock.advance(200)
  const [call] = world.latest().calls
  assert.deepEqual([call?.kind, call?.name, call?.args], ['alarm', alarmCallName('tick', 1), 'p'])
  world.latest().reply('', [put('rang', 'yes')])
  await world.settle()
  await world.clock.advance(60_000)

  assert.equal(stored(world, 'a', 'rang'), 'yes')
  assert.equal(world.directory.alarms.ringing, 0)
  assert.equal(world.latest().calls.length, 0)
})

actors('alarms wake sleeping actors, also after the engine has started anew', async () => {
  const world = await actorWorld()
  world.call('a', 'set')
  const dueAtMs = world.clock.nowMs() + 5000
  const alarm = { kind: 'set-alarm', name: 'tick', dueAtMs, schedule: '', payload: Buffer.alloc(0) } as const
  world.latest().wake().reply('ok', [alarm])
  await world.settle()

  const after = await actorWorld(undefined, world.store)
  after.directory.open()
  await after.clock.advance(5100)
  after.latest().wake()

  assert.equal(after.latest().calls[0]?.kind, 'alarm')
})

actors('a ringing that fails is repeated later and later, and given up after the sixth time', async () => {
  const world = await actorWorld()
  world.call('a', 'set')
  const dueAtMs = world.clock.nowMs() + 1000
  const alarm = { kind: 'set-alarm', name: 'tick', dueAtMs, schedule: '', payload: Buffer.alloc(0) } as const
  world.latest().wake().reply('ok', [alarm])
  await world.settle()
  await world.clock.advance(1000)
  const attempts: string[] = []

  for (const delayMs of [2000, 4000, 8000, 16_000, 32_000, 600_000]) {
    attempts.push(world.latest().calls[0]?.name.split(' ')[0] ?? '')
    world.latest().fail('\u0005\0\0\0Oops!')
    await world.settle()
    await world.clock.advance(delayMs - 100)
    assert.equal(world.latest().calls.length, 0)
    await world.clock.advance(101)
    if (world.latest().gone || world.latest().heard('stop').length > 0) break
  }

  assert.deepEqual(attempts, ['1', '2', '3', '4', '5', '6'])
})

actors('a crash during an alarm is an attempt, and so is it repeated', async () => {
  const world = await actorWorld()
  world.call('a', 'set')
  const dueAtMs = world.clock.nowMs() + 1000
  const alarm = { kind: 'set-alarm', name: 'tick', dueAtMs, schedule: '', payload: Buffer.alloc(0) } as const
  world.latest().wake().reply('ok', [alarm])
  await world.settle()
  await world.clock.advance(1000)

  world.latest().crash()
  await world.settle()
  await world.clock.advance(2001)
  world.latest().wake()

  assert.equal(world.latest().calls[0]?.name, alarmCallName('tick', 2))
})

actors(
  'an alarm with a schedule rings again, and one that is set anew meanwhile does not ring twice',
  async () => {
    const world = await actorWorld()
    world.call('a', 'set')
    const soon = {
      kind: 'set-alarm',
      name: 'tick',
      schedule: 'rate(1 minute)',
      payload: Buffer.alloc(0),
    } as const
    world
      .latest()
      .wake()
      .reply('ok', [{ ...soon, dueAtMs: world.clock.nowMs() + 1000 }])
    await world.settle()

    await world.clock.advance(1000)
    assert.equal(world.latest().calls.length, 1)
    world.latest().reply('')
    await world.settle()
    await world.clock.advance(59_000)
    assert.equal(world.latest().calls.length, 0)
    world.call('a', 'busy')
    await world.clock.advance(1001) // it rings while another call runs
    assert.equal(world.directory.find(address('a'))?.waiting, 1)
    world.latest().reply('ok', [{ ...soon, dueAtMs: world.clock.nowMs() + 30_000 }])
    await world.settle()

    assert.equal(world.latest().calls.length, 0)
    await world.clock.advance(30_001)
    assert.equal(world.latest().calls.length, 1)
  },
)

actors.run()
