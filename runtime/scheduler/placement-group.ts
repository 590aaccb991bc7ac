import { MILLI } from '../resources.ts'
import type { Scope } from '../store/journal.ts'
import type { Acquired, Cluster, Lease } from './cluster.ts'
import { placeGroup, totalOf, type Bundle, type GroupStrategy } from './group-placement.ts'
import { groupSuccessor, type GroupState } from './group-state.ts'
import { describe, describeRequest } from './feasibility.ts'
import type { LeaseRequest, NodeState } from './node-state.ts'
import { ReservedBundle } from './reserved-bundle.ts'

/** What a placement group reserves. */
export interface GroupSpec {
  readonly strategy: GroupStrategy
  readonly bundles: readonly Bundle[]
  /** The same text for equal groups: where one finds no room, no other of that shape does. */
  readonly shape: string
}

/** A placement group as it is shown; amounts in plain units. */
export interface GroupView {
  readonly name: string
  readonly state: GroupState
  /** Why it waits, and who holds what it waits for. */
  readonly reason?: string
  readonly strategy: GroupStrategy
  readonly bundles: readonly BundleView[]
  /** When it ends by itself, Unix ms. */
  readonly expiresAtMs?: number
}

/** A bundle as it is shown; `node` and `gpuIds` once it has its place. */
export interface BundleView {
  readonly cpu: number
  readonly gpu: number
  readonly memoryMb?: number
  readonly resources?: Readonly<Record<string, number>>
  readonly labels?: Readonly<Record<string, string>>
  readonly node?: string
  readonly gpuIds?: readonly number[]
}

/** What a group's members are leased with. */
export interface Members {
  /** A number that no lease of the cluster has. */
  nextId(): number
  /** CPU of a bundle came free while its holder waits. */
  onLent(): void
}

/** A gang of reservations: its states, the places of its bundles, and what its members lease. */
export class PlacementGroup {
  readonly name: string
  readonly scope: Scope
  readonly spec: GroupSpec
  /** Kept in the store, and there again after a restart. */
  readonly isNamed: boolean
  /** Whose end is its own. */
  readonly owner: object | undefined
  /** Monotonic ms since when it has waited for room. */
  waitingSince: number
  expiresAtMs: number | undefined
  /** Somebody was told to wait for it. */
  isAwaited = false
  #state: GroupState = 'pending'
  readonly #cluster: Cluster
  readonly #onGivenBack: (group: PlacementGroup) => void
  readonly #slots: (ReservedBundle | undefined)[]
  /** Closed, and still used by processes that end. */
  readonly #leaving = new Set<ReservedBundle>()

  constructor(options: {
    name: string
    scope: Scope
    spec: GroupSpec
    isNamed: boolean
    owner?: object | undefined
    expiresAtMs?: number | undefined
    cluster: Cluster
    nowMonotonicMs: number
    /** A bundle of it was given back. */
    onGivenBack: (group: PlacementGroup) => void
  }) {
    this.name = options.name
    this.scope = options.scope
    this.spec = options.spec
    this.isNamed = options.isNamed
    this.owner = options.owner
    this.expiresAtMs = options.expiresAtMs
    this.waitingSince = options.nowMonotonicMs
    this.#cluster = options.cluster
    this.#onGivenBack = options.onGivenBack
    this.#slots = Array.from({ length: options.spec.bundles.length })
  }

