import type { Clock, Timer } from '../clock.ts'
import { EngineError, messageOf } from '../errors.ts'
import type { Environment } from '../environments/environment.ts'
import type { EnvironmentRequest } from '../environments/environment-owner.ts'
import type { Invocation, InvocationInput } from '../environments/invocation.ts'
import { EnvironmentPool, type PoolHost } from '../environments/pool.ts'
import type { Spares } from '../environments/spares.ts'
import type { EnvironmentStarter, NodeBinary } from '../environments/starter.ts'
import { fitsSpare } from '../environments/variables.ts'
import type { Log } from '../log.ts'
import type { FunctionVersion } from '../registry/types.ts'
import type { Cluster, Lease } from './cluster.ts'
import { enforceLimits } from './limits.ts'
import { requestOf } from './node-state.ts'
import { Provisioned } from './provisioned.ts'
import { refuseAll, stopping, throttled } from './refusals.ts'
import { Shortage } from './shortage.ts'

/** How often limits, waits and growth are looked at while anything runs. */
const TICK_MS = 5
/** After this many ticks without work the ticking stops. */
const QUIET_TICKS = 200
/** Another environment is started when the oldest waiter has waited longer than a cold start from a spare. */
const GROW_AFTER_MS = 5
const REAP_EVERY_MS = 1000

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
  /** The code in an environment asks the engine for something. */
  readonly onRequest: (environment: Environment, request: EnvironmentRequest) => void
}

/**
 * Brings waiting invocations and environments together: pools by version, leases by what a version asks for,
 * growth
 * when waiting takes longer than a start, and the end of idle environments when others need what they hold.
 */
export class Scheduler implements PoolHost {
  readonly #options: SchedulerOptions
  readonly #pools = new Map<string, EnvironmentPool>()
  readonly #leases = new Map<Environment, Lease>()
  readonly #shortage = new Shortage(this.#pools)
  /** Environments that are kept ready. */
  readonly provisioned: Provisioned
  readonly #cached = new Set<string>()
  #ticker: Timer | undefined
  readonly #reaper: Timer
  #quietTicks = 0
  #waiting = 0
  #closed = false
  #whenEmpty: (() => void) | undefined

  constructor(options: SchedulerOptions) {
    this.#options = options
    this.provisioned = new Provisioned(
      {
        poolOf: (version) => this.#poolOf(version.key, version),
        startKept: (pool) => this.#startKept(pool),
      },
      options.clock,
    )
    this.#reaper = options.clock.every(REAP_EVERY_MS, () => this.#reap())
  }

