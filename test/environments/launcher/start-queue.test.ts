import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { StartQueue } from '../../../runtime/environments/start-queue.ts'
import { rejectsWith } from '../../support/assert.ts'

const queueing = suite('line of starts')

queueing('no more than its places are taken at once, and they are handed on in order', async () => {
  const queue = new StartQueue(2, 10)
  const order: number[] = []
  const first = await queue.enter()
  const second = await queue.enter()
  const third = queue.enter().then((place) => (order.push(3), place))
  const fourth = queue.enter().then((place) => (order.push(4), place))

  first[Symbol.dispose]()
  const placeOfThird = await third
  assert.equal(order, [3])
  second[Symbol.dispose]()
  const placeOfFourth = await fourth

  assert.equal(order, [3, 4])
  placeOfThird[Symbol.dispose]()
  placeOfFourth[Symbol.dispose]()
  const again = await queue.enter()
  again[Symbol.dispose]()
})

queueing('a full line refuses, and a closed one refuses everybody', async () => {
  const queue = new StartQueue(1, 1)
  using _held = await queue.enter()
  const waiting = queue.enter()

  const full = await rejectsWith(queue.enter(), 'unavailable')
  queue.close()
  const closed = await rejectsWith(waiting, 'unavailable')
  await rejectsWith(queue.enter(), 'unavailable')

  assert.match(full.message, 'wait to be started')
  assert.match(closed.message, 'stopping')
})

queueing.run()
