import type { Environment } from '../environments/environment.ts'
import type { Invocation } from '../environments/invocation.ts'
import type { EnvironmentPool } from '../environments/pool.ts'
import type { FunctionVersion } from '../registry/types.ts'
import type { Cluster, Lease } from './cluster.ts'
import { canEverFit, lackingOn } from './feasibility.ts'
import { holderOf, requestOf, type NodeState } from './node-state.ts'
import { withBack, without } from './placement.ts'
import { Reservation } from './reservation.ts'

/** Who has waited this long for a place has one made, if others have more; one each time. */
const STARVED_AFTER_MS = 1000
const LOOK_EVERY_MS = 50
/** One that was told to end and has not by then is not waited for: another one is told. */
const LATE_MS = 10_000
/** For more than these nothing is kept at once. */
const MOST_RESERVATIONS = 8

/** What a shortage is seen in. */
export interface ShortageParts {
  /** All there are. */
  readonly pools: ReadonlyMap<string, EnvironmentPool>
  readonly cluster: Pick<Cluster, 'nodes' | 'keep'>
  leaseOf(environment: Environment): Lease | undefined
}

/** Which environments' end would bring somebody nearer to a place. */
type Helps = (environment: Environment) => boolean

/**
 * A full machine: the pools that wanted to grow and could not, and who ends to make room for them. Of those
 * that hold what is missing, idle environments end first, the one used least recently; where there is none, a
 * pool that has less than others gets the place of a busy environment once that has ended what it runs, so
 * that no load can starve another function. What frees up meanwhile is kept for the pool it is meant for.
 */
export class Shortage {
  readonly #parts: ShortageParts
  /** Oldest first, with the reason, which is made when it is asked for. */
  readonly #hungry = new Map<EnvironmentPool, { readonly reason: string }>()
  /** Idle ones told to end to make room, and not gone yet. */
  readonly #leaving = new Set<Environment>()
  /** Work without anything to do, told to end to make room, and not ended yet. */
  readonly #resting = new Set<Invocation>()
  /** Of those who have waited too long; the one of them that something ended for last comes first. */
  readonly #reservations = new Map<EnvironmentPool, Reservation>()
  #relieved: EnvironmentPool | undefined
  #relievedAt = -Infinity
  #lookedAt = -Infinity

  constructor(parts: ShortageParts) {
    this.#parts = parts
  }

  has(pool: EnvironmentPool): boolean {
    return this.#hungry.has(pool)
  }

  /** Why `pool` could not grow. */
  reason(pool: EnvironmentPool): string | undefined {
    return this.#hungry.get(pool)?.reason
  }

  /** `pool` could not grow: an idle environment of another one ends. */
  add(pool: EnvironmentPool, refusal: { readonly reason: string }): void {
    this.#hungry.set(pool, refusal)
    this.#reclaimFor(pool)
  }

