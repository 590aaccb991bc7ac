import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemClock } from '../../runtime/clock.ts'
import { Environment } from '../../runtime/environments/environment.ts'
import type { EnvironmentOwner } from '../../runtime/environments/environment-owner.ts'
import { FRAME, frame, RESULT_META_BYTES, writeResultMeta } from '../../runtime/environments/frames.ts'
import { Gateway } from '../../runtime/environments/gateway.ts'
import { Invocation, type InvocationObserver } from '../../runtime/environments/invocation.ts'
import { createLog } from '../../runtime/log.ts'
import { IN_MEMORY, openStore } from '../../runtime/store/open.ts'
import { version } from '../support/scheduler-world.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { until, within } from '../support/until.ts'

const nobody = (): void => {}
const OWNER: EnvironmentOwner<Environment> = {
  booted: nobody,
  loaded: nobody,
  released: nobody,
  startedHeld: nobody,
  returned: nobody,
  stopped: nobody,
  codeCache: nobody,
  requested: nobody,
}
const OBSERVER: InvocationObserver = {
  answered: nobody,
  notJson: nobody,
  initFailed: nobody,
  lost: nobody,
  settled: nobody,
  refused: nobody,
  streamStarted: nobody,
  streamData: nobody,
  streamEnded: nobody,
}
const SPECIALIZATION = {
  functionName: 'echo',
  functionVersion: '$LATEST',
  memoryMb: 128,
  handler: 'index.handler',
  runtime: 'nodejs20.x',
  taskRoot: '/var/task',
  environment: {},
  logFormat: 'Text',
  logLevel: 'INFO',
  logGroup: '',
  logStream: '',
  concurrency: 1,
  refPrefix: 'o1',
} as const

/** A gateway and a client that has connected to it as an environment which is loading its code. */
async function loading() {
  const folder = temporaryDirectory()
  const log = createLog({ level: 'silent', clock: systemClock, sink: nobody })
  const store = await openStore({ dataDirectory: IN_MEMORY, clock: systemClock, log })
  const gateway = new Gateway({ socketDirectory: folder.join('s'), clock: systemClock, log })
  await gateway.open()
  const identity = { id: 'e1', token: 'secret', nodePath: 'node', nodeVersion: 'v20', epoch: 1 }
  const environment = new Environment({
    identity,
    owner: OWNER,
    clock: systemClock,
    journal: store.journal,
  })
  gateway.expect(identity.id, environment)
  const socket: Socket = connect(folder.join('s', 'engine.sock'))
  socket.on('error', nobody)
  socket.resume()
  socket.write(frame(FRAME.hello, { environmentId: 'e1', token: 'secret', pid: 1, nodeVersion: 'v20' }))
  socket.write(frame(FRAME.ready))
  await until('it has booted', () => environment.state === 'spare')
  environment.load(version('echo'), SPECIALIZATION)
  return {
    environment,
    socket,
    async [Symbol.asyncDispose]() {
      socket.destroy()
      gateway.close()
      await store.close()
      folder[Symbol.dispose]()
    },
  }
}

const guarding = suite('the gateway')

const INITIALIZED = { durationMs: 1, logBytes: 0, codeCache: 'none', streaming: false }

for (const said of ['null', '{', '{}', '{"durationMs":"long"}', '{"durationMs":1,"error":null}']) {
  guarding(
    `a function that says ${said} of its loading loses its connection, and nobody else does`,
    async () => {
      await using world = await loading()

      world.socket.write(frame(FRAME.initialized, said))

      await within('the end of the connection', once(world.socket, 'close'))
      assert.is(world.environment.loaded, false)
    },
  )
}

for (const [name, durationMs] of [
  ['not a number', Number.NaN],
  ['endless', Infinity],
  ['negative', -1],
] as const) {
  guarding(`a result whose duration is ${name} ends the connection`, async () => {
    await using world = await loading()
    world.socket.write(frame(FRAME.initialized, INITIALIZED))
    await until('it has loaded', () => world.environment.state === 'idle')
    const invocation = new Invocation(
      {
        requestId: 'a',
        version: version('echo'),
        limits: { functionId: 'echo', reservedConcurrency: null, inFlight: 0 },
        invokedArn: '',
        traceId: '',
        clientContext: '',
        tenantId: '',
        payload: Buffer.from('{}'),
        streaming: false,
        waitsForever: false,
        observer: OBSERVER,
      },
      0,
    )
    world.environment.run(invocation)
    const body = Buffer.alloc(RESULT_META_BYTES + 2, '{}')
    writeResultMeta(body, 0, { durationMs, logBytes: 0, maxRssKb: 0 })

    world.socket.write(frame(FRAME.result, body, invocation.id))

    await within('the end of the connection', once(world.socket, 'close'))
    assert.is(invocation.state, 'running')
  })
}

guarding.run()
