import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readTags, runSettings } from '../../runtime/registry/settings.ts'
import { throwsWith } from '../support/assert.ts'
import { SETTINGS } from './open-registry.ts'

const settings = suite('settings in tags')

settings('a function without tags leases its memory and nothing else', () => {
  const run = runSettings(SETTINGS, readTags({ team: 'a' }), 'full')

  assert.equal(run, {
    timeoutMs: 3000,
    memoryMb: 128,
    memoryLimitMb: 128,
    execution: {
      resources: { memoryMb: 128_000 },
      concurrency: 1,
      maxEnvironments: null,
      network: 'full',
      labels: {},
    },
  })
})

settings('tags ask for what the service has no words for', () => {
  const run = runSettings(
    SETTINGS,
    readTags({
      'lambent:cpu': '0.5',
      'lambent:gpu': 'h100:2',
      'lambent:gpu-memory-mb': '8000',
      'lambent:memory-mb': '4096',
      'lambent:resource/tpu': '1',
      'lambent:timeout': '6h',
      'lambent:concurrency': '16',
      'lambent:max-environments': '2',
      'lambent:network': 'none',
      'lambent:label/zone': 'a',
    }),
    'full',
  )

  assert.equal(run, {
    timeoutMs: 21_600_000,
    memoryMb: 4096,
    memoryLimitMb: 4096,
    execution: {
      resources: {
        cpu: 500,
        gpu: 2000,
        memoryMb: 4_096_000,
        tpu: 1000,
      },
      concurrency: 16,
      maxEnvironments: 2,
      network: 'none',
      labels: { zone: 'a' },
      gpus: [{ model: 'h100', amount: 2000, memoryMb: 8000 }],
    },
  })
})

settings('none lifts a limit', () => {
  const run = runSettings(
    SETTINGS,
    readTags({ 'lambent:timeout': 'none', 'lambent:memory-mb': 'none' }),
    'full',
  )

  assert.is(run.timeoutMs, null)
  assert.is(run.memoryLimitMb, null)
  assert.is(run.memoryMb, 128)
})

settings('durations take five units', () => {
  for (const [text, durationMs] of [
    ['500ms', 500],
    ['90s', 90_000],
    ['1.5m', 90_000],
    ['6h', 21_600_000],
    ['2d', 172_800_000],
  ] as const)
    assert.is(readTags({ 'lambent:timeout': text }).timeoutMs, durationMs, text)
})

const REFUSED: readonly [tag: string, value: string, says: RegExp][] = [
  ['lambent:cpu', 'two', /it takes an amount such as 2 or 0\.5/],
  ['lambent:cpu', '-1', /it takes an amount/],
  ['lambent:gpu', '1.5', /a share such as 0\.25, or a model and a count such as h100:2/],
  ['lambent:gpu', '0', /it takes a count/],
  ['lambent:memory-mb', '4 GB', /it takes a whole number from 1 to 1000000000 or none/],
  ['lambent:timeout', '90', /it takes none, or a duration such as 500ms, 90s, 30m or 6h/],
  ['lambent:timeout', '0s', /it takes none/],
  ['lambent:concurrency', '0', /it takes a whole number from 1 to 1000/],
  ['lambent:max-environments', 'all', /it takes a whole number/],
  ['lambent:provisioned', '-1', /it takes a whole number/],
  ['lambent:network', 'some', /it takes full, engine or none/],
  ['lambent:resource/gpu', '1', /gpu has a tag of its own/],
  ['lambent:resource/', '1', /a name after the slash/],
  ['lambent:colour', 'red', /no tag of that name; known are lambent:cpu/],
]

settings('what says nothing is refused with the form that would', () => {
  for (const [tag, value, says] of REFUSED) {
    const error = throwsWith(() => readTags({ [tag]: value }), 'invalid')
    assert.match(error.message, says)
    assert.match(error.message, tag)
  }
})

settings('a placement group is named with or without a bundle', () => {
  const place = (value: string) => readTags({ 'lambent:placement-group': value }).placementGroup

  assert.equal(place('gang'), { name: 'gang' })
  assert.equal(place('gang/2'), { name: 'gang', bundle: 2 })
  for (const value of ['', 'a/b', '/1', 'gang/', 'gang/-1']) {
    const error = throwsWith(() => place(value), 'invalid')
    assert.match(error.message, 'name/bundle')
  }
})

settings.run()
