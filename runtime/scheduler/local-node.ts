import { gpuAmount, type GpuDevice } from '../environments/gpu-devices.ts'
import { EngineError } from '../errors.ts'
import { MILLI, milli, type Resources } from '../resources.ts'
import type { GpuState, NodeState } from './node-state.ts'

/** What was changed about a node after it was found; what is absent is as it was found. */
export interface NodeSettings {
  /** In milli-units. */
  readonly capacity: Resources
  readonly labels: Readonly<Record<string, string>>
  readonly drain: boolean
}

/** A GPU of a node: what it is, and what of it is free. */
export interface LocalGpu extends GpuState {
  readonly device: GpuDevice
  free: number
  withheld: string | undefined
  /** The node offers it: it counts in its capacity. */
  offered: boolean
  /** Why nobody gets it though it is offered. */
  cordon: string | undefined
}

/** A node of this machine; `available` may be below zero where capacity was lowered under what is held. */
export interface LocalNode extends NodeState {
  readonly found: { readonly capacity: Resources; readonly labels: Readonly<Record<string, string>> }
  labels: Readonly<Record<string, string>>
  draining: boolean
  capacity: Resources
  readonly available: Record<string, number>
  readonly gpus: LocalGpu[]
}

/**
 * One node, or `count` equal virtual ones: GPUs are dealt out whole, other amounts (plain units) are divided
 * evenly.
 */
export function splitMachine(
  resources: Readonly<Record<string, number>>,
  devices: readonly GpuDevice[],
  count: number,
): LocalNode[] {
  let dealt = 0
  return Array.from({ length: count }, (_, index) => {
    const capacity: Record<string, number> = {}
    for (const [name, amount] of Object.entries(resources)) capacity[name] = Math.floor(milli(amount) / count)
    const own = Math.floor(devices.length / count) + (index < devices.length % count ? 1 : 0)
    const gpus = devices.slice(dealt, dealt + own).map(openGpu)
    dealt += own
    if (devices.length > 0) capacity['gpu'] = gpuAmount(gpus)
    const name = count === 1 ? 'local' : `local-${index + 1}`
    const labels = { node: name }
    return {
      name,
      labels,
      draining: false,
      capacity,
      available: { ...capacity },
      gpus,
      found: { capacity, labels },
    }
  })
}

/** Adds to what is free of a node, or takes from it (`sign` -1). */
export function move(
  node: LocalNode,
  resources: Resources,
  gpuIndices: readonly number[],
  sign: 1 | -1,
): void {
  const { available, gpus } = node
  for (const name in resources) available[name] = (available[name] ?? 0) + sign * (resources[name] ?? 0)
  if (gpuIndices.length === 0) return
  const share = Math.min(resources['gpu'] ?? 0, MILLI)
  for (const one of gpus) if (gpuIndices.includes(one.index)) one.free += sign * share
}

/** Says again why a GPU is handed to nobody. */
export function settle(gpu: LocalGpu): void {
  gpu.withheld = gpu.offered ? gpu.cordon : 'it was taken out of the node’s capacity'
}

/**
 * Gives a node other settings. What is held stays held: what was lowered takes effect as leases end. A node
 * that is to have more GPUs gets those that others no longer offer, then declared ones.
 *
 * Throws EngineError 'invalid' when there are not so many GPUs.
 */
export function configure(node: LocalNode, settings: NodeSettings, all: readonly LocalNode[]): void {
  const capacity = { ...node.found.capacity, ...settings.capacity }
  if (capacity['gpu'] !== node.capacity['gpu']) offerGpus(node, (capacity['gpu'] ?? 0) / MILLI, all)
  for (const name of new Set([...Object.keys(node.capacity), ...Object.keys(capacity)])) {
    const more = (capacity[name] ?? 0) - (node.capacity[name] ?? 0)
    if (more !== 0) node.available[name] = (node.available[name] ?? 0) + more
  }
  node.capacity = capacity
  node.labels = { ...settings.labels, ...node.found.labels }
  node.draining = settings.drain
}

function offerGpus(node: LocalNode, count: number, all: readonly LocalNode[]): void {
  const missing = count - node.gpus.length
  if (missing > 0) {
    const spare = all.flatMap((other) =>
      other === node
        ? []
        : other.gpus.filter((gpu) => !gpu.offered && gpu.free === MILLI).map((gpu) => ({ other, gpu })),
    )
    const everything = all.flatMap(({ gpus }) => gpus)
    if (spare.length < missing && everything.some(({ device }) => !device.declared)) {
      const most = node.gpus.length + spare.length
      throw new EngineError('invalid', `Node ${node.name} cannot have ${count} GPUs: it has ${most}.`, {
        hint: 'Lower another node first, or declare GPUs that nobody looks for with --resources at start.',
      })
    }
    for (const { other, gpu } of spare.slice(0, missing)) {
      other.gpus.splice(other.gpus.indexOf(gpu), 1)
      node.gpus.push(gpu)
    }
    const next = Math.max(-1, ...everything.map(({ index }) => index)) + 1
    for (let more = 0; node.gpus.length < count; more++)
      node.gpus.push(openGpu({ index: next + more, declared: true }))
  }
  node.gpus.sort((left, right) => left.index - right.index)
  node.gpus.forEach((gpu, position) => {
    gpu.offered = position < count
    settle(gpu)
  })
}

const openGpu = (device: GpuDevice): LocalGpu => ({
  device,
  index: device.index,
  model: device.model,
  memoryMb: device.memoryMb,
  free: MILLI,
  withheld: undefined,
  offered: true,
  cordon: undefined,
})
