import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from '../../runtime/clock.ts'
import { guard, type GuardPolicy } from '../guard.ts'
import type { Invocations, InvokeReply } from './invocations.ts'
import { parseStrict, type StrictRequest } from './strict-request.ts'

/** Heads and bodies up to this are answered here; everything larger goes to Node's server. */
const MAX_HEAD_BYTES = 8192
const MAX_BODY_BYTES = 256 * 1024
/** What a client may send ahead while its request runs. */
const MAX_AHEAD_BYTES = 512 * 1024
/** A body that takes longer than this to arrive is left to Node's server and its limits. */
const BODY_PATIENCE_MS = 1000
const IDLE_LIMIT_MS = 60_000
const SWEEP_MS = 500
const HEAD_END = Buffer.from('\r\n\r\n')
const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  202: 'Accepted',
  204: 'No Content',
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  409: 'Conflict',
  413: 'Content Too Large',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/**
 * Puts a reader in front of an HTTP server that answers one strict shape of request itself: an invocation of ordinary
 * size on a kept-alive connection. Anything else, and anything it is not sure of, is handed to the server with the
 * whole connection, untouched, so that what is refused or odd is judged in one place.
 *
 * `refusing` says when the server takes no new work.
 */
export function installFastFront(options: {
  server: Server
  invocations: Invocations
  policy: GuardPolicy
  clock: Clock
  refusing: () => boolean
}): Disposable {
  const { server, clock } = options
  const [serve] = server.listeners('connection')
  if (serve === undefined) throw new Error('the server has no connection listener to stand in front of')
  const connections = new Set<FrontConnection>()
  const dates = dateHeader(clock)
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    const connection = new FrontConnection(socket, {
      ...options,
      dates,
      handOver: () => serve.call(server, socket),
    })
    connections.add(connection)
    connection.onGone = () => connections.delete(connection)
  })
  const sweeper = clock.every(SWEEP_MS, () => {
    const now = clock.monotonicMs()
    for (const connection of connections) connection.sweep(now, options.refusing())
  })
  return { [Symbol.dispose]: () => sweeper.cancel() }
}

interface FrontParts {
  readonly invocations: Invocations
  readonly policy: GuardPolicy
  readonly clock: Clock
  readonly refusing: () => boolean
  readonly dates: () => string
  readonly handOver: () => void
}

/** One connection as long as it only sends the strict shape. One request at a time; what comes ahead waits. */
class FrontConnection implements InvokeReply {
  onGone: () => void = () => {}
  readonly #socket: Socket
  readonly #parts: FrontParts
  #unread: Buffer | undefined
  #busy = false
  #since: number
  /** The last head and what it means: kept-alive clients tend to repeat it to the byte. */
  #lastHead = ''
  #lastRequest: StrictRequest | undefined

  constructor(socket: Socket, parts: FrontParts) {
    this.#socket = socket
    this.#parts = parts
    this.#since = parts.clock.monotonicMs()
    socket.setNoDelay(true)
    socket.on('data', this.#onData)
    socket.on('error', this.#onError)
    socket.on('close', this.#onClose)
  }

  /** Ends what idles too long, and leaves what arrives too slowly to the server. */
  sweep(now: number, refusing: boolean): void {
    if (this.#busy) return
    if (this.#unread !== undefined && now - this.#since > BODY_PATIENCE_MS) return this.#handOver()
    if (this.#unread === undefined && (refusing || now - this.#since > IDLE_LIMIT_MS)) this.#socket.end()
  }

  // -- the reply of the one request that runs

  answer(status: number, headers: readonly string[], body: Buffer): void {
    const socket = this.#socket
    if (!socket.destroyed) {
      let text = `HTTP/1.1 ${status} ${REASONS[status] ?? 'Status'}\r\n`
      for (let index = 0; index + 1 < headers.length; index += 2)
        text += `${headers[index]}: ${headers[index + 1]}\r\n`
      text += this.#parts.dates()
      text +=
        status === 204
          ? 'Connection: keep-alive\r\n\r\n'
          : `Connection: keep-alive\r\nContent-Length: ${body.length}\r\n\r\n`
      const out = Buffer.allocUnsafe(text.length + body.length)
      out.write(text, 0, 'latin1')
      body.copy(out, text.length)
      socket.write(out)
    }
    this.#busy = false
    this.#since = this.#parts.clock.monotonicMs()
    if (this.#unread !== undefined) this.#advance()
    else if (socket.isPaused()) socket.resume()
  }

  startStream(): void {
    throw new Error('the front takes no streaming requests')
  }
  write(): void {
    throw new Error('the front takes no streaming requests')
  }
  end(): void {
    throw new Error('the front takes no streaming requests')
  }

  // -- reading

  readonly #onData = (chunk: Buffer): void => {
    this.#unread = this.#unread === undefined ? chunk : Buffer.concat([this.#unread, chunk])
    if (!this.#busy) this.#advance()
    else if (this.#unread.length > MAX_AHEAD_BYTES) this.#socket.pause()
  }

  readonly #onError = (): void => {
    this.#socket.destroy()
  }

  readonly #onClose = (): void => {
    this.onGone()
  }

  #advance(): void {
    const unread = this.#unread
    if (unread === undefined) return
    const headEnd = unread.indexOf(HEAD_END)
    const request =
      headEnd < 0 || headEnd > MAX_HEAD_BYTES ? undefined : this.#read(unread.toString('latin1', 0, headEnd))
    if (request === undefined || request.bodyBytes > MAX_BODY_BYTES || this.#parts.refusing())
      return this.#handOver()
    const end = headEnd + HEAD_END.length + request.bodyBytes
    if (unread.length < end) return // the rest is on its way: sweep sees to it that it comes soon
    this.#unread = unread.length === end ? undefined : unread.subarray(end)
    this.#busy = true
    this.#parts.invocations.handle(request.head, unread.subarray(end - request.bodyBytes, end), this)
  }

  #read(head: string): StrictRequest | undefined {
    if (head === this.#lastHead) return this.#lastRequest
    const request = parseStrict(head)
    if (request === undefined) return undefined
    if (guard(request.rawHeaders, request.url, 'POST', this.#parts.policy) !== undefined) return undefined
    this.#lastHead = head
    this.#lastRequest = request
    return request
  }

  /** From here on the connection is the server's, with everything not yet answered. */
  #handOver(): void {
    const socket = this.#socket
    socket.off('data', this.#onData)
    socket.off('error', this.#onError)
    socket.off('close', this.#onClose)
    this.onGone()
    socket.pause()
    if (this.#unread !== undefined) socket.unshift(this.#unread)
    this.#unread = undefined
    this.#parts.handOver()
    socket.resume()
  }
}

/** The Date line, made once a second. */
function dateHeader(clock: Clock): () => string {
  let line = ''
  let validUntil = 0
  return () => {
    const now = clock.nowMs()
    if (now >= validUntil) {
      line = `Date: ${new Date(now).toUTCString()}\r\n`
      validUntil = now - (now % 1000) + 1000
    }
    return line
  }
}
