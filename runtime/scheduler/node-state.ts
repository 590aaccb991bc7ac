import type { FunctionVersion, GroupPlace } from '../registry/types.ts'
import { MILLI, type Resources } from '../resources.ts'
import type { Scope } from '../store/journal.ts'
import type { GpuWish } from '../wish.ts'

/** One GPU of a node as placement sees it. */
export interface GpuState {
  /** Its number on the machine, whichever virtual node it belongs to: what its holder is told. */
  readonly index: number
  /** Milli-units that nobody holds. */
  readonly free: number
  /** Words of its model's name with dashes between them, such as `nvidia-h100-80gb-hbm3`. */
  readonly model?: string | undefined
  readonly memoryMb?: number | undefined
  /** Why it is handed to nobody at the moment, whatever is free of it. */
  readonly withheld?: string | undefined
}

/** One node as placement sees it: values only. */
export interface NodeState {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly draining: boolean
  readonly capacity: Resources
  readonly available: Resources
  readonly gpus: readonly GpuState[]
}

/** What must be held on one node. `gpu` is a fraction of one or a whole number of them, in milli-units. */
export interface LeaseRequest {
  readonly resources: Resources
  /** Ways to meet the wish for GPUs, in place of the amount of `gpu`; the first that fits now is taken. */
  readonly gpus?: readonly GpuWish[] | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
  /** ARN of the capacity provider that it counts for. */
  readonly provider?: string | undefined
  /** It is met from what this placement group of that account and region has reserved. */
  readonly group?: (GroupPlace & { readonly scope: Scope }) | undefined
  /** Whom it is for, where something is kept for somebody (`Cluster.keep`). */
  readonly claimant?: string | undefined
}

/** Whether a GPU is of the model, and of the size, that a wish names. */
export const isOfKind = (gpu: GpuState, way: GpuWish | undefined): boolean =>
  way === undefined ||
  ((way.model === undefined || `-${gpu.model ?? ''}-`.includes(`-${way.model}-`)) &&
    (way.memoryMb === undefined || (gpu.memoryMb ?? 0) >= way.memoryMb))

/** How much of a GPU a wish for memory is, in milli-units; undefined: it is too small, or of unknown size. */
export const shareOf = (way: GpuWish, gpu: GpuState): number | undefined =>
  way.memoryMb === undefined || !isOfKind(gpu, way)
    ? undefined
    : Math.ceil((way.memoryMb * MILLI) / (gpu.memoryMb ?? 0))

/** What one environment of a version asks for. */
export function requestOf(
  { execution, scope }: Pick<FunctionVersion, 'execution' | 'scope'>,
  claimant?: string,
): LeaseRequest {
  const { resources, gpus, labels, provider, placementGroup } = execution
  const group = placementGroup === undefined ? undefined : { ...placementGroup, scope }
  return { resources, gpus, labels, provider, group, claimant }
}

/** A version's environments as holders of what they lease, in words. */
export const holderOf = ({
  functionName,
  version,
}: Pick<FunctionVersion, 'functionName' | 'version'>): string => `function ${functionName}:${version}`
