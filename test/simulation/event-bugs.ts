import type { Change } from '../../runtime/store/store.ts'
import type { Chance } from './chance.ts'

/** Bugs that can be built into what surrounds the queue of events, to see that they are found. */
export const EVENT_BUGS = [
  'an event is acknowledged before it is on disk',
  'a retry is dropped from the disk',
  'a retry is not started',
  'a run is recorded twice',
  'events of an earlier engine are not taken up',
  'an event is started late',
  'an outcome is not recorded',
] as const

/** What a planted bug does to the sets that are handed to the store. */
export function spoilEventSets(bug: string | undefined, chance: Chance) {
  switch (bug as (typeof EVENT_BUGS)[number] | undefined) {
    case 'a retry is dropped from the disk':
      return (changes: readonly Change[]): readonly Change[] =>
        changes.filter(([statement]) => statement !== 'updateEventAttempt' || !chance.happens(0.2))
    case 'an outcome is not recorded':
      return (changes: readonly Change[]): readonly Change[] =>
        changes.filter(([statement]) => statement !== 'insertRun' || !chance.happens(0.2))
    default:
      return undefined
  }
}
