import type { RawData, WebSocket } from 'ws'
import { FLAG } from '../../runtime/environments/frames.ts'
import {
  packSocketData,
  readSocketData,
  SOCKET_LIMITS,
  type OpenSocket,
} from '../../runtime/environments/socket-messages.ts'
import type { EngineError } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { ActorAddress } from '../../runtime/store/actors.ts'
import type { ActorSink } from './actor-target.ts'

/** What a client's connection works with. */
export interface ClientParts {
  readonly id: string
  readonly address: ActorAddress
  readonly socket: WebSocket
  readonly query: Readonly<Record<string, string>>
  readonly log: Log
  /** Calls a hook of the actor for this connection. */
  readonly call: (kind: 'connect' | 'message' | 'disconnect', args: Buffer, sink: ActorSink) => void
  readonly ended: () => void
}

const NOTHING = Buffer.alloc(0)
const NORMAL = 1000
const REFUSED = 1008
const TRY_LATER = 1013
const MAX_REASON_BYTES = 123

/**
 * One client that is connected to an actor. `connecting`: its hook has not let it in; `open`; `closed`.
 * What the client sends goes to the actor in order, a few messages ahead of what that has taken.
 */
export class ActorClient {
  readonly #parts: ClientParts
  #state: 'connecting' | 'open' | 'closed' = 'connecting'
  /** As JSON. */
  #attachment = 'null'
  /** Messages that the actor has not taken. */
  #waiting = 0
  /** More of them, read in one piece with the last one. */
  readonly #held: Buffer[] = []
  #isAlive = true

  constructor(parts: ClientParts) {
    this.#parts = parts
  }

  get address(): ActorAddress {
    return this.#parts.address
  }

  /** Whether its actor was told of it: an activation that begins later must be, too. */
  get isKnown(): boolean {
    return this.#state === 'open'
  }

  get description(): OpenSocket {
    const { id, query } = this.#parts
    return { id, query, attachment: JSON.parse(this.#attachment) as unknown }
  }

  /** Asks the actor whether it takes the client; `request` says what that asked with. */
  begin(request: Buffer): void {
    const { socket, call, ended } = this.#parts
    socket.pause()
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary))
    socket.on('pong', () => (this.#isAlive = true))
    socket.on('error', () => undefined) // `close` follows
    socket.on('close', () => {
      const wasOpen = this.#state === 'open'
      this.#state = 'closed'
      ended()
      if (wasOpen) call('disconnect', NOTHING, { answered: () => undefined, failed: () => undefined })
    })
    call('connect', request, {
      answered: (flags) => {
        if ((flags & FLAG.error) !== 0) return this.close(REFUSED, 'The actor did not take the connection.')
        if (this.#state !== 'connecting') {
          // It left meanwhile; the actor has seen it come.
          return call('disconnect', NOTHING, { answered: () => undefined, failed: () => undefined })
        }
        this.#state = 'open'
        socket.resume()
      },
      failed: (error) => this.#failed(error),
    })
  }

  /** The actor says something for this connection. */
  said(verb: string, payload: Buffer): void {
    if (verb === 'send') this.#send(payload)
    else if (verb === 'attach') this.#attachment = payload.toString()
    else if (verb === 'close') {
      const [code = '', ...reason] = payload.toString().split('\n')
      this.close(Number(code), reason.join('\n'))
    }
  }

  close(code: number, reason: string): void {
    const isAllowed = code === NORMAL || (code >= 1001 && code <= 1014 && ![1004, 1005, 1006].includes(code))
    const sent = isAllowed || (code >= 3000 && code <= 4999) ? code : NORMAL
    this.#parts.socket.close(sent, Buffer.byteLength(reason) > MAX_REASON_BYTES ? '' : reason)
    // What it would still send would never be read.
    this.#parts.socket.resume()
  }

  /** Cuts the connection if the client has not answered since the last time. */
  checkAlive(): void {
    if (!this.#isAlive) return this.#parts.socket.terminate()
    this.#isAlive = false
    this.#parts.socket.ping()
  }

  #send(payload: Buffer): void {
    const { socket, id, log } = this.#parts
    if (socket.readyState !== socket.OPEN) return
    if (socket.bufferedAmount > SOCKET_LIMITS.bufferedBytes) {
      log.warn('a client of an actor takes nothing and was cut off', { socketId: id })
      return socket.terminate()
    }
    socket.send(readSocketData(payload))
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#state !== 'open') return
    const bytes = Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
    const message = packSocketData(isBinary ? bytes : bytes.toString())
    if (this.#waiting < SOCKET_LIMITS.waiting) return this.#tell(message)
    // What has been read with it comes all the same.
    this.#parts.socket.pause()
    this.#held.push(message)
  }

  #tell(message: Buffer): void {
    this.#waiting++
    this.#parts.call('message', message, {
      answered: () => this.#taken(),
      failed: (error) => this.#failed(error),
    })
  }

  #taken(): void {
    this.#waiting--
    if (this.#state !== 'open') return
    const next = this.#held.shift()
    if (next !== undefined) this.#tell(next)
    else if (this.#parts.socket.isPaused) this.#parts.socket.resume()
  }

  /** The actor cannot be reached, or has lost what it was told. */
  #failed(error: EngineError): void {
    const code = error.code === 'throttled' || error.code === 'unavailable' ? TRY_LATER : 1011
    this.close(code, error.message)
  }
}
