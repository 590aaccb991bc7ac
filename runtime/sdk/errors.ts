import { ActorError } from './actor-errors.ts'

/** A value that cannot be sent to another process. `path` says where in it: `[0].items.callback`. */
export class UnsupportedValue extends Error {
  override readonly name = 'UnsupportedValue'
  readonly path: string
  constructor(message: string, path: string) {
    super(message)
    this.path = path
  }
}

/** What was waited for did not come within `timeout`. It may still come: the wait has ended, nothing else. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError'
}

/** A task that was cancelled, by `cancel` or with the work that made it. */
export class TaskCancelled extends Error {
  override readonly name = 'TaskCancelled'
}

/** A task whose process ended before its result was there, more often than it is retried. */
export class TaskCrashed extends Error {
  override readonly name = 'TaskCrashed'
}

/** A value that is not there any more: its ref was released, or what held it is gone. */
export class ObjectLost extends Error {
  override readonly name = 'ObjectLost'
}

/** There is no room for a large value, neither in shared memory nor on disk. */
export class ObjectStoreFull extends Error {
  override readonly name = 'ObjectStoreFull'
}

/** No node can ever meet what was asked for, or something that the call names does not exist. */
export class Infeasible extends Error {
  override readonly name = 'Infeasible'
}

/** A bound was reached: of calls that wait, or of what they hold. */
export class LimitReached extends Error {
  override readonly name = 'LimitReached'
}

/** A call to an actor that a crash cut off: it may have run or not. */
export class ActorCrashed extends Error {
  override readonly name = 'ActorCrashed'
}

/** As many calls wait for an actor as its mailbox takes. */
export class MailboxFull extends Error {
  override readonly name = 'MailboxFull'
}

/** A wait that could never end: what it waits for waits for it in turn. */
export class WaitCycle extends Error {
  override readonly name = 'WaitCycle'
}

/** An actor that crashed too often and is left alone for a while; the message says how long and why. */
export class ActorQuarantined extends Error {
  override readonly name = 'ActorQuarantined'
}

/** Calls of actors that wait for each other in a circle. */
export class ActorDeadlock extends Error {
  override readonly name = 'ActorDeadlock'
}

/** A call of an actor that was killed or destroyed before it had ended. */
export class ActorKilled extends Error {
  override readonly name = 'ActorKilled'
}

/** The errors above by name: between processes they come back as themselves. */
export const SDK_ERRORS = {
  ActorError,
  ActorCrashed,
  ActorDeadlock,
  ActorKilled,
  ActorQuarantined,
  Infeasible,
  LimitReached,
  MailboxFull,
  ObjectLost,
  ObjectStoreFull,
  TaskCancelled,
  TaskCrashed,
  TimeoutError,
  UnsupportedValue,
  WaitCycle,
} as const
