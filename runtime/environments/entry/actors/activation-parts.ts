import type { ActorClass } from '../../../sdk/actor.ts'
import type { Context } from '../../../sdk/types.ts'
import type { ActivationStart } from '../../actor-messages.ts'
import type { CallScope } from '../call-scope.ts'
import type { Invocation } from '../invocation.ts'
import type { StorageCodec } from './stored.ts'

/** Values as calls carry them; what is large may become the place where it lies (FLAG.object). */
export interface CallCodec extends StorageCodec {
  /**
   * Arguments of a call, with values in place of those that are refs: they are waited for. Rejects with what
   * became of one in place of a value, and when `signal`, which is asked for only then, aborts.
   */
  decodeCall(payload: Buffer, flags: number, signal: () => AbortSignal): unknown[] | Promise<unknown[]>
  /** `inline`: never a place. */
  encodeResult(value: unknown, inline: boolean): EncodedResult
  encodeError(thrown: unknown): Buffer
}

/** A result as it travels. */
export interface EncodedResult {
  readonly payload: Buffer
  /** 0 or FLAG.object. */
  readonly flags: number
}

/** How an activation speaks with the engine. */
export interface ActivationPort {
  say(meta: string, payload: readonly Buffer[], flags?: number): void
  /** Ends the activation's invocation. */
  end(payload: Buffer, isError: boolean): void
}

/** What an activation is made of. */
export interface ActivationParts {
  readonly Class: ActorClass
  readonly key: string
  readonly start: ActivationStart
  /** The activation's own; its calls run as copies of it. */
  readonly invocation: Invocation
  readonly scope: CallScope
  readonly codec: CallCodec
  readonly port: ActivationPort
  readonly contextOf: (invocation: Invocation) => Context
  readonly logError: (label: string, thrown: unknown) => void
}
