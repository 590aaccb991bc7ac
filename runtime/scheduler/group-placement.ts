import { add, fits, MILLI, type Resources } from '../resources.ts'
import { describe, describeRequest } from './feasibility.ts'
import type { LeaseRequest, NodeState } from './node-state.ts'
import { place, without } from './placement.ts'

/** How the bundles of a placement group are laid out over nodes. */
export type GroupStrategy = 'PACK' | 'SPREAD' | 'STRICT_PACK' | 'STRICT_SPREAD'

/** All of them. */
export const GROUP_STRATEGIES: readonly GroupStrategy[] = ['PACK', 'SPREAD', 'STRICT_PACK', 'STRICT_SPREAD']

/** What one bundle reserves on one node. */
export type Bundle = Pick<LeaseRequest, 'resources' | 'gpus' | 'labels'>

/** The place of one bundle: on which node, and what it holds there. */
export interface GroupStep {
  readonly bundle: number
  readonly node: string
  readonly resources: Resources
  readonly gpuIndices: readonly number[]
}

/** Where the bundles of a group go, or why they go nowhere. */
export type GroupPlacement =
  /** In the order in which they must be leased; those that are kept are not among them. */
  | { kind: 'placed'; steps: readonly GroupStep[] }
  | { kind: 'wait'; reason: string }
  | { kind: 'infeasible'; reason: string }

/**
 * Decides where the bundles of a group go, all of them or none. `kept` names the nodes of those that are
 * placed already, by index. A strict strategy is met or nothing is placed; PACK uses few nodes and SPREAD
 * many, as far as there is room. Pure: the same values give the same decision.
 */
export function placeGroup(
  bundles: readonly Bundle[],
  strategy: GroupStrategy,
  nodes: readonly NodeState[],
  kept: readonly (string | undefined)[] = [],
): GroupPlacement {
  const search = new Search(bundles, strategy, nodes, kept)
  const steps = search.run()
  return steps === undefined
    ? { kind: 'wait', reason: shortOf(bundles, strategy, nodes, kept) }
    : { kind: 'placed', steps }
}

/** Why a group could not even be placed on `nodes` if nobody else held anything; undefined when it could. */
export function groupInfeasible(
  bundles: readonly Bundle[],
  strategy: GroupStrategy,
  nodes: readonly NodeState[],
): string | undefined {
  const empty = nodes.map(emptied)
  for (const [index, bundle] of bundles.entries()) {
    const placement = place(bundle, empty)
    if (placement.kind === 'infeasible') return `Bundle ${index}: ${placement.reason}`
    if (placement.kind === 'wait') return `Bundle ${index}: no node offers ${describeRequest(bundle)}.`
  }
  if (strategy === 'STRICT_SPREAD' && bundles.length > nodes.length)
    return `STRICT_SPREAD needs a node for each of ${bundles.length} bundles, and there are ${nodes.length}.`
  const total = totalOf(bundles)
  if (strategy === 'STRICT_PACK' && !empty.some(({ capacity }) => fits(total, capacity)))
    return `STRICT_PACK needs one node with ${describe(total)}, and none offers that.`
  const lacking = lackingIn(total, empty)
  if (lacking !== undefined) return `All nodes together offer ${lacking}.`
  const search = new Search(bundles, strategy, empty, [])
  if (search.run() !== undefined || !search.isExhaustive) return undefined
  return `No arrangement of ${bundles.length} bundles on ${nodes.length} nodes meets ${strategy}.`
}

/** A node of which nobody holds anything, as it is when nothing speaks against it any more. */
export const emptied = (node: NodeState): NodeState => ({
  ...node,
  draining: false,
  available: node.capacity,
  gpus: node.gpus.map((one) => ({ ...one, free: MILLI, withheld: undefined })),
})

/** What all bundles reserve together. */
export const totalOf = (bundles: readonly Bundle[]): Resources =>
  bundles.reduce<Resources>((sum, { resources }) => add(sum, resources), {})

/** Placements that are tried before the search gives up: it waits then, and tries again later. */
const MAX_TRIES = 2000

/** Looks for a place for every bundle, the scarcest first, going back when one finds none. */
class Search {
  readonly #bundles: readonly Bundle[]
  readonly #strategy: GroupStrategy
  readonly #nodes: NodeState[]
  /** Bundles of the group by index of the node. */
  readonly #used: number[]
  readonly #order: readonly number[]
  readonly #steps: GroupStep[] = []
  #tries = 0

  constructor(
    bundles: readonly Bundle[],
    strategy: GroupStrategy,
    nodes: readonly NodeState[],
    kept: readonly (string | undefined)[],
  ) {
    this.#bundles = bundles
    this.#strategy = strategy
    this.#nodes = nodes.slice()
    this.#used = nodes.map(({ name }) => kept.filter((one) => one === name).length)
    this.#order = scarceFirst(bundles, kept)
  }

