import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../runtime/errors.ts'
import { Invocation, type InvocationObserver } from '../../runtime/environments/invocation.ts'
import { Spares } from '../../runtime/environments/spares.ts'
import { createLog } from '../../runtime/log.ts'
import type { FunctionVersion } from '../../runtime/registry/types.ts'
import { createLocalCluster } from '../../runtime/scheduler/local-cluster.ts'
import { Scheduler } from '../../runtime/scheduler/scheduler.ts'
import { IN_MEMORY, openStore } from '../../runtime/store/open.ts'
import { createFakeClock } from '../support/clock.ts'
import { scriptedStarter } from '../support/scripted-process.ts'

const scheduling = suite('scheduling')

const BINARY = { nodePath: 'node', version: 'v20' }
/** Frames leave with the turn of the event loop. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function version(
  name: string,
  execution: Partial<FunctionVersion['execution']> = {},
  more: Partial<FunctionVersion> = {},
): FunctionVersion {
  return {
    key: `${name}-1`,
    functionId: name,
    scope: { account: '0', region: 'r' },
    functionName: name,
    version: '$LATEST',
    runtime: 'nodejs20.x',
    handler: 'index.handler',
    timeoutMs: 3000,
    memoryMb: 128,
    memoryLimitMb: 128,
    ephemeralMb: 512,
    environment: {},
    codePackage: { id: name, sha256: '', sizeBytes: 0, directory: '', zipPath: '' },
    layerDirectories: [],
    logging: { format: 'Text', applicationLevel: 'INFO', systemLevel: 'INFO', group: '' },
    execution: {
      resources: { memoryMb: 128_000 },
      concurrency: 1,
      maxEnvironments: null,
      network: 'full',
      ...execution,
    },
    ...more,
  }
}

async function world(options: { maxEnvironments?: number; memoryMb?: number; maxWaiting?: number } = {}) {
  const clock = createFakeClock()
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  const store = await openStore({ dataDirectory: IN_MEMORY, clock, log })
  const starter = scriptedStarter(clock, store.journal)
  const launcher = {
    isolation: {
      requested: 'none',
      effective: 'none',
      means: '',
      missing: [],
      memory: '',
      killsTree: true,
    } as const,
    launch: () => Promise.reject(new Error('nothing is launched here')),
    close: () => Promise.resolve(),
  }
  const orphans: string[] = []
  const scheduler = new Scheduler({
    clock,
    log,
    cluster: createLocalCluster({ resources: { memoryMb: options.memoryMb ?? 10_000 }, nodes: 1, launcher }),
    starter,
    spares: new Spares({ perVersion: 0, starter, launcher, clock }),
    binaryFor: () => BINARY,
    maxEnvironments: options.maxEnvironments ?? 8,
    maxWaiting: options.maxWaiting ?? 1000,
    maxWaitMs: 10_000,
    idleTimeoutMs: 60_000,
    initLimitMs: () => 10_000,
    onOrphans: (invocations) => orphans.push(...invocations.map((one) => one.input.requestId)),
    onEnvironment: () => {},
    onCodeCache: () => {},
  })
  const events: string[] = []
  const note =
    (what: string) =>
    (invocation: Invocation): void =>
      void events.push(`${invocation.input.requestId} ${what}`)
  const observer: InvocationObserver = {
    answered: note('answered'),
    notJson: note('not JSON'),
    initFailed: note('init failed'),
    lost: (invocation) =>
      events.push(`${invocation.input.requestId} ${invocation.timedOut ? 'timed out' : 'lost'}`),
    refused: (invocation, error: EngineError) =>
      events.push(`${invocation.input.requestId} refused: ${error.detail ?? error.code}`),
    streamStarted: note('stream started'),
    streamData: note('stream data'),
    streamEnded: note('stream ended'),
  }
  const submit = (requestId: string, of: FunctionVersion, waitsForever = false): Invocation => {
    const invocation = new Invocation(
      {
        requestId,
        version: of,
        limits: { functionId: of.functionId, reservedConcurrency: null, inFlight: 0 },
        invokedArn: '',
        traceId: '',
        clientContext: '',
        tenantId: '',
        payload: Buffer.from('{}'),
        streaming: false,
        waitsForever,
        observer,
      },
      clock.monotonicMs(),
    )
    scheduler.submit(invocation)
    return invocation
  }
  /** Boots and initialises every process that was started and is not yet. */
  const ready = async (): Promise<void> => {
    for (const process of starter.processes) {
      if (process.environment.state === 'starting') process.boot()
      if (process.environment.state === 'loading') process.initialize()
    }
    await turn()
  }
  return { clock, starter, scheduler, submit, events, orphans, ready, processes: starter.processes }
}

