import type { Change } from '../../runtime/store/store.ts'
import type { Chance } from './chance.ts'

/** Bugs that can be built into what surrounds actors, to see that they are found. */
export const ACTOR_BUGS = [
  'a reply leaves before its writes are on disk',
  'what an earlier activation writes is taken',
  'what a process says that is over counts',
  'an actor is activated twice',
  'an idempotency key is forgotten',
  'an alarm is lost',
  'a write is lost',
  'a call is lost on its way to the process',
  'the end of a process is not told',
] as const
export type ActorBug = (typeof ACTOR_BUGS)[number]

/** What a planted bug does to the sets that are handed to the store. */
export function spoilSets(bug: string | undefined, chance: Chance) {
  const without =
    (dropped: string, probability: number) =>
    (changes: readonly Change[]): readonly Change[] =>
      changes.filter(([statement]) => statement !== dropped || !chance.happens(probability))
  switch (bug as ActorBug | undefined) {
    case 'an idempotency key is forgotten':
      return without('putActorReply', 1)
    case 'an alarm is lost':
      return without('setActorAlarm', 0.3)
    case 'a write is lost':
      return without('putActorValue', 0.02)
    default:
      return undefined
  }
}
