import type { Clock } from './clock.ts'
import type { EnvironmentState } from './environments/environment-state.ts'
import type { Environment } from './environments/environment.ts'
import type { IsolationReport } from './environments/launcher.ts'
import type { EngineEvent } from './feed.ts'
import { MILLI, type Resources } from './resources.ts'
import type { Cluster, Holding } from './scheduler/cluster.ts'
import type { RunRecord, Scope } from './store/journal.ts'

/** One execution environment as it is shown. */
export interface EnvironmentView {
  readonly id: string
  readonly state: EnvironmentState
  readonly functionName: string | undefined
  readonly version: string | undefined
  readonly scope: Scope | undefined
  readonly pid: number | null
  readonly node: string
  readonly nodeVersion: string
  readonly startedAtMs: number
  readonly invocations: number
  readonly inFlight: number
  /** Peak resident memory it has reported. */
  readonly memoryMb: number
  /** What the code in it waits for, or what has become of its processors. */
  readonly waits: string | undefined
  /** Leased, in plain units. */
  readonly resources: Readonly<Record<string, number>>
}

/** Something that runs at this moment. */
export interface RunningView {
  readonly runId: string
  readonly scope: Scope
  readonly functionName: string
  readonly version: string
  /** What of the package runs, as in `call-target.ts`; undefined: the handler. */
  readonly target: string | undefined
  readonly environmentId: string
  /** Unix epoch ms, with a fraction. */
  readonly startedAtMs: number
}

/** One node as it is shown; amounts in plain units. */
export interface NodeView {
  readonly name: string
  readonly state: 'alive' | 'draining'
  readonly labels: Readonly<Record<string, string>>
  readonly capacity: Readonly<Record<string, number>>
  readonly available: Readonly<Record<string, number>>
  readonly gpus: readonly GpuView[]
}

/** One GPU as it is shown: `index` is its number on the machine. */
export interface GpuView {
  readonly index: number
  readonly free: number
  readonly holders: readonly string[]
  readonly model: string | undefined
  readonly memoryMb: number | undefined
  /** Why it is handed to nobody at the moment: it was found busy, or taken out of the node's capacity. */
  readonly withheld: string | undefined
}

/** How the engine is. */
export interface EngineHealth {
  readonly status: 'ok' | 'degraded'
  readonly reasons: readonly string[]
  readonly version: string
  readonly uptimeMs: number
  readonly isolation: IsolationReport
  readonly environments: number
  readonly spares: number
  /** Invocations that wait for an environment, and why, by function. */
  readonly waiting: readonly { functionName: string; waiting: number; reason: string }[]
  readonly inFlight: number
  readonly queuedEvents: number
  /** Outcomes of events that are owed to destinations and dead-letter targets. */
  readonly owedDeliveries: number
  /** Successful tasks since the start of which there is no run: there were too many in a second. */
  readonly unrecordedTasks: number
  /** The same of calls of actors. */
  readonly unrecordedActorCalls: number
}

/** Milli-units as the plain amounts people write. */
export const plain = (resources: Resources): Record<string, number> =>
  Object.fromEntries(Object.entries(resources).map(([name, amount]) => [name, amount / MILLI]))

/** `resources` are what its lease holds; a spare holds nothing. */
export const viewEnvironment = (
  environment: Environment,
  lease: { readonly node: string; readonly resources: Resources } | undefined,
): EnvironmentView => ({
  id: environment.id,
  state: environment.state,
  functionName: environment.version?.functionName,
  version: environment.version?.version,
  scope: environment.version?.scope,
  pid: environment.process?.pid ?? null,
  node: lease?.node ?? 'local',
  nodeVersion: environment.identity.nodeVersion,
  startedAtMs: environment.startedAtMs,
  invocations: environment.invocations,
  inFlight: environment.inFlight.length,
  memoryMb: Math.ceil(environment.maxRssKb / 1024),
  waits: waitOf(environment),
  resources: plain(lease?.resources ?? {}),
})

function waitOf({ isWaiting, isParked }: Environment): string | undefined {
  if (isWaiting) return 'Its code waits for others, who have its processors meanwhile.'
  return isParked ? 'It is idle, and others have its processors.' : undefined
}

/** What runs in an environment; what it only holds ahead does not run yet. */
export const viewRunning = (environment: Environment, clock: Clock): RunningView[] =>
  environment.inFlight
    .filter((invocation) => invocation.state === 'running' || invocation.state === 'settling')
    .map(({ input, startedAt }) => ({
      runId: input.requestId,
      scope: input.version.scope,
      functionName: input.version.functionName,
      version: input.version.version,
      target: input.target,
      environmentId: environment.id,
      startedAtMs: clock.nowMs() - (clock.monotonicMs() - startedAt),
    }))

/** The cluster's nodes with who holds which GPU. */
export function viewNodes(cluster: Cluster): NodeView[] {
  const holdings = cluster.holdings()
  return cluster.nodes().map((node) => ({
    name: node.name,
    state: node.draining ? 'draining' : 'alive',
    labels: node.labels,
    capacity: plain(node.capacity),
    available: plain(node.available),
    gpus: node.gpus.map(({ index, free, model, memoryMb, withheld }) => ({
      index,
      free: free / MILLI,
      holders: holdersOf(holdings, node.name, index),
      model,
      memoryMb,
      withheld,
    })),
  }))
}

const holdersOf = (holdings: readonly Holding[], node: string, gpu: number): string[] =>
  holdings.filter((one) => one.node === node && one.gpuIndices.includes(gpu)).map((one) => one.holder)

/** Degraded as long as anything has a problem. */
export function conditionOf(problems: Readonly<Record<string, string | undefined>>): {
  status: EngineHealth['status']
  reasons: string[]
} {
  const reasons = Object.entries(problems).flatMap(([meaning, problem]) =>
    problem === undefined ? [] : [`${meaning}: ${problem}`],
  )
  return { status: reasons.length === 0 ? 'ok' : 'degraded', reasons }
}

/** A finished run as watchers are told of it. */
export const runSubject = (record: RunRecord): EngineEvent['subject'] => ({
  runId: record.runId,
  functionName: record.functionName,
  version: record.version,
  account: record.scope.account,
  region: record.scope.region,
  trigger: record.trigger,
  status: record.status,
  durationMs: record.durationMs,
  cold: record.initMs !== null,
  errorType: record.errorType,
})
