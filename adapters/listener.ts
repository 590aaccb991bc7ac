import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '../runtime/clock.ts'
import { EngineError } from '../runtime/errors.ts'
import type { Log } from '../runtime/log.ts'
import { guard, type GuardPolicy, type Refusal } from './guard.ts'
import { describePortHolder } from './port-holder.ts'
import { offerUpgrades, type UpgradeHandler } from './upgrade.ts'

/** With TLS or without. */
export type ListeningServer = Server | SecureServer

/** Answers one request that the guard let in. */
export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void

/** What a bound server does once there is something to serve. */
export interface Service {
  handle: RequestHandler
  /** May take connections over before Node's server sees them; `refusing` tells when no new work is taken. */
  front?: (server: ListeningServer, refusing: () => boolean) => Disposable
  /** Offered every connection whose client asks for another protocol. Absent: none is taken. */
  upgrade?: UpgradeHandler
}

/** What a listener proves itself with, PEM. */
export interface Tls {
  readonly cert: Buffer
  readonly key: Buffer
}

/** One bound HTTP server. */
export interface Listener {
  readonly host: string
  /** The real port, also when 0 was asked for. */
  readonly port: number
  /** `http://127.0.0.1:4700`: an address that reaches it from this machine. */
  readonly url: string
  /** Starts to serve; until then every request is answered 503. To be called once. */
  serve(service: Service): void
  /** Stops accepting connections and answers 503 on those that are open. */
  refuseNewWork(): void
  /** Resolves when the last connection is gone; what is still open after `graceMs` is cut. */
  close(graceMs: number): Promise<void>
}

/** Slow senders are cut: headers within 10 s, the whole request within 60 s, checked every second. */
const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 5_000,
  maxHeaderSize: 16_384,
} as const
/** A burst past it finds its connections seconds later: the kernel repeats the handshake at 1, 3 and 7 s. */
const BACKLOG = 4096
const IDLE_CHECK_MS = 20
const LINGER_MS = 1000

/**
 * Binds an HTTP server whose every request passes the guard first.
 *
 * Rejects with EngineError 'conflict' when somebody else has the port; the message says who.
 */
export async function openListener(options: {
  host: string
  port: number
  policy: GuardPolicy
  maxConnections: number
  /** Certificate and key, PEM; undefined: no TLS. */
  tls?: Tls | undefined
  clock: Clock
  log: Log
  requestId: () => string
}): Promise<Listener> {
  const { policy, requestId } = options
  const refuse =
    (why: typeof STARTING | typeof STOPPING): RequestHandler =>
    (_request, response) =>
      answerRefusal(response, why, requestId())
  const bound = new BoundServer({
    ...options,
    notYet: refuse(STARTING),
    noLonger: refuse(STOPPING),
  })
  const { server } = bound
  // What was sent behind a refused request must not run (RFC 9112, 9.6); Node would still hand it over.
  const refused = new WeakSet<Socket>()
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (refused.has(request.socket)) return
    const refusal = guard(request.rawHeaders, request.url ?? '', request.method ?? '', policy)
    if (refusal === undefined) return bound.handle(request, response)
    refused.add(request.socket)
    answerRefusal(response, refusal, requestId())
  })
  // The guard counts header lines itself; Node's own limit would cut them off silently. Their bytes stay
  // limited.
  server.maxHeadersCount = 0
  server.maxConnections = options.maxConnections
  server.on('clientError', (error, socket) => answerBrokenRequest(error, socket, options.clock))
  await bind(server, options.port, options.host)
  // Accepting can fail later (no file descriptors left): that connection is lost, the listener is not.
  server.on('error', (error) => options.log.error('connection not accepted', { error }))
  return bound
}

/** A server from its binding to its end. */
class BoundServer implements Listener {
  readonly host: string
  readonly server: ListeningServer
  readonly #protocol: 'http' | 'https'
  readonly #clock: Clock
  readonly #refuse: RequestHandler
  readonly #policy: GuardPolicy
  /** Every open connection, also those that a front keeps from Node's server. */
  readonly #sockets = new Set<Socket>()
  #handle: RequestHandler
  #front: Disposable | undefined
  #closed: Promise<void> | undefined

