import { Writable } from 'node:stream'
import { FRAME } from '../frames.ts'
import type { Connection } from './connection.ts'
import { RuntimeError } from './errors.ts'

/** Bytes of one stream that may be on their way without the reader having taken them. */
export const STREAM_WINDOW_BYTES = 1_048_576

const DEFAULT_CONTENT_TYPE = 'application/octet-stream'
const PRELUDE_CONTENT_TYPE = 'application/vnd.awslambda.http-integration-response'
const PRELUDE_END_BYTES = 8

type WriteCallback = (error?: Error | null) => void

/**
 * What a streaming handler writes its response to. Every write leaves at once; at most `STREAM_WINDOW_BYTES`
 * are sent ahead of the reader's credit, and what a handler writes beyond makes `write` return false until
 * `drain`.
 */
export class ResponseStream extends Writable {
  /** AWS's seam: called once, with a function that writes in front of everything else. */
  _onBeforeFirstWrite: ((write: (chunk: string | Uint8Array) => void) => void) | undefined
  readonly #connection: Connection
  readonly #invocationId: number
  readonly #onBlocked: () => void
  #contentType = DEFAULT_CONTENT_TYPE
  #touched = false
  #started = false
  #discarding = false
  #onWayBytes = 0
  #resume: (() => void) | undefined

  /** `onBlocked` is called when the stream begins or stops to wait for the reader. */
  constructor(
    connection: Connection,
    invocationId: number,
    options: { highWaterMark: number | undefined; onBlocked: () => void },
  ) {
    super(options.highWaterMark === undefined ? {} : { highWaterMark: options.highWaterMark })
    this.#connection = connection
    this.#invocationId = invocationId
    this.#onBlocked = options.onBlocked
    // A failure reaches the handler through its pipeline or not at all; without a listener it would end the
    // process.
    this.on('error', () => {})
  }

  /** Whether anything has been sent, so that an error can no longer be an ordinary answer. */
  get started(): boolean {
    return this.#started
  }

  /** Whether the stream waits for the reader: then the connection is what the handler waits for. */
  get blocked(): boolean {
    return this.#resume !== undefined
  }

  setContentType(contentType: string): void {
    if (this.#touched)
      throw new RuntimeError('InvalidStreamingOperation', 'Cannot set content-type, too late.')
    this.#contentType = contentType
  }

  /** Anything but text and bytes is written as JSON. */
  override write(
    chunk: unknown,
    encoding?: BufferEncoding | WriteCallback,
    callback?: WriteCallback,
  ): boolean {
    const done = typeof encoding === 'function' ? encoding : callback
    const named = typeof encoding === 'string' ? encoding : 'utf8'
    const content =
      typeof chunk === 'string' || chunk instanceof Uint8Array ? chunk : (JSON.stringify(chunk) as string)
    const prelude = this.#prelude()
    if (prelude === undefined) return super.write(content, named, done)
    const rest = typeof content === 'string' ? Buffer.from(content, named) : content
    return super.write(Buffer.concat([...prelude, rest]), done)
  }

  override end(...parameters: unknown[]): this {
    const done = parameters.find((parameter) => typeof parameter === 'function') as (() => void) | undefined // its documented shape
    const [chunk, encoding] = parameters
    if (chunk !== undefined && chunk !== null && typeof chunk !== 'function')
      this.write(chunk, encoding as BufferEncoding | undefined) // end(chunk, encoding?, callback?)
    const prelude = this.#prelude()
    if (prelude !== undefined) super.write(Buffer.concat(prelude))
    return super.end(done)
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: WriteCallback): void {
    this.#start()
    this.#push(chunk, callback)
  }

  override _final(callback: WriteCallback): void {
    this.#start()
    callback()
  }

  override _destroy(error: Error | null, callback: WriteCallback): void {
    this.#resume = undefined
    this.#onBlocked()
    callback(error)
  }

  /** The reader has taken `bytes`. */
  credit(bytes: number): void {
    this.#onWayBytes = Math.max(0, this.#onWayBytes - bytes)
    this.#continue()
  }

  /** Nobody reads any more: writes succeed and go nowhere, so that the handler comes to its end. */
  discard(): void {
    this.#discarding = true
    this.#continue()
  }

  #prelude(): Buffer[] | undefined {
    if (this.#touched) return undefined
    this.#touched = true
    if (typeof this._onBeforeFirstWrite !== 'function') return undefined
    const parts: Buffer[] = []
    this._onBeforeFirstWrite((part) => parts.push(Buffer.from(part)))
    return parts
  }

  #start(): void {
    if (this.#started) return
    this.#started = true
    this.#connection.sendBody(FRAME.streamStart, this.#invocationId, Buffer.from(this.#contentType))
  }

  #push(chunk: Buffer, callback: WriteCallback): void {
    if (this.#discarding) return callback()
    const roomBytes = STREAM_WINDOW_BYTES - this.#onWayBytes
    const part = chunk.length <= roomBytes ? chunk : chunk.subarray(0, roomBytes)
    if (part.length > 0) {
      this.#onWayBytes += part.length
      this.#connection.sendBody(FRAME.streamData, this.#invocationId, part)
    }
    // The caller may reuse its buffer after the callback, so the kernel must have a copy by then.
    if (part.length === chunk.length) return this.#connection.whenFlushed(callback)
    this.#resume = () => this.#push(chunk.subarray(part.length), callback)
    this.#onBlocked()
  }

  #continue(): void {
    const resume = this.#resume
    if (resume === undefined) return
    this.#resume = undefined
    resume()
    this.#onBlocked()
  }
}

/** `awslambda.HttpResponseStream`: puts status, headers and cookies in front of a streamed body. */
export const httpResponseStream = {
  from(stream: ResponseStream, metadata: unknown): ResponseStream {
    stream.setContentType(PRELUDE_CONTENT_TYPE)
    const prelude = JSON.stringify(metadata)
    stream._onBeforeFirstWrite = (write) => {
      write(prelude)
      write(Buffer.alloc(PRELUDE_END_BYTES))
    }
    return stream
  },
}
