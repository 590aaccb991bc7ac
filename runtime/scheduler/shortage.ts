import type { Environment } from '../environments/environment.ts'
import type { EnvironmentPool } from '../environments/pool.ts'

/** A pool without any environment gets the place of a busy one of another's after this; one each time. */
const STARVED_AFTER_MS = 1000

/**
 * A full machine: the pools that wanted to grow and could not, and who ends to make room for them. Idle
 * environments end first, the one used least recently; where there is none, a pool that has nothing gets the
 * place of a busy environment once that has ended what it runs, so that no load can starve another function.
 */
export class Shortage {
  readonly #pools: ReadonlyMap<string, EnvironmentPool>
  /** Oldest first, with the reason. */
  readonly #hungry = new Map<EnvironmentPool, string>()
  /** Idle ones told to end to make room, and not gone yet. */
  readonly #leaving = new Set<Environment>()
  #relievedAt = -Infinity

  /** `pools` are all there are. */
  constructor(pools: ReadonlyMap<string, EnvironmentPool>) {
    this.#pools = pools
  }

  has(pool: EnvironmentPool): boolean {
    return this.#hungry.has(pool)
  }

  /** Why `pool` could not grow. */
  reason(pool: EnvironmentPool): string | undefined {
    return this.#hungry.get(pool)
  }

  /** `pool` could not grow: an idle environment of another one ends. */
  add(pool: EnvironmentPool, reason: string): void {
    this.#hungry.set(pool, reason)
    this.#reclaimFor(pool)
  }

  delete(pool: EnvironmentPool): void {
    this.#hungry.delete(pool)
  }

  gone(environment: Environment): void {
    this.#leaving.delete(environment)
  }

  /** An environment of `pool` has nothing to do: it may be what somebody else waits for. */
  becameIdle(pool: EnvironmentPool): void {
    for (const hungry of this.#hungry.keys()) {
      if (hungry !== pool && hungry.waiting.size > 0) return this.#reclaimFor(hungry)
    }
  }

  /** Empties the list of those who could not grow: those without any environment first, then by age. */
  take(): EnvironmentPool[] {
    const pools = [...this.#hungry.keys()].filter((pool) => pool.waiting.size > 0)
    this.#hungry.clear()
    const poor = (pool: EnvironmentPool): boolean => pool.members.size === 0
    return [...pools.filter(poor), ...pools.filter((pool) => !poor(pool))]
  }

  /** Ends a busy environment for a pool that has nothing and has waited too long. */
  relieve(now: number): void {
    if (this.#hungry.size === 0 || now - this.#relievedAt < STARVED_AFTER_MS) return
    for (const pool of this.#hungry.keys()) {
      const oldest = pool.members.size === 0 ? pool.waiting.peek() : undefined
      if (oldest === undefined || now - oldest.waitingSince < STARVED_AFTER_MS) continue
      this.#relievedAt = now
      return this.#giver()?.drain()
    }
  }

  /** One at a time for each who waits: what was told to end takes a moment to be gone. */
  #reclaimFor(hungry: EnvironmentPool): void {
    if (this.#leaving.size >= hungry.waiting.size) return
    const oldest = this.#oldestIdle(hungry)
    if (oldest !== undefined) this.#end(oldest)
  }

  #oldestIdle(
    but?: EnvironmentPool,
    helps: (environment: Environment) => boolean = () => true,
  ): Environment | undefined {
    let oldest: Environment | undefined
    for (const pool of this.#pools.values()) {
      const candidate = pool === but ? undefined : pool.spareable
      if (candidate === undefined || !helps(candidate)) continue
      if (oldest === undefined || candidate.idleSince < oldest.idleSince) oldest = candidate
    }
    return oldest
  }

  #end(idle: Environment): void {
    this.#leaving.add(idle)
    for (const pool of this.#pools.values()) pool.forgetIdle(idle)
    idle.drain()
  }

  /** An idle environment of any pool, of those that `help`, ends for others, unless one does already. */
  reclaim(helps?: (environment: Environment) => boolean): void {
    if (this.#leaving.size > 0) return
    const oldest = this.#oldestIdle(undefined, helps)
    if (oldest !== undefined) this.#end(oldest)
  }

  /** Of the pool that has most, the one whose work began last: it is the likeliest to end soon. */
  #giver(): Environment | undefined {
    let giver: { environment: Environment; members: number; startedAt: number } | undefined
    for (const { members } of this.#pools.values()) {
      for (const environment of members) {
        const startedAt = environment.inFlight[0]?.startedAt ?? 0
        if (environment.state !== 'busy' || environment.provisioned) continue
        const richer = giver === undefined || members.size > giver.members
        if (richer || (members.size === giver?.members && startedAt > giver.startedAt))
          giver = { environment, members: members.size, startedAt }
      }
    }
    return giver?.environment
  }
}
