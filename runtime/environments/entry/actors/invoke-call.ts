import { ActorError } from '../../../sdk/actor-errors.ts'
import { isCallableName, methodNames, type Actor, type ActorClass } from '../../../sdk/actor.ts'
import type { ActorHooks } from '../../../sdk/actor-types.ts'
import { readAlarmCallName } from '../../actor-messages.ts'
import type { CallCodec } from './activation-parts.ts'
import type { ActorCall } from './actor-call.ts'
import type { ActorSockets } from './actor-sockets.ts'
import { Stored } from './stored.ts'

/** What a call needs of its activation. */
export interface Called {
  readonly Class: ActorClass
  readonly actor: Actor & ActorHooks
  readonly codec: CallCodec
  readonly sockets: ActorSockets
}

/**
 * Calls what a call is for: a method, or a hook. Throws an ActorError 'NoSuchMethod' for what the class does
 * not have or keeps to itself.
 */
export function invokeCall(call: ActorCall, called: Called): unknown {
  const { actor, codec, sockets, Class } = called
  const { message, payload } = call
  const { kind, name, flags } = message
  switch (kind) {
    case 'method': {
      if (!methodsOf(Class).has(name)) throw noMethod(Class, name)
      const method = (actor as unknown as Record<string, (...args: unknown[]) => unknown>)[name] // as found
      const args = codec.decodeCall(payload, flags, () => call.invocation.signal)
      if (Array.isArray(args)) return method?.apply(actor, args)
      return args.then((values) => {
        if (call.state === 'ended') throw new ActorError('CallEnded', 'The actor has ended meanwhile.')
        return method?.apply(actor, values)
      })
    }
    case 'alarm': {
      const alarm = readAlarmCallName(name)
      if (actor.alarm === undefined) throw noHook(Class, 'alarm', `the alarm "${alarm.name}" rang`)
      return actor.alarm({ ...alarm, payload: Stored.read(codec, payload).value })
    }
    case 'connect': {
      if (actor.connect === undefined && actor.message === undefined)
        throw noHook(Class, 'connect', 'a client wanted to connect')
      const socket = sockets.open(name, payload)
      return actor.connect?.(socket)
    }
    case 'message': {
      const { socket, data } = sockets.read(name, payload)
      return actor.message?.(socket, data)
    }
    case 'disconnect': {
      const socket = sockets.close(name)
      return socket && actor.disconnect?.(socket)
    }
  }
}

const known = new WeakMap<ActorClass, ReadonlySet<string>>()

/** Found once for each class. */
function methodsOf(Class: ActorClass): ReadonlySet<string> {
  let methods = known.get(Class)
  if (methods === undefined) {
    methods = new Set(methodNames(Class))
    known.set(Class, methods)
  }
  return methods
}

function noMethod(Class: ActorClass, name: string): ActorError {
  const why = isCallableName(name)
    ? `It has ${[...methodsOf(Class)].slice(0, 20).join(', ') || 'none'}.`
    : 'Hooks and names that begin with an underscore are the actor’s own.'
  return new ActorError(
    'NoSuchMethod',
    `The actor class "${Class.name}" has no method "${name}" for others to call. ${why}`,
  )
}

const noHook = (Class: ActorClass, hook: string, why: string): ActorError =>
  new ActorError('NoSuchMethod', `${why}, but the actor class "${Class.name}" has no ${hook}() hook.`)
