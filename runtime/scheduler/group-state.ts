import { strict as assert } from 'node:assert'

/**
 * Where a placement group stands: it waits for room for all its bundles; it has them; it had them and lost
 * some with their node; or it is over, and its reservations end with the last process that uses them.
 */
export type GroupState = 'pending' | 'ready' | 'rescheduling' | 'removed'

const TRANSITIONS: Record<GroupState, readonly GroupState[]> = {
  pending: ['ready', 'removed'],
  ready: ['rescheduling', 'removed'],
  rescheduling: ['ready', 'removed'],
  removed: [],
}

/** `to`, asserting that a group may go there from `from`. */
export function groupSuccessor(from: GroupState, to: GroupState): GroupState {
  assert(TRANSITIONS[from].includes(to), `a placement group cannot go ${from} -> ${to}`)
  return to
}
