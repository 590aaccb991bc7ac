import type { Actor } from '../../runtime/actors/actor.ts'
import { MOST_WAITING } from './actor-parts.ts'
import type { ActorProcess } from './actor-process.ts'
import { Violation } from './simulate.ts'

/** One actor and what surrounds it. */
export interface ActorView {
  readonly key: string
  /** As the engine has it in memory. */
  readonly actor: Actor | undefined
  /** Activations of all actors that are not over. */
  readonly processes: ReadonlySet<ActorProcess>
  /** Something is looked up or written that an activation can wait for. */
  readonly mayBegin: boolean
  /** It is being destroyed. */
  readonly isDestroyed: boolean
}

/** One process at most, which is the one that the engine knows; what waits has something to wait for. */
export function checkActor({ key, actor, processes, mayBegin, isDestroyed }: ActorView): void {
  let live = 0
  for (const { invocation, expired } of processes) {
    if (invocation.input.requestId !== key || expired) continue
    if ((live += 1) > 1) throw new Violation(`${key} has two activations`)
    if (actor?.activation?.invocation !== invocation)
      throw new Violation(`${key} runs, and the engine knows nothing of it`)
  }
  if (actor === undefined) return
  const { state, waiting, activation } = actor
  if (waiting > MOST_WAITING) throw new Violation(`${waiting} calls wait for ${key}`)
  if (activation !== undefined && live === 0)
    throw new Violation(`${key} is ${state} in a process that is not there`)
  if (waiting === 0) return
  if (state === 'asleep' && !isDestroyed)
    throw new Violation(`${waiting} calls wait for ${key}, which is asleep`)
  if (state === 'awake' && activation?.isQuiet === true)
    throw new Violation(`${waiting} calls wait for ${key}, which does nothing`)
  if (state === 'quarantined') throw new Violation(`${waiting} calls wait for ${key}, which is left alone`)
  if (state === 'activating' && activation === undefined && !mayBegin)
    throw new Violation(`${key} waits for nothing to begin`)
}
