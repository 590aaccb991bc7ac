import type { EngineError } from '../../runtime/errors.ts'
import { Invocation, type InvocationObserver } from '../../runtime/environments/invocation.ts'
import { Spares } from '../../runtime/environments/spares.ts'
import { Requests } from '../../runtime/invoke/requests.ts'
import { createLog } from '../../runtime/log.ts'
import type { FunctionVersion } from '../../runtime/registry/types.ts'
import { createCapacity, type Capacity } from '../../runtime/scheduler/capacity.ts'
import { createLocalCluster } from '../../runtime/scheduler/local-cluster.ts'
import { Scheduler } from '../../runtime/scheduler/scheduler.ts'
import { IN_MEMORY, openStore } from '../../runtime/store/open.ts'
import { createFakeClock } from './clock.ts'
import { scriptedStarter } from './scripted-process.ts'

const BINARY = { nodePath: 'node', version: 'v20' }
/** Frames leave with the turn of the event loop. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A function version that asks for little. */
export function version(
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
    codePackage: { id: name, sha256: '', sizeBytes: 0, unzippedBytes: 0, directory: '', zipPath: '' },
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

/** A scheduler over scripted processes and a clock that stands still. */
export async function world(
  options: {
    maxEnvironments?: number
    memoryMb?: number
    /** More of the machine, in plain units. */
    resources?: Readonly<Record<string, number>>
    nodes?: number
    maxWaiting?: number
    spares?: number
  } = {},
) {
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
  const spares = new Spares({ perVersion: options.spares ?? 0, starter, launcher, clock })
  const orphans: string[] = []
  const requests = new Requests(log)
  let onOrphans = (invocations: readonly Invocation[]): void =>
    void orphans.push(...invocations.map((one) => one.input.requestId))
  const machine = createLocalCluster({
    resources: { memoryMb: options.memoryMb ?? 10_000, ...options.resources },
    nodes: options.nodes ?? 1,
    launcher,
    onRoom: () => onRoom(),
  })
  const { cluster, groups, onRoom }: Capacity = createCapacity({
    ...{ machine, clock, cpuLimit: () => undefined },
    scheduler: () => scheduler,
  })
  const scheduler: Scheduler = new Scheduler({
    clock,
    log,
    cluster,
    starter,
    spares,
    binaryFor: () => BINARY,
    maxEnvironments: options.maxEnvironments ?? 8,
    maxWaiting: options.maxWaiting ?? 1000,
    maxWaitMs: 10_000,
    idleTimeoutMs: 60_000,
    initLimitMs: () => 10_000,
    onOrphans: (invocations) => onOrphans(invocations),
    onRequest: (environment, request) => requests.receive(environment, request),
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
    settled: note('settled'),
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
  /** Orphans go there from now on. */
  const orphaned = (to: typeof onOrphans): void => void (onOrphans = to)
  /** Boots and initialises every process that was started and is not yet. */
  const ready = async (): Promise<void> => {
    for (const process of starter.processes) {
      if (process.environment.state === 'starting') process.boot()
      if (process.environment.state === 'loading') process.initialize()
    }
    await turn()
  }
  return {
    clock,
    log,
    journal: store.journal,
    requests,
    starter,
    scheduler,
    groups,
    machine,
    spares,
    submit,
    events,
    orphans,
    orphaned,
    ready,
    processes: starter.processes,
  }
}
