import { join } from 'node:path'
import type { Clock } from './clock.ts'
import { createComputing, type Computing } from './computing.ts'
import type { Config } from './config.ts'
import { Gateway } from './environments/gateway.ts'
import { createLocalLauncher } from './environments/local-launcher.ts'
import { NodeBinaries } from './environments/node-binaries.ts'
import { createNodeRuntimes } from './environments/node-runtimes.ts'
import { RuntimeLibraries } from './environments/runtime-libraries.ts'
import { RuntimeSupport } from './environments/runtime-support.ts'
import { VIEW } from './environments/sandbox.ts'
import { openSocketDirectory } from './environments/socket-directory.ts'
import { Spares } from './environments/spares.ts'
import { createStarter } from './environments/starter.ts'
import { Feed, type EngineEvent } from './feed.ts'
import { ConcurrencyGate } from './invoke/concurrency.ts'
import type { EventDesk } from './invoke/event-desk.ts'
import type { DeliverOutcome } from './invoke/event-outcome.ts'
import { createEvents } from './invoke/events.ts'
import { InvocationPath } from './invoke/invoker.ts'
import { Manifests } from './invoke/manifests.ts'
import { Requests } from './invoke/requests.ts'
import type { Invoker } from './invoke/types.ts'
import { KeyRing } from './keys/key-ring.ts'
import type { Log } from './log.ts'
import { CapacityProviders } from './registry/capacity-providers.ts'
import { CodeSigningConfigs } from './registry/code-signing.ts'
import { openLayers, type Layers } from './registry/layers.ts'
import { createCompile } from './registry/package-compile.ts'
import { createCodePackages, type KeptPackages } from './registry/packages.ts'
import { EventSources } from './registry/event-sources.ts'
import { provisionedWishes } from './registry/provisioned.ts'
import { openRegistry, type Registry } from './registry/registry.ts'
import { Routes } from './registry/routes.ts'
import type { Rng } from './rng.ts'
import { createCapacity, type Capacity } from './scheduler/capacity.ts'
import { findGpus, openMachine } from './scheduler/machine.ts'
import { requestOf } from './scheduler/node-state.ts'
import type { Nodes } from './scheduler/nodes.ts'
import { Scheduler } from './scheduler/scheduler.ts'
import type { Journal } from './store/journal.ts'
import { LogGroups } from './store/log-groups.ts'
import { openSegments } from './objects/open-segments.ts'
import { openStore } from './store/open.ts'
import { initLimit, packagesRunning, quiet, runtimesOf } from './upkeep.ts'
import { packageVersion } from './version.ts'
import {
  conditionOf,
  runSubject,
  viewEnvironment,
  viewNodes,
  viewRunning,
  type EngineHealth,
  type EnvironmentView,
  type NodeView,
  type RunningView,
} from './views.ts'

/** The running engine: what adapters are handed. */
export interface Engine extends Omit<Computing, 'drain' | 'close'> {
  readonly config: Config
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
  readonly registry: Registry
  readonly routes: Routes
  readonly packages: KeptPackages
  readonly layers: Layers
  readonly codeSigning: CodeSigningConfigs
  readonly capacityProviders: CapacityProviders
  readonly keys: KeyRing
  readonly invoker: Invoker
  readonly eventSources: EventSources
  readonly journal: Journal
  readonly logGroups: LogGroups
  readonly events: EventDesk
  health(): EngineHealth
  environments(): EnvironmentView[]
  running(): RunningView[]
  nodes(): NodeView[]
  readonly nodeSettings: Pick<Nodes, 'change'>
  /** Calls `listener` with the kept events after `afterId` (undefined: none), then with every new one. */
  watch(afterId: number | undefined, listener: (event: EngineEvent) => void): Disposable
  /** Where functions reach the engine's own APIs: known once a listener is bound. */
  setApiUrl(url: string): void
  /** `work` belongs to what a stop waits for, as long as it waits for anything. */
  onDrain(work: () => Promise<void>): void
  /**
   * Refuses new work, waits for running work up to `drainMs`, then kills what is left and closes everything.
   */
  stop(): Promise<void>
}

/** What the engine is handed instead of reaching for it. */
export interface EngineDependencies {
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
  /** How outcomes of events leave, made once there is an invoker; undefined: they do not. */
  readonly delivery?: ((invoker: Invoker) => DeliverOutcome) | undefined
}

const RETENTION_EVERY_MS = 60_000
const SWEEP_EVERY_MS = 3_600_000

/**
 * Builds the engine over `config.dataDirectory` and starts it: what an earlier one accepted is taken up.
 *
 * Rejects with EngineError 'conflict' (another engine has the data directory), 'unsupported' (less isolation
 * than
 * required) and 'unavailable' (the store cannot be opened).
 */
export async function createEngine(config: Config, dependencies: EngineDependencies): Promise<Engine> {
  const opened: Close[] = []
  try {
    return await openEngine(config, dependencies, opened)
  } catch (error) {
    for (const close of opened.toReversed()) {
      try {
        await close()
      } catch (failure) {
        dependencies.log.error('a part of an engine that did not start does not close', { error: failure })
      }
    }
    throw error
  }
}

