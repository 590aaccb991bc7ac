import { ActorError } from '../../../sdk/actor-errors.ts'
import type { ActorSocket } from '../../../sdk/actor-types.ts'
import {
  packSocketData,
  readOpenSockets,
  readSocketData,
  readSocketRequest,
  SOCKET_LIMITS,
  type OpenSocket,
} from '../../socket-messages.ts'

/** Tells the gateway, which has the connections. */
type Say = (meta: string, payload: Buffer) => void

/** The connections of clients to one actor, as its activation sees them. */
export class ActorSockets {
  readonly #say: Say
  readonly #open = new Map<string, Socket>()

  /** `sockets` says which are open from before. */
  constructor(sockets: string, say: Say) {
    this.#say = say
    for (const open of readOpenSockets(sockets)) this.#open.set(open.id, new Socket(open, say))
  }

  list(): ActorSocket[] {
    return [...this.#open.values()]
  }

  /** One more client has come; `payload` says how. */
  open(id: string, payload: Buffer): ActorSocket {
    const socket = new Socket({ id, attachment: null, ...readSocketRequest(payload) }, this.#say)
    this.#open.set(id, socket)
    return socket
  }

  read(id: string, payload: Buffer): { socket: ActorSocket; data: string | Uint8Array } {
    const socket = this.#open.get(id)
    if (socket === undefined)
      throw new ActorError('CallEnded', 'A message came of a connection that has ended.')
    return { socket, data: readSocketData(payload) }
  }

  /** It has ended; undefined: it was not known. */
  close(id: string): ActorSocket | undefined {
    const socket = this.#open.get(id)
    this.#open.delete(id)
    socket?.markEnded()
    return socket
  }
}

class Socket implements ActorSocket {
  readonly id: string
  readonly query: Readonly<Record<string, string>>
  readonly #say: Say
  #attachment: unknown
  #isOpen = true

  constructor({ id, query, attachment }: OpenSocket, say: Say) {
    this.id = id
    this.query = query
    this.#attachment = attachment
    this.#say = say
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  get attachment(): unknown {
    return this.#attachment
  }
  set attachment(value: unknown) {
    const text = JSON.stringify(value ?? null)
    if (Buffer.byteLength(text) > SOCKET_LIMITS.attachmentBytes)
      throw new ActorError(
        'ActorLimit',
        `What is attached to a connection may take ${SOCKET_LIMITS.attachmentBytes} bytes as JSON.`,
      )
    this.#attachment = JSON.parse(text)
    if (this.#isOpen) this.#say(`socket\n${this.id}\nattach`, Buffer.from(text))
  }

  send(data: unknown): void {
    if (this.#isOpen) this.#say(`socket\n${this.id}\nsend`, packSocketData(data))
  }

  close(code = 1000, reason = ''): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#say(`socket\n${this.id}\nclose`, Buffer.from(`${code}\n${reason}`))
  }

  markEnded(): void {
    this.#isOpen = false
  }
}
