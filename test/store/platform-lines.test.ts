import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { eventLine, type LoggedEvent } from '../../runtime/store/platform-lines.ts'

const lines = suite('platform lines')

const TEXT = { format: 'Text', systemLevel: 'INFO' } as const
const event = (type: string, record: Record<string, unknown>): LoggedEvent => ({
  timeMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  type: `platform.${type}`,
  record,
})

const PHASE = { initializationType: 'on-demand', phase: 'init' }
const EVENTS = {
  initStart: event('initStart', { ...PHASE, runtimeVersion: 'nodejs:24.v1', runtimeVersionArn: 'arn' }),
  initRuntimeDone: event('initRuntimeDone', { ...PHASE, status: 'success' }),
  initReport: event('initReport', { ...PHASE, status: 'success', metrics: { durationMs: 12.345 } }),
  provisioned: event('initReport', {
    initializationType: 'provisioned-concurrency',
    status: 'success',
    metrics: { durationMs: 1 },
  }),
  failed: event('initReport', {
    ...PHASE,
    status: 'error',
    errorType: 'KeyError',
    metrics: { durationMs: 12.3 },
  }),
  late: event('initReport', { ...PHASE, status: 'timeout', metrics: { durationMs: 10_000 } }),
  ready: event('extension', { name: 'a', state: 'Ready', events: ['INVOKE', 'SHUTDOWN'] }),
  refused: event('extension', {
    name: 'a',
    state: 'LaunchError',
    events: [],
    errorType: 'PermissionDenied',
  }),
  telemetry: event('telemetrySubscription', {
    name: 'a',
    state: 'Subscribed',
    types: ['platform', 'function', 'extension'],
  }),
  logs: event('logsSubscription', { name: 'a', state: 'Subscribed', types: ['function'] }),
} as const
type Name = keyof typeof EVENTS

lines('in text are AWS’s own, for those events that have one', () => {
  const text: Record<Name, string | undefined> = {
    initStart: 'INIT_START Runtime Version: nodejs:24.v1\tRuntime Version ARN: arn',
    initRuntimeDone: undefined,
    initReport: undefined,
    provisioned: undefined,
    failed: 'INIT_REPORT Init Duration: 12.30 ms\tPhase: init\tStatus: error\tError Type: KeyError',
    late: 'INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout',
    ready: 'EXTENSION\tName: a\tState: Ready\tEvents: [INVOKE,SHUTDOWN]',
    refused: 'EXTENSION\tName: a\tState: LaunchError\tEvents: []\tError Type: PermissionDenied',
    telemetry: 'TELEMETRY\tName: a\tState: Subscribed\tTypes: [Platform, Function, Extension]',
    logs: 'LOGS\tName: a\tState: Subscribed\tTypes: [Function]',
  }
  for (const [name, line] of Object.entries(text))
    assert.is(eventLine(TEXT, EVENTS[name as Name]), line, name)
})

lines('in JSON are shown from the level that AWS gives each', () => {
  const shown = (systemLevel: 'DEBUG' | 'INFO' | 'WARN'): string[] =>
    Object.entries(EVENTS)
      .filter(([, one]) => eventLine({ format: 'JSON', systemLevel }, one) !== undefined)
      .map(([name]) => name)

  assert.equal(shown('DEBUG'), Object.keys(EVENTS))
  assert.equal(shown('INFO'), [
    'initStart',
    'provisioned',
    'failed',
    'late',
    'ready',
    'refused',
    'telemetry',
    'logs',
  ])
  assert.equal(shown('WARN'), ['failed', 'late', 'refused'])
})

lines('in JSON say the time, the type and the record; a class name of the code’s is reduced', () => {
  const json = { format: 'JSON', systemLevel: 'INFO' } as const

  assert.equal(JSON.parse(eventLine(json, EVENTS.ready) ?? ''), {
    time: '2026-01-02T03:04:05.678Z',
    type: 'platform.extension',
    record: EVENTS.ready.record,
  })
  const failed = JSON.parse(eventLine(json, EVENTS.failed) ?? '') as { record: Record<string, unknown> }
  assert.is(failed.record['errorType'], 'Runtime.Unknown')
})

lines('of a record that is not what it should be are lines all the same', () => {
  const odd = event('initReport', { status: 'error', metrics: { durationMs: 'long' }, errorType: 7 })

  assert.is(eventLine(TEXT, odd), 'INIT_REPORT Init Duration: 0.00 ms\tPhase: init\tStatus: error')
  assert.is(eventLine(TEXT, event('extension', {})), 'EXTENSION\tName: \tState: \tEvents: []')
})

lines.run()