scheduling('the first call starts an environment, the second takes it while it is idle', async () => {
  const { submit, ready, processes, events } = await world()
  const echo = version('echo')

  submit('a', echo)
  await ready()
  processes[0]?.answer()
  submit('b', echo)
  await turn()
  processes[0]?.answer()

  assert.is(processes.length, 1)
  assert.equal(events, ['a answered', 'b answered'])
})

scheduling('another environment starts only when waiting took longer than a cold start', async () => {
  const { submit, ready, processes, clock } = await world()
  const echo = version('echo')
  submit('a', echo)
  await ready()

  submit('b', echo)
  await clock.advance(5)
  assert.is(processes.length, 1)
  await clock.advance(10)

  assert.is(processes.length, 2)
})

scheduling('the idle environment that was used last is taken first', async () => {
  const { submit, ready, processes, clock } = await world()
  const echo = version('echo')
  submit('a', echo)
  await ready()
  submit('b', echo)
  await clock.advance(15)
  await ready()
  processes[0]?.answer()
  await clock.advance(1)
  processes[1]?.answer()

  submit('c', echo)
  await turn()

  assert.equal(
    processes.map((process) => process.held.length),
    [0, 1],
  )
})

scheduling('at its cap a busy environment is handed one more ahead, and no third', async () => {
  const { submit, ready, processes } = await world()
  const echo = version('echo', { maxEnvironments: 1 })
  submit('a', echo)
  await ready()

  submit('b', echo)
  submit('c', echo)
  await turn()

  assert.equal(
    processes[0]?.held.map((one) => one.requestId),
    ['a', 'b'],
  )
})

scheduling('nothing is held ahead while another environment may still be started', async () => {
  const { submit, ready, processes } = await world()
  const echo = version('echo')
  submit('a', echo)
  await ready()

  submit('b', echo)
  await turn()

  assert.equal(
    processes[0]?.held.map((one) => one.requestId),
    ['a'],
  )
})

scheduling('what is held behind slow work is recalled and runs where there is room', async () => {
  const { submit, ready, processes, clock, events } = await world()
  const echo = version('echo', { maxEnvironments: 2 })
  submit('a', echo)
  submit('b', echo)
  await ready()
  await clock.advance(15)
  await ready()
  submit('c', echo)
  await turn()
  const holder = processes.find((process) => process.held.length === 2)
  const other = processes.find((process) => process !== holder)
  assert.ok(holder, 'c was held ahead')

  await clock.advance(10)
  await turn()
  holder.giveBack()
  other?.answer()
  await turn()

  assert.equal(
    other?.held.map((one) => one.requestId),
    ['c'],
  )
  assert.is(events.length, 1)
})

scheduling(
  'after a death what had not started runs again, uncounted; what had started is answered',
  async () => {
    const { submit, ready, processes, events } = await world()
    const echo = version('echo', { maxEnvironments: 1 })
    submit('a', echo)
    await ready()
    submit('b', echo)
    await turn()

    processes[0]?.crash()
    await turn()
    await turn()
    await ready()
    processes[1]?.answer()

    assert.equal(events, ['a lost', 'b answered'])
  },
)

scheduling('a time limit ends the process, and the next call gets a fresh one', async () => {
  const { submit, ready, processes, clock, events } = await world()
  const slow = version('slow', {}, { timeoutMs: 100 })
  submit('a', slow)
  await ready()

  await clock.advance(95)
  assert.equal(events, [])
  await clock.advance(15)
  await turn()

  assert.equal(events, ['a timed out'])
  assert.ok(processes[0]?.killed)
})

