import { MILLI, add, fits, subtract, type Resources } from '../resources.ts'
import type { GpuWish } from '../wish.ts'
import { canEverFit, describeRequest, whyNever } from './feasibility.ts'
import { hasLabels } from './labels.ts'
import { isOfKind, shareOf, type GpuState, type LeaseRequest, type NodeState } from './node-state.ts'

/** Where a request goes, or why it goes nowhere. */
export type Placement =
  /** `resources` is what is to be held: `gpu` is the amount of the way that was taken. */
  | { kind: 'placed'; node: string; resources: Resources; gpuIndices: number[] }
  /** It fits an empty node: it can be met later. */
  | { kind: 'wait'; readonly reason: string }
  /** No node could ever meet it. */
  | { kind: 'infeasible'; readonly reason: string }

/**
 * Decides where a request goes: the node with the least room left that still fits (best fit), one without
 * GPUs for who wants none, by name among equals, so that large requests find large holes. Pure: the same
 * values give the same decision.
 */
export function place(request: LeaseRequest, nodes: readonly NodeState[]): Placement {
  const { gpus } = request
  if (gpus === undefined) {
    const found = placeWay(request, undefined, nodes)
    if (found !== undefined) return found
  } else {
    for (const way of gpus) {
      const found = placeWay(request, way, nodes)
      if (found !== undefined) return found
    }
  }
  if (!nodes.some((node) => canEverFit(request, node)))
    return { kind: 'infeasible', reason: whyNever(request, nodes) }
  return { kind: 'wait', reason: `Waits for ${describeRequest(request)}: held by others.` }
}

function placeWay(
  request: LeaseRequest,
  way: GpuWish | undefined,
  nodes: readonly NodeState[],
): Placement | undefined {
  let best: { node: NodeState; resources: Resources; gpuIndices: number[]; room: number } | undefined
  for (const node of nodes) {
    if (node.draining || !hasLabels(node.labels, request.labels)) continue
    const found = fitOn(node, request.resources, way)
    if (found === undefined) continue
    const room = roomLeft(found.resources, node)
    if (best === undefined || room < best.room || (room === best.room && node.name < best.node.name))
      best = { node, ...found, room }
  }
  if (best === undefined) return undefined
  return { kind: 'placed', node: best.node.name, resources: best.resources, gpuIndices: best.gpuIndices }
}

/** What would be held on one node; undefined: there is no room. */
function fitOn(
  node: NodeState,
  resources: Resources,
  way: GpuWish | undefined,
): { resources: Resources; gpuIndices: number[] } | undefined {
  const share = way === undefined || way.amount === undefined ? undefined : way.amount
  if (way === undefined || share !== undefined) {
    const gpu = share ?? resources['gpu'] ?? 0
    const held = gpu === (resources['gpu'] ?? 0) ? resources : { ...resources, gpu }
    if (!fits(held, node.available)) return undefined
    const gpuIndices = pickGpus(gpu, node.gpus, way)
    return gpuIndices === undefined ? undefined : { resources: held, gpuIndices }
  }
  // by memory alone: how much of a GPU that is depends on the GPU
  let best: { index: number; gpu: number; left: number } | undefined
  for (const one of node.gpus) {
    const gpu = shareOf(way, one)
    if (gpu === undefined || one.withheld !== undefined || one.free < gpu) continue
    if (best === undefined || one.free - gpu < best.left)
      best = { index: one.index, gpu, left: one.free - gpu }
  }
  if (best === undefined) return undefined
  const held = { ...resources, gpu: best.gpu }
  return fits(held, node.available) ? { resources: held, gpuIndices: [best.index] } : undefined
}

/**
 * A fraction goes to the fullest GPU that still has room; whole ones to GPUs nobody holds. Undefined: no
 * room.
 */
export function pickGpus(gpu: number, gpus: readonly GpuState[], way?: GpuWish): number[] | undefined {
  if (gpu === 0) return []
  if (gpu < MILLI) {
    let best: GpuState | undefined
    for (const one of gpus) {
      if (one.withheld !== undefined || one.free < gpu || !isOfKind(one, way)) continue
      if (best === undefined || one.free < best.free) best = one
    }
    return best === undefined ? undefined : [best.index]
  }
  const whole: number[] = []
  if (gpu % MILLI !== 0) return undefined
  for (const one of gpus) {
    if (whole.length === gpu / MILLI) break
    if (one.withheld === undefined && one.free === MILLI && isOfKind(one, way)) whole.push(one.index)
  }
  return whole.length === gpu / MILLI ? whole : undefined
}

/** Why `times` requests do not fit at once; undefined when they do. `nodes` are as they would be then. */
export function placeAll(
  request: LeaseRequest,
  times: number,
  nodes: readonly NodeState[],
): string | undefined {
  const left = new Map(nodes.map((node) => [node.name, node]))
  for (let placed = 0; placed < times; placed++) {
    const placement = place(request, [...left.values()])
    if (placement.kind === 'infeasible') return placement.reason
    const node = placement.kind === 'wait' ? undefined : left.get(placement.node)
    if (placement.kind === 'wait' || node === undefined)
      return placed === 0 ? undefined : `There is room for ${placed} times ${describeRequest(request)}.`
    left.set(node.name, without(node, placement))
  }
  return undefined
}

interface Taken {
  readonly resources: Resources
  readonly gpuIndices: readonly number[]
}

/** A node without what a placement takes of it. */
export const without = (node: NodeState, { resources, gpuIndices }: Taken): NodeState => ({
  ...node,
  available: subtract(node.available, resources),
  gpus: gpusWith(node, gpuIndices, -Math.min(resources['gpu'] ?? 0, MILLI)),
})

/** A node with what a lease holds of it given back. */
export const withBack = (node: NodeState, { resources, gpuIndices }: Taken): NodeState => ({
  ...node,
  available: add(node.available, resources),
  gpus: gpusWith(node, gpuIndices, Math.min(resources['gpu'] ?? 0, MILLI)),
})

const gpusWith = (node: NodeState, indices: readonly number[], more: number): readonly GpuState[] =>
  node.gpus.map((one) => (indices.includes(one.index) ? { ...one, free: one.free + more } : one))

/** The largest share of any asked-for resource that would stay free: a small number is a tight fit. */
function roomLeft(request: Resources, node: NodeState): number {
  let room = 0
  for (const name in request) {
    const capacity = node.capacity[name] ?? 0
    if (capacity > 0) room = Math.max(room, ((node.available[name] ?? 0) - (request[name] ?? 0)) / capacity)
  }
  return (request['gpu'] ?? 0) === 0 && node.gpus.length > 0 ? room + 1 : room
}
