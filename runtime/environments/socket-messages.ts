/**
 * How the connections of clients to actors travel between the gateway that has them and the activation. Both
 * sides use this file; the engine passes on what it is given.
 *
 *     gateway -> activation   calls of the kinds `connect`, `message` and `disconnect`, by the socket's id
 *     activation -> gateway   `socket <id> send|attach|close`
 *     `ActivationStart.sockets`  JSON of those that are open, OpenSocket[]
 */

/** Bounds of connections. */
export const SOCKET_LIMITS = {
  /** What an actor attaches to a connection, as JSON. */
  attachmentBytes: 4096,
  /** One message, either way. */
  messageBytes: 1024 * 1024,
  /** What waits for a slow client before its connection is cut. */
  bufferedBytes: 4 * 1024 * 1024,
  /** Connections of one actor. */
  perActor: 1000,
  /** Messages of one client that wait for the actor; more are read when it has taken some. */
  waiting: 32,
} as const

/** A connection as an activation learns of it. */
export interface OpenSocket {
  readonly id: string
  readonly query: Readonly<Record<string, string>>
  readonly attachment: unknown
}

const TEXT = 0
const BYTES = 1

/** A message: a byte that says whether it is text, then that. What is neither text nor bytes goes as JSON. */
export function packSocketData(data: unknown): Buffer {
  if (data instanceof Uint8Array) return Buffer.concat([Buffer.from([BYTES]), data])
  const text = typeof data === 'string' ? data : (JSON.stringify(data) ?? 'null')
  return Buffer.concat([Buffer.from([TEXT]), Buffer.from(text)])
}

/** Reads what `packSocketData` wrote. */
export function readSocketData(payload: Buffer): string | Uint8Array {
  return payload[0] === BYTES ? new Uint8Array(payload.subarray(1)) : payload.toString('utf8', 1)
}

/** What a client asked with. */
export const packSocketRequest = (query: Readonly<Record<string, string>>): Buffer =>
  Buffer.from(JSON.stringify({ query }))

/** Reads what `packSocketRequest` wrote. */
export const readSocketRequest = (payload: Buffer): Pick<OpenSocket, 'query'> =>
  JSON.parse(payload.toString()) as Pick<OpenSocket, 'query'> // as above

/** Reads `ActivationStart.sockets`. */
export const readOpenSockets = (text: string): OpenSocket[] =>
  text === '' ? [] : (JSON.parse(text) as OpenSocket[]) // the gateway wrote it
