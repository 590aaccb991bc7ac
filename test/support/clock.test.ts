import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { rejects } from './assert.ts'
import { createFakeClock } from './clock.ts'

const fake = suite('the fake clock')

fake('timers fire in order of due time, at their time, and not before', async () => {
  const clock = createFakeClock(1000)
  const seen: string[] = []
  clock.after(30, () => seen.push(`late ${clock.monotonicMs()}`))
  clock.after(10, () => seen.push(`early ${clock.nowMs()}`))
  clock.every(20, () => seen.push(`tick ${clock.monotonicMs()}`))

  await clock.advance(9)
  assert.equal(seen, [])
  await clock.advance(31)

  assert.equal(seen, ['early 1010', 'tick 20', 'late 30', 'tick 40'])
})

fake('a timer that a callback starts fires within the same advance', async () => {
  const clock = createFakeClock()
  const seen: number[] = []
  clock.after(5, () => clock.after(5, () => seen.push(clock.monotonicMs())))

  await clock.advance(10)

  assert.equal(seen, [10])
})

fake('a cancelled timer and an aborted sleep leave nothing behind', async () => {
  const clock = createFakeClock()
  const stopping = new AbortController()
  clock.after(5, () => assert.unreachable()).cancel()
  const slept = clock.sleep(5, stopping.signal)
  stopping.abort(new Error('enough'))

  assert.is((await rejects(slept)).message, 'enough')
  assert.is(clock.pending, 0)
})

fake('a sleep ends when time has passed', async () => {
  const clock = createFakeClock()
  let woke = false
  void clock.sleep(100).then(() => (woke = true))

  await clock.advance(99)
  assert.is(woke, false)
  await clock.advance(1)

  assert.is(woke, true)
})

fake.run()