  get environments(): Environment[] {
    return [...this.#leases.keys()]
  }
  get waiting(): number {
    let size = 0
    for (const pool of this.#pools.values()) size += pool.waiting.size
    return size
  }
  /** Versions, each of a tenant where there are tenants, that something runs or waits for. */
  get pools(): number {
    return this.#pools.size
  }
  leaseOf(environment: Environment): Lease | undefined {
    return this.#leases.get(environment)
  }
  /** Why work of a version waits, for whoever asks. */
  reasons(): { functionName: string; waiting: number; reason: string }[] {
    return [...this.#pools.values()]
      .filter((pool) => pool.waiting.size > 0)
      .map((pool) => ({
        functionName: pool.version.functionName,
        waiting: pool.waiting.size,
        reason:
          this.#shortage.reason(pool) ??
          (pool.starting > 0 ? 'An environment is starting.' : 'All environments are busy.'),
      }))
  }

  /** Hands an invocation to an environment, now or later. Throws 'throttled' when too many wait already. */
  submit(invocation: Invocation): void {
    const { input } = invocation
    const pool = this.#poolOf(poolKeyOf(input), input.version)
    if (pool.waiting.size > 0 && !input.waitsForever && this.#waiting >= this.#options.maxWaiting) {
      this.#waiting = this.waiting // the counter is a bound kept between ticks: look before refusing
      if (this.#waiting >= this.#options.maxWaiting)
        throw throttled('queue-full', `${this.#waiting} invocations wait already.`)
    }
    this.#tickWhileBusy()
    pool.submit(invocation)
  }

  /** The version was replaced or deleted: its environments end when what runs has ended. */
  retire(versionKey: string): void {
    this.provisioned.retired(versionKey)
    for (const pool of this.#pools.values()) {
      if (pool.version.key !== versionKey || pool.retired) continue
      this.#shortage.delete(pool)
      const orphans = pool.retire()
      if (pool.members.size === 0) this.#pools.delete(pool.key)
      if (orphans.length > 0) this.#options.onOrphans(orphans)
    }
  }

  /** There may be more room than before, or less: whoever could not grow tries again. */
  reconsider(): void {
    this.provisioned.look()
    for (const hungry of this.#shortage.take()) this.#grow(hungry)
  }

  /** Refuses what waits, kills what is left, resolves when every process is gone and that was told. */
  async close(): Promise<void> {
    this.#closed = true
    this.#ticker?.cancel()
    this.#reaper.cancel()
    const empty = new Promise<void>((resolve) => (this.#whenEmpty = resolve))
    for (const pool of this.#pools.values()) refuseAll(pool, stopping())
    for (const environment of this.environments) environment.end()
    if (this.#leases.size > 0) await empty
  }

  // -- from pools

  wanted(pool: EnvironmentPool): void {
    this.#waiting += 1
    if (this.#closed) refuseAll(pool, stopping())
    else if (pool.members.size === 0) this.#grow(pool)
  }

  capped(pool: EnvironmentPool): boolean {
    const cap = this.#capOf(pool)
    return (cap !== null && pool.members.size >= cap) || this.#shortage.has(pool)
  }

  settled(pool: EnvironmentPool, environment: Environment): void {
    if (environment.provisioned) return
    if (environment.state === 'idle') this.#shortage.becameIdle(pool)
  }

  stopped(pool: EnvironmentPool, environment: Environment): void {
    this.#leases.get(environment)?.[Symbol.dispose]()
    this.#leases.delete(environment)
    this.#shortage.gone(environment)
    this.#options.onEnvironment('environment-stopped', environment, pool.retired ? 'replaced' : 'ended')
    if (pool.members.size === 0 && (pool.retired || pool.waiting.size === 0)) this.#forget(pool)
    this.provisioned.stopped(pool, environment)
    // A place came free: whoever cannot grow now either is on the list again.
    for (const hungry of this.#shortage.take()) this.#grow(hungry)
    if (this.#leases.size === 0) this.#whenEmpty?.()
  }

  codeCache(_pool: EnvironmentPool, environment: Environment, bytes: Buffer): void {
    this.#options.onCodeCache(environment, bytes)
  }

  requested(environment: Environment, request: EnvironmentRequest): void {
    this.#options.onRequest(environment, request)
  }

  orphaned(invocations: readonly Invocation[]): void {
    this.#options.onOrphans(invocations)
  }

  // -- growth

  /** Starts one more environment for a pool, if its cap, the machine's and the cluster's resources allow. */
  #grow(pool: EnvironmentPool): boolean {
    const cap = this.#capOf(pool)
    if (this.#closed || pool.retired || (cap !== null && pool.members.size >= cap)) return false
    const outcome = this.#acquire(pool.version)
    if (outcome.kind === 'infeasible') {
      const error = new EngineError('infeasible', outcome.reason, {
        hint: 'Ask for less, or declare more with --resources.',
      })
      refuseAll(pool, error)
      return false
    }
    if (outcome.kind === 'wait') return this.#wait(pool, outcome.reason)
    this.#shortage.delete(pool)
    this.#start(pool, outcome.lease, false)
    return true
  }

  /** Starts one that is kept ready; idle ones of others end for it. Says why it cannot. */
  #startKept(pool: EnvironmentPool): string | undefined {
    if (this.#closed) return 'The engine is stopping.'
    const outcome = this.#acquire(pool.version)
    if (outcome.kind === 'wait') this.#shortage.reclaim()
    if (outcome.kind !== 'leased') return outcome.reason
    this.#start(pool, outcome.lease, true)
    return undefined
  }

  #acquire(version: FunctionVersion): ReturnType<Cluster['acquire']> {
    const { size } = this.#leases
    if (size >= this.#options.maxEnvironments)
      return { kind: 'wait', reason: `${size} environments run already (LAMBENT_MAX_ENVIRONMENTS).` }
    const holder = `function ${version.functionName}:${version.version}`
    return this.#options.cluster.acquire(requestOf(version), holder)
  }

  #poolOf(key: string, version: FunctionVersion): EnvironmentPool {
    let pool = this.#pools.get(key)
    if (pool === undefined) {
      pool = new EnvironmentPool({ key, version, host: this, clock: this.#options.clock })
      this.#pools.set(key, pool)
    }
    return pool
  }

  #capOf({ version }: EnvironmentPool): number | null {
    return this.provisioned.ceilingOf(version.key) ?? version.execution.maxEnvironments
  }

  #wait(pool: EnvironmentPool, reason: string): false {
    this.#shortage.add(pool, reason)
    pool.dispatch()
    return false
  }

  /** One that is kept ready takes no spare: those are for callers who wait. */
  #start(pool: EnvironmentPool, lease: Lease, kept: boolean): void {
    const { version } = pool
    const { spares, starter, cluster, binaryFor } = this.#options
    const binary = binaryFor(version.runtime)
    const launcher = cluster.launcher(lease.node)
    const general = fitsSpare(version)
    const spare = general && !kept ? spares.take(binary) : undefined
    const environment =
      spare ??
      starter.start({
        binary,
        launcher,
        owner: pool,
        gpuIndices: lease.gpuIndices,
        ...(general ? {} : { dedicatedTo: version }),
      })
    environment.provisioned = kept
    environment.initReported = kept // nobody waited for it, so nobody is told
    this.#leases.set(environment, lease)
    pool.add(environment)
    environment.owner = {
      booted: () => this.#specialize(environment, version),
      loaded: (one, result) => {
        pool.loaded(one, result)
        if (kept) this.provisioned.loaded(pool, one)
      },
      released: (one) => pool.released(one),
      startedHeld: () => pool.startedHeld(),
      returned: (one, invocation) => pool.returned(one, invocation),
      stopped: (one, exit) => pool.stopped(one, exit),
      codeCache: (one, bytes) => pool.codeCache(one, bytes),
      requested: (one, request) => pool.requested(one, request),
    }
    if (spare !== undefined) this.#specialize(environment, version)
    this.#options.onEnvironment('environment-started', environment, spare === undefined ? 'cold' : 'spare')
  }

  #specialize(environment: Environment, version: FunctionVersion): void {
    this.#options.starter.specialize(environment, version).catch((error: unknown) => {
      if (environment.state === 'stopped') return // it ended meanwhile, which has been told
      this.#options.log.error('environment could not be given its code', {
        functionName: version.functionName,
        message: messageOf(error),
      })
      environment.kill()
    })
  }

  #forget(pool: EnvironmentPool): void {
    this.#pools.delete(pool.key)
    this.#shortage.delete(pool)
  }

  // -- time

  #tickWhileBusy(): void {
    this.#quietTicks = 0
    if (this.#ticker !== undefined || this.#closed) return
    this.#ticker = this.#options.clock.every(TICK_MS, () => this.#tick())
  }

  #tick(): void {
    const now = this.#options.clock.monotonicMs()
    let busy = false
    this.#waiting = 0
    for (const pool of this.#pools.values()) {
      this.#waiting += pool.waiting.size
      if (pool.waiting.size > 0 || pool.starting > 0) busy = true
      if (enforceLimits(pool, now, this.#options.initLimitMs)) busy = true
      pool.recallSlow(now)
      if (pool.waiting.size > 0) this.#serveWaiting(pool, now)
    }
    this.#shortage.relieve(now)
    this.#quietTicks = busy ? 0 : this.#quietTicks + 1
    if (this.#quietTicks < QUIET_TICKS) return
    this.#ticker?.cancel()
    this.#ticker = undefined
  }

  #serveWaiting(pool: EnvironmentPool, now: number): void {
    let late = 0
    for (const invocation of pool.waiting) {
      if (now - invocation.waitingSince <= GROW_AFTER_MS) break
      late += 1
      if (late > this.#options.maxEnvironments) break
    }
    const needed = Math.ceil(late / pool.version.execution.concurrency)
    for (let wanted = needed - pool.starting; wanted > 0; wanted -= 1) if (!this.#grow(pool)) break
    if (pool.starting > 0 || !this.capped(pool)) return
    const { maxWaitMs } = this.#options
    const oldest = pool.waiting.peek()
    if (oldest === undefined || now - oldest.waitingSince <= maxWaitMs) return
    const error = throttled(
      'environment-cap',
      this.#shortage.reason(pool) ?? `All ${pool.members.size} environments stayed busy for ${maxWaitMs} ms.`,
    )
    for (const invocation of pool.waiting.remove(
      (one) => !one.input.waitsForever && now - one.waitingSince > maxWaitMs,
    )) {
      invocation.input.observer.refused(invocation, error)
    }
  }

  /**
   * Stops environments that were idle too long, and has code caches made by those that have a quiet second.
   */
  #reap(): void {
    const now = this.#options.clock.monotonicMs()
    this.provisioned.look()
    for (const pool of this.#pools.values()) {
      if (pool.members.size === 0 && pool.waiting.size === 0) this.#forget(pool) // nobody waited to the end
      for (const environment of pool.idle.slice()) {
        if (now - environment.idleSince > this.#options.idleTimeoutMs && !environment.provisioned)
          pool.dismiss(environment)
        else if (now - environment.idleSince > REAP_EVERY_MS) this.#refineCodeCache(pool, environment)
      }
    }
  }

  /**
   * After a real run the cache can hold what was compiled lazily: once per function, package and Node
   * version.
   */
  #refineCodeCache(pool: EnvironmentPool, environment: Environment): void {
    const key = `${pool.version.functionId} ${pool.version.codePackage.id} ${environment.identity.nodeVersion}`
    if (this.#cached.has(key) || environment.invocations === 0) return
    this.#cached.add(key)
    environment.connection?.makeCodeCache()
  }
}

/** Handlers of one version (and tenant) share a pool; what runs beside them has pools of its own. */
function poolKeyOf({ version, tenantId, pool }: InvocationInput): string {
  if (pool !== undefined) return `${version.key}\n\n${pool}`
  return tenantId === '' ? version.key : `${version.key}\n${tenantId}`
}
