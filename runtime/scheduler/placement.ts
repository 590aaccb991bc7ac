import type { GroupPlace } from '../registry/types.ts'
import type { Scope } from '../store/journal.ts'
import { MILLI, fits, subtract, type Resources } from '../resources.ts'

/** One node as placement sees it: values only. */
export interface NodeState {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly draining: boolean
  readonly capacity: Resources
  readonly available: Resources
  /** Free milli-units of each GPU by index; empty where there is none. */
  readonly freeGpus: readonly number[]
}

/** What must be held on one node. `gpu` is a fraction of one or a whole number of them, in milli-units. */
export interface LeaseRequest {
  readonly resources: Resources
  readonly labels?: Readonly<Record<string, string>>
  /** ARN of the capacity provider that it counts for. */
  readonly provider?: string | undefined
  /** It is met from what this placement group of that account and region has reserved. */
  readonly group?: (GroupPlace & { readonly scope: Scope }) | undefined
}

/** Where a request goes, or why it goes nowhere. */
export type Placement =
  | { kind: 'placed'; node: string; gpuIndices: number[] }
  /** It fits an empty node: it can be met later. */
  | { kind: 'wait'; reason: string }
  /** No node could ever meet it. */
  | { kind: 'infeasible'; reason: string }

/**
 * Decides where a request goes: the node with the least room left that still fits (best fit), by name among
 * equals, so
 * that large requests find large holes. Pure: the same values give the same decision.
 */
export function place(request: LeaseRequest, nodes: readonly NodeState[]): Placement {
  const eligible = nodes.filter((node) => !node.draining && hasLabels(node, request.labels ?? {}))
  if (eligible.length === 0) return { kind: 'infeasible', reason: noNode(request, nodes) }
  const gpu = request.resources['gpu'] ?? 0
  if (gpu > MILLI && gpu % MILLI !== 0)
    return { kind: 'infeasible', reason: 'More than one GPU can only be asked for in whole numbers.' }
  let best: { node: NodeState; gpuIndices: number[]; room: number } | undefined
  for (const node of eligible) {
    if (!fits(request.resources, node.available)) continue
    const gpuIndices = pickGpus(gpu, node.freeGpus)
    if (gpuIndices === undefined) continue
    const room = roomLeft(request.resources, node)
    if (best === undefined || room < best.room || (room === best.room && node.name < best.node.name))
      best = { node, gpuIndices, room }
  }
  if (best !== undefined) return { kind: 'placed', node: best.node.name, gpuIndices: best.gpuIndices }
  const possible = eligible.filter((node) => fits(request.resources, node.capacity))
  if (possible.length === 0) return { kind: 'infeasible', reason: tooLarge(request.resources, eligible) }
  return { kind: 'wait', reason: `Waits for ${describe(request.resources)}: held by others.` }
}

/** Why `times` requests do not fit at once; undefined when they do. Takes what they need from `nodes`. */
export function placeAll(
  request: LeaseRequest,
  times: number,
  nodes: readonly (NodeState & { available: Resources; freeGpus: number[] })[],
): string | undefined {
  for (let placed = 0; placed < times; placed++) {
    const placement = place(request, nodes)
    if (placement.kind === 'infeasible') return placement.reason
    const node = placement.kind === 'wait' ? undefined : nodes.find(({ name }) => name === placement.node)
    if (placement.kind === 'wait' || node === undefined)
      return `There is room for ${placed} times ${describe(request.resources)}.`
    node.available = subtract(node.available, request.resources)
    const share = Math.min(request.resources['gpu'] ?? 0, MILLI)
    for (const index of placement.gpuIndices) node.freeGpus[index] = (node.freeGpus[index] ?? 0) - share
  }
  return undefined
}

/**
 * A fraction goes to the fullest GPU that still has room; whole ones to GPUs nobody holds. Undefined: no
 * room.
 */
export function pickGpus(gpu: number, free: readonly number[]): number[] | undefined {
  if (gpu === 0) return []
  if (gpu < MILLI) {
    let best = -1
    free.forEach((room, index) => {
      if (room >= gpu && (best < 0 || room < (free[best] ?? 0))) best = index
    })
    return best < 0 ? undefined : [best]
  }
  const whole: number[] = []
  free.forEach((room, index) => {
    if (room === MILLI && whole.length < gpu / MILLI) whole.push(index)
  })
  return whole.length === gpu / MILLI ? whole : undefined
}

/** `cpu 2, memoryMb 128` in plain units. */
export const describe = (resources: Resources): string =>
  Object.entries(resources)
    .filter(([, amount]) => amount > 0)
    .map(([name, amount]) => `${name} ${amount / MILLI}`)
    .join(', ') || 'nothing'

function hasLabels(node: NodeState, labels: Readonly<Record<string, string>>): boolean {
  for (const name in labels) if (node.labels[name] !== labels[name]) return false
  return true
}

/** The largest share of any asked-for resource that would stay free: a small number is a tight fit. */
function roomLeft(request: Resources, node: NodeState): number {
  let room = 0
  for (const name in request) {
    const capacity = node.capacity[name] ?? 0
    if (capacity > 0) room = Math.max(room, ((node.available[name] ?? 0) - (request[name] ?? 0)) / capacity)
  }
  return room
}

function noNode(request: LeaseRequest, nodes: readonly NodeState[]): string {
  const wanted = Object.entries(request.labels ?? {}).map(([name, value]) => `${name}=${value}`)
  if (nodes.length === 0) return 'There is no node.'
  return wanted.length > 0 ? `No node has the label ${wanted.join(', ')}.` : 'All nodes are draining.'
}

function tooLarge(resources: Resources, nodes: readonly NodeState[]): string {
  const missing = Object.entries(resources)
    .map(([name, amount]) => ({
      name,
      amount,
      most: Math.max(...nodes.map((node) => node.capacity[name] ?? 0)),
    }))
    .filter(({ amount, most }) => amount > most)
    .map(({ name, amount, most }) => `${name} ${amount / MILLI} (the largest node has ${most / MILLI})`)
  return missing.length > 0
    ? `No node offers ${missing.join(', ')}.`
    : `No single node offers ${describe(resources)} together.`
}
