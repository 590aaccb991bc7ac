import { timingSafeEqual } from 'node:crypto'
import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { FRAME, FrameReader, type Hello } from './frames.ts'

/** What an expected process is connected to once it has proved who it is. */
export interface GatewayMember {
  readonly token: string
  connected(socket: Socket, hello: Hello): void
  frame(type: number, flags: number, id: number, extra: number, body: Buffer): void
  disconnected(): void
  logConnected(): void
  logBytes(chunk: Buffer): void
  logEnded(): void
}

/** A connection that has not said who it is by then is closed. */
const HELLO_TIMEOUT_MS = 10_000
const MAX_HELLO_LINE_BYTES = 256
const MAX_FORGOTTEN = 1000
/**
 * Log bytes taken from one environment per window. Past it the socket is not read: the writer of the flood
 * waits, nobody else. What a byte costs depends on what is written, so the time spent on them counts as well.
 */
const LOG_WINDOW_MS = 10
const LOG_WINDOW_BYTES = 160_000
const LOG_WINDOW_WORK_MS = 2

/**
 * Where environments dial in: `engine.sock` for frames, `log.sock` for what they print. Always the
 * environment dials
 * the engine, so it does not matter who started the process. Tokens are good for one connection of each kind.
 */
export class Gateway {
  readonly socketDirectory: string
  readonly #clock: Clock
  readonly #log: Log
  readonly #expected = new Map<string, GatewayMember>()
  readonly #expectedLogs = new Map<string, GatewayMember>()
  readonly #forgotten = new Set<string>()
  readonly #sockets = new Set<Socket>()
  readonly #servers: Server[] = []

  constructor(options: { socketDirectory: string; clock: Clock; log: Log }) {
    this.socketDirectory = options.socketDirectory
    this.#clock = options.clock
    this.#log = options.log
  }

  async open(): Promise<void> {
    mkdirSync(this.socketDirectory, { recursive: true, mode: 0o711 })
    await this.#listen('engine.sock', (socket) => this.#acceptFrames(socket))
    await this.#listen('log.sock', (socket) => this.#acceptLog(socket))
  }

  /** From now on `environmentId` may connect, once for frames and once for its log. */
  expect(environmentId: string, member: GatewayMember): void {
    this.#expected.set(environmentId, member)
    this.#expectedLogs.set(environmentId, member)
  }

  /** The process is gone: nobody may connect under this name any more. */
  forget(environmentId: string): void {
    if (this.#expected.has(environmentId)) this.#forgotten.add(environmentId)
    if (this.#forgotten.size > MAX_FORGOTTEN) this.#forgotten.clear()
    this.#expected.delete(environmentId)
    this.#expectedLogs.delete(environmentId)
  }

  close(): void {
    for (const server of this.#servers) server.close()
    for (const socket of this.#sockets) socket.destroy()
    rmSync(this.socketDirectory, { recursive: true, force: true })
  }

  #listen(name: string, onConnection: (socket: Socket) => void): Promise<void> {
    const path = join(this.socketDirectory, name)
    rmSync(path, { force: true })
    const server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.on('error', (error) => this.#log.debug('environment socket failed', { message: error.message }))
      socket.on('close', () => this.#sockets.delete(socket))
      onConnection(socket)
    })
    this.#servers.push(server)
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, () => {
        server.off('error', reject)
        // Environments run as other users; what keeps strangers out is the token.
        chmodSync(path, 0o666)
        resolve()
      })
    })
  }

  #acceptFrames(socket: Socket): void {
    let member: GatewayMember | undefined
    const patience = this.#clock.after(HELLO_TIMEOUT_MS, () => socket.destroy())
    const reader = new FrameReader((type, flags, id, extra, body) => {
      if (socket.destroyed) return
      if (member !== undefined) return member.frame(type, flags, id, extra, body)
      const hello = type === FRAME.hello ? parseHello(body) : undefined
      const candidate = hello && this.#expected.get(hello.environmentId)
      if (hello === undefined || candidate === undefined || !sameToken(candidate.token, hello.token)) {
        // One that was killed while it booted may still dial; that is no stranger.
        const known = hello !== undefined && this.#forgotten.has(hello.environmentId)
        if (!known)
          this.#log.warn('a process with a wrong token was refused', { environmentId: hello?.environmentId })
        socket.destroy()
        return
      }
      patience.cancel()
      this.#expected.delete(hello.environmentId)
      member = candidate
      member.connected(socket, hello)
    })
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk)
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
        this.#log.error('an environment broke the protocol', { message: error.message })
        socket.destroy()
      }
    })
    socket.on('close', () => {
      patience.cancel()
      member?.disconnected()
    })
  }

  #acceptLog(socket: Socket): void {
    let member: GatewayMember | undefined
    let head = Buffer.alloc(0)
    const patience = this.#clock.after(HELLO_TIMEOUT_MS, () => socket.destroy())
    let windowEndsAt = 0
    let windowBytes = 0
    let windowWorkMs = 0
    const take = (to: GatewayMember, chunk: Buffer): void => {
      const now = this.#clock.monotonicMs()
      if (now >= windowEndsAt) {
        windowEndsAt = now + LOG_WINDOW_MS
        windowBytes = 0
        windowWorkMs = 0
      }
      windowBytes += chunk.length
      to.logBytes(chunk)
      windowWorkMs += this.#clock.monotonicMs() - now
      if (windowBytes <= LOG_WINDOW_BYTES && windowWorkMs <= LOG_WINDOW_WORK_MS) return
      socket.pause()
      this.#clock.after(windowEndsAt - now, () => socket.resume())
    }
    socket.on('data', (chunk: Buffer) => {
      if (member !== undefined) return take(member, chunk)
      head = Buffer.concat([head, chunk])
      const end = head.indexOf(10)
      if (end < 0 && head.length < MAX_HELLO_LINE_BYTES) return
      const [word = '', environmentId = '', token = ''] = head
        .toString('latin1', 0, Math.max(end, 0))
        .split(' ')
      const candidate = this.#expectedLogs.get(environmentId)
      if (word !== 'log' || candidate === undefined || !sameToken(candidate.token, token)) {
        socket.destroy()
        return
      }
      patience.cancel()
      this.#expectedLogs.delete(environmentId)
      member = candidate
      member.logConnected()
      if (end + 1 < head.length) take(member, head.subarray(end + 1))
    })
    socket.on('close', () => {
      patience.cancel()
      member?.logEnded()
    })
  }
}

function parseHello(body: Buffer): Hello | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    if (typeof value !== 'object' || value === null) return undefined
    const { environmentId, token, pid, nodeVersion } = value as Partial<Hello> // checked field by field below
    if (typeof environmentId !== 'string' || typeof token !== 'string') return undefined
    return { environmentId, token, pid: Number(pid ?? 0), nodeVersion: String(nodeVersion ?? '') }
  } catch {
    return undefined
  }
}

function sameToken(expected: string, given: string): boolean {
  const left = Buffer.from(expected)
  const right = Buffer.from(given)
  return left.length === right.length && timingSafeEqual(left, right)
}
