import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import type { Timer } from '../clock.ts'
import { entryPath } from '../entries.ts'
import { EngineError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { ObjectFolders } from '../objects/segment-folders.ts'
import {
  makeEnvironmentFolder,
  optRootOf,
  removeFolder,
  type EnvironmentFolder,
} from './environment-folder.ts'
import { EnvironmentUsers } from './environment-users.ts'
import { gpuVariables, minorsOf } from './gpu-devices.ts'
import { findCgroup, prepareSandboxHost } from './host-survey.ts'
import { chooseIsolation, requireIsolation, type Isolation } from './isolation.ts'
import {
  KILLED,
  type IsolationReport,
  type LaunchedProcess,
  type Launcher,
  type LaunchRequest,
} from './launcher.ts'
import { heapLimitMb, realNodePath } from './node-arguments.ts'
import { nativeMapper, placesOf } from './object-places.ts'
import type { LocalLauncherOptions } from './local-launcher-options.ts'
import { LocalProcess } from './local-process.ts'
import { sandboxCommand, VIEW, type SandboxContent, type SandboxHost } from './sandbox.ts'
import { SpentFolders } from './spent-folders.ts'
import { startSpawner, type SpawnerConnection } from './spawner/client.ts'
import type { SpawnerEvent, SpawnerRequest, SpawnerSettings } from './spawner/protocol.ts'
import { StartQueue } from './start-queue.ts'

/** Starts more wait in line than this are refused. */
const LOOPBACK = '127.0.0.1'
const MAX_WAITING_STARTS = 10_000
/** Restarts of a spawner that died, in a row without a process started in between. */
const MAX_SPAWNER_RESTARTS = 3
/** A spawner answers at once, mostly; one that has not started a process by then is stuck. */
const START_LIMIT_MS = 30_000

/**
 * The launcher of this machine. Ends what an earlier engine of the same data directory left, finds out what
 * isolation works here, and starts the spawner. Throws EngineError 'unsupported' and 'unavailable'.
 */
export async function createLocalLauncher(options: LocalLauncherOptions): Promise<Launcher> {
  const { clock, rng } = options
  const parent = join(options.dataDirectory, 'environments')
  mkdirSync(parent, { recursive: true, mode: 0o700 })
  // Named before anything of ours is here; removed once nobody of an earlier engine can be using it.
  const leftovers = readdirSync(parent).map((name) => join(parent, name))
  const bootId = rng.bytes(8).toString('hex')
  const directoryId = createHash('sha256').update(realpathSync(parent)).digest('hex').slice(0, 16)
  const shared = join(parent, `shared-${bootId}`)
  mkdirSync(shared)
  const host = prepareSandboxHost({
    directory: shared,
    dataDirectory: options.dataDirectory,
    socketDirectory: options.socketDirectory,
    programs: [entryPath('environment.cjs'), entryPath('bootstrap.py'), ...nativeMapper()],
    librariesDirectory: options.librariesDirectory,
  })
  const cgroup =
    options.useControlGroups === false ? 'left out on purpose' : findCgroup(`lambent-${directoryId}-`)
  const isolation = await chooseIsolation({
    choice: options.isolation,
    host,
    directory: shared,
    cgroup,
    useBubblewrap: options.useBubblewrap ?? true,
    clock,
  })
  // Sandboxes are made before the user is changed, so nobody else has to walk through here.
  chmodSync(parent, 0o700)
  if (options.requireIsolation !== undefined) {
    try {
      requireIsolation(isolation.report, options.requireIsolation)
    } catch (error) {
      rmSync(shared, { recursive: true, force: true })
      throw error
    }
  }
  const settings: SpawnerSettings = {
    cookie: `${directoryId}.${bootId}`,
    logSocket: join(options.socketDirectory, 'log.sock'),
    cgroup: typeof cgroup === 'string' ? null : cgroup,
  }
  const launcher = new LocalLauncher({ options, host, isolation, settings, parent, shared })
  await launcher.open()
  for (const path of leftovers) launcher.remove(path)
  return launcher
}

interface Parts {
  readonly options: LocalLauncherOptions
  readonly host: SandboxHost
  readonly isolation: Isolation
  readonly settings: SpawnerSettings
  /** Holds a folder for each environment. */
  readonly parent: string
  /** Holds what all environments share. */
  readonly shared: string
}

class LocalLauncher implements Launcher {
  readonly isolation: IsolationReport
  readonly #parts: Parts
  readonly #log: Log
  readonly #processes = new Map<string, LocalProcess>()
  /** Those under way. */
  readonly #launches = new Set<Promise<LaunchedProcess>>()
  readonly #starting = new Map<string, { resolve: (pid: number) => void; reject: (error: Error) => void }>()
  readonly #spent: SpentFolders
  readonly #queue: StartQueue
  readonly #users: EnvironmentUsers
  #spawner: Promise<SpawnerConnection>
  #restarts = 0
  #closing = false
  problem: string | undefined

  constructor(parts: Parts) {
    this.#parts = parts
    this.#log = parts.options.log
    this.isolation = parts.isolation.report
    const starts = parts.options.maxConcurrentStarts ?? 2 * availableParallelism()
    this.#queue = new StartQueue(starts, MAX_WAITING_STARTS)
    this.#users = new EnvironmentUsers(parts.settings.cookie, parts.shared)
    const { clock } = parts.options
    this.#spent = new SpentFolders({ directory: join(parts.parent, 'spent'), clock, log: this.#log })
    this.#spawner = this.#startSpawner()
  }

  async open(): Promise<void> {
    const { swept } = await this.#spawner
    if (swept > 0) this.#log.warn('processes of an earlier engine were ended', { processes: swept })
    const { requested, effective, means, memory, missing } = this.isolation
    this.#log.info('isolation chosen', { requested, effective, means, memory })
    for (const { name, reason, hint } of missing) this.#log.debug('isolation lacks', { name, reason, hint })
  }

  launch(request: LaunchRequest): Promise<LaunchedProcess> {
    const launch = this.#launch(request)
    this.#launches.add(launch)
    const forget = (): void => void this.#launches.delete(launch)
    launch.then(forget, forget)
    return launch
  }

  async #launch(request: LaunchRequest): Promise<LaunchedProcess> {
    if (this.#closing) throw new EngineError('unavailable', 'The engine is stopping.')
    using _place = await this.#queue.enter()
    const ownUser = this.#parts.host.isRoot && this.#parts.isolation.arrangement.kind !== 'group'
    const uid = ownUser ? this.#users.take() : null
    let folder: EnvironmentFolder | undefined
    let started: LocalProcess | undefined
    try {
      const { parent } = this.#parts
      folder = await makeEnvironmentFolder(parent, request.environmentId, uid, request.layerDirectories)
      const passwdPath = await this.#passwdPath(uid)
      const objects = this.#parts.options.objects?.openEnvironment(request.environmentId, uid)
      started = this.#prepare(request, folder, uid, objects)
      this.#processes.set(request.environmentId, started)
      await this.#start(request, { ...folder, uid, passwdPath, objects }, started)
      return started
    } catch (error) {
      if (started === undefined) void this.#release(request.environmentId, folder, uid)
      else started.end(KILLED) // which releases, once
      if (error instanceof EngineError) throw error
      throw new EngineError('unavailable', `An environment could not be started: ${messageOf(error)}`, {
        cause: error,
      })
    }
  }

  async close(): Promise<void> {
    this.#closing = true
    this.#queue.close()
    const spawner = await this.#spawner.catch(() => undefined) // the log has told
    await spawner?.close()
    // Without a spawner they fail, and what they have made for it is removed.
    await Promise.allSettled(this.#launches)
    await Promise.all([...this.#processes.values()].map((one) => one.exited))
    await this.#spent.settled()
    await removeFolder(this.#parts.shared, this.#log)
  }

  #prepare(
    request: LaunchRequest,
    folder: EnvironmentFolder,
    uid: number | null,
    objects: ObjectFolders | undefined,
  ): LocalProcess {
    const { arrangement } = this.#parts.isolation
    const ownView = arrangement.kind !== 'group'
    return new LocalProcess({
      environmentId: request.environmentId,
      taskDirectory: folder.taskDirectory,
      taskRoot: ownView ? VIEW.task : folder.taskDirectory,
      optRoot: optRootOf(folder, ownView),
      librariesRoot: ownView ? VIEW.libraries : (this.#parts.host.librariesDirectory ?? VIEW.libraries),
      cacheDirectory: folder.cacheDirectory,
      cacheRoot: ownView ? VIEW.cache : folder.cacheDirectory,
      variables: { ...(ownView ? {} : this.#marks(request)), ...this.#gpuVariables(request) },
      sharesUser: ownView && uid === null,
      sandboxAddress: ownView ? folder.sandboxAddress : LOOPBACK,
      temporaryDirectory: ownView ? folder.temporaryDirectory : '/tmp',
      objects: placesOf(objects, this.#parts.host.runtimeDirectory, ownView),
      send: (message) => this.#send(message),
      inherit: (key) => this.#spent.handOver(key, folder.temporaryDirectory, uid),
      onExit: (temporaryFor) => {
        this.#processes.delete(request.environmentId)
        const keeps = ownView && !this.#closing
        void this.#release(request.environmentId, folder, uid, keeps ? temporaryFor : undefined)
      },
    })
  }

  async #start(
    request: LaunchRequest,
    folder: EnvironmentFolder & Pick<SandboxContent, 'uid' | 'passwdPath' | 'objects'>,
    started: LocalProcess,
  ): Promise<void> {
    const { host, isolation } = this.#parts
    const ownView = isolation.arrangement.kind !== 'group'
    const nodePath = realNodePath(request.nodePath)
    const gpuMinors = minorsOf(this.#parts.options.gpus ?? [], request.gpuIndices)
    const content = { ...request, ...folder, nodePath, gpuMinors }
    const program = [
      ownView ? VIEW.node : nodePath,
      ...request.nodeArguments,
      join(ownView ? VIEW.runtime : host.runtimeDirectory, 'environment.cjs'),
    ]
    const { command, args, shape, seccompPath } = sandboxCommand(
      isolation.arrangement,
      host,
      content,
      program,
    )
    const spawner = await this.#spawner
    let late: Timer | undefined
    const pid = await new Promise<number>((resolve, reject) => {
      const stuck = new EngineError('unavailable', `The spawner did not answer for ${START_LIMIT_MS} ms.`)
      late = this.#parts.options.clock.after(START_LIMIT_MS, () => reject(stuck))
      this.#starting.set(request.environmentId, { resolve, reject })
      spawner.send({
        kind: 'start',
        id: request.environmentId,
        token: request.token,
        command,
        args,
        environment: {
          // what is loaded by name has to be found from the start on
          ...(folder.optDirectory === null ? {} : { LD_LIBRARY_PATH: `${optRootOf(folder, ownView)}/lib` }),
          ...this.#variables(request, ownView ? null : nodePath),
        },
        workingDirectory: ownView ? '/' : folder.taskDirectory,
        shape,
        seccompPath,
        uid: folder.uid,
        heapLimitMb: heapLimitMb(request.nodeArguments),
      })
    }).finally(() => {
      late?.cancel()
      this.#starting.delete(request.environmentId)
    })
    this.#restarts = 0
    started.started(pid)
  }

  /** Complete: nothing is inherited from the engine. */
  #variables(request: LaunchRequest, plainNodePath: string | null): Record<string, string> {
    const { options } = this.#parts
    const sockets = plainNodePath === null ? VIEW.sockets : options.socketDirectory
    const binaries = dirname(plainNodePath ?? VIEW.node)
    return {
      ...request.environment,
      ...this.#gpuVariables(request),
      PATH: `${binaries}:/usr/local/bin:/usr/bin:/bin:/opt/bin`,
      HOME: '/tmp',
      LANG: 'en_US.UTF-8',
      TZ: ':UTC',
      LAMBENT_SOCKET: join(sockets, 'engine.sock'),
      LAMBENT_TOKEN: request.token,
      ...this.#marks(request),
    }
  }

  /** Said again when code is loaded: no function's own variables show it other GPUs. */
  #gpuVariables({ gpuIndices }: LaunchRequest): Record<string, string> {
    const { options, host, isolation } = this.#parts
    const gpus = options.gpus ?? []
    if (gpus.length + host.gpuDevices.length + gpuIndices.length === 0) return {}
    const { arrangement } = isolation
    return gpuVariables(gpus, gpuIndices, arrangement.kind === 'bubblewrap' && arrangement.hardened)
  }

  /** What a sweep looks for. */
  #marks(request: LaunchRequest): Record<string, string> {
    return { LAMBENT_ENVIRONMENT_ID: request.environmentId, LAMBENT_ENGINE: this.#parts.settings.cookie }
  }

  #startSpawner(): Promise<SpawnerConnection> {
    const { options, settings } = this.#parts
    const connection = startSpawner({
      programPath: entryPath('spawner.js'),
      settings,
      clock: options.clock,
      log: this.#log,
      onEvent: (event) => this.#receive(event),
      onExit: () => this.#spawnerEnded(),
    })
    // Whoever needs the spawner awaits it and gets the error; nobody may be waiting now.
    connection.then(
      () => (this.problem = undefined),
      (error: unknown) => this.#log.error('the spawner does not start', { error }),
    )
    return connection
  }

  /** To nobody when there is no spawner: what it had started is gone, too. */
  #send(message: SpawnerRequest): void {
    this.#spawner.then(
      (spawner) => spawner.send(message),
      () => {},
    )
  }

  #receive(event: SpawnerEvent): void {
    switch (event.kind) {
      case 'started':
        if (!this.#starting.has(event.id)) return this.#send({ kind: 'kill', id: event.id }) // too late
        return this.#starting.get(event.id)?.resolve(event.pid)
      case 'failed':
        return this.#starting.get(event.id)?.reject(new EngineError('unavailable', event.message))
      case 'limited':
        return this.#processes.get(event.id)?.limited(event.sequence, event.problem)
      case 'exited': {
        const { code, signal, memory, peakBytes } = event
        const outcome = { code, signal, outOfMemory: memory !== '', means: memory, peakBytes }
        return this.#processes.get(event.id)?.end(outcome)
      }
      case 'ready':
      case 'note':
    }
  }

  /**
   * Its processes die with the spawner where the kernel does it; a new one sweeps what is left before they
   * count as gone.
   */
  #spawnerEnded(): void {
    const orphans = [...this.#processes.values()]
    const starting = [...this.#starting.values()]
    const reason = this.#closing ? 'The engine is stopping.' : 'The process that starts others died.'
    const settle = (): void => {
      for (const start of starting) start.reject(new EngineError('unavailable', reason))
      for (const orphan of orphans) orphan.end(KILLED)
    }
    this.problem = reason
    if (this.#closing || this.#restarts >= MAX_SPAWNER_RESTARTS) {
      this.#spawner = Promise.reject(new EngineError('unavailable', reason, { hint: 'Restart the engine.' }))
      this.#spawner.catch(settle)
      return
    }
    this.#restarts++
    this.#log.error('the spawner died and is started again', { environments: orphans.length })
    this.#spawner = this.#startSpawner()
    this.#spawner.then(settle, settle)
  }

  /** Removes a folder, off everybody's path. */
  remove(path: string): void {
    void this.#spent.remove(path)
  }

  /** A user is free again when nothing of it is left. */
  async #release(
    environmentId: string,
    folder: EnvironmentFolder | undefined,
    uid: number | null,
    heir?: string,
  ): Promise<void> {
    this.#parts.options.objects?.endEnvironment(environmentId)
    if (folder !== undefined) await this.#spent.release(folder, heir)
    if (uid !== null) this.#users.giveBack(uid)
  }

  #passwdPath(uid: number | null): Promise<string | null> {
    const { arrangement } = this.#parts.isolation
    const hardened = arrangement.kind === 'bubblewrap' && arrangement.hardened
    const user = uid ?? (hardened ? (process.getuid?.() ?? null) : null)
    return user === null ? Promise.resolve(null) : this.#users.passwdPath(user)
  }
}
