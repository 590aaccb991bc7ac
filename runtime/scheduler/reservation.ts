import { MILLI } from '../resources.ts'
import type { GpuWish } from '../wish.ts'
import type { Cluster, Kept } from './cluster.ts'
import { canEverFit, lackingOn } from './feasibility.ts'
import { isOfKind, shareOf, type GpuState, type LeaseRequest, type NodeState } from './node-state.ts'

/** Something is kept for so long, each time twice as long; then others have a turn. */
const FIRST_MS = 10_000
const MOST_TURNS = 6
const TURN_MS = 1000

/**
 * What frees up on one node is kept for one who waits: without that, a stream of small requests would take
 * every place before a large one finds enough together. Now and then it is for everybody: who holds what is
 * missing may itself wait for somebody who cannot start.
 */
export class Reservation {
  readonly #cluster: Pick<Cluster, 'nodes' | 'keep'>
  readonly #request: LeaseRequest
  readonly #claimant: string
  readonly #holder: string
  #kept: Kept | undefined
  #turns = 0
  /** Monotonic ms: until then something is kept, or nothing is. */
  #until = -Infinity

  /** `holder` is the claimant in words. */
  constructor(
    cluster: Pick<Cluster, 'nodes' | 'keep'>,
    wish: { claimant: string; holder: string; request: LeaseRequest },
  ) {
    this.#cluster = cluster
    this.#request = wish.request
    this.#claimant = wish.claimant
    this.#holder = wish.holder
  }

  /** What is kept now. */
  get kept(): Kept | undefined {
    return this.#kept
  }

  /** Time has passed: something is to be kept, or it is the others' turn, or the node is not what it was. */
  look(now: number): void {
    if (this.#kept !== undefined && !this.#isGood(this.#kept)) this.release()
    else if (now < this.#until) return
    else if (this.#kept !== undefined) {
      this.release()
      this.#until = now + TURN_MS
      return
    }
    const found = keptFor(this.#request, this.#cluster.nodes())
    if (found === undefined) return
    this.#kept = { ...found, holder: this.#holder }
    this.#until = now + FIRST_MS * 2 ** this.#turns
    this.#turns = Math.min(this.#turns + 1, MOST_TURNS)
    this.#cluster.keep(this.#claimant, [this.#kept])
  }

  /** Nothing is kept any more. */
  release(): void {
    if (this.#kept !== undefined) this.#cluster.keep(this.#claimant, [])
    this.#kept = undefined
  }

  #isGood(kept: Kept): boolean {
    const node = this.#cluster.nodes().find(({ name }) => name === kept.node)
    return node !== undefined && !node.draining && canEverFit(this.#request, node)
  }
}

/** Where a request shall find room: on the node that lacks least of it. Undefined: it fits nowhere, ever. */
export function keptFor(request: LeaseRequest, nodes: readonly NodeState[]): Kept | undefined {
  let best: { node: NodeState; missing: number } | undefined
  for (const node of nodes) {
    if (node.draining || !canEverFit(request, node)) continue
    const missing = missingOn(request, node)
    if (
      best === undefined ||
      missing < best.missing ||
      (missing === best.missing && node.name < best.node.name)
    )
      best = { node, missing }
  }
  if (best === undefined) return undefined
  const { node } = best
  for (const way of request.gpus ?? [undefined]) {
    const gpus = gpusFor(node, request.resources['gpu'] ?? 0, way)
    if (gpus === undefined) continue
    const { amount, gpuIndices } = gpus
    const resources = amount === 0 ? request.resources : { ...request.resources, gpu: amount }
    return { node: node.name, resources, gpuIndices }
  }
  return undefined
}

/** Shares of the node's capacities that are asked for and held by others, in all. */
function missingOn(request: LeaseRequest, node: NodeState): number {
  let missing = 0
  for (const name of lackingOn(request, node)) {
    const wanted = request.resources[name] ?? 0
    missing += (wanted - Math.max(0, node.available[name] ?? 0)) / (node.capacity[name] ?? 1)
    if (name === 'gpu') missing += 1e-6 // enough in all, and not together
  }
  return missing
}

/** Of the GPUs of a kind those of which most is free: they will be free first. */
function gpusFor(
  node: NodeState,
  plain: number,
  way: GpuWish | undefined,
): { amount: number; gpuIndices: number[] } | undefined {
  const fitting = node.gpus
    .filter((gpu) => isOfKind(gpu, way))
    .toSorted((left, right) => openness(right) - openness(left) || left.index - right.index)
  const amount = way === undefined ? plain : way.amount
  const count = amount === undefined ? 1 : Math.ceil(amount / MILLI)
  const chosen = fitting.slice(0, count)
  const [first] = chosen
  if (chosen.length < count) return undefined
  // how much of a GPU some memory is depends on the GPU
  const share = amount ?? (way === undefined || first === undefined ? undefined : shareOf(way, first))
  return share === undefined ? undefined : { amount: share, gpuIndices: chosen.map(({ index }) => index) }
}

/** What is free of a GPU, less than nothing where nobody gets it. */
const openness = ({ free, withheld }: GpuState): number => (withheld === undefined ? free : free - 2 * MILLI)
