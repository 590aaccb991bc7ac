import type { Launcher } from '../environments/launcher.ts'
import type { Resources } from '../resources.ts'
import type { LeaseRequest, NodeState, Placement } from './placement.ts'

/** A held claim on exact amounts and exact GPU indices of one node. Disposing it twice is a bug. */
export interface Lease extends Disposable {
  readonly id: number
  readonly node: string
  readonly resources: Resources
  readonly gpuIndices: readonly number[]
  /** Who holds it, in words, for whoever asks why something waits. */
  readonly holder: string
}

/** One holder of a GPU or another resource, as it is shown. */
export interface Holding {
  readonly holder: string
  readonly node: string
  readonly resources: Resources
  readonly gpuIndices: readonly number[]
}

/**
 * The machines that offer resources. Two implementations: this machine (`local`), or a Ray cluster, where Ray
 * decides
 * which node and which GPU.
 */
export interface Cluster {
  nodes(): readonly NodeState[]
  /** The lease, or why there is none now or ever. */
  acquire(
    request: LeaseRequest,
    holder: string,
  ): { kind: 'leased'; lease: Lease } | Exclude<Placement, { kind: 'placed' }>
  /** Why `request` can never be met, or not so many times at once; undefined when it can. */
  infeasible(request: LeaseRequest, times?: number): string | undefined
  holdings(): readonly Holding[]
  /** Who starts processes on that node. */
  launcher(node: string): Launcher
}
