// time limit: 240 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Collector, defineExtended, nodeExtension } from '../support/extension-kit.ts'
import { call, environmentsOf, failureOf, logOf } from '../support/function-calls.ts'
import { startLambent, type DeployOptions, type RunningLambent, type ZippedFile } from '../support/lambent.ts'
import { until } from '../support/until.ts'

const nodes = suite('extensions beside Node.js')

const HANDLER = `exports.handler = async (event) => {
  console.log('working on ' + event.n)
  if (event.waitMs) await new Promise((resolve) => setTimeout(resolve, event.waitMs))
  if (event.exit) process.exit(event.exit)
  if (event.fail) throw new RangeError('as asked')
  return event.n
}`

const define = (
  lambent: RunningLambent,
  collector: Collector,
  name: string,
  extensions: Readonly<Record<string, ZippedFile>>,
  options: DeployOptions = {},
): Promise<void> =>
  defineExtended(lambent, collector, name, { extensions, options, files: { 'index.js': HANDLER } })

nodes('are told of invocations and of the end', async () => {
  await using collector = await Collector.open()
  await using lambent = await startLambent()
  await define(lambent, collector, 'told', { watcher: nodeExtension() }, { timeoutSeconds: 20 })

  const first = await call(lambent, 'told', { n: 1 })
  const second = await call(lambent, 'told', { n: 2 })
  await lambent.stop()

  assert.equal([first.body, second.body], [1, 2])
  const [registered] = collector.of('watcher', 'registered') as { status: number; body: unknown }[]
  assert.is(registered?.status, 200)
  assert.equal(registered?.body, {
    functionName: 'told',
    functionVersion: '$LATEST',
    handler: 'index.handler',
    accountId: '000000000000',
  })
  const events = collector.of('watcher', 'event') as Record<string, unknown>[]
  assert.equal(
    events.map((event) => event['eventType']),
    ['INVOKE', 'INVOKE', 'SHUTDOWN'],
  )
  assert.equal(
    events.slice(0, 2).map((event) => event['requestId']),
    [first.requestId, second.requestId],
  )
  assert.ok(Number(events[0]?.['deadlineMs']) > Date.now())
  assert.match(String(events[0]?.['invokedFunctionArn']), /:function:told$/)
  assert.is(events[0]?.['identified'], true)
  assert.is(events[2]?.['shutdownReason'], 'spindown')
  assert.is(collector.of('watcher', 'leaving').length, 1)
})

nodes('get telemetry of all kinds, in order and as AWS spells it', async () => {
  await using collector = await Collector.open()
  await using lambent = await startLambent()
  const types = ['platform', 'function', 'extension']
  const watcher = nodeExtension({ types, onEvent: `console.log('extension saw ' + event.eventType)` })
  await define(lambent, collector, 'observed', { watcher }, { timeoutSeconds: 20 })

  const { requestId } = await call(lambent, 'observed', { n: 'ä' })
  await call(lambent, 'observed', { n: 2, fail: true })
  await lambent.stop()

  const [subscribed] = collector.of('watcher', 'subscribed') as { status: number; text: string }[]
  assert.equal([subscribed?.status, subscribed?.text], [200, '"OK"'])
  const told = collector.telemetry('watcher')
  assert.equal(
    told.map(({ type }) => type).filter((type) => type !== 'extension' && type !== 'function'),
    [
      'platform.initStart',
      'platform.telemetrySubscription',
      'platform.initRuntimeDone',
      'platform.extension',
      'platform.initReport',
      'platform.start',
      'platform.runtimeDone',
      'platform.report',
      'platform.start',
      'platform.runtimeDone',
      'platform.report',
    ],
  )
  const of = (type: string): Record<string, unknown>[] =>
    told.filter((event) => event.type === type).map(({ record }) => record)
  assert.ok(told.every(({ time }) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(time)))
  const [init] = of('platform.initStart')
  assert.equal(
    { ...init, instanceId: '' },
    {
      initializationType: 'on-demand',
      phase: 'init',
      runtimeVersion: `nodejs:${process.versions.node.split('.')[0]}.v1`,
      runtimeVersionArn: `arn:aws:lambda:us-east-1::runtime:nodejs${process.versions.node.split('.')[0]}.x`,
      functionName: 'observed',
      functionVersion: '$LATEST',
      instanceId: '',
      instanceMaxMemory: 256,
    },
  )
  assert.equal(of('platform.telemetrySubscription'), [{ name: 'watcher', state: 'Subscribed', types }])
  assert.equal(of('platform.extension'), [
    { name: 'watcher', state: 'Ready', events: ['INVOKE', 'SHUTDOWN'] },
  ])
  assert.equal(of('platform.initRuntimeDone')[0]?.['status'], 'success')
  const [start] = of('platform.start')
  assert.equal({ ...start, tracing: undefined }, { requestId, version: '$LATEST', tracing: undefined })
  const [done = {}, failed = {}] = of('platform.runtimeDone')
  assert.is(done['status'], 'success')
  assert.is((done['metrics'] as { producedBytes: number }).producedBytes, Buffer.byteLength('"ä"'))
  assert.equal(
    (done['spans'] as { name: string }[]).map(({ name }) => name),
    ['responseLatency', 'responseDuration', 'runtimeOverhead'],
  )
  assert.equal([failed['status'], failed['errorType']], ['error', 'Function.Unknown'])
  const [report = {}, second = {}] = of('platform.report')
  const metrics = report['metrics'] as Record<string, number>
  assert.equal(Object.keys(metrics), [
    'durationMs',
    'billedDurationMs',
    'memorySizeMB',
    'maxMemoryUsedMB',
    'initDurationMs',
  ])
  assert.ok((metrics['maxMemoryUsedMB'] ?? 0) > 20)
  assert.not.ok('initDurationMs' in (second['metrics'] as object))
  const lines = of('function').map(String)
  assert.match(lines[0] ?? '', /\tINFO\tworking on ä$/)
  assert.is(lines.length, 3) // two lines of work, and the error
  assert.equal(of('extension'), ['extension saw INVOKE', 'extension saw INVOKE'])
})

