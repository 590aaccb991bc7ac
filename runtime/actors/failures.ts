import { ACTOR_ERROR } from '../environments/actor-messages.ts'
import type { ProcessExit } from '../environments/launcher.ts'
import { EngineError, messageOf } from '../errors.ts'
import type { ActorAddress } from '../store/actors.ts'

/**
 * Why calls of actors are not answered. `detail` is the class name that the SDK gives the error.
 */

/** An actor as people write it. */
export const nameOf = ({ functionName, className, key }: ActorAddress): string =>
  `${functionName}/${className} "${key}"`

/** How a process ended, in a few words. */
export function endOf(exit: ProcessExit): string {
  if (exit.outOfMemory) return 'it ran out of memory'
  if (exit.failure !== undefined) return exit.failure.message
  return exit.signal === null ? `exit status ${exit.code}` : `signal ${exit.signal}`
}

/** The process ended while the call may have run. */
export const crashed = (address: ActorAddress, how: string): EngineError =>
  new EngineError('crashed', `The process of the actor ${nameOf(address)} ended during the call (${how}).`, {
    detail: ACTOR_ERROR.crashed,
    hint: 'What it had not written does not count. Give calls an idempotency key to have them made again.',
  })

/** As many calls wait as may. */
export const mailboxFull = (address: ActorAddress, bound: number): EngineError =>
  new EngineError('throttled', `${bound} calls wait for the actor ${nameOf(address)} already.`, {
    detail: ACTOR_ERROR.mailboxFull,
    hint: 'Call it less often, use more keys, or raise `mailbox` in its options.',
  })

/** It is left alone for a while. */
export const quarantined = (address: ActorAddress, reason: string): EngineError =>
  new EngineError('crashed', `The actor ${nameOf(address)} is quarantined: ${reason}`, {
    detail: ACTOR_ERROR.quarantined,
    hint: 'It is tried again by itself; lambent actor kill does that at once.',
  })

/** Calls wait for each other in a circle. */
export const deadlock = (path: readonly ActorAddress[]): EngineError =>
  new EngineError('conflict', `Calls wait for each other: ${path.map(nameOf).join(' waits for ')}.`, {
    detail: ACTOR_ERROR.deadlock,
    hint: 'Let the actors be called in one order, or do not wait for the result.',
  })

/** Somebody ended it. */
export const killed = (address: ActorAddress, how: 'killed' | 'destroyed'): EngineError =>
  new EngineError('crashed', `The actor ${nameOf(address)} was ${how}.`, { detail: ACTOR_ERROR.killed })

/** The caller waits no longer. */
export const timedOut = (address: ActorAddress, method: string, timeoutMs: number): EngineError =>
  new EngineError(
    'timeout',
    `The call of ${method} of the actor ${nameOf(address)} took longer than ${timeoutMs} ms.`,
    { detail: ACTOR_ERROR.timeout, hint: 'It may still go on.' },
  )

/** The caller gave up. */
export const cancelled = (address: ActorAddress, method: string): EngineError =>
  new EngineError('conflict', `The call of ${method} of the actor ${nameOf(address)} was cancelled.`, {
    detail: ACTOR_ERROR.cancelled,
  })

/** What the call wrote could not be kept, and so it did not happen. */
export const notStored = (address: ActorAddress, cause: EngineError): EngineError =>
  new EngineError(
    cause.code === 'conflict' ? 'unavailable' : cause.code,
    `What the actor ${nameOf(address)} wrote was not stored: ${cause.message}`,
    { cause, ...(cause.hint === undefined ? {} : { hint: cause.hint }) },
  )

/** There is no such class. */
export const noSuchClass = (
  { functionName, className }: ActorAddress,
  known: readonly string[],
): EngineError =>
  new EngineError('not-found', `The function "${functionName}" exports no actor class "${className}".`, {
    hint: known.length === 0 ? 'It exports no actors.' : `It exports ${known.join(', ')}.`,
  })

/** The engine ends. */
export const stopping = (): EngineError =>
  new EngineError('unavailable', 'The engine is stopping.', { hint: 'Try again in a moment.' })

/** Whatever kept an actor from waking, as an error for those who wait. */
export const asEngineError = (thrown: unknown): EngineError =>
  thrown instanceof EngineError
    ? thrown
    : new EngineError('internal', `The actor cannot be woken: ${messageOf(thrown)}`, { cause: thrown })
