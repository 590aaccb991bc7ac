import { ActorError } from '../../../sdk/actor-errors.ts'
import { decode } from '../../../sdk/codec/decode.ts'
import { encode } from '../../../sdk/codec/encode.ts'
import { errorNameOf } from '../../../sdk/codec/error-classes.ts'
import type { RefSource } from '../../../sdk/object-ref.ts'
import { packError, packValue, unpackLed } from '../../call-payload.ts'
import type { CallCodec, EncodedResult } from './activation-parts.ts'

const NO_REFS: readonly string[] = []

/** How calls and storage of actors are written. `refOf` gives refs inside of values their meaning. */
export function callCodec(refOf: (id: string) => RefSource): CallCodec {
  const withRefs = { refOf }
  return {
    encode(value): Buffer {
      const { head, refIds } = encodeStored(value)
      if (refIds.length === 0) return packValue(NO_REFS, head)
      throw new ActorError(
        'NotStorable',
        `A ref (${refIds[0]}) cannot be stored: what it stands for ends. Store its value: await get(ref).`,
      )
    },
    decode: (bytes) => decode(unpackLed(bytes).encoded),
    decodeCall: (payload) => decode(unpackLed(payload).encoded, withRefs),
    encodeResult(value): EncodedResult {
      const { head, refIds } = encode(value)
      return { payload: packValue(refIds, head), flags: 0 }
    },
    encodeError(thrown): Buffer {
      const name = errorNameOf(thrown)
      try {
        return packError(name, encode(thrown).head)
      } catch {
        // It has a property that cannot be sent.
        const { message, stack } = thrown instanceof Error ? thrown : new Error(String(thrown))
        const bare = Object.assign(new Error(message), { name })
        if (stack !== undefined) bare.stack = stack
        return packError(name, encode(bare).head)
      }
    },
  }
}

function encodeStored(value: unknown): ReturnType<typeof encode> {
  try {
    return encode(value)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new ActorError('NotStorable', `The value cannot be stored: ${why}`, { cause })
  }
}
