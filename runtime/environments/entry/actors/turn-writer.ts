import { FRAME, HEADER_BYTES, writeHeader } from '../../frames.ts'
import { nextTurn } from '../clock.ts'
import type { Connection } from '../connection.ts'

/** What one turn of the event loop has to say leaves in one write, in the order in which it was said. */
export class TurnWriter {
  readonly #connection: Pick<Connection, 'send' | 'gather'>
  #frames: Buffer[] = []

  constructor(connection: Pick<Connection, 'send' | 'gather'>) {
    this.#connection = connection
  }

  /** A `said` frame of an invocation. */
  say(invocationId: number, meta: string, payload: readonly Buffer[], flags: number): void {
    // Meta lines are ASCII: operations, numbers, and ids that the gateway made.
    let bodyBytes = meta.length
    for (const part of payload) bodyBytes += part.length
    const whole = Buffer.allocUnsafe(HEADER_BYTES + bodyBytes)
    writeHeader(whole, 0, FRAME.said, flags, invocationId, bodyBytes, meta.length)
    whole.write(meta, HEADER_BYTES, 'latin1')
    let offset = HEADER_BYTES + meta.length
    for (const part of payload) {
      whole.set(part, offset)
      offset += part.length
    }
    if (this.#frames.push(whole) === 1) nextTurn(() => this.flush())
  }

  /** Sends what was said so far, in front of something else. */
  flush(): void {
    const frames = this.#frames
    if (frames.length === 0) return
    this.#frames = []
    const [only] = frames
    if (frames.length === 1 && only !== undefined) this.#connection.send(only)
    else this.#connection.gather(() => frames.forEach((one) => this.#connection.send(one)))
  }
}