  /** `pool` has grown, or is no more. */
  delete(pool: EnvironmentPool): void {
    this.#hungry.delete(pool)
    this.#reservations.get(pool)?.release()
    this.#reservations.delete(pool)
    if (this.#relieved === pool) this.#relieved = undefined
  }

  gone(environment: Environment): void {
    this.#leaving.delete(environment)
  }

  /** An environment of `pool` has nothing to do: it may be what somebody else waits for. */
  becameIdle(pool: EnvironmentPool): void {
    for (const hungry of this.#hungry.keys()) {
      if (hungry !== pool && hungry.waiting.size > 0 && this.#reclaimFor(hungry)) return
    }
  }

  /**
   * Empties the list of those who could not grow: first the one that something ended for, then those without
   * any environment, then by age.
   */
  take(): EnvironmentPool[] {
    const pools = [...this.#hungry.keys()].filter((pool) => pool.waiting.size > 0)
    this.#hungry.clear()
    const rank = (pool: EnvironmentPool): number =>
      pool === this.#relieved ? 0 : pool.members.size === 0 ? 1 : 2
    return pools.toSorted((left, right) => rank(left) - rank(right))
  }

  /**
   * Time has passed: for those who have waited too long and have less than others what frees up is kept, and,
   * one at a time, a busy environment ends.
   */
  relieve(now: number): void {
    for (const [pool, reservation] of this.#reservations) {
      if (this.#hungry.has(pool) && pool.waiting.size > 0) reservation.look(now)
      else this.delete(pool)
    }
    if (this.#hungry.size === 0 || now - this.#lookedAt < LOOK_EVERY_MS) return
    this.#lookedAt = now
    for (const one of this.#resting) if (one.state === 'ended') this.#resting.delete(one)
    for (const hungry of this.#hungry.keys()) this.#restFor(hungry)
    const since = (pool: EnvironmentPool): number => pool.waiting.peek()?.waitingSince ?? now
    const starved = [...this.#hungry.keys()].filter((pool) => now - since(pool) >= STARVED_AFTER_MS)
    for (const pool of starved.toSorted((left, right) => since(left) - since(right))) {
      const giver = this.#giverFor(pool)
      if (giver !== undefined || pool.members.size === 0) this.#reserveFor(pool, now)
      const elapsed = now - this.#relievedAt
      if (giver === undefined || elapsed < (this.#endsAnyway(pool) ? LATE_MS : STARVED_AFTER_MS)) continue
      this.#relievedAt = now
      this.#relieved = pool
      giver.drain()
    }
  }

  /** An idle environment of any pool, of those that `help`, ends for others, unless one does already. */
  reclaim(helps?: Helps): void {
    if (this.#leaving.size > 0) return
    const oldest = this.#oldestIdle(undefined, helps)
    if (oldest !== undefined) this.#end(oldest)
  }

  #reserveFor(pool: EnvironmentPool, now: number): void {
    if (this.#reservations.has(pool) || this.#reservations.size >= MOST_RESERVATIONS) return
    const request = requestOf(pool.version)
    const { cluster } = this.#parts
    // a bound that is none of the nodes' is not kept: environments, a provider's share, a group's bundles
    if (request.group !== undefined || lacking(pool, cluster.nodes()) === undefined) return
    const wish = { claimant: pool.key, holder: holderOf(pool.version), request }
    const reservation = new Reservation(cluster, wish)
    this.#reservations.set(pool, reservation)
    reservation.look(now)
  }

  /** Whether there is room for `pool` once those have ended that were told to. */
  #endsAnyway(pool: EnvironmentPool): boolean {
    const { pools, cluster, leaseOf } = this.#parts
    const ending = [...pools.values()]
      .flatMap(({ members }) => [...members])
      .filter(({ state }) => state === 'draining')
    if (lacking(pool, cluster.nodes()) === undefined) return ending.length > 0
    const nodes = new Map<string, NodeState>(cluster.nodes().map((node) => [node.name, node]))
    for (const environment of ending) {
      const lease = leaseOf(environment)
      const node = lease === undefined ? undefined : nodes.get(lease.node)
      if (lease !== undefined && node !== undefined) nodes.set(node.name, withBack(node, lease))
    }
    return lacking(pool, [...nodes.values()]) === undefined
  }

  /** One at a time for each who waits: what was told to end takes a moment to be gone. */
  #reclaimFor(hungry: EnvironmentPool): boolean {
    if (this.#leaving.size >= hungry.waiting.size) return false
    const oldest = this.#oldestIdle(hungry, this.helpsFor(hungry))
    if (oldest !== undefined) this.#end(oldest)
    return oldest !== undefined
  }

  /**
   * Where no idle process ends for `hungry`, one does whose only work lasts but has nothing to do: an actor
   * that is awake for nobody. Another one of the same pool takes its place in the process.
   */
  #restFor(hungry: EnvironmentPool): void {
    if (this.#leaving.size + this.#resting.size >= hungry.waiting.size) return
    const helps = this.helpsFor(hungry)
    for (const pool of this.#parts.pools.values()) {
      if (pool.version.execution.concurrency > 1) continue
      for (const environment of pool.members) {
        const [work, more] = environment.inFlight
        if (work === undefined || more !== undefined || environment.state !== 'busy') continue
        const { observer } = work.input
        if (observer.yields === undefined || !helps(environment) || !observer.yields(work)) continue
        this.#resting.add(work)
        if (pool !== hungry) environment.drain()
        return
      }
    }
  }

  #oldestIdle(but?: EnvironmentPool, helps: Helps = () => true): Environment | undefined {
    let oldest: Environment | undefined
    for (const pool of this.#parts.pools.values()) {
      const candidate = pool === but ? undefined : pool.spareable
      if (candidate === undefined || (oldest !== undefined && candidate.idleSince >= oldest.idleSince))
        continue
      if (helps(candidate)) oldest = candidate
    }
    return oldest
  }

  #end(idle: Environment): void {
    this.#leaving.add(idle)
    for (const pool of this.#parts.pools.values()) pool.forgetIdle(idle)
    idle.drain()
  }

  /**
   * An idle environment that `helps` ends; where there is none and it is urgent, a busy one does after its
   * work.
   */
  makeRoom(helps: Helps, urgent: boolean): void {
    if (this.#leaving.size > 0) return
    const idle = this.#oldestIdle(undefined, helps)
    if (idle !== undefined) return this.#end(idle)
    let giver: Environment | undefined
    for (const pool of urgent ? this.#parts.pools.values() : []) {
      for (const environment of pool.members) {
        if (environment.state !== 'busy' || environment.provisioned || !helps(environment)) continue
        const began = (one: Environment | undefined): number => one?.inFlight[0]?.startedAt ?? -Infinity
        if (giver === undefined || began(environment) > began(giver)) giver = environment
      }
    }
    giver?.drain()
  }

  /**
   * Of the pool that holds most of what `hungry` lacks, the one whose work began last: it is the likeliest to
   * end soon. Undefined when nobody has more than `hungry` would have then.
   */
  #giverFor(hungry: EnvironmentPool): Environment | undefined {
    const helps = this.helpsFor(hungry)
    const weigh = this.#weighFor(hungry)
    const wanted = hungry.members.size === 0 ? 0 : (hungry.members.size + 1) * weigh(hungry)
    let giver: { environment: Environment; share: number; startedAt: number } | undefined
    for (const pool of this.#parts.pools.values()) {
      if (pool === hungry) continue
      const weight = weigh(pool)
      const share = pool.members.size * weight
      if (share - weight < wanted) continue
      for (const environment of pool.members) {
        const startedAt = environment.inFlight[0]?.startedAt ?? 0
        // what waits for others does not end soon, and has given its processors away already
        if (environment.state !== 'busy' || environment.provisioned || environment.isWaiting) continue
        const richer = giver === undefined || share > giver.share
        if ((richer || (share === giver?.share && startedAt > giver.startedAt)) && helps(environment))
          giver = { environment, share, startedAt }
      }
    }
    return giver?.environment
  }

  /** The names of what a pool lacks, by node; undefined: there is room, and it meets some other bound. */
  #lackingFor(pool: EnvironmentPool): ReadonlyMap<string, readonly string[]> | undefined {
    let nodes: readonly NodeState[] = this.#parts.cluster.nodes()
    for (const [other, { kept }] of this.#reservations) {
      if (kept === undefined) continue
      // who something is kept for waits for that node; to those behind it, it looks as if that were held
      if (other === pool)
        return lacking(
          pool,
          nodes.filter(({ name }) => name === kept.node),
        )
      nodes = nodes.map((node) => (node.name === kept.node ? without(node, kept) : node))
    }
    return lacking(pool, nodes)
  }

  /** Whether the end of an environment would bring `hungry` nearer to a place. */
  helpsFor(hungry: EnvironmentPool): Helps {
    const { placementGroup } = hungry.version.execution
    if (placementGroup !== undefined) {
      const isIn = (version: FunctionVersion | undefined): boolean =>
        version?.execution.placementGroup?.name === placementGroup.name
      // where nobody is in the group it waits for room itself, which everybody outside may have
      const isUsed = [...this.#parts.pools.values()].some(
        (pool) => pool.members.size > 0 && isIn(pool.version),
      )
      return isUsed ? ({ version }) => isIn(version) : () => true
    }
    const names = this.#lackingFor(hungry)
    if (names === undefined) return () => true
    return (environment) => {
      const lease = this.#parts.leaseOf(environment)
      if (lease === undefined) return true
      return names.get(lease.node)?.some((name) => (lease.resources[name] ?? 0) > 0) === true
    }
  }

  /** How much one environment of a pool takes of what `hungry` lacks; one each where that is places. */
  #weighFor(hungry: EnvironmentPool): (pool: EnvironmentPool) => number {
    const byNode = this.#lackingFor(hungry)
    if (byNode === undefined) return () => 1
    const names = new Set([...byNode.values()].flat())
    const totals = new Map<string, number>()
    for (const { capacity } of this.#parts.cluster.nodes())
      for (const name of names) totals.set(name, (totals.get(name) ?? 0) + (capacity[name] ?? 0))
    return ({ version }) => {
      let weight = 0
      for (const name of names)
        weight = Math.max(weight, (version.execution.resources[name] ?? 0) / (totals.get(name) || 1))
      return weight
    }
  }
}

/** What a pool lacks on each node that could ever hold it. Undefined when one of them has room. */
function lacking(pool: EnvironmentPool, nodes: readonly NodeState[]): Map<string, string[]> | undefined {
  const request = requestOf(pool.version)
  const found = new Map<string, string[]>()
  for (const node of nodes) {
    if (node.draining) continue
    const names = lackingOn(request, node)
    if (names.length > 0) found.set(node.name, names)
    else if (canEverFit(request, node)) return undefined
  }
  return found
}
