import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { InvocationLedger } from '../../../../runtime/environments/entry/extensions/invocation-ledger.ts'
import type { TelemetryEvent } from '../../../../runtime/environments/entry/extensions/telemetry-event.ts'
import { createFakeClock } from '../../../support/clock.ts'

const ledgers = suite('the ledger of invocations')

function createLedger() {
  const clock = createFakeClock(0)
  const told: TelemetryEvent[] = []
  const facts = {
    initializationType: 'on-demand',
    runtimeVersion: 'nodejs:24.v1',
    runtimeVersionArn: 'arn',
    functionName: 'f',
    functionVersion: '3',
    instanceId: 'i',
    memoryMb: 128,
  }
  const publish = (event: TelemetryEvent): void => void told.push(event)
  const ledger = new InvocationLedger({ clock, facts, publish, maxRssKb: () => 40 * 1024 + 1 })
  return { clock, told, ledger }
}

const INVOCATION = { requestId: 'a', traceId: '', tenantId: '' }

ledgers('measures what the runtime and what everybody took', async () => {
  const { clock, told, ledger } = createLedger()
  ledger.initTook(100.5)

  ledger.started(INVOCATION)
  await clock.advance(30)
  ledger.responding('a')
  await clock.advance(5)
  ledger.answered('a', { bytes: 7, error: undefined })
  await clock.advance(2)
  ledger.runtimeDone('a')
  await clock.advance(63)
  const took = ledger.settled('a')

  assert.is(took, 100)
  assert.equal(told, [
    { category: 'platform', timeMs: 0, type: 'platform.start', record: { requestId: 'a', version: '3' } },
    {
      category: 'platform',
      timeMs: 37,
      type: 'platform.runtimeDone',
      record: {
        requestId: 'a',
        status: 'success',
        metrics: { durationMs: 37, producedBytes: 7 },
        spans: [
          { name: 'responseLatency', start: '1970-01-01T00:00:00.000Z', durationMs: 30 },
          { name: 'responseDuration', start: '1970-01-01T00:00:00.030Z', durationMs: 5 },
          { name: 'runtimeOverhead', start: '1970-01-01T00:00:00.035Z', durationMs: 2 },
        ],
      },
    },
    { category: 'platform', timeMs: 100, type: 'platform.end', record: { requestId: 'a' } },
    {
      category: 'platform',
      timeMs: 100,
      type: 'platform.report',
      record: {
        requestId: 'a',
        status: 'success',
        metrics: {
          durationMs: 100,
          billedDurationMs: 201,
          memorySizeMB: 128,
          maxMemoryUsedMB: 41,
          initDurationMs: 100.5,
        },
      },
    },
  ])
})

ledgers('says of errors only what the platform knows, and of tracing and tenants what was given', () => {
  const { told, ledger } = createLedger()
  const types: unknown[] = []
  for (const errorType of ['Runtime.ExitError', 'TypeError', undefined]) {
    ledger.started({ requestId: 'a', traceId: 'Root=1-2;Parent=00f1;Sampled=1', tenantId: 'blue' })
    ledger.answered('a', {
      bytes: 2,
      error: Buffer.from(errorType === undefined ? '{' : JSON.stringify({ errorType })),
    })
    ledger.runtimeDone('a')
    ledger.settled('a')
    const { record } = told.at(-1) ?? {}
    types.push((record as Record<string, unknown>)['errorType'])
  }

  assert.equal(types, ['Runtime.ExitError', 'Function.Unknown', 'Function.Unknown'])
  const { tenantId, tracing } = (told[0]?.record ?? {}) as Record<string, unknown>
  assert.is(tenantId, 'blue')
  assert.equal(tracing, { spanId: '00f1', type: 'X-Amzn-Trace-Id', value: 'Root=1-2;Parent=00f1;Sampled=1' })
})

ledgers('ends what still runs when the environment does', () => {
  const { told, ledger } = createLedger()
  ledger.started(INVOCATION)
  ledger.started({ ...INVOCATION, requestId: 'b' })
  ledger.answered('b', { bytes: 1, error: undefined })
  ledger.runtimeDone('b')

  ledger.abandon('timeout', undefined)

  assert.equal(
    told.slice(3).map(({ type, record }) => {
      const { requestId, status } = record as Record<string, unknown>
      return `${type} ${String(requestId)} ${String(status)}`
    }),
    [
      'platform.runtimeDone a timeout',
      'platform.end a undefined',
      'platform.report a timeout',
      'platform.end b undefined',
      'platform.report b timeout',
    ],
  )
})

ledgers.run()
