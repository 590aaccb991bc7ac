import { ActorError } from '../../../sdk/actor-errors.ts'
import type { CallMessage } from '../../actor-messages.ts'
import type { Invocation } from '../invocation.ts'
import { WriteLayer } from './write-layer.ts'

/**
 * A call of an actor from its message to its reply. `start`, `stop` and transactions are calls, too: whatever
 * writes for itself.
 */
export class ActorCall {
  readonly message: CallMessage
  readonly payload: Buffer
  /** The call that it is a part of, and that ends behind it. */
  readonly outer: ActorCall | undefined
  /** What its code runs as. */
  readonly invocation: Invocation
  /** What it sees over what is committed, and where it writes. Undefined: it sees what is committed. */
  readonly layer: WriteLayer | undefined
  /** Whether it is a concurrent method, which may not write, in whatever mode it runs. */
  readonly isReadOnly: boolean
  state: 'waiting' | 'running' | 'ended' = 'waiting'
  /** Calls that came back into this one and run. */
  innerRunning = 0
  /** What is to be done when they have ended. */
  whenAlone: (() => void) | undefined
  /** Told how many more items of its stream were taken. */
  onTaken: ((count: number) => void) | undefined
  /** Transactions of one call run one behind the other. */
  transactions: Promise<unknown> | undefined

  constructor(
    message: CallMessage,
    payload: Buffer,
    invocation: Invocation,
    outer?: ActorCall,
    isReadOnly = false,
  ) {
    this.isReadOnly = isReadOnly
    this.message = message
    this.payload = payload
    this.invocation = invocation
    this.outer = outer
    this.layer = message.mode === 'beside' ? undefined : new WriteLayer(outer?.layer)
  }

  /** The layer for a write. Throws an ActorError for a call that may not write, or not any more. */
  writable(): WriteLayer {
    if (this.state === 'ended') throw ended()
    if (this.layer !== undefined && !this.isReadOnly) return this.layer
    throw new ActorError(
      'ReadOnlyCall',
      `"${this.message.name}" is a concurrent method and may not write: leave it out of \`static concurrent\`, ` +
        'or write in another method.',
    )
  }

  /** Counts a call that came back into this one; it must be followed by `innerEnded`. */
  innerBegan(): void {
    this.innerRunning++
  }

  innerEnded(): void {
    if (--this.innerRunning > 0) return
    const { whenAlone } = this
    this.whenAlone = undefined
    whenAlone?.()
  }
}

const ended = (): ActorError =>
  new ActorError(
    'CallEnded',
    'Something was written behind the end of a call: await what writes before the call ends.',
  )

/** The call that code belongs to. Throws an ActorError when there is none. */
export function callIn(current: ActorCall | undefined): ActorCall {
  if (current !== undefined) return current
  throw new ActorError('CallEnded', 'Storage and alarms can be used in a call of the actor only.')
}

/** The call of an actor that an invocation is; undefined: it is none. */
export function callOf(invocation: Invocation | undefined): ActorCall | undefined {
  const part = invocation?.part
  return part instanceof ActorCall ? part : undefined
}
