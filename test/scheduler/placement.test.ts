import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { milli } from '../../runtime/resources.ts'
import type { GpuState, NodeState } from '../../runtime/scheduler/node-state.ts'
import { pickGpus, place } from '../../runtime/scheduler/placement.ts'

const placing = suite('placing')

/** GPUs with so much of them free, numbered from 0. */
const gpus = (...free: number[]): GpuState[] => free.map((one, index) => ({ index, free: one }))

const node = (name: string, available: Record<string, number>, more: Partial<NodeState> = {}): NodeState => ({
  name,
  labels: {},
  draining: false,
  capacity: { cpu: 4000, memoryMb: 8_000_000, gpu: 2000 },
  available: { cpu: 4000, memoryMb: 8_000_000, gpu: 2000, ...available },
  gpus: gpus(1000, 1000),
  ...more,
})

placing('the tightest node that fits is taken, so that large holes stay', () => {
  const decision = place({ resources: { cpu: 1000 } }, [node('roomy', {}), node('tight', { cpu: 1000 })])

  assert.equal(decision, {
    kind: 'placed',
    node: 'tight',
    resources: { cpu: 1000 },
    gpuIndices: [],
  })
})

placing('equals are told apart by name, so that the same state gives the same decision', () => {
  const nodes = [node('b', {}), node('a', {})]

  const decision = place({ resources: { cpu: 1000 } }, nodes)

  assert.is(decision.kind === 'placed' && decision.node, 'a')
})

placing('what fits an empty node but not now has to wait, with a reason', () => {
  const decision = place({ resources: { cpu: 3000 } }, [node('only', { cpu: 2000 })])

  assert.is(decision.kind, 'wait')
  assert.match(decision.kind === 'wait' ? decision.reason : '', 'cpu 3')
})

placing('what no node could ever hold is infeasible and says what is missing', () => {
  const decision = place({ resources: { gpu: 4000 } }, [node('only', {})])

  assert.is(decision.kind, 'infeasible')
  assert.match(decision.kind === 'infeasible' ? decision.reason : '', 'gpu 4 (the largest node has 2)')
})

placing('one and a half GPUs cannot be had', () => {
  assert.is(place({ resources: { gpu: 1500 } }, [node('only', {})]).kind, 'infeasible')
})

placing('labels choose the node, and a label nobody has is infeasible', () => {
  const nodes = [node('plain', {}), node('fast', {}, { labels: { disk: 'nvme' } })]

  assert.equal(place({ resources: {}, labels: { disk: 'nvme' } }, nodes), {
    kind: 'placed',
    node: 'fast',
    resources: {},
    gpuIndices: [],
  })
  assert.is(place({ resources: {}, labels: { disk: 'tape' } }, nodes).kind, 'infeasible')
})

placing('draining nodes take nothing, and what fits there waits', () => {
  assert.is(place({ resources: {} }, [node('leaving', {}, { draining: true })]).kind, 'wait')
})

placing('a fraction goes to the fullest GPU that still has room', () => {
  assert.equal(pickGpus(250, gpus(1000, 500, 250)), [2])
  assert.equal(pickGpus(500, gpus(1000, 500, 250)), [1])
})

placing('whole GPUs are only those nobody holds a part of', () => {
  assert.equal(pickGpus(2000, gpus(750, 1000, 1000)), [1, 2])
  assert.is(pickGpus(2000, gpus(750, 1000, 999)), undefined)
})

placing('amounts round up, never down', () => {
  assert.is(milli(0.25), 250)
  assert.is(milli(0.1 + 0.2), 300)
  assert.is(milli(1.0001), 1001)
})

placing.run()
