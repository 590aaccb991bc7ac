import type { Resources } from '../resources.ts'
import type { GpuWish } from '../wish.ts'
import type { LogLevelName, Scope } from '../store/journal.ts'

/** A code package on this machine: an immutable, content-addressed folder. */
export interface CodePackage {
  /** Hex SHA-256 of the zip as it was uploaded. */
  id: string
  /** base64 of the same hash: Lambda's CodeSha256. */
  sha256: string
  /** Bytes of the zip as uploaded. */
  sizeBytes: number
  /** Bytes of all its files once unpacked. */
  unzippedBytes: number
  /** The unpacked files, read-only. */
  directory: string
  /** The zip, byte for byte. */
  zipPath: string
}

/** What a function may reach: everything, the engine's own APIs over the bound socket, or nothing. */
export type NetworkAccess = 'full' | 'engine' | 'none'

/** How a function writes its log, and where to. */
export interface LoggingSettings {
  format: 'Text' | 'JSON'
  applicationLevel: LogLevelName
  systemLevel: 'DEBUG' | 'INFO' | 'WARN'
  group: string
}

/** What tags and folder configs say beyond Lambda's own settings. */
export interface ExecutionSettings {
  /** What one environment of this function leases: memory and whatever tags ask for, in milli-units. */
  resources: Resources
  /** Invocations one environment runs at once; 1 unless tagged. */
  concurrency: number
  /** Cap on environments; null: bounded by the machine only. */
  maxEnvironments: number | null
  /** Invocations after which an environment ends; absent: it goes on. */
  maxCalls?: number | undefined
  network: NetworkAccess
  /** Labels a node must carry; absent or empty: any node will do. */
  labels?: Readonly<Record<string, string>>
  /** Ways to meet the wish for GPUs; absent: the amount of `gpu` in `resources`, of any model. */
  gpus?: readonly GpuWish[]
  /** ARN of the capacity provider whose processors it runs on. */
  provider?: string
  /** It leases from what this placement group has reserved. */
  placementGroup?: GroupPlace
}

/** A place in a placement group. */
export interface GroupPlace {
  readonly name: string
  /** Index of the bundle; absent: any that has room. */
  readonly bundle?: number
}

/**
 * One immutable state of a function's code and configuration, ready to run. A change of either makes a new
 * object with a new `key`, so environments of the old one are never reused.
 */
export interface FunctionVersion {
  /** Identity of what runs: function, version and generation. Keys the pool of environments. */
  readonly key: string
  readonly functionId: string
  readonly scope: Scope
  readonly functionName: string
  /** '$LATEST' or a number. */
  readonly version: string
  readonly runtime: string
  readonly handler: string
  /** Null: no time limit. */
  readonly timeoutMs: number | null
  /** MemorySize in MB, as the context and REPORT lines say it. */
  readonly memoryMb: number
  /** The limit that is enforced; null: none. */
  readonly memoryLimitMb: number | null
  readonly ephemeralMb: number
  readonly environment: Readonly<Record<string, string>>
  readonly codePackage: CodePackage
  readonly layerDirectories: readonly string[]
  readonly logging: LoggingSettings
  readonly execution: ExecutionSettings
  /** Every invocation names a tenant, and no environment serves two. */
  readonly perTenant?: boolean
}

/** What a name and qualifier resolve to at this moment. */
export interface Target {
  readonly version: FunctionVersion
  /** The function's mutable limits, shared by all its versions. */
  readonly limits: FunctionLimits
  /** ARN as invoked, with the qualifier if the caller used one. */
  readonly invokedArn: string
  /** Environments that are kept ready for this version, while there are any. */
  readonly share?: ProvisionedShare | undefined
  /** What X-Amz-Executed-Version says. */
  readonly executedVersion: string
  /** '$LATEST', a number or an alias: keys asynchronous settings. */
  readonly qualifier: string
}

/** Limits that hold across a function's versions; one object per function for its whole life. */
export interface FunctionLimits {
  readonly functionId: string
  /** Null: not reserved. Zero: the function is off. */
  reservedConcurrency: number | null
  /** Invocations in flight now, all versions; maintained by the concurrency gate. */
  inFlight: number
  /** A function that calls itself in circles is not stopped. */
  mayLoop?: boolean
  /** By version, where environments are kept ready for one. */
  provisioned?: ReadonlyMap<string, ProvisionedShare> | undefined
}

/** Environments of one version that are kept ready, and who uses them. One object for as long as it is so. */
export interface ProvisionedShare {
  /** How many were asked for. */
  count: number
  /** Invocations of the version in flight; maintained by the concurrency gate. */
  inFlight: number
  /** How many are loaded and live; maintained by the scheduler, as is `failure`. */
  ready: number
  /** Why there are not as many as were asked for; undefined while they are on their way. */
  failure: string | undefined
}

/**
 * The part of the registry that invocations need. Everything is answered from memory.
 */
export interface Resolver {
  /**
   * What would run now.
   *
   * Throws EngineError 'not-found' (no such function, version or alias), 'conflict' with detail 'pending' |
   * 'updating' | 'failed' | 'inactive' when it cannot be invoked in its state. In the extended profile
   * callers wait with `ready`.
   */
  resolve(scope: Scope, functionName: string, qualifier: string | undefined): Target
  /**
   * Resolves when the function is no longer pending or being updated; at once when it is not. Rejects when
   * the signal aborts.
   */
  ready(scope: Scope, functionName: string, signal?: AbortSignal): Promise<void>
}

/** Something the pool of environments must know about at once. */
export type RegistryEvent =
  | { kind: 'version-ready'; version: FunctionVersion }
  /** No request may be handed to this version's environments any more; running ones finish. */
  | { kind: 'version-retired'; key: string }
