import type { Timer } from '../clock.ts'
import { EngineError } from '../errors.ts'
import type { Environment } from '../environments/environment.ts'
import type { EnvironmentRequest } from '../environments/environment-owner.ts'
import type { Invocation, InvocationInput } from '../environments/invocation.ts'
import { EnvironmentPool, type PoolHost } from '../environments/pool.ts'
import type { FunctionVersion } from '../registry/types.ts'
import type { Cluster, Lease } from './cluster.ts'
import { growByTurns, lackOf } from './growth.ts'
import { Lending } from './lending.ts'
import { enforceLimits } from './limits.ts'
import { holderOf, requestOf } from './node-state.ts'
import { Provisioned } from './provisioned.ts'
import { Reaper } from './reaper.ts'
import { refuseAll, stopping, throttled } from './refusals.ts'
import type { SchedulerOptions } from './scheduler-options.ts'
import { Shortage } from './shortage.ts'
import { startEnvironment } from './start.ts'

/** How often limits, waits and growth are looked at while anything runs. */
const TICK_MS = 5
/** After this many ticks without work the ticking stops. */
const QUIET_TICKS = 200
const REAP_EVERY_MS = 1000
/** Tasks have these places beyond the bound on environments: handlers in all of them may wait for tasks. */
const PLACES_FOR_TASKS = 2
/** Tasks of which nothing runs have more of them after so long: others in all of them may wait for these. */
const STUCK_AFTER_MS = 1000

/**
 * Brings waiting invocations and environments together: pools by version, leases by what a version asks for,
 * growth
 * when waiting takes longer than a start, and the end of idle environments when others need what they hold.
 */
export class Scheduler implements PoolHost {
  readonly #options: SchedulerOptions
  readonly #pools = new Map<string, EnvironmentPool>()
  readonly #leases = new Map<Environment, Lease>()
  readonly #shortage: Shortage
  /** Environments that are kept ready. */
  readonly provisioned: Provisioned
  readonly lending: Lending
  readonly #reaper: Reaper
  #ticker: Timer | undefined
  readonly #reaping: Timer
  #quietTicks = 0
  #waiting = 0
  #closed = false
  #whenEmpty: (() => void) | undefined

