import { strict as assert } from 'node:assert'
import type { Launcher } from '../environments/launcher.ts'
import { add, fits, MILLI, milli, subtract, type Resources } from '../resources.ts'
import type { Cluster, Holding, Lease } from './cluster.ts'
import { place, placeAll, type LeaseRequest, type NodeState } from './placement.ts'

interface LocalNode {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly capacity: Resources
  available: Resources
  readonly freeGpus: number[]
}

/**
 * This machine as a cluster: one node, or `nodes` equal virtual ones, so that placement has meaning on one
 * box.
 * GPUs are dealt out whole; other amounts are divided evenly.
 */
export function createLocalCluster(options: {
  /** Capacity of the machine in plain units. */
  resources: Readonly<Record<string, number>>
  nodes: number
  launcher: Launcher
}): Cluster {
  const nodes = splitMachine(options.resources, options.nodes)
  const leases = new Map<number, Lease>()
  let nextLease = 1

  const view = (node: LocalNode): NodeState => ({ ...node, draining: false })

  const lease = (
    node: LocalNode,
    request: LeaseRequest,
    gpuIndices: readonly number[],
    holder: string,
  ): Lease => {
    assert(fits(request.resources, node.available), 'placement chose a node without room')
    const share = gpuIndices.length > 0 ? Math.min(request.resources['gpu'] ?? 0, MILLI) : 0
    node.available = subtract(node.available, request.resources)
    for (const index of gpuIndices) node.freeGpus[index] = (node.freeGpus[index] ?? 0) - share
    const id = nextLease++
    const held: Lease = {
      id,
      node: node.name,
      resources: request.resources,
      gpuIndices,
      holder,
      [Symbol.dispose]() {
        assert(leases.delete(id), `lease ${id} was released twice`)
        node.available = add(node.available, request.resources)
        for (const index of gpuIndices) node.freeGpus[index] = (node.freeGpus[index] ?? 0) + share
      },
    }
    leases.set(id, held)
    return held
  }

  return {
    nodes: () => nodes.map(view),
    acquire(request, holder) {
      const placement = place(request, nodes.map(view))
      if (placement.kind !== 'placed') return placement
      const node = nodes.find((candidate) => candidate.name === placement.node)
      assert(node, 'placement chose a node that is not there')
      return { kind: 'leased', lease: lease(node, request, placement.gpuIndices, holder) }
    },
    infeasible(request, times = 1) {
      const empty = nodes.map((node) => ({
        ...view(node),
        available: node.capacity,
        freeGpus: node.freeGpus.map(() => MILLI),
      }))
      return placeAll(request, times, empty)
    },
    holdings: (): Holding[] => [...leases.values()],
    launcher: () => options.launcher,
  }
}

function splitMachine(resources: Readonly<Record<string, number>>, count: number): LocalNode[] {
  const gpus = Math.floor(resources['gpu'] ?? 0)
  return Array.from({ length: count }, (_, index) => {
    const capacity: Record<string, number> = {}
    for (const [name, amount] of Object.entries(resources)) capacity[name] = Math.floor(milli(amount) / count)
    const ownGpus = Math.floor(gpus / count) + (index < gpus % count ? 1 : 0)
    if (gpus > 0) capacity['gpu'] = ownGpus * MILLI
    const name = count === 1 ? 'local' : `local-${index + 1}`
    return {
      name,
      labels: { node: name },
      capacity,
      available: capacity,
      freeGpus: Array.from({ length: ownGpus }, () => MILLI),
    }
  })
}
