import type { Launcher } from '../environments/launcher.ts'
import type { Resources } from '../resources.ts'
import type { LeaseRequest, NodeState } from './node-state.ts'
import type { Placement } from './placement.ts'

/** A held claim on exact amounts and exact GPU indices of one node. Disposing it twice is a bug. */
export interface Lease extends Disposable {
  readonly id: number
  readonly node: string
  readonly resources: Resources
  readonly gpuIndices: readonly number[]
  /** Who holds it, in words, for whoever asks why something waits. */
  readonly holder: string
  /** Gives its CPU to others while its holder waits for them. */
  lend(): void
  /** Takes the CPU back, whoever else waits for some; false as long as others have it. */
  takeBack(): boolean
}

/** One holder of a GPU or another resource, as it is shown. */
export interface Holding {
  readonly holder: string
  readonly node: string
  readonly resources: Resources
  readonly gpuIndices: readonly number[]
}

/** What frees up of a node, up to these amounts, is for one claimant alone. */
export interface Kept {
  readonly node: string
  readonly resources: Resources
  readonly gpuIndices: readonly number[]
  /** The claimant in words; absent: as it is called. */
  readonly holder?: string
}

/** A lease, or why there is none now or ever. The reason of a wait is made when it is asked for. */
export type Acquired = { kind: 'leased'; lease: Lease } | Exclude<Placement, { kind: 'placed' }>

/**
 * The machines that offer resources. Two implementations: this machine (`local`), or a Ray cluster, where Ray
 * decides which node and which GPU.
 */
export interface Cluster {
  /** As they are now: not to be held on to. */
  nodes(): readonly NodeState[]
  /** The lease, or why there is none now or ever. */
  acquire(request: LeaseRequest, holder: string): Acquired
  /** Why `request` can never be met, or not so many times at once; undefined when it can. */
  infeasible(request: LeaseRequest, times?: number): string | undefined
  holdings(): readonly Holding[]
  /** Who starts processes on that node. */
  launcher(node: string): Launcher
  /**
   * From now on nobody but requests with this `claimant` gets what is named; nothing named ends that. What is
   * held stays held: this is for what comes free.
   */
  keep(claimant: string, kept: readonly Kept[]): void
}
