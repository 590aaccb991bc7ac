import { STATUS_CODES } from 'node:http'
import { Server as SecureServer } from 'node:https'
import type { Socket } from 'node:net'
import type { Clock } from '../../runtime/clock.ts'
import type { Admission } from '../auth/admission.ts'
import { AuthError } from '../auth/auth-error.ts'
import type { Transport } from '../auth/authenticator.ts'
import { transportOf } from '../auth/gate.ts'
import { guard, type GuardPolicy } from '../guard.ts'
import type { ListeningServer } from '../listener.ts'
import type { Invocations, InvokeHead, InvokeReply } from './invocations.ts'
import { parseStrict, type StrictRequest } from './strict-request.ts'

/** Heads and bodies up to this are answered here; everything larger goes to Node's server. */
const MAX_HEAD_BYTES = 8192
const MAX_BODY_BYTES = 256 * 1024
/** Longer heads are not kept: one is held by every connection. */
const MAX_KEPT_HEAD_BYTES = 2048
/**
 * What a client may send ahead while its request runs, before it is read no further; in bytes and in
 * packets.
 */
const MAX_AHEAD_BYTES = 128 * 1024
const MAX_AHEAD_PIECES = 256
/**
 * A body that comes in more packets than this is left to Node's server: tiny ones must not be copied over
 * and over.
 */
const MAX_BODY_PIECES = 256
/** A body that takes longer than this to arrive is left to Node's server and its limits. */
const BODY_PATIENCE_MS = 1000
/** A connection may stay silent this long at first, and this long after an answer. */
const SILENT_LIMIT_MS = 10_000
const IDLE_LIMIT_MS = 60_000
/** A client that takes nothing of its answer for this long is cut. */
const STALLED_LIMIT_MS = 60_000
const SWEEP_MS = 500
const HEAD_END = Buffer.from('\r\n\r\n')

/**
 * Puts a reader in front of an HTTP server that answers one strict shape of request itself: an invocation of
 * ordinary size on a kept-alive connection. Anything else, and anything it is not sure of, is handed to the
 * server with the whole connection, untouched, so that what is refused or odd is judged in one place.
 *
 * `refusing` says when the server takes no new work.
 */
export function installFastFront(options: {
  server: ListeningServer
  invocations: Invocations
  policy: GuardPolicy
  /** Who is let in; undefined: everybody. */
  admission?: Admission
  clock: Clock
  refusing: () => boolean
}): Disposable {
  const { server, clock } = options
  // With TLS the raw connection is the server's business until the handshake is done.
  const event = server instanceof SecureServer ? 'secureConnection' : 'connection'
  const [serve] = server.listeners(event)
  if (serve === undefined) throw new Error('the server has no connection listener to stand in front of')
  const connections = new Set<FrontConnection>()
  const dates = dateHeader(clock)
  server.removeAllListeners(event)
  server.on(event, (socket: Socket) => {
    const connection = new FrontConnection(socket, {
      ...options,
      transport: transportOf({ socket }),
      dates,
      handOver: () => serve.call(server, socket),
    })
    connections.add(connection)
    connection.onGone = () => connections.delete(connection)
  })
  const sweeper = clock.every(SWEEP_MS, () => {
    const now = clock.monotonicMs()
    for (const connection of connections) connection.sweep(now)
  })
  // A server that closes asks itself for this first; it does not know the front's connections.
  const closeIdle = server.closeIdleConnections
  server.closeIdleConnections = () => {
    closeIdle.call(server)
    for (const connection of connections) connection.closeIfIdle()
  }
  return { [Symbol.dispose]: () => sweeper.cancel() }
}

interface FrontParts {
  readonly invocations: Invocations
  readonly policy: GuardPolicy
  readonly admission?: Admission
  readonly transport: Transport
  readonly clock: Clock
  readonly refusing: () => boolean
  readonly dates: () => string
  readonly handOver: () => void
}

/**
 * `reading`: between requests, or in one. `running`: an invocation has one. `sending`: the client is slow to
 * take an answer. `gone`: closed, or the server's.
 */
