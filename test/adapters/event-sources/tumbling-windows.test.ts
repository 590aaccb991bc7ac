import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { StreamWorld } from './stream-world.ts'

const windows = suite('tumbling windows, step by step')

const SECOND = 1000

windows('a window hands its state on, and has a last invocation of its own', async () => {
  const world = new StreamWorld({ batchSize: 2, tumblingWindowMs: 60 * SECOND })
  world.answer = ({ event, sequences }) => ({
    state: { count: Number((event['state'] as { count?: number })['count'] ?? 0) + sequences.length },
  })
  world.put(3)
  await world.start()
  const open = world.checkpoints.get('s0')?.window

  await world.clock.advance(63 * SECOND)

  const told = world.calls.map(({ event, sequences }) => [
    sequences.length,
    event['state'],
    event['isFinalInvokeForWindow'],
  ])
  assert.equal(told, [
    [2, {}, false],
    [1, { count: 2 }, false],
    [0, { count: 3 }, true],
  ])
  assert.equal(world.calls[0]?.event['window'], {
    start: '2026-01-01T00:00:00Z',
    end: '2026-01-01T00:01:00Z',
  })
  assert.is(world.calls[0]?.event['shardId'], 's0')
  assert.is(world.calls[0]?.event['isWindowTerminatedEarly'], false)
  assert.equal(open?.state, { count: 3 })
  assert.is(world.checkpoints.get('s0')?.window, null)
  await world.stop()
})

windows('a window goes on after a restart, and records of the next close it', async () => {
  const world = new StreamWorld({ tumblingWindowMs: 60 * SECOND })
  world.answer = ({ event }) => ({ state: [...Object.values(event['state'] ?? {}), 'x'] })
  world.put(1)
  await world.start()
  await world.stop()
  world.put(1)
  await world.start()
  await world.stop()
  await world.clock.advance(61 * SECOND)
  world.put(1)

  await world.start()

  const told = world.calls.map(({ event, sequences }) => [
    sequences[0],
    event['state'],
    event['isFinalInvokeForWindow'],
  ])
  assert.equal(told, [
    ['0001', {}, false],
    ['0002', ['x'], false],
    [undefined, ['x', 'x'], true],
    ['0003', {}, false],
  ])
  await world.stop()
})

windows('a window that gathers too much ends early', async () => {
  const world = new StreamWorld({ tumblingWindowMs: 60 * SECOND })
  world.answer = () => ({ state: 'x'.repeat(1_048_577) })
  world.put(1)

  await world.start()

  assert.is(world.calls.length, 2)
  assert.is(world.calls[1]?.event['isWindowTerminatedEarly'], true)
  assert.is(world.calls[1]?.event['isFinalInvokeForWindow'], true)
  await world.stop()
})

windows.run()
