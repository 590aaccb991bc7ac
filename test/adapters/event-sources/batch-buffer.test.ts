import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { BatchBuffer } from '../../../adapters/event-sources/batch-buffer.ts'

const buffers = suite('batch buffer')

const item = (id: number, sizeBytes = 10): { id: number; sizeBytes: number } => ({ id, sizeBytes })
const ids = (batch: readonly { id: number }[]): number[] => batch.map(({ id }) => id)

buffers('without a window, whatever is there is a batch', () => {
  const buffer = new BatchBuffer<{ id: number; sizeBytes: number }>({ batchSize: 10, windowMs: 0 })
  assert.is(buffer.dueInMs(0), undefined)

  buffer.push(item(1), 0)

  assert.is(buffer.dueInMs(0), 0)
  assert.equal(ids(buffer.take()), [1])
  assert.is(buffer.dueInMs(0), undefined)
})

buffers('a window counts from the first record, and a full batch does not wait for it', () => {
  const buffer = new BatchBuffer<{ id: number; sizeBytes: number }>({ batchSize: 3, windowMs: 1000 })
  buffer.push(item(1), 0)
  buffer.push(item(2), 400)

  const waits = buffer.dueInMs(600)
  buffer.push(item(3), 600)
  buffer.push(item(4), 700)

  assert.is(waits, 400)
  assert.is(buffer.dueInMs(700), 0)
  assert.equal(ids(buffer.take()), [1, 2, 3])
  assert.is(buffer.dueInMs(900), 800)
  assert.is(buffer.size, 1)
})

buffers('a batch ends where it would grow too large, but has at least one record', () => {
  const buffer = new BatchBuffer<{ id: number; sizeBytes: number }>({
    batchSize: 10,
    windowMs: 1000,
    maxBytes: 100,
  })
  for (const one of [item(1, 60), item(2, 60), item(3, 300), item(4, 1)]) buffer.push(one, 0)

  assert.is(buffer.dueInMs(0), 0)
  assert.equal(ids(buffer.take()), [1])
  assert.equal(ids(buffer.take()), [2])
  assert.equal(ids(buffer.take()), [3])
  assert.is(buffer.bytes, 1)
})

buffers('a batch ends where records do not belong together', () => {
  const buffer = new BatchBuffer<{ id: number; sizeBytes: number }>({ batchSize: 10, windowMs: 0 })
  for (const id of [10, 11, 20, 21]) buffer.push(item(id), 0)

  const batch = buffer.take((first, next) => Math.floor(first.id / 10) === Math.floor(next.id / 10))

  assert.equal(ids(batch), [10, 11])
  assert.is(buffer.peek()?.id, 20)
})

buffers.run()
