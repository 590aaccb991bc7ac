import { isEngineError, type EngineError } from '../errors.ts'
import type { Segments } from '../objects/segments.ts'
import { encode } from '../sdk/codec/encode.ts'
import { ObjectLost, ObjectStoreFull } from '../sdk/errors.ts'
import { packError, packTask, unpackTask } from './call-payload.ts'
import { FLAG, FRAME, RESULT_META_BYTES } from './frames.ts'
import type { GatewayMember } from './gateway.ts'

/** A value, an error (FLAG.error) or the place of a large value (FLAG.object), as it travels. */
export interface Travelling {
  readonly flags: number
  readonly body: Buffer
}

/**
 * Between what a process calls a large value and what the engine calls it: a process knows files in
 * folders of its own, the engine knows segments. Nobody else in the engine has to: bodies with
 * FLAG.object that come from a process have been adopted, and those that go to one are lent to it.
 */
export class EnvironmentValues {
  readonly #segments: Pick<Segments, 'adopt' | 'lend'>
  readonly #environmentId: string

  constructor(segments: Pick<Segments, 'adopt' | 'lend'>, environmentId: string) {
    this.#segments = segments
    this.#environmentId = environmentId
  }

  /**
   * A frame of a process whose flags have FLAG.object: its body with the engine's name of the segment, or
   * with an error where there is no room for it. Throws a RangeError for what no process of ours says.
   */
  receive(type: number, flags: number, extra: number, frame: Buffer): Travelling {
    const start = leadBytes(type, extra, frame)
    const lead = frame.subarray(0, start)
    try {
      return { flags, body: this.#segments.adopt(this.#environmentId, frame.subarray(start), lead) }
    } catch (error) {
      if (!isEngineError(error)) throw error
      return { flags: failed(flags), body: Buffer.concat([lead, packFailure(error)]) }
    }
  }

  /** What to tell a process in place of the engine's name of a segment; an error where the object is lost. */
  lend(flags: number, body: Buffer): Travelling {
    if ((flags & FLAG.object) === 0) return { flags, body }
    try {
      return { flags, body: this.#segments.lend(body, this.#environmentId) }
    } catch (error) {
      if (!isEngineError(error)) throw error
      return { flags: failed(flags), body: packFailure(error) }
    }
  }

  /** The same for everything in the payload of a task. */
  lendTask(payload: Buffer): Buffer {
    const { args, argsFlags, attachments } = unpackTask(payload)
    const lent = this.lend(argsFlags, args)
    return packTask(
      lent.body,
      attachments.map(({ refId, flags, body }) => ({ refId, ...this.lend(flags, body) })),
      lent.flags,
    )
  }
}

/** Receives what its process sends, with large values named as the engine knows them. */
export function adopting(member: GatewayMember, values: EnvironmentValues): GatewayMember {
  return {
    token: member.token,
    connected: (socket, hello) => member.connected(socket, hello),
    frame(type, flags, id, extra, body) {
      if ((flags & FLAG.object) === 0) return member.frame(type, flags, id, extra, body)
      const value = values.receive(type, flags, extra, body)
      member.frame(type, value.flags, id, extra, value.body)
    },
    disconnected: () => member.disconnected(),
    logConnected: () => member.logConnected(),
    logBytes: (chunk) => member.logBytes(chunk),
    logEnded: () => member.logEnded(),
  }
}

const failed = (flags: number): number => (flags & ~FLAG.object) | FLAG.error

/** How much of a frame's body leads the value in it. */
function leadBytes(type: number, extra: number, frame: Buffer): number {
  if (type === FRAME.result) return RESULT_META_BYTES
  if (type === FRAME.request) return extra
  if (type !== FRAME.said) throw new RangeError(`A frame of type ${type} holds no value.`)
  // The reply of an actor has its writes in front of the result.
  const [kind, , writesBytes] = frame.toString('latin1', 0, extra).split('\n')
  return extra + (kind === 'reply' ? Number(writesBytes) || 0 : 0)
}

function packFailure(error: EngineError): Buffer {
  const message = error.hint === undefined ? error.message : `${error.message} ${error.hint}`
  const thrown = error.detail === 'object-lost' ? new ObjectLost(message) : new ObjectStoreFull(message)
  return packError(thrown.name, encode(thrown).head)
}