  constructor(options: SchedulerOptions) {
    this.#options = options
    this.#shortage = new Shortage({
      pools: this.#pools,
      cluster: options.cluster,
      leaseOf: (environment) => this.#leases.get(environment),
    })
    this.provisioned = new Provisioned(
      {
        poolOf: (version) => this.#poolOf(version.key, version),
        startKept: (pool) => this.#startKept(pool),
      },
      options.clock,
    )
    this.lending = new Lending({
      pools: this.#pools,
      leaseOf: (environment) => this.#leases.get(environment),
      lent: (environment) => this.#lent(environment),
    })
    this.#reaper = new Reaper(options.idleTimeoutMs)
    this.#reaping = options.clock.every(REAP_EVERY_MS, () => this.#reap())
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
        reason: this.#reasonOf(pool),
      }))
  }
  /** Why one that waits does. */
  reasonFor({ input }: Invocation): string | undefined {
    const pool = this.#pools.get(poolKeyOf(input))
    return pool === undefined ? undefined : this.#reasonOf(pool)
  }

  #reasonOf(pool: EnvironmentPool): string {
    const otherwise = pool.starting > 0 ? 'An environment is starting.' : 'All environments are busy.'
    return this.#shortage.reason(pool) ?? otherwise
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

  /** Nobody wants it any more: it does not start, or is asked to end, or, with `force`, made to. */
  withdraw(invocation: Invocation, force: boolean): void {
    if (invocation.state === 'waiting') this.#pools.get(poolKeyOf(invocation.input))?.withdraw(invocation)
    else if (invocation.state !== 'ended') invocation.host?.cancel(invocation, force)
  }

  /**
   * The version was replaced or deleted: its environments end when what runs has ended. Tasks belong to code
   * that may go on for long.
   */
  retire(versionKey: string): void {
    this.provisioned.retired(versionKey)
    for (const pool of this.#pools.values()) {
      if (pool.version.key !== versionKey || pool.retired) continue
      if (pool.isForTasks) {
        pool.outdated = true
        continue
      }
      this.#shortage.delete(pool)
      const orphans = pool.retire()
      if (pool.members.size === 0) this.#pools.delete(pool.key)
      if (orphans.length > 0) this.#options.onOrphans(orphans)
    }
  }

  /** There may be more room than before, or less: whoever could not grow tries again. */
  reconsider(): void {
    this.lending.serve()
    this.provisioned.look()
    for (const hungry of this.#shortage.take()) this.#grow(hungry)
  }

  /** An idle environment whose lease `helps` ends, unless one ends already. */
  makeRoom(helps: (lease: Lease) => boolean, urgent: boolean): void {
    this.#shortage.makeRoom((environment) => {
      const lease = this.#leases.get(environment)
      return lease !== undefined && helps(lease)
    }, urgent)
  }

  /** Refuses what waits, kills what is left, resolves when every process is gone and that was told. */
  async close(): Promise<void> {
    this.#closed = true
    this.#ticker?.cancel()
    this.#reaping.cancel()
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
    if (this.lending.returning > 0) return false
    const cap = this.#capOf(pool)
    return (cap !== null && pool.members.size >= cap) || this.#shortage.has(pool)
  }

  settled(pool: EnvironmentPool, environment: Environment): void {
    if (this.lending.returning > 0) this.lending.serve()
    if (environment.provisioned) return
    if (environment.state !== 'idle') return
    // whoever waits for processors alone gets them without an end of this one
    if (pool.isForTasks) for (const hungry of this.#shortage.take()) this.#grow(hungry)
    this.#shortage.becameIdle(pool)
  }

  isWanted(environment: Environment): boolean {
    return this.lending.returning > 0 && (this.#leases.get(environment)?.resources['cpu'] ?? 0) > 0
  }

  unpark = (environment: Environment): boolean => this.lending.unpark(environment)

  stopped(pool: EnvironmentPool, environment: Environment): void {
    const lease = this.#leases.get(environment)
    this.#leases.delete(environment)
    const release = (): void => lease?.[Symbol.dispose]()
    if (environment.gone) release()
    else void environment.process?.exited.then(release).then(() => this.reconsider())
    this.lending.serve()
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

  orphaned = (invocations: readonly Invocation[]): void => this.#options.onOrphans(invocations)

  // -- growth

  /** Starts one more environment for a pool, if its cap, the machine's and the cluster's resources allow. */
  #grow(pool: EnvironmentPool): boolean {
    const cap = this.#capOf(pool)
    if (this.#closed || pool.retired || (cap !== null && pool.members.size >= cap)) return false
    if (pool.idle.length > 0) pool.dispatch() // parked ones may have their processors again
    if (pool.waiting.size === 0) return true
    const beyond = this.#placesBeyond(pool)
    let outcome = this.#acquire(pool, beyond)
    while (outcome.kind === 'wait' && this.lending.parkIdle()) outcome = this.#acquire(pool, beyond)
    if (outcome.kind === 'infeasible') {
      const error = new EngineError('infeasible', outcome.reason, {
        hint: 'Ask for less, or declare more with --resources.',
      })
      refuseAll(pool, error)
      return false
    }
    if (outcome.kind === 'wait') return this.#wait(pool, outcome)
    this.#shortage.delete(pool)
    this.#start(pool, outcome.lease, false)
    return true
  }

  /** Starts one that is kept ready; idle ones of others end for it. Says why it cannot. */
  #startKept(pool: EnvironmentPool): string | undefined {
    if (this.#closed) return 'The engine is stopping.'
    const outcome = this.#acquire(pool)
    if (outcome.kind === 'wait') this.#shortage.reclaim(this.#shortage.helpsFor(pool))
    if (outcome.kind !== 'leased') return outcome.reason
    this.#start(pool, outcome.lease, true)
    return undefined
  }

  #acquire(pool: EnvironmentPool, beyond = 0): ReturnType<Cluster['acquire']> {
    const { key, version } = pool
    const { size } = this.#leases
    if (size >= this.#options.maxEnvironments + beyond)
      return { kind: 'wait', reason: `${size} environments run already (LAMBENT_MAX_ENVIRONMENTS).` }
    return this.#options.cluster.acquire(requestOf(version, key), holderOf(version))
  }

  /** Places for tasks beyond the bound: what holds all the others may wait for them. */
  #placesBeyond(pool: EnvironmentPool): number {
    if (!pool.isForTasks || pool.members.size > 0) return 0
    const oldest = pool.waiting.peek()
    const waitedMs = oldest === undefined ? 0 : this.#options.clock.monotonicMs() - oldest.waitingSince
    return waitedMs < STUCK_AFTER_MS ? PLACES_FOR_TASKS : this.#options.maxEnvironments
  }

  /** The processors of `environment` are free while its code waits, for its children first. */
  #lent(environment: Environment): void {
    const pool = this.#pools.get(environment.poolKey)
    if (pool !== undefined && pool.waiting.size > 0) {
      pool.dispatch()
      const grown = pool.waiting.size > 0 && pool.starting === 0 && this.#grow(pool)
      if (!grown && pool.waiting.size > 0 && this.#enter(pool, environment)) return
    }
    for (const hungry of this.#shortage.take()) if (hungry.waiting.size > 0) this.#grow(hungry)
  }

  /** A child of what waits in `environment` runs there, when it can run nowhere else. */
  #enter(pool: EnvironmentPool, environment: Environment): boolean {
    if (pool.starting > 0 || !this.lending.isIdleInside(environment)) return false
    if (!this.lending.enter(environment)) return false
    if (pool.enter(environment)) return true
    this.#leases.get(environment)?.lend()
    return false
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

  #wait(pool: EnvironmentPool, refusal: { readonly reason: string }): false {
    this.#shortage.add(pool, refusal)
    pool.dispatch()
    return false
  }

  #start(pool: EnvironmentPool, lease: Lease, kept: boolean): void {
    const { environment, from } = startEnvironment(this.#options, pool, lease, kept, {
      adopt: (one) => void this.#leases.set(one, lease),
      loaded: (one) => void (kept && this.provisioned.loaded(pool, one)),
      calmed: (one) => this.lending.calmed(one),
    })
    this.#options.onEnvironment('environment-started', environment, from)
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
    const lacks: [EnvironmentPool, number][] = []
    for (const pool of this.#pools.values()) {
      this.#waiting += pool.waiting.size
      if (pool.waiting.size > 0 || pool.starting > 0) busy = true
      if (enforceLimits(pool, now, this.#options.initLimitMs)) busy = true
      pool.recallSlow(now)
      if (pool.waiting.size > 0) lacks.push([pool, lackOf(pool, now, this.#options.maxEnvironments)])
    }
    growByTurns(lacks, (pool) => this.#grow(pool))
    for (const [pool] of lacks) this.#serveWaiting(pool, now)
    this.#shortage.relieve(now)
    this.#quietTicks = busy ? 0 : this.#quietTicks + 1
    if (this.#quietTicks < QUIET_TICKS) return
    this.#ticker?.cancel()
    this.#ticker = undefined
  }

  #serveWaiting(pool: EnvironmentPool, now: number): void {
    if (pool.starting > 0 || !this.capped(pool)) return
    if (pool.isForTasks) for (const one of pool.members) if (one.isWaiting) this.#enter(pool, one)
    const { maxWaitMs } = this.#options
    const oldest = pool.waiting.peek()
    if (oldest === undefined || now - oldest.waitingSince <= maxWaitMs) return
    const overdue = pool.waiting.remove(
      (one) => !one.input.waitsForever && now - one.waitingSince > maxWaitMs,
    )
    if (overdue.length === 0) return
    const error = throttled(
      'environment-cap',
      this.#shortage.reason(pool) ?? `All ${pool.members.size} environments stayed busy for ${maxWaitMs} ms.`,
    )
    for (const invocation of overdue) invocation.input.observer.refused(invocation, error)
  }

  #reap(): void {
    const now = this.#options.clock.monotonicMs()
    this.provisioned.look()
    for (const pool of this.#pools.values()) {
      if (pool.members.size === 0 && pool.waiting.size === 0) this.#forget(pool) // nobody waited to the end
      this.#reaper.look(pool, now)
    }
  }
}

/** Handlers of one version (and tenant) share a pool; what runs beside them has pools of its own. */
function poolKeyOf({ version, tenantId, pool, poolKey }: InvocationInput): string {
  if (poolKey !== undefined) return poolKey
  if (pool !== undefined) return `${version.key}\n\n${pool}`
  return tenantId === '' ? version.key : `${version.key}\n${tenantId}`
}
