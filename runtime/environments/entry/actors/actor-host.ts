import type { ActorClass } from '../../../sdk/actor.ts'
import type { Context } from '../../../sdk/types.ts'
import { ActorError } from '../../../sdk/actor-errors.ts'
import { unpackActivation } from '../../actor-messages.ts'
import type { CallScope } from '../call-scope.ts'
import type { Connection } from '../connection.ts'
import { PromiseContext, type FunctionFacts } from '../context.ts'
import type { Invocation } from '../invocation.ts'
import { Activation } from './activation.ts'
import type { CallCodec } from './activation-parts.ts'
import { saidFrame } from './said-frame.ts'

/** What the activations of one process share. */
export interface HostParts {
  readonly connection: Pick<Connection, 'post'>
  readonly scope: CallScope
  readonly codec: CallCodec
  readonly facts: FunctionFacts
  /** Exported actor classes by name. */
  readonly classOf: (className: string) => ActorClass | undefined
  /** Answers an activation's invocation, which is its end. */
  readonly end: (invocation: Invocation, payload: Buffer, isError: boolean) => void
  readonly logError: (label: string, thrown: unknown) => void
}

/** The actors that are awake in this process. */
export class ActorHost {
  readonly #parts: HostParts
  /** By the number of their invocation. */
  readonly #activations = new Map<number, Activation>()

  constructor(parts: HostParts) {
    this.#parts = parts
  }

  /** Wakes an actor: `invocation` runs until it sleeps again. */
  begin(invocation: Invocation, className: string, key: string): void {
    const { scope, codec, facts, classOf, logError, end, connection } = this.#parts
    const { id } = invocation
    const finish = (payload: Buffer, isError: boolean): void => {
      this.#activations.delete(id)
      end(invocation, payload, isError)
    }
    const Class = classOf(className)
    if (Class === undefined) return finish(codec.encodeError(noClass(className)), true)
    const activation = new Activation({
      Class,
      key,
      start: unpackActivation(invocation.payload),
      invocation,
      scope,
      codec,
      port: {
        say: (meta, payload, flags = 0) => connection.post(saidFrame(id, meta, payload, flags)),
        end: finish,
      },
      // The context of an actor's call has no callbacks, whatever the runtime's contract is for handlers.
      contextOf: (call) => new PromiseContext(call, facts) as unknown as Context, // has its members
      logError,
    })
    this.#activations.set(id, activation)
    activation.begin()
  }

  /** Takes a `message` frame; false: no actor is meant. */
  message(id: number, meta: string, payload: Buffer): boolean {
    const activation = this.#activations.get(id)
    if (activation === undefined) return false
    const [operation = '', ...fields] = meta.split('\n')
    activation.receive(operation, fields, payload)
    return true
  }

  /** Takes an `abort` frame of an activation's invocation. */
  abort(id: number): void {
    this.#activations.get(id)?.abandon()
  }
}

const noClass = (className: string): ActorError =>
  new ActorError('NoSuchActor', `The function exports no actor class "${className}".`)
