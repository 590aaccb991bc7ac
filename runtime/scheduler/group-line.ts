import type { Clock, Timer } from '../clock.ts'
import { MILLI, type Resources } from '../resources.ts'
import type { Acquired, Cluster, Holding, Lease } from './cluster.ts'
import { GroupPrecedence } from './group-precedence.ts'
import { placeGroup, totalOf } from './group-placement.ts'
import { describe } from './feasibility.ts'
import type { LeaseRequest, NodeState } from './node-state.ts'
import type { PlacementGroup } from './placement-group.ts'

/** How often groups that wait have idle processes end for them. */
const LOOK_EVERY_MS = 100
/** A busy process ends for a group that comes first, once in so long. */
const RELIEVE_EVERY_MS = 1000
/** Different shapes that are tried at one change; the others are at the next look. */
const MAX_SHAPES = 64
/** Holders that a reason names. */
const MAX_NAMED = 5

interface LineParts {
  readonly cluster: Cluster
  readonly clock: Clock
  makeRoom(helps: (lease: Lease) => boolean, urgent: boolean): void
  onReady(group: PlacementGroup): void
}

/**
 * The groups that wait for room, oldest first. All of them are looked at whenever something is given back;
 * one that has waited long comes before everybody else, or those who ask for little would starve it.
 */
export class GroupLine {
  readonly #parts: LineParts
  readonly #waiting = new Set<PlacementGroup>()
  readonly #precedence: GroupPrecedence
  #ticker: Timer | undefined
  #relievedAt = -Infinity
  #closed = false

  constructor(parts: LineParts) {
    this.#parts = parts
    this.#precedence = new GroupPrecedence(parts.cluster, parts.clock)
  }

