import { strict as assert } from 'node:assert'
import { declaredGpus, withoutGpus, type GpuDevice } from '../environments/gpu-devices.ts'
import type { Launcher } from '../environments/launcher.ts'
import { EngineError } from '../errors.ts'
import { fits, MILLI, type Resources } from '../resources.ts'
import type { Acquired, Cluster, Holding, Kept, Lease } from './cluster.ts'
import type { GpuCheck } from './gpu-check.ts'
import { heldOf, whyWaiting } from './holders.ts'
import { configure, move, settle, splitMachine, type LocalNode, type NodeSettings } from './local-node.ts'
import type { LeaseRequest, NodeState } from './node-state.ts'
import { place, placeAll, without } from './placement.ts'

/** What this machine as a cluster is made of. */
export interface LocalClusterOptions {
  /** Capacity of the machine in plain units; `gpu`, `gpu:<model>` and `gpuMemoryMb` declare GPUs. */
  readonly resources: Readonly<Record<string, number>>
  /** GPUs that were found; absent: those that `resources` declare. */
  readonly gpus?: readonly GpuDevice[]
  /** Virtual nodes to split it into. */
  readonly nodes: number
  readonly launcher: Launcher
  /** Says when a GPU that was given back is really free; absent: at once. */
  readonly gpuCheck?: Pick<GpuCheck, 'whenFree'> | undefined
  /** Told when there may be more room, other than by the end of a lease. */
  onRoom?(): void
}

/** This machine as a cluster: one node, or equal virtual ones, so that placement has meaning on one box. */
export class LocalCluster implements Cluster {
  readonly #options: LocalClusterOptions
  readonly #nodes: readonly LocalNode[]
  readonly #leases = new Map<number, Lease>()
  readonly #kept = new Map<string, readonly Kept[]>()
  #nextLease = 1

  constructor(options: LocalClusterOptions) {
    this.#options = options
    const devices = options.gpus ?? declaredGpus(options.resources)
    this.#nodes = splitMachine(withoutGpus(options.resources), devices, options.nodes)
  }

  nodes(): readonly LocalNode[] {
    return this.#nodes
  }

  holdings(): Holding[] {
    return [...this.#leases.values()]
  }

  launcher(): Launcher {
    return this.#options.launcher
  }

  acquire(request: LeaseRequest, holder: string): Acquired {
    const nodes = this.#kept.size === 0 ? this.#nodes : this.#leftFor(request.claimant)
    const placement = place(request, nodes)
    if (placement.kind === 'placed') {
      const node = this.#node(placement.node)
      assert(node, 'placement chose a node that is not there')
      const lease = this.#lease(node, placement.resources, placement.gpuIndices, holder)
      return { kind: 'leased', lease }
    }
    if (placement.kind === 'infeasible')
      return { kind: 'infeasible', reason: placement.reason + this.#heldOf(request) }
    const leases = this.#leases
    const keptFor = [...this.#kept]
      .filter(([claimant]) => claimant !== request.claimant)
      .map(([claimant, [first]]) => first?.holder ?? claimant)
    const all = this.#nodes
    return {
      kind: 'wait',
      get reason() {
        return whyWaiting(request, all, leases.values(), keptFor)
      },
    }
  }

  infeasible(request: LeaseRequest, times = 1): string | undefined {
    const reason = placeAll(request, times, this.#nodes.map(emptied))
    return reason === undefined ? undefined : reason + this.#heldOf(request)
  }

  keep(claimant: string, kept: readonly Kept[]): void {
    if (kept.length === 0) this.#kept.delete(claimant)
    else this.#kept.set(claimant, kept)
  }

  /**
   * Gives a node other settings, in place of those it had. Throws EngineError 'not-found', and 'invalid' for
   * more GPUs than there are.
   */
  configure(name: string, settings: NodeSettings): void {
    const node = this.#node(name)
    if (node === undefined)
      throw new EngineError('not-found', `There is no node ${name}.`, {
        hint: `There ${this.#nodes.length === 1 ? 'is' : 'are'} ${this.#nodes.map((one) => one.name).join(', ')}.`,
      })
    configure(node, settings, this.#nodes)
    this.#options.onRoom?.()
  }

  #node(name: string): LocalNode | undefined {
    return this.#nodes.find((one) => one.name === name)
  }

  #heldOf(request: LeaseRequest): string {
    return heldOf(request, this.#nodes, this.#leases.values())
  }

  /** The nodes without what is kept for others than `claimant`; who came first comes first. */
  #leftFor(claimant: string | undefined): readonly NodeState[] {
    let nodes: readonly NodeState[] = this.#nodes
    for (const [other, kept] of this.#kept) {
      if (other === claimant) break
      for (const one of kept)
        nodes = nodes.map((node) => (node.name === one.node ? without(node, one) : node))
    }
    return nodes
  }

  #lease(node: LocalNode, resources: Resources, gpuIndices: readonly number[], holder: string): Lease {
    assert(fits(resources, node.available), 'placement chose a node without room')
    move(node, resources, gpuIndices, -1)
    const id = this.#nextLease++
    const cpu = { cpu: resources['cpu'] ?? 0 }
    let lent = false
    const held: Lease = {
      id,
      node: node.name,
      resources,
      gpuIndices,
      holder,
      lend: () => {
        if (lent || cpu.cpu === 0) return
        lent = true
        move(node, cpu, [], 1)
      },
      takeBack: () => {
        if (!lent) return true
        if (!fits(cpu, node.available)) return false
        lent = false
        move(node, cpu, [], -1)
        return true
      },
      [Symbol.dispose]: () => {
        assert(this.#leases.delete(id), `lease ${id} was released twice`)
        move(node, resources, gpuIndices, 1)
        if (lent) move(node, cpu, [], -1)
        if ((resources['gpu'] ?? 0) >= MILLI) this.#check(node, gpuIndices)
      },
    }
    this.#leases.set(id, held)
    return held
  }

  /** GPUs that were held whole are handed on when no process is on them any more. */
  #check(node: LocalNode, gpuIndices: readonly number[]): void {
    const { gpuCheck, onRoom } = this.#options
    if (gpuCheck === undefined) return
    for (const gpu of node.gpus) {
      if (!gpuIndices.includes(gpu.index) || gpu.device.declared) continue
      const told = (problem: string | undefined): void => {
        gpu.cordon = problem
        settle(gpu)
        if (problem === undefined) onRoom?.()
      }
      told('its last holder is gone, and whether anything still runs on it is looked at')
      gpuCheck.whenFree(gpu.device, told)
    }
  }
}

/** This machine as a cluster. */
export const createLocalCluster = (options: LocalClusterOptions): LocalCluster => new LocalCluster(options)

/** A node that nobody holds anything of. */
const emptied = (node: LocalNode): NodeState => ({
  ...node,
  draining: false,
  available: node.capacity,
  gpus: node.gpus.filter((gpu) => gpu.offered).map((gpu) => ({ ...gpu, free: MILLI, withheld: undefined })),
})