nodes('answer the caller while they work, and hold the next invocation until they are done', async () => {
  await using collector = await Collector.open()
  await using lambent = await startLambent()
  const slow = nodeExtension({ workMs: 1_500 })
  const tags = { 'lambent:max-environments': '1' }
  await define(lambent, collector, 'slow', { slow }, { timeoutSeconds: 20, tags })
  const plain = async (n: number): Promise<number> => {
    const response = await fetch(`${lambent.url}/2015-03-31/functions/slow/invocations`, {
      method: 'POST',
      body: JSON.stringify({ n }),
    })
    assert.is(await response.json(), n)
    return performance.now()
  }

  const answeredAt = await plain(1)
  const [invoked] = collector.told.filter((one) => one.what === 'event')
  const secondAt = await plain(2)

  assert.ok(answeredAt - (invoked?.at ?? 0) < 1_200, 'the answer waited for the extension')
  assert.ok(secondAt - (invoked?.at ?? 0) >= 1_450, 'the second invocation did not wait')
  assert.is((await environmentsOf(lambent, 'slow')).length, 1)
})

nodes('count in the report what they took', async () => {
  await using collector = await Collector.open()
  await using lambent = await startLambent()
  const slow = nodeExtension({ workMs: 300, types: ['platform'] })
  await define(lambent, collector, 'counted', { slow }, { timeoutSeconds: 20 })

  const { requestId, tail } = await call(lambent, 'counted', { n: 1 })

  const told = await until('the report is told', () =>
    collector.telemetry('slow').find(({ type }) => type === 'platform.report'),
  )
  const line = await until('the report is logged', async () =>
    (await logOf(lambent, requestId)).find((one) => one.startsWith('REPORT ')),
  )
  const { durationMs, billedDurationMs } = told.record['metrics'] as Record<string, number>
  assert.ok((durationMs ?? 0) >= 295)
  assert.match(
    line,
    new RegExp(`\tDuration: ${durationMs?.toFixed(2)} ms\tBilled Duration: ${billedDurationMs} ms\t`),
  )
  assert.ok(tail.includes(line.trim()))
})

nodes('print into the function’s log, behind lines that name them', async () => {
  await using collector = await Collector.open()
  await using lambent = await startLambent()
  const types = ['platform', 'function', 'extension']
  const chatty = nodeExtension({ types, onEvent: `console.log('from the extension')` })
  await define(lambent, collector, 'chatty', { chatty }, { timeoutSeconds: 20 })

  const { requestId } = await call(lambent, 'chatty', { n: 1 })

  const lines = await until('all is logged', async () => {
    const response = await fetch(`${lambent.url}/lambent/v1/functions/chatty/logs`)
    const { lines: found } = (await response.json()) as { lines: { message: string }[] }
    const messages = found.map(({ message }) => message.trimEnd())
    return messages.some((message) => message.startsWith('REPORT ')) && messages
  })
  assert.match(
    lines[0] ?? '',
    /^INIT_START Runtime Version: nodejs:\d+\.v1\tRuntime Version ARN: arn:aws:lambda:/,
  )
  assert.equal(lines.slice(1, 3), [
    'TELEMETRY\tName: chatty\tState: Subscribed\tTypes: [Platform, Function, Extension]',
    'EXTENSION\tName: chatty\tState: Ready\tEvents: [INVOKE,SHUTDOWN]',
  ])
  assert.ok(lines.includes('from the extension'))
  assert.ok(lines.includes(`START RequestId: ${requestId} Version: $LATEST`))
})

