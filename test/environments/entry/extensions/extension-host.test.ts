import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ApiServer } from '../../../../runtime/environments/entry/bridge/api-server.ts'
import { isOwnListener } from '../../../../runtime/environments/entry/bridge/peer.ts'
import { ExtensionHost } from '../../../../runtime/environments/entry/extensions/extension-host.ts'
import { LineSplitter } from '../../../../runtime/environments/entry/extensions/line-splitter.ts'
import { createFakeClock } from '../../../support/clock.ts'

const hosting = suite('hosting internal extensions')
const pieces = suite('pieces around extensions')

/** A host on a clock that stands still, with its API on a real port. */
async function createHost() {
  const clock = createFakeClock()
  const told: string[] = []
  let made = 0
  const host = new ExtensionHost(
    {
      clock,
      identifiers: () => `0000000${++made}-0000-4000-8000-000000000000`,
      facts: {
        initializationType: 'on-demand',
        runtimeVersion: 'nodejs:24.v1',
        runtimeVersionArn: 'arn',
        functionName: 'f',
        functionVersion: '$LATEST',
        instanceId: 'i',
        memoryMb: 128,
      },
      handler: 'index.handler',
      account: '123456789012',
      concurrency: 1,
      directory: undefined,
      variables: {},
      structuredLogs: false,
      address: '127.0.0.1',
      sharesUser: false,
      maxRssKb: () => 0,
    },
    {
      initialized: () => told.push('initialized'),
      settled: (durationMs) => told.push(`settled after ${durationMs}`),
      failed: ({ errorType, message }) => told.push(`${errorType}: ${message}`),
      budget: (ms) => told.push(`needs ${ms}`),
      tell: ({ type, record }) => told.push(`${type} ${String(record['state'])}`),
      print: (line) => told.push(`prints ${line}`),
    },
  )
  const server = new ApiServer({ sharesUser: false })
  server.add(host.routes)
  const address = await server.listen()
  const ask = (method: string, path: string, identifier = '', body?: unknown): Promise<Response> =>
    fetch(`http://${address}/${path}`, {
      method,
      headers: {
        connection: 'close',
        'Lambda-Extension-Name': 'inner',
        'Lambda-Extension-Identifier': identifier,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  const register = async (): Promise<string> => {
    const response = await ask('POST', '2020-01-01/extension/register', '', { events: ['INVOKE'] })
    assert.is(response.status, 200)
    return response.headers.get('lambda-extension-identifier') ?? ''
  }
  const next = (identifier: string): Promise<Response> =>
    ask('GET', '2020-01-01/extension/event/next', identifier)
  assert.is(await host.start(address), true)
  return { host, clock, told, ask, register, next, [Symbol.dispose]: () => server.close() }
}

const INVOCATION = { requestId: 'a', traceId: '', tenantId: '', deadlineMs: 0, invokedArn: 'arn:f' }

hosting('init ends when the runtime and the extension wait, an invocation when both wait again', async () => {
  using test = await createHost()
  const { host, clock, told, register, next } = test
  const identifier = await register()
  host.runtimeReady()
  assert.equal(told, ['needs 500'])
  const first = next(identifier)
  while (!told.includes('initialized')) await new Promise((resolve) => setImmediate(resolve))

  host.started(INVOCATION)
  const event = (await (await first).json()) as Record<string, unknown>
  host.answered('a', { bytes: 2, error: undefined })
  host.waiting()
  await clock.advance(250)
  assert.not.ok(told.some((one) => one.startsWith('settled')))
  void next(identifier).catch(() => {})
  while (!told.at(-1)?.startsWith('settled')) await new Promise((resolve) => setImmediate(resolve))

  assert.equal(told, ['needs 500', 'platform.extension Ready', 'initialized', 'settled after 250'])
  assert.equal(
    [event['eventType'], event['requestId'], event['invokedFunctionArn']],
    ['INVOKE', 'a', 'arn:f'],
  )
  assert.ok(Number(event['deadlineMs']) > clock.nowMs())
  assert.not.ok('tracing' in event)
})

hosting('at the end the runtime has half a second, and no more', async () => {
  using test = await createHost()
  const { host, clock, register } = test
  await register()
  const signals: string[] = []
  let over = false

  const ended = host
    .shutDown('spindown', { signal: (name) => signals.push(name), gone: new Promise(() => {}) })
    .then(() => (over = true))
  await clock.advance(499)
  assert.equal([signals, over], [['SIGTERM'], false])
  await clock.advance(1)
  await ended

  assert.equal(signals, ['SIGTERM', 'SIGKILL'])
})

hosting('a runtime that is stuck is not asked first', async () => {
  using test = await createHost()
  const { host, register } = test
  await register()
  const signals: string[] = []

  await host.shutDown('timeout', { signal: (name) => signals.push(name), gone: Promise.resolve() })

  assert.is(signals[0], 'SIGKILL')
})

hosting('an error that an extension reports ends the environment, once', async () => {
  using test = await createHost()
  const { told, clock, register, ask } = test
  const identifier = await register()
  const missing = await ask('POST', '2020-01-01/extension/init/error', identifier, {})
  assert.is(((await missing.json()) as { errorType: string }).errorType, 'Extension.MissingHeader')

  const unknown = await ask('PUT', '2022-07-01/telemetry', '', {})
  assert.is(unknown.status, 403)
  assert.is(
    ((await unknown.json()) as { errorType: string }).errorType,
    'Extension.MissingExtensionIdentifier',
  )
  await clock.advance(1_000)

  assert.equal(told, ['needs 500'])
})

pieces('lines come out whole, whatever the chunks; marks of our own are not among them', () => {
  const lines: string[] = []
  const splitter = new LineSplitter((line) => lines.push(line))

  for (const chunk of ['on', 'e\ntwo\n\u0000Srequ', 'est-1\n', 'three']) splitter.push(Buffer.from(chunk))
  assert.equal(lines, ['one', 'two'])
  splitter.flush()
  splitter.push(Buffer.alloc(300 * 1024, 'x'))

  assert.is(lines[2], 'three')
  assert.is(lines[3]?.length, 300 * 1024)
})

pieces('who listens on a port is known by address', async () => {
  const server = createServer((socket: Socket) => socket.destroy())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  assert.is(isOwnListener('127.0.0.1', port, false), true)
  assert.is(isOwnListener('127.0.0.2', port, false), process.platform !== 'linux')
  assert.is(isOwnListener('127.0.0.1', port, true), true, 'this process holds it')
  server.close()
  await once(server, 'close')
  assert.is(isOwnListener('127.0.0.1', port, false), process.platform !== 'linux')
})

hosting.run()
pieces.run()
