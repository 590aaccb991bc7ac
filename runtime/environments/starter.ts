import { copyFileSync, linkSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import type { Log } from '../log.ts'
import type { Segments } from '../objects/segments.ts'
import type { CodePackages } from '../registry/packages.ts'
import type { FunctionVersion } from '../registry/types.ts'
import type { Rng } from '../rng.ts'
import type { Journal } from '../store/journal.ts'
import { Environment } from './environment.ts'
import type { EnvironmentOwner } from './environment-owner.ts'
import type { EnvironmentRole } from './frames.ts'
import type { Gateway } from './gateway.ts'
import type { LaunchedProcess, Launcher } from './launcher.ts'
import { initStartEvent } from './init-events.ts'
import { extensionSettings, heapArguments, needsBridge, runtimeProcess } from './runtime-families.ts'
import type { RuntimeLibraries } from './runtime-libraries.ts'
import type { RuntimeSupport } from './runtime-support.ts'
import { adopting, EnvironmentValues } from './value-exchange.ts'
import { functionVariables, startTimeVariables } from './variables.ts'

const CODE_CACHE_NAME = 'code.cache'
/** A process that has not booted by then is stuck. Long: a herd of cold starts shares the processors. */
const BOOT_LIMIT_MS = 120_000
/** What a bridge takes beside the runtime that it serves: not the function's memory. */
const BRIDGE_MB = 64
const MAX_PROCESSES = 1024
const MAX_OPEN_FILES = 1024

/** A Node.js binary to run environments with. */
export interface NodeBinary {
  readonly nodePath: string
  readonly version: string
}

/** Starts environments and hands them their code. */
export interface EnvironmentStarter {
  /**
   * Starts a process; `owner` is told when it has booted. With a version: for that one only, with what a
   * spare cannot do.
   */
  start(options: StartOptions): Environment
  /**
   * Links the code, sets limits and tells the process to load. Rejects when the environment is gone
   * meanwhile.
   */
  specialize(environment: Environment, version: FunctionVersion): Promise<void>
  /** Where functions reach the engine's own APIs; set once it listens. */
  engineUrl: string | undefined
}

/** What to start, and where. */
export interface StartOptions {
  readonly binary: NodeBinary
  readonly launcher: Launcher
  readonly owner: EnvironmentOwner<Environment>
  readonly dedicatedTo?: FunctionVersion
  readonly gpuIndices?: readonly number[]
}

/** A starter whose processes dial `gateway`. */
export function createStarter(parts: {
  gateway: Gateway
  packages: CodePackages
  journal: Journal
  clock: Clock
  rng: Rng
  log: Log
  bootEpoch: number
  support: Pick<RuntimeSupport, 'interpreterOf'>
  /** What code may import without bringing it; undefined: nothing. */
  libraries?: Pick<RuntimeLibraries, 'serves'> | undefined
  /** Where functions get credentials of their own; undefined: nobody asks for any. */
  sessions?: Pick<KeyRing, 'openSession' | 'closeSession'> | undefined
  /** Large values between environments; undefined: there are none. */
  segments?: Segments | undefined
}): EnvironmentStarter {
  const { gateway, packages, journal, clock, rng, log, bootEpoch, support, libraries, sessions, segments } =
    parts
  let started = 0

  const starter: EnvironmentStarter = {
    engineUrl: undefined,
    start({ binary, launcher, owner, dedicatedTo, gpuIndices }) {
      started += 1
      const identity = {
        id: rng.bytes(16).toString('hex'),
        token: rng.bytes(24).toString('hex'),
        nodePath: binary.nodePath,
        nodeVersion: binary.version,
        epoch: bootEpoch * 2 ** 32 + started,
      }
      const values = segments && new EnvironmentValues(segments, identity.id)
      const environment = new Environment({ identity, owner, clock, journal, values })
      gateway.expect(identity.id, values === undefined ? environment : adopting(environment, values))
      const own = dedicatedTo !== undefined && !needsBridge(dedicatedTo)
      launcher
        .launch({
          environmentId: identity.id,
          token: identity.token,
          nodePath: binary.nodePath,
          nodeArguments: own ? heapArguments(dedicatedTo.memoryLimitMb) : [],
          environment: own ? startTimeVariables(dedicatedTo) : {},
          layerDirectories: dedicatedTo?.layerDirectories ?? [],
          network: dedicatedTo?.execution.network ?? 'full',
          ephemeralMb: dedicatedTo?.ephemeralMb ?? 512,
          gpuIndices: gpuIndices ?? [],
        })
        .then((process) => {
          void process.exited.then(() => {
            gateway.forget(identity.id)
            sessions?.closeSession(identity.id)
          })
          environment.adopt(process)
          clock.after(BOOT_LIMIT_MS, () => {
            if (environment.state !== 'starting') return
            log.error('environment did not boot', { environmentId: identity.id })
            environment.kill()
          })
        })
        .catch((error: unknown) => {
          gateway.forget(identity.id)
          log.error('environment could not be started', {
            environmentId: identity.id,
            message: messageOf(error),
          })
          environment.kill()
        })
      return environment
    },

    async specialize(environment, version) {
      // The process may say it is ready before the launcher has said that it exists.
      const process = await environment.adopted
      if (process === undefined || environment.state !== 'spare') return
      const stream = `${logDate(clock.nowMs())}/[${version.version}]${environment.id}`
      environment.stream = journal.open({
        scope: version.scope,
        functionId: version.functionId,
        functionName: version.functionName,
        version: version.version,
        group: version.logging.group,
        name: stream,
        format: version.logging.format,
        systemLevel: version.logging.systemLevel,
      })
      environment.intake.attach(environment.stream, version.version, {
        format: version.logging.format,
        systemLevel: version.logging.systemLevel,
      })
      environment.intake.event(initStartEvent(clock.nowMs(), version, environment))
      process.temporaryFor = environment.poolKey
      // What runs beside the handlers of a version (and tenant) is theirs, too.
      segments?.assign(environment.id, environment.poolKey.split('\n\n')[0] ?? '')
      await process.inheritTemporary(environment.poolKey)
      await packages.link(version.codePackage, process.taskDirectory)
      const importsLibraries = (await libraries?.serves(version.codePackage)) ?? false
      if (environment.state !== 'spare') return
      const bridged = runtimeProcess(version, process, support.interpreterOf(version.runtime))
      const limitMb = version.memoryLimitMb
      // The limits land within milliseconds while the code loads: nobody waits for that on a cold start.
      const limited = process.limit({
        memoryMb: bridged === undefined || limitMb === null ? limitMb : limitMb + BRIDGE_MB,
        maxProcesses: MAX_PROCESSES,
        maxOpenFiles: MAX_OPEN_FILES,
      })
      // Another process inherits what holds when it is started.
      if (bridged !== undefined) await limited
      if (environment.state !== 'spare') return
      const codeCachePath = placeCodeCache(process, packages, version, environment.identity.nodeVersion)
      environment.load(version, {
        functionName: version.functionName,
        functionVersion: version.version,
        memoryMb: version.memoryMb,
        handler: version.handler,
        runtime: version.runtime,
        taskRoot: process.taskRoot,
        ...(version.layerDirectories.length === 0 ? {} : { optRoot: process.optRoot }),
        ...(importsLibraries ? { importsLibraries } : {}),
        environment: {
          ...functionVariables({
            version,
            place: process,
            logStream: stream,
            engineUrl: starter.engineUrl,
            provisioned: environment.provisioned,
            session: sessions?.openSession(environment.id, version.scope.account, version.functionName),
          }),
          ...process.variables,
        },
        logFormat: version.logging.format,
        logLevel: version.logging.applicationLevel,
        logGroup: version.logging.group,
        logStream: stream,
        concurrency: version.execution.concurrency,
        role: roleOf(environment.poolKey),
        refPrefix: `o${environment.identity.epoch.toString(36)}`,
        lendsCpu: (version.execution.resources['cpu'] ?? 0) > 0 || roleOf(environment.poolKey) === 'task',
        ...(codeCachePath === undefined ? {} : { codeCachePath }),
        ...(process.objects === undefined ? {} : { objects: process.objects }),
        ...(bridged === undefined
          ? {}
          : {
              runtimeProcess: bridged,
              sharesUser: process.sharesUser,
              extensions: extensionSettings(version, process),
            }),
      })
      await limited
    },
  }
  return starter
}

/** What the environments of a pool run: its key says so behind an empty line. */
function roleOf(poolKey: string): EnvironmentRole {
  const pool = poolKey.split('\n\n')[1] ?? ''
  if (pool.startsWith('task')) return 'task'
  if (pool.startsWith('actor')) return 'actor'
  return pool === 'describe' ? 'describe' : 'handler'
}

/**
 * Puts the code cache where the process can read it. Undefined when there is none: it costs time, nothing
 * else.
 */
function placeCodeCache(
  process: LaunchedProcess,
  packages: CodePackages,
  version: FunctionVersion,
  nodeVersion: string,
): string | undefined {
  const found = packages.codeCachePath(version.codePackage, nodeVersion, version.functionId)
  if (found === undefined) return undefined
  const target = join(process.cacheDirectory, CODE_CACHE_NAME)
  try {
    linkSync(found, target)
  } catch {
    copyFileSync(found, target) // another file system, or a user who may not link
  }
  return join(process.cacheRoot, CODE_CACHE_NAME)
}

/** `2026/01/31`, as stream names begin. */
const logDate = (timeMs: number): string => new Date(timeMs).toISOString().slice(0, 10).replaceAll('-', '/')
