import { MILLI, type Resources } from '../resources.ts'
import type { GpuWish } from '../wish.ts'
import { hasLabels } from './labels.ts'
import { isOfKind, shareOf, type LeaseRequest, type NodeState } from './node-state.ts'

/** `cpu 2, memoryMb 128` in plain units. */
export const describe = (resources: Resources): string =>
  Object.entries(resources)
    .filter(([, amount]) => amount > 0)
    .map(([name, amount]) => `${name} ${amount / MILLI}`)
    .join(', ') || 'nothing'

/** `cpu 2, gpu h100:2 or a100:2` as it was asked for. */
export function describeRequest({ resources, gpus }: LeaseRequest): string {
  if (gpus === undefined) return describe(resources)
  const { gpu: _gpu, ...rest } = resources
  const ways = `gpu ${gpus.map(describeWay).join(' or ')}`
  return Object.values(rest).some((amount) => amount > 0) ? `${describe(rest)}, ${ways}` : ways
}

/** Whether a node, with nobody on it, could meet a request: that it drains or withholds GPUs passes. */
export function canEverFit(request: LeaseRequest, node: NodeState): boolean {
  if (!hasLabels(node.labels, request.labels)) return false
  const { resources, gpus } = request
  for (const name in resources) {
    if (name === 'gpu' && gpus !== undefined) continue
    const amount = resources[name] ?? 0
    if (amount > 0 && amount > (node.capacity[name] ?? 0)) return false
  }
  if (gpus !== undefined) return gpus.some((way) => hasGpus(node, way))
  const gpu = resources['gpu'] ?? 0
  return gpu <= MILLI || gpu % MILLI === 0
}

/** Names of what `node` could offer a request, and has not free now. Empty where it never could. */
export function lackingOn(request: LeaseRequest, node: NodeState): string[] {
  if (!canEverFit(request, node)) return []
  return Object.entries(request.resources)
    .filter(
      ([name, amount]) =>
        amount > 0 && (name === 'gpu' ? !gpusFree(request, node) : amount > (node.available[name] ?? 0)),
    )
    .map(([name]) => name)
}

/** Why no node could ever meet a request: what is missing. */
export function whyNever(request: LeaseRequest, nodes: readonly NodeState[]): string {
  const eligible = nodes.filter((node) => hasLabels(node.labels, request.labels))
  if (nodes.length === 0) return 'There is no node.'
  if (eligible.length === 0) {
    const wanted = Object.entries(request.labels ?? {}).map(([name, value]) => `${name}=${value}`)
    return `No node has ${wanted.length > 1 ? 'the labels' : 'the label'} ${wanted.join(', ')}.`
  }
  const { resources, gpus } = request
  const gpu = resources['gpu'] ?? 0
  if (gpus === undefined && gpu > MILLI && gpu % MILLI !== 0)
    return 'More than one GPU can only be asked for in whole numbers.'
  const missing = missingOf(request, eligible).map(
    ({ name, amount, most }) => `${name} ${amount / MILLI} (the largest node has ${most / MILLI})`,
  )
  if (gpus !== undefined && !eligible.some((node) => gpus.some((way) => hasGpus(node, way))))
    missing.push(`gpu ${gpus.map(describeWay).join(' or ')} (${describeGpus(eligible)})`)
  return missing.length > 0
    ? `No node offers ${missing.join(', ')}.`
    : `No single node offers ${describeRequest(request)} together.`
}

/** Resources of which no node has as much as is asked for; GPUs only where any will do. */
export function missingOf(
  { resources, gpus }: LeaseRequest,
  nodes: readonly NodeState[],
): { name: string; amount: number; most: number }[] {
  return Object.entries(resources)
    .filter(([name]) => name !== 'gpu' || gpus === undefined)
    .map(([name, amount]) => ({
      name,
      amount,
      most: Math.max(0, ...nodes.map((node) => node.capacity[name] ?? 0)),
    }))
    .filter(({ amount, most }) => amount > most)
}

function describeWay({ model, amount, memoryMb }: GpuWish): string {
  const count = amount === undefined ? '' : String(amount / MILLI)
  const kind = [model, count].filter((part) => part !== undefined && part !== '').join(':')
  return memoryMb === undefined ? kind : `${kind === '' ? '' : `${kind} `}with ${memoryMb} MB`
}

/** How many GPUs of the kind a node has, held or not. */
function hasGpus(node: NodeState, way: GpuWish): boolean {
  const { amount } = way
  const capacity = node.capacity['gpu'] ?? 0
  if (amount === undefined) return capacity > 0 && node.gpus.some((one) => shareOf(way, one) !== undefined)
  const matching = node.gpus.filter((one) => isOfKind(one, way)).length
  return amount <= capacity && amount <= matching * MILLI
}

/** Whether a node has the GPUs of some way of meeting a request free now. */
function gpusFree({ resources, gpus }: LeaseRequest, node: NodeState): boolean {
  const usable = node.gpus.filter((one) => one.withheld === undefined)
  return (gpus ?? [{ amount: resources['gpu'] ?? 0 }]).some((way: GpuWish) => {
    const { amount } = way
    if (amount === undefined) return usable.some((one) => (shareOf(way, one) ?? Infinity) <= one.free)
    const share = Math.min(amount, MILLI)
    const fitting = usable.filter((one) => isOfKind(one, way) && one.free >= share).length
    return amount <= (node.available['gpu'] ?? 0) && fitting >= Math.ceil(amount / MILLI)
  })
}

/** What GPUs there are, for who asks for others. */
function describeGpus(nodes: readonly NodeState[]): string {
  const kinds = new Map<string, number>()
  for (const { gpus } of nodes) {
    for (const { model, memoryMb } of gpus) {
      const kind = `${model ?? 'of no known model'}${memoryMb === undefined ? ' of unknown memory' : ` with ${memoryMb} MB`}`
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
    }
  }
  if (kinds.size === 0) return 'there is no GPU'
  return `there is ${[...kinds].map(([kind, count]) => `${count} ${kind}`).join(', ')}`
}
