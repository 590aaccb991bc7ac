import type { Clock } from '../clock.ts'
import type { EnvironmentRequest } from '../environments/environment-owner.ts'
import type { Environment } from '../environments/environment.ts'
import type { Manifest } from '../environments/frames.ts'
import type { Invocation } from '../environments/invocation.ts'
import type { Spares } from '../environments/spares.ts'
import type { EnvironmentStarter, NodeBinary } from '../environments/starter.ts'
import type { Log } from '../log.ts'
import type { FunctionVersion } from '../registry/types.ts'
import type { Cluster } from './cluster.ts'

/** What a scheduler works with, and its bounds. */
export interface SchedulerOptions {
  readonly clock: Clock
  readonly log: Log
  readonly cluster: Cluster
  readonly starter: EnvironmentStarter
  readonly spares: Spares
  /** The binary for a runtime identifier; resolved before a version becomes ready. */
  readonly binaryFor: (runtime: string) => NodeBinary
  readonly maxEnvironments: number
  readonly maxWaiting: number
  readonly maxWaitMs: number
  readonly idleTimeoutMs: number
  /** A version's loading may take this long; null: no limit. */
  readonly initLimitMs: (version: FunctionVersion) => number | null
  readonly onOrphans: (invocations: readonly Invocation[]) => void
  readonly onEnvironment: (
    kind: 'environment-started' | 'environment-stopped',
    environment: Environment,
    reason: string,
  ) => void
  readonly onCodeCache: (environment: Environment, bytes: Buffer) => void
  /** What a package offers, told by every environment that has loaded it. */
  readonly onManifest?: (version: FunctionVersion, manifest: Manifest) => void
  /** The code in an environment asks the engine for something. */
  readonly onRequest: (environment: Environment, request: EnvironmentRequest) => void
}
