import type { Socket } from 'node:net'
import { encodeInvokeMeta, FLAG, FRAME, frame, HEADER_BYTES, writeHeader, type InvokeMeta } from './frames.ts'
import type { EnvironmentValues } from './value-exchange.ts'

/** Payloads up to this are copied next to their header, so that a tick's frames leave as one write. */
const COPY_BYTES = 64 * 1024

/**
 * The engine's side of one environment's socket. Frames of one turn of the event loop leave together, in one
 * write.
 */
export class Connection {
  readonly #socket: Socket
  readonly #values: EnvironmentValues | undefined
  #parts: Buffer[] = []
  #scheduled = false

  /** `values` names large ones as the process knows them; absent: there are none. */
  constructor(socket: Socket, values?: EnvironmentValues) {
    this.#socket = socket
    this.#values = values
    socket.setNoDelay(true)
  }

  send(bytes: Buffer): void {
    this.#parts.push(bytes)
    this.#schedule()
  }

  /**
   * An `invoke` frame: header and meta in one allocation, the payload behind it. An `urgent` one, for a
   * process that
   * has nothing to do, does not wait for the end of the turn.
   */
  invoke(id: number, flags: number, meta: InvokeMeta, given: Buffer, urgent: boolean): void {
    const payload = flags & FLAG.object && this.#values ? this.#values.lendTask(given) : given
    const text = encodeInvokeMeta(meta)
    const metaBytes = Buffer.byteLength(text)
    const inlined = payload.length <= COPY_BYTES
    const head = Buffer.allocUnsafe(HEADER_BYTES + metaBytes + (inlined ? payload.length : 0))
    writeHeader(head, 0, FRAME.invoke, flags, id, metaBytes + payload.length, metaBytes)
    head.write(text, HEADER_BYTES, metaBytes === text.length ? 'latin1' : 'utf8')
    if (inlined) payload.copy(head, HEADER_BYTES + metaBytes)
    this.#parts.push(head)
    if (!inlined) this.#parts.push(payload)
    if (urgent) this.#flush()
    else this.#schedule()
  }

  /** Gives invocation `id` back if it has not started. */
  recall(id: number): void {
    this.send(frame(FRAME.recall, '', id))
  }

  abort(id: number): void {
    this.send(frame(FRAME.abort, '', id))
  }

  credit(id: number, bytes: number): void {
    this.send(frame(FRAME.credit, '', id, 0, bytes))
  }

  makeCodeCache(): void {
    this.send(frame(FRAME.makeCodeCache))
  }

  /** Answers request `id` of the code; `flags` say whether `body` is a value, an error or a location. */
  answer(id: number, flags: number, body: Buffer): void {
    const told = flags & FLAG.object && this.#values ? this.#values.lend(flags, body) : { flags, body }
    this.#sendWithMeta(FRAME.answer, id, told.flags, '', told.body)
  }

  /** Tells invocation `id`, which runs, something. */
  message(id: number, meta: string, payload: Buffer): void {
    this.#sendWithMeta(FRAME.message, id, 0, meta, payload)
  }

  destroy(): void {
    this.#parts = []
    this.#socket.destroy()
  }

  #sendWithMeta(type: number, id: number, flags: number, meta: string, payload: Buffer): void {
    const metaBytes = Buffer.byteLength(meta)
    const inlined = payload.length <= COPY_BYTES
    const head = Buffer.allocUnsafe(HEADER_BYTES + metaBytes + (inlined ? payload.length : 0))
    writeHeader(head, 0, type, flags, id, metaBytes + payload.length, metaBytes)
    head.write(meta, HEADER_BYTES)
    if (inlined) payload.copy(head, HEADER_BYTES + metaBytes)
    this.#parts.push(head)
    if (!inlined) this.#parts.push(payload)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#endOfTurn)
  }

  readonly #endOfTurn = (): void => {
    this.#scheduled = false
    this.#flush()
  }

  #flush(): void {
    const parts = this.#parts
    if (parts.length === 0 || this.#socket.destroyed) return
    this.#parts = []
    if (parts.length === 1) {
      this.#socket.write(parts[0] as Buffer) // one element: checked above
      return
    }
    // A copy of small frames costs less than a vector of them.
    let bytes = 0
    for (const part of parts) bytes += part.length
    if (bytes <= COPY_BYTES) {
      this.#socket.write(Buffer.concat(parts, bytes))
      return
    }
    this.#socket.cork()
    for (const part of parts) this.#socket.write(part)
    this.#socket.uncork()
  }
}
