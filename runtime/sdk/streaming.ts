import type { Writable } from 'node:stream'
import type { Context } from './types.ts'

/** Where a streaming handler writes its response. */
export interface ResponseStream extends Writable {
  /** Only before the first write. */
  setContentType(contentType: string): void
}

/** Status, headers and cookies in front of a streamed body. */
export interface ResponseMetadata {
  statusCode?: number
  headers?: Record<string, string>
  cookies?: string[]
}

/** A handler that writes its response; it must be async and end the stream. */
export type StreamingHandler<Event = unknown> = (
  event: Event,
  stream: ResponseStream,
  context: Context,
) => Promise<void>

declare global {
  /** What Lambda puts into every Node.js environment. */
  var awslambda: {
    streamifyResponse<Event>(
      handler: StreamingHandler<Event>,
      options?: { highWaterMark?: number },
    ): StreamingHandler<Event>
    HttpResponseStream: { from(stream: ResponseStream, metadata: ResponseMetadata): ResponseStream }
  }
}
