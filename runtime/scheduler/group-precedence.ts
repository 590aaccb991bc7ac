import type { Clock } from '../clock.ts'
import type { Acquired, Cluster, Kept } from './cluster.ts'
import { emptied, placeGroup } from './group-placement.ts'
import type { LeaseRequest, NodeState } from './node-state.ts'
import { without } from './placement.ts'
import type { PlacementGroup } from './placement-group.ts'

/** A group that has waited this long comes before everybody else. */
const AFTER_MS = 1000
/** Then one lease of others passes it, in case that is what those wait for who hold what it wants. */
const FIRST_PASS_MS = 10_000

/**
 * What is kept free for the one group that comes first: where it will lie, what others give back adds up. Now
 * and then one lease passes, each time after twice as long: who holds the room may be waiting for just that.
 */
export class GroupPrecedence {
  readonly #cluster: Cluster
  readonly #clock: Clock
  #group: PlacementGroup | undefined
  #kept: readonly Kept[] = []
  #passes = 0
  #nextPassAt = 0

  constructor(cluster: Cluster, clock: Clock) {
    this.#cluster = cluster
    this.#clock = clock
  }

  /** `group` when it has waited long enough to come first. */
  of(group: PlacementGroup): PlacementGroup | undefined {
    return this.#clock.monotonicMs() - group.waitingSince >= AFTER_MS ? group : undefined
  }

  /** From now on what comes free where `group` will lie is for it. */
  keepFor(group: PlacementGroup): void {
    if (this.#group === group) return
    if (this.#group !== undefined) this.forget(this.#group)
    this.#group = group
    this.#passes = 0
    this.#nextPassAt = this.#clock.monotonicMs() + FIRST_PASS_MS
    this.#keep(group)
  }

  /** Whether something is kept on that node; where nothing could be planned, every node will do. */
  wants(node: string): boolean {
    return this.#kept.length === 0 || this.#kept.some((one) => one.node === node)
  }

  forget(group: PlacementGroup): void {
    if (this.#group !== group) return
    this.#cluster.keep(group.claimant, [])
    this.#group = undefined
    this.#kept = []
  }

  /**
   * A lease out of what is kept, when it is time for one; undefined: it is not, or there is no room either.
   */
  pass(request: LeaseRequest, holder: string): Acquired | undefined {
    const group = this.#group
    if (group === undefined || this.#clock.monotonicMs() < this.#nextPassAt) return undefined
    this.#cluster.keep(group.claimant, [])
    const acquired = this.#cluster.acquire(request, holder)
    if (acquired.kind === 'leased') {
      this.#passes += 1
      this.#nextPassAt = this.#clock.monotonicMs() + FIRST_PASS_MS * 2 ** this.#passes
    }
    this.#keep(group)
    return acquired.kind === 'leased' ? acquired : undefined
  }

  /** What of `nodes` other groups may have. */
  besides(group: PlacementGroup, nodes: readonly NodeState[]): readonly NodeState[] {
    this.keepFor(group)
    return this.#kept.reduce<readonly NodeState[]>(
      (left, one) => left.map((node) => (node.name === one.node ? without(node, one) : node)),
      nodes,
    )
  }

  /**
   * Where it will lie when enough is given back: on as few nodes that must be emptied as possible, others at
   * each pass, since one may be held by somebody who never ends.
   */
  #keep(group: PlacementGroup): void {
    const { bundles, strategy } = group.spec
    const nodes = this.#cluster.nodes()
    const placed = bundles.map((_bundle, index) => group.nodeOf(index))
    const turn = nodes.length === 0 ? 0 : this.#passes % nodes.length
    const turned = [...nodes.slice(turn), ...nodes.slice(0, turn)].filter(({ draining }) => !draining)
    this.#kept = []
    for (let empty = 1; empty <= turned.length && this.#kept.length === 0; empty++) {
      const imagined = turned.map((node, index) => (index < empty ? emptiedBut(node, group) : node))
      const placement = placeGroup(bundles, strategy, imagined, placed)
      if (placement.kind === 'placed') this.#kept = placement.steps
    }
    this.#cluster.keep(group.claimant, this.#kept)
  }
}

/** A node on which nothing is held but the bundles of `group` that lie there. */
const emptiedBut = (node: NodeState, group: PlacementGroup): NodeState =>
  group.reserved.reduce(
    (rest, { lease }) => (lease.node === node.name ? without(rest, lease) : rest),
    emptied(node),
  )
