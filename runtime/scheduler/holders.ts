import { MILLI } from '../resources.ts'
import type { Holding } from './cluster.ts'
import { describeRequest, lackingOn, missingOf } from './feasibility.ts'
import { hasLabels } from './labels.ts'
import type { LeaseRequest, NodeState } from './node-state.ts'

/** More holders than this are counted, not named. */
const NAMED = 5

/** Why a request that fits an empty node has to wait: what it lacks, and who holds that. */
export function whyWaiting(
  request: LeaseRequest,
  nodes: readonly NodeState[],
  holdings: Iterable<Holding>,
  keptFor: readonly string[],
): string {
  const lacking = new Map(nodes.map((node) => [node.name, lackingOn(request, node)]))
  const holders = namesOf(holdings, (one, name) => lacking.get(one.node)?.includes(name) === true)
  const causes = [
    ...(holders === '' ? [] : [`held by ${holders}`]),
    ...nodes.filter((node) => node.draining && hasLabels(node.labels, request.labels)).map(draining),
    ...nodes.flatMap((node) => (lacking.get(node.name)?.includes('gpu') === true ? withheldOn(node) : [])),
    ...keptFor.map((claimant) => `what comes free is kept for ${claimant}, which waits longer`),
  ]
  return `Waits for ${describeRequest(request)}: ${causes.join('; ') || 'held by others'}.`
}

/** `Held now: …` of what a request asks too much of; empty where nobody holds any. */
export function heldOf(
  request: LeaseRequest,
  nodes: readonly NodeState[],
  holdings: Iterable<Holding>,
): string {
  const missing = new Set(missingOf(request, nodes).map(({ name }) => name))
  if (request.gpus !== undefined) missing.add('gpu')
  const holders = namesOf(holdings, (_, name) => missing.has(name))
  return holders === '' ? '' : ` Held now: ${holders}.`
}

/** Who holds what counts: `function train:$LATEST (gpu 1 on local)`. */
function namesOf(holdings: Iterable<Holding>, counts: (one: Holding, name: string) => boolean): string {
  const totals = new Map<string, Map<string, number>>()
  for (const one of holdings) {
    for (const name in one.resources) {
      const amount = one.resources[name] ?? 0
      if (amount === 0 || !counts(one, name)) continue
      const key = `${one.holder}\n${one.node}`
      const held = totals.get(key) ?? new Map<string, number>()
      held.set(name, (held.get(name) ?? 0) + amount)
      totals.set(key, held)
    }
  }
  const names = [...totals].map(([key, held]) => {
    const [holder = '', node = ''] = key.split('\n')
    const amounts = [...held].map(([name, amount]) => `${name} ${amount / MILLI}`).join(', ')
    return `${holder} (${amounts} on ${node})`
  })
  const more = names.length - NAMED
  return names.slice(0, NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '')
}

const draining = (node: NodeState): string => `node ${node.name} is draining`

const withheldOn = (node: NodeState): string[] =>
  node.gpus.flatMap(({ index, withheld }) =>
    withheld === undefined ? [] : [`GPU ${index} of ${node.name} is not given out: ${withheld}`],
  )
