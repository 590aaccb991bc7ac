import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import type { IsolationReport } from './environments/launcher.ts'
import type { Invoker } from './invoke/types.ts'
import type { Log } from './log.ts'
import type { CodePackages } from './registry/packages.ts'
import type { Resources } from './resources.ts'
import type { Rng } from './rng.ts'
import type { Journal, Scope } from './store/journal.ts'

/** One execution environment as it is shown. */
export interface EnvironmentView {
  readonly id: string
  readonly state: 'starting' | 'spare' | 'idle' | 'busy' | 'draining'
  readonly functionName: string | undefined
  readonly version: string | undefined
  readonly scope: Scope | undefined
  readonly pid: number | null
  readonly node: string
  readonly startedAtMs: number
  readonly invocations: number
  readonly inFlight: number
  readonly memoryMb: number
  readonly resources: Resources
}

/** One node as it is shown; amounts in plain units. */
export interface NodeView {
  readonly name: string
  readonly state: 'alive' | 'draining'
  readonly labels: Readonly<Record<string, string>>
  readonly capacity: Readonly<Record<string, number>>
  readonly available: Readonly<Record<string, number>>
  readonly gpus: readonly { index: number; model: string; holders: readonly string[] }[]
}

/** Something that happened, for whoever watches. */
export interface EngineEvent {
  readonly id: number
  readonly timeMs: number
  /** Past tense: `function-created`, `environment-started`, `environment-stopped`, `run-finished`. */
  readonly kind: string
  readonly subject: Readonly<Record<string, string | number | boolean | null>>
}

export interface EngineHealth {
  readonly status: 'ok' | 'degraded'
  readonly reasons: readonly string[]
  readonly version: string
  readonly uptimeMs: number
  readonly isolation: IsolationReport
  readonly environments: number
  readonly spares: number
  readonly waiting: number
  readonly inFlight: number
  readonly queuedEvents: number
}

/** The running engine: what adapters are handed. */
export interface Engine {
  readonly config: Config
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
  readonly packages: CodePackages
  readonly invoker: Invoker
  readonly journal: Journal
  health(): EngineHealth
  environments(): EnvironmentView[]
  nodes(): NodeView[]
  /** Calls `listener` with every event after `afterId` that is still in the ring of the last 1,000, then with new ones. */
  watch(afterId: number | undefined, listener: (event: EngineEvent) => void): Disposable
  /** Refuses new work, waits for running work up to `drainMs`, then kills what is left and closes everything. */
  stop(): Promise<void>
}