scheduling('a synchronous call gives up after ten seconds at the cap; an event waits on', async () => {
  const { submit, ready, clock, events } = await world({ maxEnvironments: 1 })
  const busy = version('busy', { maxEnvironments: 1 }, { timeoutMs: null })
  submit('a', busy)
  await ready()
  submit('held', busy)
  submit('sync', busy)
  submit('event', busy, true)

  await clock.advance(10_020)

  assert.equal(events, ['sync refused: environment-cap'])
})

scheduling('past the bound of waiting calls the next one is refused at once', async () => {
  const { submit } = await world({ maxEnvironments: 1, maxWaiting: 3 })
  const busy = version('busy')
  for (const id of ['a', 'b', 'c']) submit(id, busy)

  assert.throws(
    () => submit('d', busy),
    (error: EngineError) => error.detail === 'queue-full',
  )
})

scheduling('an idle environment of another function makes room when all are taken', async () => {
  const { submit, ready, processes, clock } = await world({ maxEnvironments: 1 })
  submit('a', version('first'))
  await ready()
  processes[0]?.answer()

  submit('b', version('second'))
  await clock.advance(10)
  await ready()

  assert.ok(processes[0]?.killed, 'the idle one ended')
  assert.equal(
    processes[1]?.held.map((one) => one.requestId),
    ['b'],
  )
})

scheduling('memory is leased: what does not fit beside others waits for their end', async () => {
  const { submit, ready, processes, clock } = await world({ memoryMb: 1000 })
  const large = (name: string): FunctionVersion => version(name, { resources: { memoryMb: 700_000 } })
  submit('a', large('first'))
  await ready()
  submit('b', large('second'))
  await clock.advance(20)
  assert.is(processes.length, 1)

  processes[0]?.answer()
  await turn()
  await clock.advance(10)
  await ready()

  assert.equal(
    processes[1]?.held.map((one) => one.requestId),
    ['b'],
  )
})

scheduling('what no node could hold is refused, with the reason', async () => {
  const { submit, events } = await world({ memoryMb: 1000 })

  submit('a', version('huge', { resources: { memoryMb: 2_000_000 } }))

  assert.equal(events, ['a refused: infeasible'])
})

scheduling('a replaced version drains: what runs ends there, what waits is resolved anew', async () => {
  const { submit, ready, scheduler, processes, events, orphans } = await world()
  const old = version('echo', { maxEnvironments: 1 })
  submit('a', old)
  await ready()
  submit('b', old)
  submit('c', old)
  await turn()

  scheduler.retire(old.key)
  await turn()
  processes[0]?.giveBack()
  processes[0]?.answer()
  await turn()

  assert.equal(events, ['a answered'])
  assert.equal(orphans.sort(), ['b', 'c'])
  assert.ok(processes[0]?.killed)
})

scheduling('a failing init is the answer of those who waited for it', async () => {
  const { submit, processes, events } = await world()
  submit('a', version('broken'))
  processes[0]?.boot()
  await turn()

  processes[0]?.initialize({ errorType: 'Runtime.HandlerNotFound', errorMessage: '', trace: [] })

  assert.equal(events, ['a init failed'])
})

scheduling('at concurrency 8 one environment runs eight at once and is not given a ninth', async () => {
  const { submit, ready, processes } = await world()
  const wide = version('wide', { concurrency: 8, maxEnvironments: 1 })
  for (let index = 0; index < 9; index++) submit(`${index}`, wide)
  await ready()

  assert.is(processes[0]?.held.length, 8)
  processes[0]?.answer('3')
  await turn()

  assert.is(processes[0]?.held.at(-1)?.requestId, '8')
})

scheduling('idle environments are ended after their time', async () => {
  const { submit, ready, processes, clock, scheduler } = await world()
  submit('a', version('echo'))
  await ready()
  processes[0]?.answer()

  await clock.advance(59_000)
  assert.is(scheduler.environments.length, 1)
  await clock.advance(3000)

  assert.is(scheduler.environments.length, 0)
})

scheduling.run()
