import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Subscription } from '../../../../runtime/environments/entry/extensions/subscription.ts'
import { Telemetry } from '../../../../runtime/environments/entry/extensions/telemetry.ts'
import type { TelemetryEvent } from '../../../../runtime/environments/entry/extensions/telemetry-event.ts'
import { createFakeClock } from '../../../support/clock.ts'

const batches = suite('batches of telemetry')
const kinds = suite('kinds of telemetry')

const HTTP = { protocol: 'HTTP', port: 8080, path: '/', method: 'POST' } as const
const SUBSCRIPTION: Subscription = {
  api: 'telemetry',
  schemaVersion: '2022-12-13',
  categories: ['platform', 'function', 'extension'],
  maxItems: 1_000,
  maxBytes: 262_144,
  timeoutMs: 100,
  destination: HTTP,
}

/** A telemetry whose destination answers when and as the test says. */
function createTelemetry() {
  const clock = createFakeClock(0)
  const bodies: string[] = []
  const answers: ((taken: boolean) => void)[] = []
  const telemetry = new Telemetry({
    clock,
    send: (_destination, body) => {
      bodies.push(body)
      return new Promise((resolve) => answers.push(resolve))
    },
  })
  const answer = async (taken: boolean): Promise<void> => {
    answers.shift()?.(taken)
    await clock.advance(0)
  }
  const records = (index: number): unknown[] =>
    (JSON.parse(bodies[index] ?? '[]') as { record: unknown }[]).map((one) => one.record)
  return { clock, telemetry, bodies, answer, records }
}

const line = (record: string, timeMs = 0): TelemetryEvent => ({
  category: 'function',
  timeMs,
  type: 'function',
  record,
})

batches('leave when the oldest event has waited long enough', async () => {
  const { clock, telemetry, bodies } = createTelemetry()
  telemetry.subscribe('agent', SUBSCRIPTION)

  telemetry.publish(line('one', 5))
  await clock.advance(99)
  assert.is(bodies.length, 0)
  telemetry.publish(line('two'))
  await clock.advance(1)

  assert.equal(JSON.parse(bodies[0] ?? ''), [
    { time: '1970-01-01T00:00:00.005Z', type: 'function', record: 'one' },
    { time: '1970-01-01T00:00:00.000Z', type: 'function', record: 'two' },
  ])
})

batches('leave at once when they are full, by count and by size', async () => {
  const { telemetry, bodies, answer, records } = createTelemetry()
  telemetry.subscribe('agent', SUBSCRIPTION)

  for (let number = 1; number <= 1_000; number++) telemetry.publish(line(String(number)))
  assert.is(bodies.length, 1)
  assert.is(records(0).length, 1_000)
  await answer(true)
  for (let number = 1; number <= 3; number++) telemetry.publish(line('x'.repeat(90_000)))

  assert.is(bodies.length, 2)
  assert.is(records(1).length, 2)
})

batches('leave one at a time; what comes in meanwhile is the next one', async () => {
  const { clock, telemetry, bodies, answer, records } = createTelemetry()
  telemetry.subscribe('agent', SUBSCRIPTION)
  telemetry.publish(line('one'))
  await clock.advance(100)

  telemetry.publish(line('two'))
  await clock.advance(1_000)
  assert.is(bodies.length, 1)
  await answer(true)
  await clock.advance(100)

  assert.equal(records(1), ['two'])
})

batches('are sent again when they were not taken, and nothing overtakes them', async () => {
  const { clock, telemetry, bodies, answer, records } = createTelemetry()
  telemetry.subscribe('agent', SUBSCRIPTION)
  telemetry.publish(line('one'))
  await clock.advance(100)
  await answer(false)
  telemetry.publish(line('two'))
  await clock.advance(99)
  assert.is(bodies.length, 1)

  await clock.advance(1)
  assert.equal(records(1), ['one'])
  await answer(false)
  await clock.advance(200)
  assert.equal(records(2), ['one'])
  await answer(true)
  await clock.advance(100)

  assert.equal(records(3), ['two'])
})

batches(
  'that a slow subscriber leaves lying are bounded: the rest is dropped and told in its place',
  async () => {
    const { clock, telemetry, bodies, answer, records } = createTelemetry()
    telemetry.subscribe('agent', { ...SUBSCRIPTION, categories: ['function', 'platform'] })
    telemetry.publish(line('first'))
    await clock.advance(100)

    for (let number = 1; number <= 2_500; number++) telemetry.publish(line(String(number)))
    await answer(true)
    telemetry.publish(line('after'))
    await answer(true)
    await answer(true)
    await clock.advance(100)

    assert.equal(
      [1, 2, 3].map((index) => records(index).length),
      [1_000, 1_000, 2],
    )
    assert.is(bodies.length, 4)
    assert.is(records(2).at(-1), '2000')
    const size = Buffer.byteLength(
      JSON.stringify({ time: new Date(0).toISOString(), type: 'function', record: '2001' }),
    )
    assert.equal(records(3), [
      {
        reason: 'Consumer seems to have fallen behind as it has not acknowledged receipt of logs.',
        droppedRecords: 500,
        droppedBytes: 500 * size,
      },
      'after',
    ])
  },
)

