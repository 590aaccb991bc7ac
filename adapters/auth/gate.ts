import type { IncomingMessage, ServerResponse } from 'node:http'
import { CODE_BODY_BYTES } from '../lambda/fields.ts'
import type { RequestHandler } from '../listener.ts'
import type { Admission, Candidate } from './admission.ts'
import { AuthError } from './auth-error.ts'
import type { Transport } from './authenticator.ts'
import { keepBody, markCaller } from './caller.ts'
import { refusalOf } from './refusals.ts'
import type { Wire } from './requirement.ts'

/** Largest body that is read to be verified: what the largest operation takes. */
const MAX_BODY_BYTES = CODE_BODY_BYTES
/** All bodies that wait to be verified together; past it, more are turned away. */
const MAX_HELD_BYTES = 512 * 1024 * 1024
/** A refused body of up to this size costs its connection nothing. */
const MAX_DRAINED_BYTES = 65_536
const EMPTY = Buffer.alloc(0)

/** What the gate turns away before anything looks at the body. */
type TurnedAway = 'too-large' | 'too-many'

/**
 * Puts `next` behind an admission: requests of callers who may, with the caller noted on the request and the
 * body kept where it had to be read. The others are answered here.
 */
export function createGate(options: {
  admission: Admission
  next: RequestHandler
  requestId: () => string
}): RequestHandler {
  const { admission, next, requestId } = options
  const bodies = new BodyReader()
  const refuse = (response: ServerResponse, thrown: unknown, wire: Wire): void => {
    if (!(thrown instanceof AuthError)) throw thrown
    const { status, headers, body } = refusalOf(thrown, wire, requestId())
    send(response, status, headers, body)
  }
  const letIn = (
    request: IncomingMessage,
    response: ServerResponse,
    candidate: Candidate,
    body: Buffer,
  ): void => {
    let caller
    try {
      caller = candidate.finish(body)
    } catch (error) {
      return refuse(response, error, candidate.wire)
    }
    if (caller !== undefined) markCaller(request, caller)
    next(request, response)
  }
  return (request, response) => {
    if (!admission.isNeeded) return next(request, response)
    const { method = '', url = '', rawHeaders } = request
    const signed = { method, url, rawHeaders }
    let candidate: Candidate
    try {
      candidate = admission.begin(signed, transportOf(request))
    } catch (error) {
      discard(request, response)
      return refuse(response, error, admission.wireOf(signed))
    }
    if (!candidate.needsBody || !hasBody(request)) return letIn(request, response, candidate, EMPTY)
    bodies.read(request, (body) => {
      if (Buffer.isBuffer(body)) {
        keepBody(request, body)
        return letIn(request, response, candidate, body)
      }
      discard(request, response)
      turnAway(response, body, requestId())
    })
  }
}

/** Nobody between the sender and here: the connection is encrypted, or never left this machine. */
export function transportOf({ socket }: Pick<IncomingMessage, 'socket'>): Transport {
  const isEncrypted = 'encrypted' in socket && socket.encrypted === true
  return { isPrivate: isEncrypted || isLoopback(socket.remoteAddress ?? '') }
}

const isLoopback = (address: string): boolean => address === '::1' || /^(::ffff:)?127\./.test(address)

/** Reads bodies whole, with a bound on each and on all of them together. */
class BodyReader {
  #heldBytes = 0

  /** `then` is called once, or never when the sender goes away. */
  read(request: IncomingMessage, then: (body: Buffer | TurnedAway) => void): void {
    if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return then('too-large')
    let chunks: Buffer[] = []
    let bytes = 0
    let isOver = false
    const end = (body: Buffer | TurnedAway): void => {
      if (isOver) return
      isOver = true
      this.#heldBytes -= bytes
      chunks = []
      then(body)
    }
    request.on('data', (chunk: Buffer) => {
      if (isOver) return
      bytes += chunk.length
      this.#heldBytes += chunk.length
      chunks.push(chunk)
      if (bytes > MAX_BODY_BYTES) end('too-large')
      else if (this.#heldBytes > MAX_HELD_BYTES) end('too-many')
    })
    request.on('end', () => end(chunks.length === 1 ? (chunks[0] ?? EMPTY) : Buffer.concat(chunks, bytes)))
    request.on('close', () => {
      if (isOver) return
      isOver = true
      this.#heldBytes -= bytes
    })
  }
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0

/** Reads what is refused to its end and throws it away; after a large one the connection ends. */
function discard(request: IncomingMessage, response: ServerResponse): void {
  if (!hasBody(request)) return
  request.resume()
  const announced = Number(request.headers['content-length'] ?? MAX_DRAINED_BYTES + 1)
  if (announced > MAX_DRAINED_BYTES) response.setHeader('connection', 'close')
}

function turnAway(response: ServerResponse, why: TurnedAway, requestId: string): void {
  const [status, kind, message] =
    why === 'too-large'
      ? ([
          413,
          'RequestEntityTooLargeException',
          `Request must be smaller than ${MAX_BODY_BYTES} bytes.`,
        ] as const)
      : ([503, 'ServiceException', 'Too many request bodies wait to be verified.'] as const)
  const headers = [
    'content-type',
    'application/json',
    'x-amzn-RequestId',
    requestId,
    'x-amzn-ErrorType',
    kind,
  ]
  send(response, status, headers, Buffer.from(JSON.stringify({ __type: kind, message, Message: message })))
}

function send(response: ServerResponse, status: number, headers: readonly string[], body: Buffer): void {
  if (response.destroyed || response.headersSent) return
  response.writeHead(status, [...headers, 'Content-Length', String(body.length)])
  response.end(body)
}