  /** Looks for room for it, now and until there is some. */
  join(group: PlacementGroup): void {
    this.#waiting.add(group)
    if (this.#attempt(group)) return
    if (this.#ticker === undefined && !this.#closed)
      this.#ticker = this.#parts.clock.every(LOOK_EVERY_MS, () => this.#look())
    if (this.#waiting.size === 1) this.#makeRoom()
  }

  leave(group: PlacementGroup): void {
    this.#waiting.delete(group)
    this.#precedence.forget(group)
    this.#restWhenDone()
  }

  /** A lease for work that belongs to no group. */
  acquire(request: LeaseRequest, holder: string): Acquired {
    const { cluster } = this.#parts
    const first = this.#first()
    if (first === undefined) return cluster.acquire(request, holder)
    this.#precedence.keepFor(first)
    const acquired = cluster.acquire(request, holder)
    return acquired.kind === 'wait' ? (this.#precedence.pass(request, holder) ?? acquired) : acquired
  }

  /** Something was given back: whoever finds room has it. */
  advance(): void {
    if (this.#waiting.size === 0) return
    const shapes = new Set<string>()
    for (const group of this.#inOrder()) {
      if (!this.#waiting.has(group)) continue // who was told of another one has removed it
      const isWhole = group.state === 'pending'
      if (isWhole && shapes.has(group.spec.shape)) continue
      if (this.#attempt(group)) continue
      if (isWhole) shapes.add(group.spec.shape)
      if (shapes.size >= MAX_SHAPES) break
    }
  }

  /** Indices of bundles whose node is gone, drains, or offers less than is held. */
  lostBundles(group: PlacementGroup): number[] {
    const nodes = new Map(this.#parts.cluster.nodes().map((node) => [node.name, node]))
    const lost: number[] = []
    for (const [index, bundle] of group.spec.bundles.entries()) {
      const name = group.nodeOf(index)
      if (name === undefined) continue
      const node = nodes.get(name)
      if (node !== undefined && !node.draining && !isOverdrawn(node, bundle.resources)) continue
      lost.push(index)
    }
    return lost
  }

  /** What `group` lacks and who holds it. */
  reason(group: PlacementGroup): string {
    const { cluster } = this.#parts
    const nodes = cluster.nodes()
    const { bundles, strategy } = group.spec
    const kept = bundles.map((_bundle, index) => group.nodeOf(index))
    const placement = placeGroup(bundles, strategy, nodes, kept)
    const first = this.#first()
    if (placement.kind === 'placed')
      return first === undefined || first === group
        ? 'It is about to be placed.'
        : `Placement group "${first.name}" has waited longer.`
    const lacked = new Set(Object.keys(totalOf(group.open)))
    const holders = cluster
      .holdings()
      .filter(({ resources }) => Object.keys(resources).some((name) => lacked.has(name)))
      .sort((left, right) => sizeOf(right, lacked) - sizeOf(left, lacked))
    const named = holders
      .slice(0, MAX_NAMED)
      .map(({ holder, resources, node }) => `${holder} (${describe(resources)} on ${node})`)
    const more = holders.length > MAX_NAMED ? ` and ${holders.length - MAX_NAMED} more` : ''
    const held = named.length === 0 ? '' : ` Held by ${named.join(', ')}${more}.`
    return `Waits for ${group.wants}. ${placement.reason}${held}`
  }

  close(): void {
    this.#closed = true
    this.#ticker?.cancel()
    this.#ticker = undefined
  }

  #attempt(group: PlacementGroup): boolean {
    const { cluster, onReady } = this.#parts
    const first = this.#first()
    const nodes = cluster.nodes()
    const seen = first === undefined || first === group ? nodes : this.#precedence.besides(first, nodes)
    if (!group.reserve(seen)) return false
    this.leave(group)
    onReady(group)
    return true
  }

  /** Those that lost what they had come first. */
  #inOrder(): PlacementGroup[] {
    const all = [...this.#waiting]
    const broken = all.filter(({ state }) => state === 'rescheduling')
    return broken.length === 0 ? all : [...broken, ...all.filter(({ state }) => state !== 'rescheduling')]
  }

  /** The one that comes before everybody else, if any has waited that long. */
  #first(): PlacementGroup | undefined {
    if (this.#waiting.size === 0) return undefined
    for (const group of this.#waiting) if (group.state === 'rescheduling') return this.#precedence.of(group)
    for (const group of this.#waiting) return this.#precedence.of(group)
    return undefined
  }

  #look(): void {
    this.advance()
    this.#makeRoom()
  }

  /**
   * An idle process ends for the oldest that waits. For one that has waited long, busy ones end after their
   * work where it will lie, one a second: those that always have work would never give anything back.
   */
  #makeRoom(): void {
    const [group] = this.#inOrder()
    if (group === undefined) return
    const wanted = totalOf(group.open)
    const now = this.#parts.clock.monotonicMs()
    const isFirst = this.#precedence.of(group) !== undefined
    if (isFirst) this.#precedence.keepFor(group)
    const urgent = isFirst && now - this.#relievedAt >= RELIEVE_EVERY_MS
    if (urgent) this.#relievedAt = now
    const helps = ({ id, node, resources }: Lease): boolean =>
      id > 0 && overlap(resources, wanted) && (!isFirst || this.#precedence.wants(node))
    this.#parts.makeRoom(helps, urgent)
  }

  #restWhenDone(): void {
    if (this.#waiting.size > 0) return
    this.#ticker?.cancel()
    this.#ticker = undefined
  }
}

const overlap = (held: Resources, wanted: Resources): boolean => {
  for (const name in wanted) if ((wanted[name] ?? 0) > 0 && (held[name] ?? 0) > 0) return true
  return false
}

/** Whether more is held on the node than it offers, of something that `held` is part of. */
const isOverdrawn = (node: NodeState, held: Resources): boolean => {
  for (const name in held) if ((held[name] ?? 0) > 0 && (node.available[name] ?? 0) < 0) return true
  return false
}

const sizeOf = ({ resources }: Holding, names: ReadonlySet<string>): number => {
  let size = 0
  for (const name of names) size += (resources[name] ?? 0) / MILLI
  return size
}
