import type { IncomingMessage, ServerResponse } from 'node:http'
import { invokeAsyncReply, invokeAsyncTarget } from './invoke-async.ts'
import { callerOf, keptBody } from '../auth/caller.ts'
import {
  Invocations,
  invokeTarget,
  maxPayloadBytes,
  type InvocationsParts,
  type InvokeHead,
  type InvokeReply,
} from './invocations.ts'

/** Takes a request when it is an invocation; false leaves it to others. */
export type InvokeHandler = (request: IncomingMessage, response: ServerResponse) => boolean

/** Invoke on Node's own request and response, in front of everything else the api port serves. */
export function createInvokeHandler(
  parts: InvocationsParts,
  invocations: Invocations = new Invocations(parts),
): InvokeHandler {
  const limit = maxPayloadBytes(parts.limits)
  return (request, response) => {
    if (request.method !== 'POST') return false
    const url = request.url ?? ''
    const usual = invokeTarget(url)
    const target = usual ?? invokeAsyncTarget(url)
    if (target === undefined) return false
    const asked = headOf(request, target)
    const head = usual === undefined ? { ...asked, invocationType: 'Event' } : asked
    const plain = new HttpReply(response)
    const reply = usual === undefined ? invokeAsyncReply(plain) : plain
    const announced = Number(request.headers['content-length'] ?? 0)
    if (announced > limit) {
      request.resume()
      // Closed on what it still sends, a client may see a broken pipe in place of the answer.
      if (announced > MAX_DRAINED_BYTES) response.setHeader('Connection', 'close')
      invocations.tooLarge(head, announced, reply)
      return true
    }
    readBody(request, limit, (body, bytes) => {
      if (body !== undefined) return invocations.handle(head, body, reply)
      response.setHeader('Connection', 'close')
      invocations.tooLarge(head, bytes, reply)
    })
    return true
  }
}

/** A refused body of up to this size is read to its end and thrown away. */
const MAX_DRAINED_BYTES = 64 * 1024 * 1024

function headOf(
  request: IncomingMessage,
  target: Pick<InvokeHead, 'streaming' | 'label' | 'query'>,
): InvokeHead {
  const { headers } = request
  return {
    ...target,
    authorization: headers.authorization,
    scope: callerOf(request)?.scope,
    invocationType: one(headers['x-amz-invocation-type']),
    logType: one(headers['x-amz-log-type']),
    clientContext: one(headers['x-amz-client-context']),
    tenantId: one(headers['x-amz-tenant-id']),
    traceId: one(headers['x-amzn-trace-id']),
  }
}

const one = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value[0] : value

/**
 * Collects the body once; undefined, with the bytes seen, when it is over the limit. A caller who goes away
 * is forgotten.
 */
function readBody(
  request: IncomingMessage,
  limit: number,
  then: (body: Buffer | undefined, bytes: number) => void,
): void {
  const kept = keptBody(request)
  if (kept !== undefined) return then(kept.length > limit ? undefined : kept, kept.length)
  let chunks: Buffer[] = []
  let bytes = 0
  let over = false
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= limit) chunks.push(chunk)
    else if (!over) {
      over = true
      chunks = []
      then(undefined, bytes)
    }
  })
  request.on('end', () => {
    if (!over) then(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, bytes), bytes)
  })
}

/** An answer on Node's response. What is written to a caller who has gone counts as taken. */
export class HttpReply implements InvokeReply {
  readonly #response: ServerResponse

  constructor(response: ServerResponse) {
    this.#response = response
  }

  answer(status: number, headers: readonly string[], body: Buffer): void {
    const response = this.#response
    if (response.destroyed || response.headersSent) return
    if (status === 204) response.writeHead(status, [...headers])
    else response.writeHead(status, [...headers, 'Content-Length', String(body.length)])
    response.end(body)
  }

  startStream(status: number, headers: readonly string[]): void {
    this.#response.writeHead(status, [...headers])
    this.#response.flushHeaders()
  }

  write(chunk: Buffer, taken: () => void): void {
    if (this.#response.destroyed) return taken()
    this.#response.write(chunk, () => taken())
  }

  end(): void {
    this.#response.end()
  }
}
