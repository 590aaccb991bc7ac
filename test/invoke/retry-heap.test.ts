import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { RetryHeap } from '../../runtime/invoke/retry-heap.ts'

const heaps = suite('a heap of retries')

heaps('hands out what is left in order of time, whatever was pushed and removed before', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('push' as const), dueMs: fc.nat(50) }),
    fc.record({ kind: fc.constant('remove' as const), dueMs: fc.nat(50) }),
    fc.record({ kind: fc.constant('shift' as const), dueMs: fc.constant(0) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = new RetryHeap<{ dueMs: number }>()
      const model: number[] = []
      for (const { kind, dueMs } of steps) {
        if (kind === 'push') {
          heap.push({ dueMs })
          model.push(dueMs)
        } else if (kind === 'shift') {
          assert.is(heap.shift()?.dueMs, model.sort((a, b) => a - b).shift())
        } else {
          const index = model.indexOf(dueMs)
          if (index >= 0) model.splice(index, 1)
          assert.is(heap.remove((item) => item.dueMs === dueMs) !== undefined, index >= 0)
        }
        assert.is(heap.size, model.length)
        assert.is(heap.first?.dueMs, model.length === 0 ? undefined : Math.min(...model))
      }
    }),
  )
})

heaps.run()
