import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readWish, shapeOf, withWish, type WishOptions } from '../runtime/wish.ts'
import { throwsWith } from './support/assert.ts'

const wishes = suite('wishes')

wishes('what is said becomes amounts in milli-units, what is not said the default', () => {
  assert.equal(readWish({}, { cpu: 1 }), { resources: { cpu: 1000 } })
  assert.equal(readWish({ cpu: 0, memoryMb: 512, resources: { tpu: 2 } }, { cpu: 1 }), {
    resources: { memoryMb: 512_000, tpu: 2000 },
  })
})

wishes('GPUs are a count, a share, a model with a count, or a list to try', () => {
  assert.equal(readWish({ gpu: 2 }), { resources: { gpu: 2000 } })
  assert.equal(readWish({ gpu: '0.25' }), { resources: { gpu: 250 } })
  assert.equal(readWish({ gpu: 0 }), { resources: {} })
  assert.equal(readWish({ gpu: 'H100:2' }), {
    resources: { gpu: 2000 },
    gpus: [{ model: 'h100', amount: 2000 }],
  })
  assert.equal(readWish({ gpu: ['h100:2', 'rtx-4090'] }), {
    resources: { gpu: 1000 },
    gpus: [
      { model: 'h100', amount: 2000 },
      { model: 'rtx-4090', amount: 1000 },
    ],
  })
})

wishes('three thirds of a GPU fit on one', () => {
  assert.equal(readWish({ gpu: 1 / 3 }), { resources: { gpu: 333 } })
})

wishes('memory is a share of one GPU, or the size of whole ones', () => {
  assert.equal(readWish({ gpuMemoryMb: 8000 }).gpus, [{ memoryMb: 8000 }])
  assert.equal(readWish({ gpu: 'a100:2', gpuMemoryMb: 40_000 }).gpus, [
    { model: 'a100', amount: 2000, memoryMb: 40_000 },
  ])
})

wishes('a place in a placement group is a name and perhaps an index', () => {
  assert.equal(readWish({ placementGroup: 'gang' }).placementGroup, { name: 'gang' })
  assert.equal(readWish({ placementGroup: 'gang/2' }).placementGroup, { name: 'gang', bundle: 2 })
  assert.equal(readWish({ placementGroup: { name: 'gang' }, bundle: 0 }).placementGroup, {
    name: 'gang',
    bundle: 0,
  })
})

const REFUSED: readonly [WishOptions, RegExp][] = [
  [{ cpu: -1 }, /^Option cpu is -1: it takes a number of processors/],
  [{ cpu: '2' }, /^Option cpu is "2"/],
  [{ gpu: 1.5 }, /^Option gpu is 1\.5: it takes a count such as 2/],
  [{ gpu: 'h100:' }, /^Option gpu is "h100:"/],
  [{ gpu: [] }, /^Option gpu is \[\]/],
  [{ gpu: true }, /^Option gpu is true/],
  [{ gpu: 0.5, gpuMemoryMb: 100 }, /leave one of them out/],
  [{ resources: { cpu: 1 } }, /cpu is an option of its own/],
  [{ resources: { constructor: 1 } }, /a name takes/],
  [{ resources: { 'a b': 1 } }, /a name takes/],
  [{ labels: { zone: 1 } }, /^Option labels\.zone is 1: a label is text/],
  [{ labels: ['zone'] }, /it takes an object/],
  [{ bundle: 1 }, /name that with placementGroup/],
  [{ placementGroup: 'a', bundle: 0.5 }, /index of a bundle/],
  [{ memoryMb: Number.NaN }, /^Option memoryMb is null: it takes megabytes/],
]

wishes('bad options are refused with what they take', () => {
  for (const [options, says] of REFUSED)
    assert.match(throwsWith(() => readWish(options), 'invalid').message, says)
})

wishes('equal wishes have one shape, different ones different shapes', () => {
  const shape = (options: WishOptions): string => shapeOf(readWish(options))

  assert.is(shape({ cpu: 1, memoryMb: 5, labels: {} }), shape({ memoryMb: 5, gpu: 0, cpu: 1 }))
  assert.is(shape({ labels: { a: '1', b: '2' } }), shape({ labels: { b: '2', a: '1' } }))
  const all: WishOptions[] = [
    { cpu: 1 },
    { cpu: 2 },
    { gpu: 1 },
    { gpu: 'h100' },
    { gpu: ['h100', 'a100'] },
    { gpu: ['a100', 'h100'] },
    { gpuMemoryMb: 1 },
    { labels: { a: '1' } },
    { placementGroup: 'a' },
    { placementGroup: 'a/0' },
  ]
  assert.is(new Set(all.map(shape)).size, all.length)
})

wishes('a wish takes the place of the one before', () => {
  const before = { ...readWish({ cpu: 1, gpu: 'h100', labels: { a: '1' } }), concurrency: 4 }

  assert.equal(withWish(before, readWish({ memoryMb: 5 })), { concurrency: 4, resources: { memoryMb: 5000 } })
})

wishes.run()