nodes('subscribe during init only', async () => {
  await using collector = await Collector.open()
  await using lambent = await startLambent()
  const late = nodeExtension({
    onEvent: `await tell('late', await ask('PUT', '2022-07-01/telemetry',
      { 'Lambda-Extension-Identifier': identifier }, ${JSON.stringify(
        JSON.stringify({
          schemaVersion: '2022-12-13',
          types: ['platform'],
          destination: { protocol: 'HTTP', URI: 'http://sandbox.localdomain:4243' },
        }),
      )}))
      await tell('later', await ask('POST', '2020-01-01/extension/register', { 'Lambda-Extension-Name': 'x' },
        '{"events":[]}'))`,
  })
  await define(lambent, collector, 'late', { late }, { timeoutSeconds: 20 })

  await call(lambent, 'late', { n: 1 })

  const [subscription] = (await collector.waitFor('late', 'late')) as { status: number; text: string }[]
  assert.is(subscription?.status, 403)
  assert.is(
    (JSON.parse(subscription?.text ?? '') as { errorType: string }).errorType,
    'Telemetry.SubscriptionClosed',
  )
  const [registration] = (await collector.waitFor('late', 'later')) as { status: number; text: string }[]
  assert.is(registration?.status, 403)
  assert.is(
    (JSON.parse(registration?.text ?? '') as { errorType: string }).errorType,
    'Extension.RegistrationClosed',
  )
})

nodes('are told why the environment ends: the time limit, and the runtime’s end', async () => {
  await using collector = await Collector.open()
  await using lambent = await startLambent()
  const watcher = nodeExtension({ types: ['platform'] })
  await define(lambent, collector, 'ends', { watcher }, { timeoutSeconds: 1 })

  const late = await call(lambent, 'ends', { n: 1, waitMs: 60_000 })
  assert.is(failureOf(late).errorType, 'Sandbox.Timedout')
  assert.ok(late.tookMs < 4_000)
  const [first] = (await collector.waitFor('watcher', 'leaving')).slice(-1)
  assert.ok(Number(first) > 0)
  const gone = await call(lambent, 'ends', { n: 1, exit: 7 })
  await collector.waitFor('watcher', 'leaving', 2)

  assert.equal(failureOf(gone), {
    errorType: 'Runtime.ExitError',
    errorMessage: `RequestId: ${gone.requestId} Error: Runtime exited with error: exit status 7`,
  })
  const events = collector.of('watcher', 'event') as Record<string, unknown>[]
  assert.equal(
    events.map((event) => event['shutdownReason'] ?? event['eventType']),
    ['INVOKE', 'timeout', 'INVOKE', 'failure'],
  )
  const reports = collector.telemetry('watcher').filter(({ type }) => type === 'platform.report')
  assert.equal(
    reports.map(({ record }) => [record['status'], record['errorType']]),
    [
      ['timeout', undefined],
      ['error', 'Runtime.ExitError'],
    ],
  )
})

nodes('that crash, cannot be started or give up fail the invocation in the platform’s words', async () => {
  await using collector = await Collector.open()
  await using lambent = await startLambent()
  const giveUp = (phase: string): string =>
    `await ask('POST', '2020-01-01/extension/${phase}/error', { 'Lambda-Extension-Identifier': identifier,
      'Lambda-Extension-Function-Error-Type': 'Extension.NoKey' }, '{}'); process.exit(3)`
  const cases: Record<string, [ZippedFile, string, string]> = {
    'crash-early': [nodeExtension({ atStart: 'process.exit(5)' }), 'Extension.Crash', 'exit status 5'],
    'crash-quietly': [nodeExtension({ atRegistered: 'process.exit(0)' }), 'Extension.Crash', 'exit code 0'],
    'crash-late': [nodeExtension({ onEvent: 'process.exit(6)' }), 'Extension.Crash', 'exit status 6'],
    'init-error': [nodeExtension({ atRegistered: giveUp('init') }), 'Extension.InitError', 'exit status 3'],
    'exit-error': [nodeExtension({ onEvent: giveUp('exit') }), 'Extension.ExitError', 'exit status 3'],
    'not-allowed': [
      { program: '#!/bin/sh\n', mode: 0o644 },
      'Extension.LaunchError',
      'fork/exec /opt/extensions/broken: permission denied',
    ],
    'no-program': [
      { program: '#!/no/such/interpreter\n' },
      'Extension.LaunchError',
      'fork/exec /opt/extensions/broken: no such file or directory',
    ],
  }
  for (const [name, [broken]] of Object.entries(cases))
    await define(lambent, collector, name, { broken }, { timeoutSeconds: 20 })

  for (const [name, [, errorType, message]] of Object.entries(cases)) {
    const answer = await call(lambent, name, { n: 1, waitMs: 3_000 })

    assert.equal(
      failureOf(answer),
      { errorType, errorMessage: `RequestId: ${answer.requestId} Error: ${message}` },
      name,
    )
    assert.ok(
      answer.tail.includes(`RequestId: ${answer.requestId} Error: ${message}\n${errorType}\n`),
      answer.tail,
    )
  }
})

nodes.run()
