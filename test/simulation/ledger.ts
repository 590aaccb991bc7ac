import type { Acquired, Cluster, Holding, Kept, Lease } from '../../runtime/scheduler/cluster.ts'
import type { LeaseRequest, NodeState } from '../../runtime/scheduler/node-state.ts'
import type { Resources } from '../../runtime/resources.ts'
import { Violation } from './simulate.ts'

/** A lease as the ledger knows it. */
interface Entry {
  readonly lease: Lease
  isLent: boolean
}

/**
 * Keeps a book of what a cluster has handed out, by itself, and finds out when that is more than there is.
 * The cluster's own arithmetic is not believed.
 */
export class Ledger implements Cluster {
  readonly #inner: Cluster
  readonly #entries = new Map<number, Entry>()
  /** The most that a node ever offered: what is held stays held when that is lowered. */
  readonly #most = new Map<string, Record<string, number>>()

  constructor(inner: Cluster) {
    this.#inner = inner
  }

  nodes(): readonly NodeState[] {
    return this.#inner.nodes()
  }
  holdings(): readonly Holding[] {
    return this.#inner.holdings()
  }
  launcher(node: string): ReturnType<Cluster['launcher']> {
    return this.#inner.launcher(node)
  }
  infeasible(request: LeaseRequest, times?: number): string | undefined {
    return this.#inner.infeasible(request, times)
  }
  keep(claimant: string, kept: readonly Kept[]): void {
    this.#inner.keep(claimant, kept)
  }

  acquire(request: LeaseRequest, holder: string): Acquired {
    const acquired = this.#inner.acquire(request, holder)
    if (acquired.kind !== 'leased') return acquired
    const { lease } = acquired
    const entry: Entry = { lease, isLent: false }
    this.#entries.set(lease.id, entry)
    return {
      kind: 'leased',
      lease: {
        ...lease,
        lend: () => {
          entry.isLent = true
          lease.lend()
        },
        takeBack: () => {
          if (!lease.takeBack()) return false
          entry.isLent = false
          return true
        },
        [Symbol.dispose]: () => {
          if (!this.#entries.delete(lease.id)) throw new Violation(`lease ${lease.id} was given back twice`)
          lease[Symbol.dispose]()
        },
      },
    }
  }

  holds(leaseId: number): boolean {
    return this.#entries.has(leaseId)
  }

  get size(): number {
    return this.#entries.size
  }

  /** Throws a `Violation` when more is held than there is. */
  check(): void {
    const held = new Map<string, Record<string, number>>()
    const shares = new Map<number, number>()
    for (const { lease, isLent } of this.#entries.values()) {
      let of = held.get(lease.node)
      if (of === undefined) held.set(lease.node, (of = {}))
      addTo(of, lease.resources, isLent)
      const share = Math.min(lease.resources['gpu'] ?? 0, 1000)
      for (const index of lease.gpuIndices) shares.set(index, (shares.get(index) ?? 0) + share)
    }
    for (const node of this.#inner.nodes()) {
      let most = this.#most.get(node.name)
      if (most === undefined) this.#most.set(node.name, (most = {}))
      for (const name in node.capacity) most[name] = Math.max(most[name] ?? 0, node.capacity[name] ?? 0)
      const of = held.get(node.name) ?? {}
      for (const name in of)
        if ((of[name] ?? 0) > (most[name] ?? 0))
          throw new Violation(`${of[name]} of ${name} is held on ${node.name}, which has ${most[name] ?? 0}`)
    }
    for (const [index, share] of shares)
      if (share > 1000) throw new Violation(`GPU ${index} is held ${share / 1000} times`)
  }
}

/** Adds what a lease holds at the moment. */
export function addTo(sum: Record<string, number>, resources: Resources, isLent: boolean): void {
  for (const name in resources)
    if (!(isLent && name === 'cpu')) sum[name] = (sum[name] ?? 0) + (resources[name] ?? 0)
}
