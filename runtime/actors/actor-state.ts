import assert from 'node:assert/strict'

/** Where an actor stands. An actor that is asleep and that nobody waits for is not in memory at all. */
export type ActorStateName = 'asleep' | 'activating' | 'awake' | 'stopping' | 'restarting' | 'quarantined'

const TRANSITIONS: Record<ActorStateName, readonly ActorStateName[]> = {
  asleep: ['activating'],
  activating: ['awake', 'asleep', 'stopping', 'restarting', 'quarantined'], // it did not start, or was ended
  awake: ['stopping', 'asleep', 'restarting', 'quarantined'], // straight to asleep: it ended itself, was killed
  stopping: ['asleep', 'restarting'],
  restarting: ['activating', 'asleep', 'quarantined'],
  quarantined: ['asleep'],
}

/** `next`, which must be able to follow. */
export function successor(state: ActorStateName, next: ActorStateName): ActorStateName {
  assert(TRANSITIONS[state].includes(next), `an actor cannot go ${state} -> ${next}`)
  return next
}
