import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  readSubscription,
  subscriptionClosed,
} from '../../../../runtime/environments/entry/extensions/subscription.ts'

const subscribing = suite('subscribing to telemetry')

const HTTP = { protocol: 'HTTP', URI: 'http://sandbox.localdomain:8080/lambda?x=1' }
const WHOLE = { schemaVersion: '2022-12-13', types: ['platform', 'function'], destination: HTTP }

const problem = (answer: unknown): string => {
  const { status, errorType, errorMessage } = answer as Record<string, unknown>
  return `${String(status)} ${String(errorType)}: ${String(errorMessage)}`
}

subscribing('takes AWS’s defaults for what is left out', () => {
  const subscription = readSubscription('telemetry', WHOLE)

  assert.equal(subscription, {
    api: 'telemetry',
    schemaVersion: '2022-12-13',
    categories: ['platform', 'function'],
    maxItems: 10_000,
    maxBytes: 262_144,
    timeoutMs: 1_000,
    destination: { protocol: 'HTTP', port: 8080, path: '/lambda?x=1', method: 'POST' },
  })
})

subscribing('names everything that is wrong at once', () => {
  const answer = readSubscription('telemetry', {
    schemaVersion: '2022-12-13',
    types: [],
    destination: { protocol: 'HTTP', URI: 'http://sandbox.localdomain/' },
  })

  assert.is(problem(answer), '400 ValidationError: types should not be empty; URI port is not provided')
})

subscribing('keeps buffering within its limits', () => {
  const least = { maxItems: 1000, maxBytes: 262_144, timeoutMs: 25 }
  const most = { maxItems: 10_000, maxBytes: 1_048_576, timeoutMs: 30_000 }
  for (const buffering of [least, most]) {
    const answer = readSubscription('telemetry', { ...WHOLE, buffering })
    assert.not.ok('status' in answer)
    assert.equal({ ...answer, ...buffering }, answer)
  }
  for (const buffering of [
    { maxItems: 999 },
    { maxItems: 10_001 },
    { maxBytes: 262_143 },
    { maxBytes: 1_048_577 },
    { timeoutMs: 24 },
    { timeoutMs: 30_001 },
    { timeoutMs: 'soon' },
  ]) {
    const answer = readSubscription('telemetry', { ...WHOLE, buffering })
    assert.match(problem(answer), /^400 ValidationError: buffering\.\w+ should be between/)
  }
})

subscribing('takes TCP with a port, and port 80 when it is written out', () => {
  const tcp = readSubscription('telemetry', { ...WHOLE, destination: { protocol: 'TCP', port: 9000 } })
  const web = readSubscription('telemetry', {
    ...WHOLE,
    destination: { protocol: 'HTTP', URI: 'http://sandbox.localdomain:80' },
  })
  const none = readSubscription('telemetry', { ...WHOLE, destination: { protocol: 'TCP' } })

  assert.equal('destination' in tcp && tcp.destination, { protocol: 'TCP', port: 9000 })
  assert.equal('destination' in web && web.destination, {
    protocol: 'HTTP',
    port: 80,
    path: '/',
    method: 'POST',
  })
  assert.is(problem(none), '400 ValidationError: port is not provided')
})

subscribing('sends nowhere but into the sandbox', () => {
  for (const address of ['http://example.com:80/', 'https://sandbox.localdomain:8080', 'nonsense', ''])
    assert.match(
      problem(readSubscription('telemetry', { ...WHOLE, destination: { protocol: 'HTTP', URI: address } })),
      /^400 ValidationError: URI/,
    )
})

subscribing('knows the schemas of each API; the older one has a default', () => {
  for (const schemaVersion of ['2022-07-01', '2022-12-13', '2025-01-29'])
    assert.not.ok('status' in readSubscription('telemetry', { ...WHOLE, schemaVersion }))
  const { schemaVersion: _, ...unversioned } = WHOLE
  assert.match(problem(readSubscription('telemetry', unversioned)), /schemaVersion should not be empty/)
  assert.match(
    problem(readSubscription('telemetry', { ...WHOLE, schemaVersion: '2020-08-15' })),
    /should be one of/,
  )

  const logs = readSubscription('logs', unversioned)

  assert.is('schemaVersion' in logs && logs.schemaVersion, '2020-08-15')
})

subscribing('is refused for kinds that do not exist and bodies that are none', () => {
  assert.is(
    problem(readSubscription('telemetry', { ...WHOLE, types: ['metrics'] })),
    '400 ValidationError: types should not contain "metrics"',
  )
  assert.match(problem(readSubscription('telemetry', [])), /^400 InvalidRequestFormat/)
})

subscribing('is over after init', () => {
  assert.match(problem(subscriptionClosed('telemetry')), /^403 Telemetry\.SubscriptionClosed/)
  assert.match(problem(subscriptionClosed('logs')), /^403 Logs\.SubscriptionClosed/)
})

subscribing.run()
