import { strict as assert } from 'node:assert'

/**
 * `loading` is when the code package's module scope runs; `draining` takes no new invocation and then stops.
 */
export type EnvironmentState = 'starting' | 'spare' | 'loading' | 'idle' | 'busy' | 'draining' | 'stopped'

const TRANSITIONS: Record<EnvironmentState, readonly EnvironmentState[]> = {
  starting: ['spare', 'stopped'],
  spare: ['loading', 'stopped'],
  loading: ['idle', 'draining', 'stopped'],
  idle: ['busy', 'draining', 'stopped'],
  busy: ['idle', 'draining', 'stopped'],
  draining: ['stopped'],
  stopped: [],
}

/** `next`, which must be a state that can follow `current`. */
export function successor(current: EnvironmentState, next: EnvironmentState): EnvironmentState {
  assert(TRANSITIONS[current].includes(next), `environment cannot go ${current} -> ${next}`)
  return next
}