  /**
   * Whether a search that found nothing has tried everything. Shares and kinds of GPUs are tried one way
   * only.
   */
  get isExhaustive(): boolean {
    const certain = this.#bundles.every(
      ({ resources, gpus }) => gpus === undefined && (resources['gpu'] ?? 0) % MILLI === 0,
    )
    return this.#tries < MAX_TRIES && certain
  }

  run(): readonly GroupStep[] | undefined {
    const total = totalOf(this.#order.flatMap((index) => this.#bundles[index] ?? []))
    if (lackingIn(total, this.#nodes) !== undefined) return undefined
    const packs = this.#strategy === 'PACK' || this.#strategy === 'STRICT_PACK'
    if (packs && this.#together(total)) return this.#steps
    if (this.#strategy === 'STRICT_PACK') return undefined
    return this.#assign(0) ? this.#steps : undefined
  }

  /** All of them on one node: the one with the least room left. */
  #together(total: Resources): boolean {
    const keeps = this.#used.some((count) => count > 0)
    const whole = this.#nodes
      .map((node, index) => ({ node, index }))
      .filter(({ node, index }) => fits(total, node.available) && (!keeps || (this.#used[index] ?? 0) > 0))
      .sort(
        (left, right) =>
          wastes(left.node, total) - wastes(right.node, total) ||
          roomIn(left.node, total) - roomIn(right.node, total),
      )
    // bundles that are kept on several nodes cannot be joined by others on one
    if (keeps && this.#used.filter((count) => count > 0).length > 1) return false
    return whole.some(({ index }) => this.#assign(0, index))
  }

  /** Places the bundles from `at` on in their order; on node `only` when that is given. */
  #assign(at: number, only?: number): boolean {
    const bundle = this.#order[at]
    const request = bundle === undefined ? undefined : this.#bundles[bundle]
    if (bundle === undefined || request === undefined) return true
    for (const index of only === undefined ? this.#candidates(request) : [only]) {
      const node = this.#nodes[index]
      if (node === undefined || this.#tries >= MAX_TRIES) return false
      this.#tries += 1
      const placement = place(request, [node])
      if (placement.kind !== 'placed') continue
      this.#nodes[index] = without(node, placement)
      this.#used[index] = (this.#used[index] ?? 0) + 1
      const { resources, gpuIndices } = placement
      this.#steps.push({ bundle, node: node.name, resources, gpuIndices })
      if (this.#assign(at + 1, only)) return true
      this.#steps.pop()
      this.#used[index] = (this.#used[index] ?? 0) - 1
      this.#nodes[index] = node
    }
    return false
  }

  /** Indices of nodes in the order in which they are tried. */
  #candidates({ resources }: Bundle): number[] {
    const used = (index: number): number => this.#used[index] ?? 0
    const room = this.#nodes.map((node) => roomIn(node, resources))
    const roomOf = (index: number): number => room[index] ?? 0
    const waste = this.#nodes.map((node) => wastes(node, resources))
    const wasteOf = (index: number): number => waste[index] ?? 0
    const all = this.#nodes.map((_node, index) => index).filter((index) => roomOf(index) >= 0)
    switch (this.#strategy) {
      case 'STRICT_SPREAD':
        return all
          .filter((index) => used(index) === 0)
          .sort((left, right) => wasteOf(left) - wasteOf(right) || roomOf(left) - roomOf(right))
      case 'SPREAD':
        return all.sort(
          (left, right) =>
            used(left) - used(right) || wasteOf(left) - wasteOf(right) || roomOf(right) - roomOf(left),
        )
      case 'PACK':
      case 'STRICT_PACK': {
        const fresh = (index: number): number => (used(index) > 0 ? 0 : 1)
        return all.sort(
          (left, right) =>
            fresh(left) - fresh(right) ||
            wasteOf(left) - wasteOf(right) ||
            // a node of the group is filled up; another one is begun where most others find room beside it
            (used(left) > 0 ? roomOf(left) - roomOf(right) : roomOf(right) - roomOf(left)),
        )
      }
    }
  }
}

/** 1 where GPUs would lie idle beside what asks for none: they are left to those who ask. */
const wastes = (node: NodeState, request: Resources): number =>
  (request['gpu'] ?? 0) === 0 && node.gpus.length > 0 ? 1 : 0

/** Bundles without a node: those that ask for GPUs first, then the largest. */
function scarceFirst(bundles: readonly Bundle[], kept: readonly (string | undefined)[]): number[] {
  const order: number[] = []
  for (let index = 0; index < bundles.length; index++) if (kept[index] === undefined) order.push(index)
  if (order.length < 2) return order
  const weight = bundles.map(({ resources }) => ({
    gpu: resources['gpu'] ?? 0,
    most: Object.values(resources).reduce((sum, amount) => sum + amount, 0),
  }))
  const of = (index: number) => weight[index] ?? { gpu: 0, most: 0 }
  return order.sort((left, right) => of(right).gpu - of(left).gpu || of(right).most - of(left).most)
}

/** The largest share of any asked-for resource that stays free on a node; below zero: there is no room. */
export function roomIn(node: NodeState, request: Resources): number {
  let room = 0
  for (const name in request) {
    const wanted = request[name] ?? 0
    const rest = (node.available[name] ?? 0) - wanted
    if (rest < 0 && wanted > 0) return -1
    const capacity = node.capacity[name] ?? 0
    if (capacity > 0) room = Math.max(room, rest / capacity)
  }
  return room
}

/** `cpu 3 of the 4 that are asked for`, of the first resource of which `nodes` have less in all. */
function lackingIn(total: Resources, nodes: readonly NodeState[]): string | undefined {
  for (const name in total) {
    const wanted = total[name] ?? 0
    let free = 0
    for (const node of nodes) if (!node.draining) free += Math.max(0, node.available[name] ?? 0)
    if (wanted > free) return `${name} ${free / MILLI} of the ${wanted / MILLI} that are asked for`
  }
  return undefined
}

function shortOf(
  bundles: readonly Bundle[],
  strategy: GroupStrategy,
  nodes: readonly NodeState[],
  kept: readonly (string | undefined)[],
): string {
  const open = bundles.filter((_bundle, index) => kept[index] === undefined)
  const lacking = lackingIn(totalOf(open), nodes)
  if (lacking !== undefined) return `There is ${lacking}.`
  return `What is free does not lie as ${strategy} asks for ${open.length} bundles.`
}