  constructor(options: {
    host: string
    policy: GuardPolicy
    clock: Clock
    tls?: Tls | undefined
    notYet: RequestHandler
    noLonger: RequestHandler
  }) {
    const { tls } = options
    this.host = options.host
    this.server = tls === undefined ? createServer(LIMITS) : createSecureServer({ ...LIMITS, ...tls })
    this.#protocol = tls === undefined ? 'http' : 'https'
    this.#clock = options.clock
    this.#handle = options.notYet
    this.#refuse = options.noLonger
    this.#policy = options.policy
    this.server.on('connection', this.#onConnection)
  }

  get port(): number {
    return (this.server.address() as AddressInfo | null)?.port ?? 0 // bound to TCP, so never a path
  }

  get url(): string {
    return `${this.#protocol}://${reachable(this.host)}:${this.port}`
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    this.#handle(request, response)
  }

  serve({ handle, front, upgrade }: Service): void {
    if (this.#closed !== undefined) return
    this.#handle = handle
    if (upgrade !== undefined)
      offerUpgrades(this.server, this.#policy, () => (this.#closed === undefined ? upgrade : undefined))
    if (front === undefined) return
    this.#front = front(this.server, () => this.#closed !== undefined)
    // A front takes all listeners away to stand before them.
    this.server.off('connection', this.#onConnection).on('connection', this.#onConnection)
  }

  refuseNewWork(): void {
    void this.#stopAccepting()
  }

  async close(graceMs: number): Promise<void> {
    const closed = this.#stopAccepting()
    const closeIdle = (): void => {
      this.server.closeIdleConnections()
      // Node counts a connection as idle only after its first request.
      for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy()
    }
    closeIdle()
    const idle = this.#clock.every(IDLE_CHECK_MS, closeIdle)
    const cut = this.#clock.after(graceMs, () => {
      for (const socket of this.#sockets) socket.destroy()
    })
    await closed
    idle.cancel()
    cut.cancel()
    this.#front?.[Symbol.dispose]()
  }

  #stopAccepting(): Promise<void> {
    this.#handle = this.#refuse
    this.#closed ??= new Promise((resolve) => this.server.close(() => resolve()))
    return this.#closed
  }

  readonly #onConnection = (socket: Socket): void => {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
  }
}

const STARTING = {
  status: 503,
  code: 'ServiceException',
  message: 'Lambent is starting.',
} as const
const STOPPING = {
  status: 503,
  code: 'ServiceException',
  message: 'Lambent is stopping and takes no new work.',
} as const

/** Errors in front of routing are JSON with AWS's header, so that its SDKs read them. */
export function answerRefusal(
  response: ServerResponse,
  refusal: Omit<Refusal, 'status'> & { status: number },
  requestId: string,
): void {
  const type = refusal.status < 500 ? 'User' : 'Service'
  const body = JSON.stringify({
    Type: type,
    message: refusal.message,
    Message: refusal.message,
    __type: refusal.code,
  })
  response.writeHead(refusal.status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'x-amzn-errortype': refusal.code,
    'x-amzn-requestid': requestId,
    'x-content-type-options': 'nosniff',
    connection: 'close',
  })
  response.end(body)
}

const BROKEN: Readonly<Record<string, readonly [status: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The headers are larger than 16 KB.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The request did not arrive in time.'],
}

/**
 * What does not parse never becomes a request; it still gets JSON, on the bare socket. What the client goes
 * on sending is read for a moment more: closing over it would take the answer back.
 */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Duplex, clock: Clock): void {
  const isMore = socket.writableEnded && error.code?.startsWith('HPE_') === true // of what was answered
  if (isMore) return
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const [status, message] = BROKEN[error.code ?? ''] ?? [
    '400 Bad Request',
    'This is not a valid HTTP request.',
  ]
  const body = JSON.stringify({ Type: 'User', message })
  const head = `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\n`
  socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
  const lingering = clock.after(LINGER_MS, () => socket.destroy())
  socket.once('close', () => lingering.cancel())
}

function bind(server: ListeningServer, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') return reject(error)
      const holder = describePortHolder(port)
      const message = `Port ${port} on ${host} is taken by ${holder}.`
      const hint = 'Stop it, or choose another port (--port, --http-port; 0 picks a free one).'
      reject(new EngineError('conflict', message, { cause: error, hint }))
    })
    server.listen({ port, host, backlog: BACKLOG }, () => {
      server.removeAllListeners('error')
      resolve()
    })
  })
}

/** An address that can be dialled, for one that was bound. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
