import { ActorError } from '../../../sdk/actor-errors.ts'
import { decode } from '../../../sdk/codec/decode.ts'
import { encode } from '../../../sdk/codec/encode.ts'
import { packValue, unpackLed } from '../../call-payload.ts'
import { FLAG } from '../../frames.ts'
import type { SdkCalls } from '../computing/sdk-calls.ts'
import type { Values } from '../computing/values.ts'
import type { CallCodec } from './activation-parts.ts'

const NO_REFS: readonly string[] = []

/** How calls and storage of actors are written, over the values of their process. */
export const callCodec = (
  values: Pick<Values, 'decode' | 'encode' | 'encodeInline' | 'encodeError'>,
  refs: Pick<SdkCalls, 'refsSeen' | 'withValues'>,
): CallCodec => ({
  encode(value) {
    const { head, refIds } = encodeStored(value)
    if (refIds.length === 0) return packValue(NO_REFS, head)
    throw new ActorError(
      'NotStorable',
      `A ref (${refIds[0]}) cannot be stored: what it stands for ends. Store its value: await get(ref).`,
    )
  },
  decode: (bytes) => decode(unpackLed(bytes).encoded),
  decodeCall(payload, flags, signal) {
    const before = refs.refsSeen
    const args = values.decode(flags & FLAG.object, payload) as unknown[] // as handles send them
    const seen = refs.refsSeen - before
    return seen === 0 ? args : refs.withValues(args, seen, signal())
  },
  encodeResult(value, inline) {
    if (inline) return { payload: values.encodeInline(value), flags: 0 }
    const { bytes, flags } = values.encode(value)
    return { payload: bytes, flags }
  },
  encodeError: (thrown) => values.encodeError(thrown),
})

function encodeStored(value: unknown): ReturnType<typeof encode> {
  try {
    return encode(value)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new ActorError('NotStorable', `The value cannot be stored: ${why}`, { cause })
  }
}
