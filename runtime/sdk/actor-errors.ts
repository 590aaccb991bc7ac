/** Why a call of an actor, or something it does, was refused; the `name` of the error. */
export type ActorErrorName =
  /** The function exports no such class. */
  | 'NoSuchActor'
  /** The class has no such method, or it cannot be called from outside. */
  | 'NoSuchMethod'
  /** A `static concurrent` method wrote. */
  | 'ReadOnlyCall'
  /** Storage, alarms or sockets were used outside of a call, or after it had ended. */
  | 'CallEnded'
  /** A key or a value that storage cannot hold. */
  | 'NotStorable'
  /** What one call wrote, or what waits for an actor, is over its bound. */
  | 'ActorLimit'
  /** The engine could not read or write storage. */
  | 'StorageFailed'

/** What Lambent refuses an actor or its callers. Told apart by `name`. */
export class ActorError extends Error {
  override readonly name: ActorErrorName

  constructor(name: ActorErrorName, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = name
  }
}
