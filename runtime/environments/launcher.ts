import type { NetworkAccess } from '../registry/types.ts'
import type { ObjectPlaces } from './frames.ts'

/** How strongly a process is kept apart, weakest first. */
export const ISOLATION_LEVELS = ['none', 'standard', 'hardened'] as const
export type IsolationLevel = (typeof ISOLATION_LEVELS)[number]

/** A process to start. Variables are complete: nothing is inherited from the engine. */
export interface LaunchRequest {
  environmentId: string
  /** One-time secret; handed over as LAMBENT_TOKEN, worthless after the first connection. */
  token: string
  /** The Node.js binary to run our bootstrap with. */
  nodePath: string
  /** Extra node flags, such as `--max-old-space-size`. */
  nodeArguments: readonly string[]
  /** Variables beside those the launcher sets itself (LAMBENT_*, PATH, HOME, TZ, LANG). */
  environment: Readonly<Record<string, string>>
  /** Layers, in merge order, to be seen under /opt: absolute folders on this machine. */
  layerDirectories: readonly string[]
  network: NetworkAccess
  /** Ephemeral storage in /tmp, MB; enforced where the level can (hardened). */
  ephemeralMb: number
  /** GPU indices this process may see; empty for none. */
  gpuIndices: readonly number[]
}

/** Limits set once it is known what the process will run. */
export interface ProcessLimits {
  /** Null: no limit. */
  memoryMb: number | null
  maxProcesses: number
  maxOpenFiles: number
}

/** How a process ended. */
export interface ProcessExit {
  /** Exit code; null when a signal ended it. */
  code: number | null
  signal: string | null
  /**
   * True when memory was the cause, by any means: cgroup kill, watchdog, or the engine of JavaScript running
   * out of heap.
   */
  outOfMemory: boolean
  /** What decided `outOfMemory`: 'cgroup', 'watchdog', 'heap' or ''. */
  means: string
  /** Most memory it was seen with, in bytes; absent when nobody looked. */
  peakBytes?: number
  /** What the platform calls it, in place of code and signal. */
  failure?: { errorType: string; message: string }
}

/** The end of a process of which nothing else is known. */
export const KILLED: ProcessExit = { code: null, signal: 'SIGKILL', outOfMemory: false, means: '' }

/** A started process as the engine sees it. All paths are this machine's unless said otherwise. */
export interface LaunchedProcess {
  readonly environmentId: string
  /** Pid on this machine of the outermost process of the tree; null when it runs elsewhere. */
  readonly pid: number | null
  /** The folder to hard-link the code package into; the process sees it as `taskRoot`. */
  readonly taskDirectory: string
  /**
   * The code's place as the process sees it: `/var/task` where the level has a file system view of its own.
   */
  readonly taskRoot: string
  /** The place of its layers as the process sees it: `/opt` where the level has a view of its own. */
  readonly optRoot: string
  /** Where libraries of the runtime lie, as the process sees them: a `node_modules` folder. */
  readonly librariesRoot: string
  /**
   * The folder to put what the process reads and does not see as its code, such as a code cache; it sees it
   * as `cacheRoot`.
   */
  readonly cacheDirectory: string
  readonly cacheRoot: string
  /**
   * Variables it must keep, so that a sweep finds what it leaves behind; empty where the tree surely dies.
   */
  readonly variables: Readonly<Record<string, string>>
  /** Whether processes of other environments run as the same user, in a view of their own. */
  readonly sharesUser: boolean
  /** What sandbox.localdomain is inside: an address of its own where the process has a view of its own. */
  readonly sandboxAddress: string
  /** Its own /tmp on this machine. */
  readonly temporaryDirectory: string
  /** Where large values lie, as the process sees it; absent: it cannot have any. */
  readonly objects?: ObjectPlaces | undefined
  /** Who may take over its /tmp once it has ended, by a key of the engine's; undefined: nobody. */
  temporaryFor: string | undefined
  /** Takes over what waits in a /tmp for `key`, if something does. Never rejects. */
  inheritTemporary(key: string): Promise<void>
  /** Settles once, when the whole process tree is gone. Never rejects. */
  readonly exited: Promise<ProcessExit>
  /** Applies limits (cgroup where writable, else data limit and watchdog) and resolves when they hold. */
  limit(limits: ProcessLimits): Promise<void>
  /**
   * Kills the whole tree with SIGKILL; idempotent. `outOfMemory` marks the reason when the caller knows it.
   */
  kill(): void
  /** Asks politely first: SIGTERM to the main process. */
  terminate(): void
}

/** What the launcher can do here, found by trying each piece once. */
export interface IsolationReport {
  requested: 'auto' | IsolationLevel
  effective: IsolationLevel
  /** The arrangement in words: `bubblewrap`, `setpriv + unshare`, `process group`. */
  means: string
  /** What was looked for and is missing or does not work, each with what to do. */
  missing: readonly { name: string; reason: string; hint: string }[]
  /** How memory limits are enforced: `cgroup v1`, `cgroup v2`, `data limit + watchdog`, `watchdog`. */
  memory: string
  /** Whether the process tree of an environment surely dies with the engine. */
  killsTree: boolean
}

/**
 * Whoever starts environments: the local spawner, or an actor on some node of a Ray cluster. The started
 * process
 * dials the engine; a launcher never talks to it.
 */
export interface Launcher {
  readonly isolation: IsolationReport
  /** Why no process can be started now; absent or undefined when one can. */
  readonly problem?: string | undefined
  /** Resolves once the process exists; rejects with EngineError 'unavailable' when it cannot be started. */
  launch(request: LaunchRequest): Promise<LaunchedProcess>
  /** Kills everything this launcher started and resolves when all of it is gone. */
  close(): Promise<void>
}
