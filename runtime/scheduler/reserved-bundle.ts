import { strict as assert } from 'node:assert'
import { add, fits, MILLI, subtract, type Resources } from '../resources.ts'
import type { Acquired, Cluster, Lease } from './cluster.ts'
import { roomIn } from './group-placement.ts'
import type { LeaseRequest, NodeState } from './node-state.ts'
import { place, without } from './placement.ts'

/**
 * A bundle that has its place: a lease of the cluster turned into a small node of its own, from which members
 * of the group lease. It is given back when it is closed and the last member is gone, never earlier.
 */
export class ReservedBundle {
  readonly index: number
  readonly lease: Lease
  readonly #cluster: Cluster
  readonly #onGone: (bundle: ReservedBundle) => void
  readonly #members = new Map<number, Lease>()
  readonly #empty: NodeState
  #room: NodeState
  #closed = false

  constructor(index: number, lease: Lease, cluster: Cluster, onGone: (bundle: ReservedBundle) => void) {
    this.index = index
    this.lease = lease
    this.#cluster = cluster
    this.#onGone = onGone
    const { resources, gpuIndices } = lease
    this.#empty = {
      name: lease.node,
      labels: NO_LABELS,
      draining: false,
      capacity: resources,
      available: resources,
      gpus: gpuIndices.length === 0 ? NO_GPUS : gpusOf(lease, cluster),
    }
    this.#room = this.#empty
  }

  get members(): Iterable<Lease> {
    return this.#members.values()
  }

  /** How tight `request` would fit: the smaller the tighter; below zero: it does not at the moment. */
  roomFor(request: LeaseRequest): number {
    return roomIn(this.#room, this.#inside(request.resources))
  }

  /** Why it could not be met if nobody else used the bundle; undefined when it could. */
  refuses(request: LeaseRequest): string | undefined {
    const placement = place(this.#wish(request), [{ ...this.#empty, labels: this.#labels(request) }])
    return placement.kind === 'placed' ? undefined : placement.reason
  }

  /**
   * Leases a part of it under the number `id`; `onLent` is told when CPU of it comes free. Memory, where the
   * bundle has reserved none, is leased from its node.
   */
  acquire(request: LeaseRequest, holder: string, id: number, onLent: () => void): Acquired {
    assert(!this.#closed, 'a bundle that is closed leases nothing')
    const placement = place(this.#wish(request), [{ ...this.#room, labels: this.#labels(request) }])
    if (placement.kind !== 'placed') return placement
    const beside = this.#acquireBeside(request, holder)
    if (beside !== undefined && beside.kind !== 'leased') return beside
    this.#room = without(this.#room, placement)
    const cpu = { cpu: placement.resources['cpu'] ?? 0 }
    let lent = false
    const member: Lease = {
      id,
      node: this.lease.node,
      resources: { ...request.resources, ...placement.resources },
      gpuIndices: placement.gpuIndices,
      holder,
      lend: () => {
        if (lent || cpu.cpu === 0) return
        lent = true
        this.#moveCpu(add(this.#room.available, cpu))
        onLent()
      },
      takeBack: () => {
        if (!lent) return true
        if (!fits(cpu, this.#room.available)) return false
        lent = false
        this.#moveCpu(subtract(this.#room.available, cpu))
        return true
      },
      [Symbol.dispose]: () => {
        assert(this.#members.delete(id), `lease ${id} was released twice`)
        beside?.lease[Symbol.dispose]()
        this.#room = withAgain(this.#room, placement)
        if (lent) this.#moveCpu(subtract(this.#room.available, cpu))
        if (this.#closed) this.#endUnused()
      },
    }
    this.#members.set(id, member)
    return { kind: 'leased', lease: member }
  }

  /** Takes no member any more, and ends with those it has. */
  close(): void {
    this.#closed = true
    this.#endUnused()
  }

  #endUnused(): void {
    if (this.#members.size > 0) return
    this.lease[Symbol.dispose]()
    this.#onGone(this)
  }

  #moveCpu(available: Resources): void {
    this.#room = { ...this.#room, available }
  }

  #acquireBeside({ resources }: LeaseRequest, holder: string): Acquired | undefined {
    const { memoryMb = 0 } = resources
    if (memoryMb === 0 || 'memoryMb' in this.#empty.capacity) return undefined
    return this.#cluster.acquire({ resources: { memoryMb }, labels: { node: this.lease.node } }, holder)
  }

  /** What of `resources` comes from the bundle. */
  #inside(resources: Resources): Resources {
    if (!('memoryMb' in resources) || 'memoryMb' in this.#empty.capacity) return resources
    const { memoryMb: _beside, ...inside } = resources
    return inside
  }

  #wish({ resources, gpus, labels }: LeaseRequest): LeaseRequest {
    return { resources: this.#inside(resources), gpus, labels }
  }

  #labels({ labels }: LeaseRequest): NodeState['labels'] {
    if (labels === undefined) return NO_LABELS
    return this.#cluster.nodes().find(({ name }) => name === this.lease.node)?.labels ?? NO_LABELS
  }
}

const NO_LABELS: NodeState['labels'] = {}
const NO_GPUS: NodeState['gpus'] = []

/** The GPUs of a lease with the share that it holds of each. */
function gpusOf({ node, resources, gpuIndices }: Lease, cluster: Cluster): NodeState['gpus'] {
  const share = Math.min(resources['gpu'] ?? 0, MILLI)
  const known = cluster.nodes().find(({ name }) => name === node)?.gpus ?? NO_GPUS
  return gpuIndices.map((index) => {
    const { model, memoryMb } = known.find((one) => one.index === index) ?? {}
    return { index, free: share, model, memoryMb }
  })
}

/** A node with what a placement took of it. */
function withAgain(
  node: NodeState,
  { resources, gpuIndices }: { resources: Resources; gpuIndices: readonly number[] },
): NodeState {
  const share = Math.min(resources['gpu'] ?? 0, MILLI)
  const gpus = node.gpus.map((one) =>
    gpuIndices.includes(one.index) ? { ...one, free: one.free + share } : one,
  )
  return { ...node, available: add(node.available, resources), gpus }
}