type Close = () => Promise<void> | void

/** Whatever is open is in `opened`, to be closed again, last first, when a later step fails. */
async function openEngine(
  config: Config,
  { clock, rng, log, delivery }: EngineDependencies,
  opened: Close[],
): Promise<Engine> {
  const startedAt = clock.monotonicMs()
  const version = packageVersion()
  const store = await openStore({ dataDirectory: config.dataDirectory, clock, log })
  opened.push(() => store.close())
  const { journal } = store
  const logGroups = new LogGroups({ store, journal, clock })
  const keys = new KeyRing({ store, dataDirectory: config.dataDirectory, clock, rng })
  const feed = new Feed(clock)

  const socketDirectory = openSocketDirectory(config.dataDirectory)
  const gateway = new Gateway({ socketDirectory, clock, log })
  opened.push(() => gateway.close())
  await gateway.open()
  const libraries = new RuntimeLibraries({ clock, rng, log })
  const gpus = await findGpus(config, clock, log)
  opened.push(() => gpus.check?.close())
  const segments = openSegments(config, { clock, rng, log })
  opened.push(() => segments.close())
  const launcher = await createLocalLauncher({
    objects: segments,
    librariesDirectory: libraries.directory,
    dataDirectory: config.dataDirectory,
    socketDirectory,
    isolation: config.isolation,
    requireIsolation: config.requireIsolation,
    gpus: gpus.devices,
    ...{ clock, rng, log },
  })
  opened.push(() => launcher.close())
  const packages = await createCodePackages({
    directory: join(config.dataDirectory, 'packages'),
    ...{ clock, rng, log },
  })
  opened.push(() => packages.close())
  const runtimes = createNodeRuntimes({ clock, rng, log })
  const binaries = new NodeBinaries(runtimes)
  const support = new RuntimeSupport({ log })
  const { bootEpoch } = store
  const starter = createStarter({
    ...{ gateway, packages, journal, clock, rng, log, bootEpoch, support, libraries, segments },
    sessions: config.auth === 'open' ? undefined : keys,
  })
  const spares = new Spares({ perVersion: config.spares, starter, launcher, clock })
  const capacityProviders: CapacityProviders = new CapacityProviders({
    store,
    clock,
    onChange: () => scheduler.reconsider(),
  })
  const machine = openMachine({ config, gpus, launcher, store, log, onRoom: () => onRoom() })
  const { cluster, groups, onRoom }: Capacity = createCapacity({
    ...{ machine: machine.cluster, clock, cpuLimit: capacityProviders.cpuLimit },
    scheduler: () => scheduler,
  })
  const gate = new ConcurrencyGate(config.accountConcurrency)
  const requests = new Requests(log)
  const manifests: Manifests = new Manifests({
    clock,
    newId: () => rng.uuid(clock.nowMs()),
    submit: (invocation) => scheduler.submit(invocation),
  })

  const scheduler: Scheduler = new Scheduler({
    clock,
    log,
    cluster,
    starter,
    spares,
    binaryFor: (runtime) => binaries.of(runtime),
    maxEnvironments: config.maxEnvironments,
    maxWaiting: config.maxWaiting,
    maxWaitMs: config.maxWaitMs,
    idleTimeoutMs: config.idleTimeoutMs,
    initLimitMs: (one) => initLimit(one, config.limits),
    onOrphans: (invocations) => {
      for (const one of [path, computing.actors]) one.reroute(invocations)
    },
    onManifest: (one, manifest) => manifests.learn(one, manifest),
    onRequest: (environment, request) => requests.receive(environment, request),
    onEnvironment: (kind, environment, reason) =>
      feed.emit(kind, {
        environmentId: environment.id,
        functionName: environment.version?.functionName ?? null,
        reason,
      }),
    onCodeCache: (environment, bytes) => {
      if (bytes.length === 0 || environment.version === undefined) return
      const { codePackage, functionId } = environment.version
      packages
        .saveCodeCache(codePackage, environment.identity.nodeVersion, bytes, functionId)
        .catch((error: unknown) => log.warn('code cache not saved', { error }))
    },
  })
  opened.push(() => scheduler.close())
  opened.push(() => spares.close())
  const retiring: ((versionKey: string) => void)[] = []
  const layers = await openLayers({ store, packages, clock, rng, log })
  const codeSigning = new CodeSigningConfigs({ store, clock, rng })
  const compile = createCompile({ packages, clock, log, shownRoot: VIEW.task })
  const registry = await openRegistry({
    store,
    packages,
    clock,
    rng,
    log,
    config,
    network: launcher.isolation.effective === 'hardened' ? 'engine' : 'full',
    prepare: async (one, signal) => {
      await support.load([one.runtime])
      const binary = await binaries.load(one.runtime)
      if (binary === undefined) return
      spares.want(binary)
      await libraries.prepare(one.codePackage)
      await compile(
        one.codePackage,
        one.handler,
        { nodePath: binary.nodePath, nodeVersion: binary.version },
        signal,
      )
    },
    feasible: (one, times = 1) =>
      times > config.maxEnvironments
        ? `No more than ${config.maxEnvironments} environments run at once (LAMBENT_MAX_ENVIRONMENTS).`
        : cluster.infeasible(requestOf(one), times),
    onFunction: (record) => scheduler.provisioned.follow(record.functionId, provisionedWishes(record)),
    onEvent: (event) => {
      if (event.kind === 'version-retired') {
        for (const hear of retiring) hear(event.key)
        return scheduler.retire(event.key)
      }
      const { functionName, version: updated } = event.version
      feed.emit('function-updated', { functionName, version: updated })
    },
  })
  opened.push(() => registry.close())
  const eventSources = new EventSources({ store, clock, rng, log })
  const path: InvocationPath = new InvocationPath({
    clock,
    resolver: registry,
    gate,
    scheduler,
    context: { clock, journal, gate, onRecord: (record) => feed.emit('run-finished', runSubject(record)) },
    waitsForReady: config.limits === 'extended',
    missingFor: (runtime) => support.missingFor(runtime),
  })
  const events = createEvents({
    ...{ store, clock, rng, log, config, registry, invoker: path },
    start: (request, sink, event) => path.start(request, sink, event),
    deliver: delivery?.(path),
    onLost: ({ eventId, kind, target, functionName }) =>
      feed.emit('delivery-failed', { runId: eventId, kind, target, functionName }),
    environments: () => scheduler.environments,
    shortage: (name) => scheduler.reasons().find((one) => one.functionName === name)?.reason,
  })
  path.events = events.queue
  const computing: Computing = createComputing({
    ...{ clock, rng, log, store, journal, requests, registry, scheduler, cluster, groups, manifests },
    segments,
    onRecord: (record) => feed.emit('run-finished', runSubject(record)),
  })
  opened.push(() => computing.close())
  retiring.push((key) => computing.actors.retire(key))
  gate.onLeave((limits) => events.queue.placeFreed(limits))
  await Promise.all([binaries.loadAll(runtimesOf(registry)), support.load(runtimesOf(registry))])
  spares.want(binaries.own)
  scheduler.provisioned.open()
  events.resume()
  computing.actors.open()

  const retention = clock.every(RETENTION_EVERY_MS, () => {
    journal
      .applyRetention(config.retention)
      .then(() => logGroups.applyRetention())
      .catch((error: unknown) => log.warn('retention failed', { error }))
  })
  const sweep = clock.every(SWEEP_EVERY_MS, () => {
    packages
      .sweep(new Set([...registry.packageIds(), ...layers.packageIds(), ...packagesRunning(scheduler)]))
      .catch((error: unknown) => log.warn('unused packages not removed', { error }))
  })
  const draining: (() => Promise<void>)[] = []
  const { drain, close, ...beyond } = computing
  let stopping: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    retention.cancel()
    sweep.cancel()
    // `after`, not `sleep`: a timer that nobody waits for any more must not hold the process for its rest.
    const patience = new Promise<void>((resolve) => void clock.after(config.drainMs, resolve))
    await Promise.race([
      patience,
      Promise.all([...draining.map((work) => work()), events.queue.drain(), drain(), quiet(clock, gate)]),
    ])
    events.queue.abandon()
    await events.outbox.close()
    path.close()
    await close()
    await eventSources.close()
    await Promise.all([registry.close(), layers.close(), codeSigning.close(), capacityProviders.close()])
    spares.close()
    await scheduler.close()
    gpus.check?.close()
    await launcher.close()
    await segments.close()
    gateway.close()
    await packages.close()
    await store.close()
  }

  return {
    config,
    clock,
    rng,
    log,
    registry,
    routes: new Routes(store),
    packages,
    layers,
    codeSigning,
    capacityProviders,
    keys,
    invoker: path,
    eventSources,
    journal,
    logGroups,
    events: events.desk,
    ...beyond,
    health: () => ({
      ...conditionOf({ 'No environment can be started': launcher.problem, 'The disk failed': store.problem }),
      version,
      uptimeMs: Math.round(clock.monotonicMs() - startedAt),
      isolation: launcher.isolation,
      environments: scheduler.environments.length,
      spares: spares.ready.length,
      waiting: scheduler.reasons(),
      inFlight: gate.inFlight,
      queuedEvents: events.queue.size,
      owedDeliveries: events.outbox.size,
      unrecordedTasks: computing.tasks.unrecorded,
      unrecordedActorCalls: computing.actors.unrecorded,
    }),
    environments: () => [
      ...scheduler.environments.map((environment) =>
        viewEnvironment(environment, scheduler.leaseOf(environment)),
      ),
      ...spares.all.map((environment) => viewEnvironment(environment, undefined)),
    ],
    running: () => scheduler.environments.flatMap((environment) => viewRunning(environment, clock)),
    nodes: () => viewNodes(cluster),
    nodeSettings: machine.nodes,
    watch: (afterId, listener) => feed.watch(afterId, listener),
    setApiUrl: (url) => {
      starter.engineUrl = url
    },
    onDrain: (work) => void draining.push(work),
    stop: () => (stopping ??= stop()),
  }
}
