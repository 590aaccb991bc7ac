import type { Clock, Timer } from '../clock.ts'
import { EngineError } from '../errors.ts'
import type { Scope } from '../store/journal.ts'
import type { Acquired, Cluster, Holding, Kept, Lease } from './cluster.ts'
import { groupInfeasible } from './group-placement.ts'
import { GroupLine } from './group-line.ts'
import type { LeaseRequest } from './node-state.ts'
import { PlacementGroup, type GroupSpec, type GroupView } from './placement-group.ts'

/** What the groups need of the engine around them. */
export interface GroupsHost {
  /** Ends the processes that hold these leases. */
  evict(leaseIds: ReadonlySet<number>): void
  /**
   * Ends an idle process whose lease `helps`; where there is none and it is urgent, a busy one after its
   * work.
   */
  makeRoom(helps: (lease: Lease) => boolean, urgent: boolean): void
  /** There may be room for who was told to wait, or none ever. */
  onChange(): void
}

/** What beside its spec makes a group. */
export interface NewGroup {
  readonly name: string
  readonly isNamed: boolean
  /** The group ends with it: see `ownerEnded`. */
  readonly owner?: object | undefined
  readonly expiresAtMs?: number | undefined
}

const MAX_GROUPS = 10_000
const MAX_WATCHERS = 1000

/**
 * A cluster in which gangs of reservations can be made: all bundles of a placement group have their place, or
 * none has. Work that names a group leases from its bundles, everything else from what is left. Groups wait
 * side by side; none waits behind another that waits for something else.
 */
export class PlacementGroups implements Cluster {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #host: GroupsHost
  /** By account, region and name. */
  readonly #groups = new Map<string, PlacementGroup>()
  /** Removed ones whose processes are not gone yet. */
  readonly #ending = new Set<PlacementGroup>()
  readonly #line: GroupLine
  readonly #owned = new Map<object, Set<PlacementGroup>>()
  readonly #expiries = new Map<PlacementGroup, Timer>()
  readonly #watchers = new Map<PlacementGroup, Set<() => void>>()
  #lastLease = 0
  readonly #members = { nextId: () => (this.#lastLease -= 1), onLent: () => this.#tell() }
  /** Somebody was told to wait since the last change was told. */
  #awaited = false
  #telling = false

