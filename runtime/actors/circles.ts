import type { ActorAddress } from '../store/actors.ts'
import type { ActorCall } from './actor-call.ts'

/** Calls that are followed before a search is given up: chains are short. */
const MOST_STEPS = 10_000

/**
 * Whether a call can never end because of what it waits for: it waits for its actor's running call, whose
 * code waits for other calls, and so on, back to itself. Calls whose caller goes on meanwhile hold nobody
 * up. The actors of the circle in order, the first also last; undefined when there is none.
 */
export function findCircle(call: ActorCall): ActorAddress[] | undefined {
  const seen = new Set<ActorCall>()
  const path: ActorCall[] = []
  const leadsBack = (from: ActorCall): boolean => {
    path.push(from)
    for (const next of waitsFor(from)) {
      if (next === call) return true
      if (seen.has(next) || seen.size >= MOST_STEPS) continue
      seen.add(next)
      if (leadsBack(next)) return true
    }
    path.pop()
    return false
  }
  if (!leadsBack(call)) return undefined
  const actors = path.map(({ actor }) => actor.address)
  return actors
    .filter((one, index) => one !== actors[index - 1] && (index === 0 || one !== actors[0]))
    .concat(actors[0] ?? [])
}

function waitsFor(call: ActorCall): ActorCall[] {
  if (call.state !== 'waiting' && call.state !== 'sent') return []
  const turn = call.actor.activation?.turn
  const queues = call.state === 'waiting' || (call.mode === 'turn' && call !== turn)
  if (queues) return turn === undefined || turn === call ? [] : [turn]
  return [...(call.children ?? [])].filter(({ request }) => request.detached !== true)
}
