import type { ActorMethods } from './actor-handle.ts'
import { startDeadline, type WaitOptions } from './client-wait.ts'
import { parseAnswer, type Wire } from './client-wire.ts'

/** How calls to an actor are made. */
export interface ActorCallOptions extends WaitOptions {
  /** A call with the same key gets the first one's reply, for 24 hours, and runs once. */
  readonly idempotencyKey?: string
}

/** An actor's methods as seen from outside: everything is a promise, arguments and results are JSON. */
export type RemoteMethods<A> = {
  readonly [Name in Exclude<keyof ActorMethods<A>, 'call' | 'with'>]: ActorMethods<A>[Name] extends (
    ...args: infer Args
  ) => infer Result
    ? (...args: Args) => Promise<Awaited<Result>>
    : never
}

/** One actor, from outside: its methods by name, and two calls of its own. */
export type RemoteActor<Actor> = RemoteMethods<Actor> & {
  /** Any method by its name, also one that is called `call` or `with`. */
  call<Result = unknown>(method: string, ...args: readonly unknown[]): Promise<Result>
  /** The same actor with other options for its calls. */
  with(options: ActorCallOptions): RemoteActor<Actor>
}

/** The actor of class `function/Class` with this key. Throws a TypeError for another form of name. */
export function remoteActor<Actor>(
  wire: Wire,
  name: string,
  key: string,
  options: ActorCallOptions = {},
): RemoteActor<Actor> {
  const [functionName = '', className = '', ...rest] = name.split('/')
  if (functionName === '' || className === '' || rest.length > 0)
    throw new TypeError(`"${name}" names no class of actors: write "function/Class".`)
  const path = ['/lambent/v1/actors', ...[functionName, className, key].map(encodeURIComponent)].join('/')
  const call = async (method: string, ...args: readonly unknown[]): Promise<unknown> => {
    using deadline = startDeadline(`${name}/${key}.${method}`, options)
    const { idempotencyKey } = options
    return parseAnswer(
      await wire.call(`${path}/${encodeURIComponent(method)}`, {
        method: 'POST',
        query: { timeout: options.timeout === undefined ? undefined : String(options.timeout) },
        headers: {
          'content-type': 'application/json',
          ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
        },
        body: JSON.stringify(args),
        signal: deadline.signal,
      }),
    )
  }
  const own = {
    call,
    with: (more: ActorCallOptions) => remoteActor<Actor>(wire, name, key, { ...options, ...more }),
  }
  // What it answers to is known to the caller's types alone. It must not look like a promise.
  return new Proxy(own, {
    get(target, property) {
      if (typeof property === 'symbol' || property === 'then') return undefined
      if (property === 'call' || property === 'with') return target[property]
      return (...args: readonly unknown[]) => call(property, ...args)
    },
  }) as unknown as RemoteActor<Actor> // its members are made when they are read
}