type ConnectionState = 'reading' | 'running' | 'sending' | 'gone'

/**
 * One connection as long as it only sends the strict shape. One request at a time; what comes ahead waits.
 */
class FrontConnection implements InvokeReply {
  onGone: () => void = () => {}
  readonly #socket: Socket
  readonly #parts: FrontParts
  #state: ConnectionState = 'reading'
  /** What was read and not taken yet: its beginning, then the packets that came after. */
  #unread: Buffer | undefined
  #pieces: Buffer[] = []
  #unreadBytes = 0
  /** So much must be unread before looking again makes sense. */
  #neededBytes = 0
  #advancing = false
  /** The client has sent its last byte; it may still wait for answers. */
  #ended = false
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
    socket.on('end', this.#onEnd)
    socket.on('error', this.#onError)
    socket.on('close', this.#onClose)
  }

  /** Ends what idles too long, and leaves what arrives too slowly to the server. */
  sweep(now: number): void {
    if (this.#state !== 'reading') return
    const waitedMs = now - this.#since
    if (this.#unread !== undefined) {
      if (waitedMs > BODY_PATIENCE_MS) this.#handOver()
      return
    }
    const limitMs = this.#socket.bytesRead === 0 ? SILENT_LIMIT_MS : IDLE_LIMIT_MS
    if (waitedMs > limitMs) this.#socket.destroy()
  }

  /** As Node does it: idle is who has been answered and sends nothing. */
  closeIfIdle(): void {
    const { bytesRead, writableLength } = this.#socket
    const isIdle = this.#state === 'reading' && this.#unread === undefined && writableLength === 0
    if (isIdle && bytesRead > 0) this.#socket.destroy()
  }

  // -- the reply of the one request that runs

  answer(status: number, headers: readonly string[], body: Buffer): void {
    const socket = this.#socket
    if (socket.destroyed || this.#state === 'gone') return
    const isLast = this.#unread === undefined && (this.#ended || this.#parts.refusing())
    let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`
    for (let index = 0; index + 1 < headers.length; index += 2)
      text += `${headers[index]}: ${headers[index + 1]}\r\n`
    text += this.#parts.dates()
    text += isLast ? 'Connection: close\r\n' : 'Connection: keep-alive\r\n'
    text += status === 204 ? '\r\n' : `Content-Length: ${body.length}\r\n\r\n`
    const out = Buffer.allocUnsafe(text.length + body.length)
    out.write(text, 0, 'latin1')
    body.copy(out, text.length)
    // False is said of every large answer; only what the kernel has not taken makes the next request wait.
    const isTaken = socket.write(out) || socket.writableLength === 0
    this.#since = this.#parts.clock.monotonicMs()
    if (!isTaken || isLast) return this.#awaitTaking(isLast)
    this.#state = 'reading'
    this.#advance()
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

  /** Nothing more is read or run before the client has taken what there is. */
  #awaitTaking(isLast: boolean): void {
    const socket = this.#socket
    this.#state = 'sending'
    socket.setTimeout(STALLED_LIMIT_MS, this.#onError)
    if (isLast) return socket.destroySoon()
    socket.once('drain', () => {
      socket.setTimeout(0, this.#onError)
      if (this.#state !== 'sending') return
      this.#state = 'reading'
      this.#since = this.#parts.clock.monotonicMs()
      if (this.#unread === undefined && this.#ended) socket.destroy()
      else this.#advance()
    })
  }

  // -- reading

  readonly #onData = (chunk: Buffer): void => {
    this.#unreadBytes += chunk.length
    if (this.#unread === undefined) {
      this.#unread = chunk
      if (this.#state === 'reading') return this.#advance()
    } else {
      this.#pieces.push(chunk)
      if (this.#state === 'reading') {
        if (this.#unreadBytes >= this.#neededBytes) this.#advance()
        else if (this.#pieces.length > MAX_BODY_PIECES) this.#handOver()
        return
      }
    }
    if (this.#unreadBytes > MAX_AHEAD_BYTES || this.#pieces.length > MAX_AHEAD_PIECES) this.#socket.pause()
  }

  readonly #onEnd = (): void => {
    this.#ended = true
    if (this.#state !== 'reading') return // what runs is still answered
    if (this.#unread === undefined) this.#awaitTaking(true)
    else this.#handOver()
  }

  readonly #onError = (): void => {
    this.#socket.destroy()
  }

  /** The invocation that runs goes on; its answer and what was sent ahead have nobody any more. */
  readonly #onClose = (): void => {
    this.#state = 'gone'
    this.#unread = undefined
    this.#pieces = []
    this.onGone()
  }

  /**
   * Takes requests until one runs or more has to come. A loop, because answers may come before `handle`
   * returns.
   */
  #advance(): void {
    if (this.#advancing) return
    this.#advancing = true
    this.#join()
    while (this.#state === 'reading' && this.#unread !== undefined && this.#takeRequest(this.#unread));
    this.#advancing = false
    if (this.#state === 'reading' && this.#socket.isPaused()) this.#socket.resume()
  }

  /** Whether there was a whole request of the strict shape. */
  #takeRequest(unread: Buffer): boolean {
    const headEnd = unread.indexOf(HEAD_END)
    const request =
      headEnd < 0 || headEnd > MAX_HEAD_BYTES ? undefined : this.#read(unread.toString('latin1', 0, headEnd))
    if (request === undefined || request.bodyBytes > MAX_BODY_BYTES || this.#parts.refusing()) {
      this.#handOver()
      return false
    }
    const end = headEnd + HEAD_END.length + request.bodyBytes
    this.#neededBytes = end
    if (unread.length < end) {
      this.#awaitRest()
      return false
    }
    const body = unread.subarray(end - request.bodyBytes, end)
    const { admission } = this.#parts
    const head = admission?.isNeeded === true ? this.#admit(admission, request, body) : request.head
    if (head === undefined) {
      this.#handOver()
      return false
    }
    this.#unread = unread.length === end ? undefined : unread.subarray(end)
    this.#unreadBytes = unread.length - end
    this.#state = 'running'
    this.#parts.invocations.handle(head, body, this)
    return true
  }

  /** The head with its caller's scope; undefined: refused, which the server does in its own words. */
  #admit(
    admission: Admission,
    { head, url, rawHeaders }: StrictRequest,
    body: Buffer,
  ): InvokeHead | undefined {
    try {
      const caller = admission.admit({ method: 'POST', url, rawHeaders }, body, this.#parts.transport)
      return caller === undefined ? head : { ...head, scope: caller.scope }
    } catch (error) {
      if (error instanceof AuthError) return undefined
      throw error
    }
  }

  /** The rest of a body is on its way: sweep sees to it that it comes soon. */
  #awaitRest(): void {
    if (this.#ended) return this.#handOver()
    this.#since = this.#parts.clock.monotonicMs()
  }

  #join(): void {
    if (this.#pieces.length === 0 || this.#unread === undefined) return
    this.#unread = Buffer.concat([this.#unread, ...this.#pieces], this.#unreadBytes)
    this.#pieces = []
  }

  #read(head: string): StrictRequest | undefined {
    if (head === this.#lastHead) return this.#lastRequest
    const request = parseStrict(head)
    if (request === undefined) return undefined
    if (guard(request.rawHeaders, request.url, 'POST', this.#parts.policy) !== undefined) return undefined
    if (head.length <= MAX_KEPT_HEAD_BYTES) {
      this.#lastHead = head
      this.#lastRequest = request
    }
    return request
  }

  /** From here on the connection is the server's, with everything not yet answered. */
  #handOver(): void {
    const socket = this.#socket
    this.#join()
    const unread = this.#unread
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.off('error', this.#onError)
    socket.off('close', this.#onClose)
    this.#onClose()
    socket.pause()
    if (unread !== undefined && !this.#ended) socket.unshift(unread)
    this.#parts.handOver()
    if (this.#ended) {
      // Nothing can be put back into a stream that has ended: the server is told again what it told us.
      socket.emit('data', unread)
      socket.emit('end')
    } else socket.resume()
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