  constructor(options: { cluster: Cluster; clock: Clock; host: GroupsHost }) {
    this.#cluster = options.cluster
    this.#clock = options.clock
    this.#host = options.host
    this.#line = new GroupLine({
      cluster: options.cluster,
      clock: options.clock,
      makeRoom: (helps, urgent) => this.#host.makeRoom(helps, urgent),
      onReady: (group) => this.#changed(group),
    })
  }

  // -- a cluster

  nodes(): ReturnType<Cluster['nodes']> {
    return this.#cluster.nodes()
  }

  holdings(): readonly Holding[] {
    const members = this.all().flatMap((group) => group.reserved.flatMap((bundle) => [...bundle.members]))
    return [...this.#cluster.holdings(), ...members]
  }

  launcher(node: string): ReturnType<Cluster['launcher']> {
    return this.#cluster.launcher(node)
  }

  keep(claimant: string, kept: readonly Kept[]): void {
    this.#cluster.keep(claimant, kept)
  }

  infeasible(request: LeaseRequest, times = 1): string | undefined {
    if (request.group === undefined) return this.#cluster.infeasible(request, times)
    const group = this.#groups.get(keyOf(request.group.scope, request.group.name))
    return group?.refuses(request) // one that is not there may be made later
  }

  acquire(request: LeaseRequest, holder: string): Acquired {
    const leasing =
      request.group === undefined ? this.#acquire(request, holder) : this.#member(request, holder)
    if (leasing.kind === 'wait') this.#awaited = true
    return leasing
  }

  // -- groups

  /** Throws EngineError 'infeasible', 'already-exists' and 'throttled'; see `create`. */
  check(scope: Scope, spec: GroupSpec, name: string): void {
    if (this.#groups.has(keyOf(scope, name)))
      throw new EngineError('already-exists', `There is a placement group "${name}" already.`, {
        hint: 'Remove it first, or choose another name.',
      })
    if (this.#groups.size + this.#ending.size >= MAX_GROUPS)
      throw new EngineError('throttled', `There are ${MAX_GROUPS} placement groups already.`, {
        hint: 'Remove some that are not needed any more.',
      })
    const reason = groupInfeasible(spec.bundles, spec.strategy, this.#cluster.nodes())
    if (reason !== undefined)
      throw new EngineError('infeasible', `The placement group can never be placed. ${reason}`, {
        hint: 'Ask for less or another strategy, or declare more with --resources.',
      })
  }

  /** Makes a group; it is ready at once when there is room. `check` has been asked. */
  create(scope: Scope, spec: GroupSpec, { name, isNamed, owner, expiresAtMs }: NewGroup): PlacementGroup {
    const group = new PlacementGroup({
      ...{ name, scope, spec, isNamed, owner, expiresAtMs },
      cluster: this.#cluster,
      nowMonotonicMs: this.#clock.monotonicMs(),
      onGivenBack: (one) => this.#givenBack(one),
    })
    this.#groups.set(keyOf(scope, name), group)
    if (owner !== undefined) {
      const owned = this.#owned.get(owner)
      if (owned === undefined) this.#owned.set(owner, new Set([group]))
      else owned.add(group)
    }
    if (expiresAtMs !== undefined) this.#expireAt(group, expiresAtMs)
    this.#line.join(group)
    return group
  }

  /** Undefined when there is none, or it was removed. */
  find(scope: Scope, name: string): PlacementGroup | undefined {
    return this.#groups.get(keyOf(scope, name))
  }

  /** Throws EngineError 'not-found'. */
  get(scope: Scope, name: string): PlacementGroup {
    const group = this.find(scope, name)
    if (group === undefined)
      throw new EngineError('not-found', noGroup(name), { hint: 'lambent ls pg lists those there are.' })
    return group
  }

  /** Those that are removed and not gone yet are among them. */
  all(): PlacementGroup[] {
    return [...this.#groups.values(), ...this.#ending]
  }

  /** By name; those that are removed and not gone yet are among them. */
  list(scope: Scope): PlacementGroup[] {
    return this.all()
      .filter((one) => one.scope.account === scope.account && one.scope.region === scope.region)
      .sort((left, right) => (left.name < right.name ? -1 : 1))
  }

  view(group: PlacementGroup): GroupView {
    return group.view(this.reason(group))
  }

  /** Why it is not ready, and who holds what it waits for. */
  reason(group: PlacementGroup): string | undefined {
    if (group.state === 'removed')
      return group.holds ? 'Its reservations end when the processes that use them are gone.' : undefined
    return group.waits ? this.#line.reason(group) : undefined
  }

  /** Ends it: who uses it is killed, and what it reserved is free when they are gone. */
  remove(group: PlacementGroup): void {
    if (group.state === 'removed') return
    const users = new Set(group.reserved.flatMap((one) => [...one.members].map(({ id }) => id)))
    this.#line.leave(group)
    this.#groups.delete(keyOf(group.scope, group.name))
    if (users.size > 0) this.#ending.add(group)
    group.remove()
    this.#expiries.get(group)?.cancel()
    this.#expiries.delete(group)
    if (group.owner !== undefined) {
      const owned = this.#owned.get(group.owner)
      owned?.delete(group)
      if (owned?.size === 0) this.#owned.delete(group.owner)
    }
    this.#changed(group)
    if (users.size > 0) this.#host.evict(users)
  }

  /** Ends the groups of an owner that has ended. */
  ownerEnded(owner: object): void {
    for (const group of this.#owned.get(owner) ?? []) this.remove(group)
  }

  /**
   * Calls `listener` once, when the state of a group changes. Throws EngineError 'throttled' when too many
   * listen.
   */
  onceChanged(group: PlacementGroup, listener: () => void): Disposable {
    const watchers = this.#watchers.get(group) ?? new Set()
    if (watchers.size >= MAX_WATCHERS)
      throw new EngineError('throttled', `${MAX_WATCHERS} wait for placement group "${group.name}" already.`)
    this.#watchers.set(group, watchers.add(listener))
    return { [Symbol.dispose]: () => void watchers.delete(listener) }
  }

  /**
   * Nodes came, went, drain or offer other amounts: bundles that lost their place look for another one, and
   * who waits looks again.
   */
  nodesChanged(): void {
    for (const group of this.#groups.values()) {
      const lost = this.#line.lostBundles(group)
      if (lost.length === 0) continue
      const users = new Set(
        group.reserved
          .filter((bundle) => lost.includes(bundle.index))
          .flatMap((bundle) => [...bundle.members].map(({ id }) => id)),
      )
      group.lose(lost, this.#clock.monotonicMs())
      this.#changed(group)
      this.#line.join(group)
      if (users.size > 0) this.#host.evict(users)
    }
    this.#line.advance()
  }

  /** Stops looking for room. */
  close(): void {
    this.#line.close()
    for (const timer of this.#expiries.values()) timer.cancel()
    this.#expiries.clear()
  }

  // -- inside

  #acquire(request: LeaseRequest, holder: string): Acquired {
    const leasing = this.#line.acquire(request, holder)
    if (leasing.kind !== 'leased') return leasing
    const { lease } = leasing
    return {
      kind: 'leased',
      lease: {
        ...lease,
        lend: () => {
          lease.lend()
          this.#line.advance()
        },
        [Symbol.dispose]: () => {
          lease[Symbol.dispose]()
          this.#line.advance()
        },
      },
    }
  }

  #member(request: LeaseRequest, holder: string): Acquired {
    const { scope, name = '' } = request.group ?? {}
    const group = scope === undefined ? undefined : this.#groups.get(keyOf(scope, name))
    if (group === undefined) return { kind: 'infeasible', reason: noGroup(name) }
    const leasing = group.acquire(request, holder, this.#members)
    if (leasing.kind !== 'wait' || !group.waits) return leasing
    const line = this.#line
    return {
      kind: 'wait',
      get reason() {
        return `${leasing.reason} ${line.reason(group)}`
      },
    }
  }

  #givenBack(group: PlacementGroup): void {
    if (group.state === 'removed' && !group.holds) this.#ending.delete(group)
    this.#line.advance()
    this.#tell()
  }

  #changed(group: PlacementGroup): void {
    const watchers = this.#watchers.get(group)
    if (watchers !== undefined) {
      this.#watchers.delete(group)
      for (const watcher of watchers) watcher()
    }
    this.#tell()
  }

  /** Whoever waits looks again when this turn is over: it may be in the middle of giving something back. */
  #tell(): void {
    if (!this.#awaited || this.#telling) return
    this.#telling = true
    queueMicrotask(() => {
      this.#telling = false
      this.#awaited = false
      this.#host.onChange()
    })
  }

  #expireAt(group: PlacementGroup, expiresAtMs: number): void {
    const rest = expiresAtMs - this.#clock.nowMs()
    const timer = this.#clock.after(Math.min(rest, MAX_WAIT_MS), () => {
      if (this.#clock.nowMs() >= expiresAtMs) this.remove(group)
      else this.#expireAt(group, expiresAtMs)
    })
    this.#expiries.set(group, timer)
  }
}

/** One timer does not wait longer. */
const MAX_WAIT_MS = 86_400_000

const keyOf = ({ account, region }: Scope, name: string): string => `${account}\n${region}\n${name}`

const noGroup = (name: string): string => `There is no placement group "${name}".`