  /** What it is called where something is kept for it. */
  get claimant(): string {
    return `placement group ${this.name}`
  }
  get state(): GroupState {
    return this.#state
  }
  /** Whether it looks for room. */
  get waits(): boolean {
    return this.#state === 'pending' || this.#state === 'rescheduling'
  }
  /** Whether anything of it is still held. */
  get holds(): boolean {
    return this.#leaving.size > 0 || this.#slots.some((slot) => slot !== undefined)
  }
  /** Bundles that look for a place. */
  get open(): Bundle[] {
    return this.spec.bundles.filter((_bundle, index) => this.#slots[index] === undefined)
  }
  /** Bundles that have one, closed ones that are still used included. */
  get reserved(): ReservedBundle[] {
    return [...this.#slots.filter((slot) => slot !== undefined), ...this.#leaving]
  }
  /** Of a bundle that has its place, by index. */
  nodeOf(index: number): string | undefined {
    return this.#slots[index]?.lease.node
  }

  /** Reserves what has no place, all of it or nothing, of what `nodes` have free. */
  reserve(nodes: readonly NodeState[]): boolean {
    const { bundles, strategy } = this.spec
    const kept = this.#slots.map((slot) => slot?.lease.node)
    const placement = placeGroup(bundles, strategy, nodes, kept)
    if (placement.kind !== 'placed') return false
    const claimant = this.claimant
    const leases: [index: number, lease: Lease][] = []
    for (const { bundle, node } of placement.steps) {
      const wish = bundles[bundle]
      const holder = `${claimant}, bundle ${bundle}`
      const labels = { ...wish?.labels, node }
      const leasing = this.#cluster.acquire({ resources: {}, ...wish, labels, claimant }, holder)
      if (leasing.kind !== 'leased') {
        for (const [, lease] of leases) lease[Symbol.dispose]()
        return false
      }
      leases.push([bundle, leasing.lease])
    }
    const gone = (one: ReservedBundle): void => {
      this.#leaving.delete(one)
      this.#onGivenBack(this)
    }
    for (const [index, lease] of leases)
      this.#slots[index] = new ReservedBundle(index, lease, this.#cluster, gone)
    this.#state = groupSuccessor(this.#state, 'ready')
    return true
  }

  /**
   * A part of it for one of its members: of the bundle that `request` names, else of the one in which it fits
   * most tightly.
   */
  acquire(request: LeaseRequest, holder: string, members: Members): Acquired {
    const refusal = this.refuses(request)
    if (refusal !== undefined) return { kind: 'infeasible', reason: refusal }
    let best: { bundle: ReservedBundle; room: number } | undefined
    for (const bundle of this.#candidates(request)) {
      const room = bundle.roomFor(request)
      if (room >= 0 && (best === undefined || room < best.room)) best = { bundle, room }
    }
    let leasing = best?.bundle.acquire(request, holder, members.nextId(), members.onLent)
    if (leasing?.kind === 'leased') return leasing
    for (const bundle of this.#candidates(request)) {
      if (bundle === best?.bundle || bundle.roomFor(request) < 0) continue
      leasing = bundle.acquire(request, holder, members.nextId(), members.onLent)
      if (leasing.kind === 'leased') return leasing
    }
    return leasing?.kind === 'wait' ? leasing : { kind: 'wait', reason: this.#fullFor(request) }
  }

  /** Why a member's request could never be met, undefined when it could. */
  refuses(request: LeaseRequest): string | undefined {
    const { bundle } = request.group ?? {}
    const { length } = this.#slots
    if (bundle !== undefined && bundle >= length)
      return `Placement group "${this.name}" has no bundle ${bundle}: they count from 0 to ${length - 1}.`
    let refusal: string | undefined
    for (const [index, slot] of this.#slots.entries()) {
      if (bundle !== undefined && index !== bundle) continue
      if (slot === undefined) return undefined // what it will have is what it asked for: it is looked at then
      refusal = slot.refuses(request)
      if (refusal === undefined) return undefined
    }
    const where = bundle === undefined ? 'fits in no bundle of' : `does not fit in bundle ${bundle} of`
    return `${describeRequest(request)} ${where} placement group "${this.name}". ${refusal ?? ''}`.trim()
  }

  /** Takes away the places of these bundles; they are given back when whoever uses them is gone. */
  lose(indices: readonly number[], nowMonotonicMs: number): void {
    if (this.#state === 'ready') {
      this.#state = groupSuccessor(this.#state, 'rescheduling')
      this.waitingSince = nowMonotonicMs
    }
    for (const index of indices) this.#closeSlot(index)
  }

  /** Ends it: nothing is leased from it any more. */
  remove(): void {
    this.#state = groupSuccessor(this.#state, 'removed')
    for (const index of this.#slots.keys()) this.#closeSlot(index)
  }

  view(reason: string | undefined): GroupView {
    return {
      name: this.name,
      state: this.#state,
      ...(reason === undefined ? {} : { reason }),
      strategy: this.spec.strategy,
      bundles: this.spec.bundles.map((bundle, index) => viewBundle(bundle, this.#slots[index]?.lease)),
      ...(this.expiresAtMs === undefined ? {} : { expiresAtMs: this.expiresAtMs }),
    }
  }

  /** In words: what it has not got yet. */
  get wants(): string {
    return describe(totalOf(this.open))
  }

  #closeSlot(index: number): void {
    const slot = this.#slots[index]
    if (slot === undefined) return
    this.#slots[index] = undefined
    this.#leaving.add(slot)
    slot.close()
  }

  *#candidates({ group }: LeaseRequest): Iterable<ReservedBundle> {
    for (const [index, slot] of this.#slots.entries())
      if (slot !== undefined && (group?.bundle === undefined || group.bundle === index)) yield slot
  }

  #fullFor(request: LeaseRequest): string {
    const name = `Placement group "${this.name}"`
    if (this.#state === 'pending') return `${name} is pending.`
    const holders = [...this.#candidates(request)].flatMap((bundle) => [...bundle.members])
    if (holders.length === 0) return `${name} is ${this.#state}.`
    const shown = holders.slice(0, 5).map((lease) => `${lease.holder} (${describe(lease.resources)})`)
    return `Waits for ${describeRequest(request)} of placement group "${this.name}": held by ${shown.join(', ')}.`
  }
}

function viewBundle({ resources, labels }: Bundle, lease: Lease | undefined): BundleView {
  const custom: Record<string, number> = {}
  let isCustom = false
  for (const name in resources) {
    if (name === 'cpu' || name === 'gpu' || name === 'memoryMb') continue
    custom[name] = (resources[name] ?? 0) / MILLI
    isCustom = true
  }
  const { cpu = 0, gpu = 0, memoryMb } = resources
  return {
    cpu: cpu / MILLI,
    gpu: gpu / MILLI,
    ...(memoryMb === undefined ? {} : { memoryMb: memoryMb / MILLI }),
    ...(isCustom ? { resources: custom } : {}),
    ...(labels === undefined ? {} : { labels }),
    ...(lease === undefined ? {} : { node: lease.node }),
    ...(lease === undefined || lease.gpuIndices.length === 0 ? {} : { gpuIds: lease.gpuIndices }),
  }
}
