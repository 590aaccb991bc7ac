import type { IncomingMessage } from 'node:http'
import { STREAM_WINDOW_BYTES } from '../stream.ts'

const ERROR_TYPE = 'lambda-runtime-function-error-type'
const ERROR_BODY = 'lambda-runtime-function-error-body'

/** How a streamed response ended: whole, with an error in its trailers, or cut off. */
export type StreamEnding = { kind: 'whole' } | { kind: 'error'; body: Buffer } | { kind: 'truncated' }

/**
 * A response that a runtime sends bit by bit: handed on as it comes in, and held back while its reader has
 * not taken what was sent.
 */
export class StreamedResponse {
  readonly #request: IncomingMessage
  #onWayBytes = 0
  #discarding = false

  /** Each of the two is called as often, and as late, as its name says; the ending comes once. */
  constructor(request: IncomingMessage, on: { bytes(part: Buffer): void; ending(how: StreamEnding): void }) {
    this.#request = request
    let ended = false
    request.on('data', (part: Buffer) => {
      if (this.#discarding) return
      this.#onWayBytes += part.length
      on.bytes(part)
      if (this.#onWayBytes >= STREAM_WINDOW_BYTES) request.pause()
    })
    request.once('end', () => {
      ended = true
      on.ending(endingOf(request))
    })
    request.once('close', () => {
      if (!ended) on.ending({ kind: 'truncated' })
    })
    request.on('error', () => {}) // 'close' follows
  }

  /** The reader has taken `bytes`. */
  credit(bytes: number): void {
    this.#onWayBytes = Math.max(0, this.#onWayBytes - bytes)
    if (this.#onWayBytes < STREAM_WINDOW_BYTES) this.#request.resume()
  }

  /** Nobody reads any more: the rest is taken and goes nowhere. */
  discard(): void {
    this.#discarding = true
    this.#request.resume()
  }
}

function endingOf(request: IncomingMessage): StreamEnding {
  const errorType = request.trailers[ERROR_TYPE]
  const encoded = request.trailers[ERROR_BODY]
  if (errorType === undefined && encoded === undefined) return { kind: 'whole' }
  if (encoded !== undefined && encoded !== '') {
    return { kind: 'error', body: Buffer.from(encoded, 'base64') }
  }
  return { kind: 'error', body: Buffer.from(JSON.stringify({ errorType, errorMessage: '' })) }
}
