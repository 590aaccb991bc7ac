import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Invocation, type InvocationInput } from '../../runtime/environments/invocation.ts'
import { WaitingQueue } from '../../runtime/environments/waiting-queue.ts'

const waiting = suite('what waits for an environment')

const one = (requestId: string, depth?: number): Invocation =>
  // Only these members matter to a queue.
  new Invocation({ requestId, ...(depth === undefined ? {} : { depth }) } as InvocationInput, 0)

function drained(queue: WaitingQueue): string[] {
  const order: string[] = []
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) order.push(next.input.requestId)
  return order
}

waiting('deeper work comes first, and work of one depth in order', () => {
  const queue = new WaitingQueue()
  for (const [id, depth] of [
    ['a', 0],
    ['b', 2],
    ['c', 1],
    ['d', 2],
  ] as const)
    queue.push(one(id, depth))
  queue.push(one('e'))

  assert.is(queue.size, 5)
  assert.is(queue.peek()?.input.requestId, 'b')
  assert.equal(
    [...queue].map(({ input }) => input.requestId),
    ['b', 'd', 'c', 'a', 'e'],
  )
  assert.equal(drained(queue), ['b', 'd', 'c', 'a', 'e'])
  assert.is(queue.size, 0)
})

waiting('what comes back goes to the front of its depth', () => {
  const queue = new WaitingQueue()
  queue.push(one('a', 1))
  queue.push(one('b', 1))
  const first = queue.shift()
  assert.ok(first)

  queue.unshift(first)

  assert.equal(drained(queue), ['a', 'b'])
})

waiting('taking some out keeps the count of the rest', () => {
  const queue = new WaitingQueue()
  for (const [id, depth] of [
    ['a', 0],
    ['b', 1],
    ['c', 1],
    ['d', 3],
  ] as const)
    queue.push(one(id, depth))

  assert.is(queue.take(1, ({ input }) => input.requestId === 'c', 10)?.input.requestId, 'c')
  assert.is(
    queue.take(1, ({ input }) => input.requestId === 'a', 10),
    undefined,
  )
  assert.equal(
    queue.remove(({ input }) => input.requestId !== 'b').map(({ input }) => input.requestId),
    ['d', 'a'],
  )

  assert.is(queue.size, 1)
  assert.equal(drained(queue), ['b'])
})

waiting.run()