batches('all leave when the environment ends; what is not taken does not hold it up', async () => {
  const { clock, telemetry, bodies, answer } = createTelemetry()
  telemetry.subscribe('agent', { ...SUBSCRIPTION, timeoutMs: 30_000 })
  telemetry.publish(line('last words'))
  let done = false

  const drained = telemetry.drain().then(() => (done = true))
  await clock.advance(0)
  assert.is(bodies.length, 1)
  assert.is(done, false)
  await answer(true)
  await drained

  telemetry.publish(line('afterthought'))
  const second = telemetry.drain()
  await answer(false)
  telemetry.close()
  await second
  assert.is(clock.pending, 0)
})

batches('are lines for a destination over TCP', async () => {
  const { clock, telemetry, bodies } = createTelemetry()
  telemetry.subscribe('agent', { ...SUBSCRIPTION, destination: { protocol: 'TCP', port: 9000 } })

  telemetry.publish(line('one'))
  telemetry.publish(line('two'))
  await clock.advance(100)

  assert.match(bodies[0] ?? '', /^\{"time":.*"one"\}\n\{"time":.*"two"\}\n$/)
})

kinds('are told to those who asked for them', async () => {
  const { clock, telemetry, records } = createTelemetry()
  telemetry.subscribe('agent', { ...SUBSCRIPTION, categories: ['extension'] })

  telemetry.publish(line('of the function'))
  telemetry.publish({ ...line('of an extension'), category: 'extension', type: 'extension' })
  await clock.advance(100)

  assert.equal(records(0), ['of an extension'])
})

kinds('that came before the subscription are told too, during init only', async () => {
  const { clock, telemetry, bodies, records } = createTelemetry()
  telemetry.publish(line('early'))
  telemetry.subscribe('agent', SUBSCRIPTION)
  await clock.advance(100)

  assert.equal(records(0), ['early'])
  assert.is(telemetry.open, true)
  telemetry.closeSubscription()
  assert.is(telemetry.open, false)
  assert.is(bodies.length, 1)
})

kinds('a second subscription of an extension takes the place of its first', async () => {
  const { clock, telemetry, records, bodies } = createTelemetry()
  telemetry.subscribe('agent', { ...SUBSCRIPTION, categories: ['platform'] })
  telemetry.subscribe('agent', { ...SUBSCRIPTION, categories: ['function'] })

  telemetry.publish(line('once'))
  await clock.advance(100)

  assert.is(bodies.length, 1)
  assert.equal(records(0), ['once'])
})

kinds('the older API knows fewer of, with fewer fields, and the end of an invocation besides', async () => {
  const { clock, telemetry, bodies } = createTelemetry()
  const platform = (type: string, record: Record<string, unknown>): TelemetryEvent => ({
    category: 'platform',
    timeMs: 0,
    type: `platform.${type}`,
    record,
  })
  telemetry.subscribe('new', SUBSCRIPTION)
  telemetry.subscribe('old', { ...SUBSCRIPTION, api: 'logs', schemaVersion: '2020-08-15' })

  telemetry.publish(platform('initStart', { phase: 'init' }))
  telemetry.publish(platform('start', { requestId: 'a', version: '1', tracing: {} }))
  telemetry.publish({ category: 'function', timeMs: 0, type: 'function', record: { level: 'INFO' } })
  telemetry.publish(platform('runtimeDone', { requestId: 'a', status: 'success', spans: [] }))
  telemetry.publish(platform('end', { requestId: 'a' }))
  await clock.advance(100)

  const told = bodies.map((body) =>
    (JSON.parse(body) as { type: string; record: unknown }[]).map((one) => [one.type, one.record]),
  )
  assert.equal(
    told[0]?.map(([type]) => type),
    ['platform.initStart', 'platform.start', 'function', 'platform.runtimeDone'],
  )
  assert.equal(told[1], [
    ['platform.start', { requestId: 'a', version: '1' }],
    ['function', '{"level":"INFO"}'],
    ['platform.end', { requestId: 'a' }],
  ])
})

batches.run()
kinds.run()
