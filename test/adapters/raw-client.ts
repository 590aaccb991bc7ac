import { connect, type Socket } from 'node:net'

/** One answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Every header line, in order: for names that repeat. */
  readonly lines: readonly string[]
  readonly body: string
}

/**
 * Sends `text` as it is over a new connection and reads until the server closes or the answer is complete.
 */
export async function sendRaw(port: number, text: string): Promise<RawAnswer> {
  const socket = connect(port, '127.0.0.1')
  socket.write(text)
  const received = await readUntil(socket, isComplete)
  socket.destroy()
  return parseAnswer(received)
}

/** A request's text: the path, headers as lines, a body. */
export function requestText(
  method: string,
  target: string,
  headers: readonly string[],
  body: string | Buffer = '',
): string {
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]
  return `${method} ${target} HTTP/1.1\r\n${[...headers, ...length].join('\r\n')}\r\n\r\n${body.toString('latin1')}`
}

/** Resolves with everything received once `enough` says so, or the peer has closed. */
export function readUntil(socket: Socket, enough: (text: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const finish = (): void => {
      socket.off('data', onData)
      resolve(text)
    }
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1')
      if (enough(text)) finish()
    }
    socket.on('data', onData)
    socket.once('close', finish)
    socket.once('error', (error) => (text === '' ? reject(error) : finish()))
  })
}

/** Whether text holds a whole answer with Content-Length, a whole chunked one, or one without a body. */
export function isComplete(text: string): boolean {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return false
  if (/^HTTP\/1\.1 (204|304) /.test(text)) return true
  const length = /content-length: (\d+)/i.exec(text.slice(0, end))
  return length !== null ? text.length - end - 4 >= Number(length[1]) : text.endsWith('\r\n0\r\n\r\n')
}

export function parseAnswer(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n')
  const [first = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  const raw = text.slice(end + 4)
  const chunked = headers['transfer-encoding'] === 'chunked'
  const body = Buffer.from(chunked ? unchunk(raw) : raw, 'latin1').toString('utf8')
  return { status: Number(first.split(' ')[1]), headers, lines, body }
}

function unchunk(raw: string): string {
  let body = ''
  let rest = raw
  for (;;) {
    const line = rest.indexOf('\r\n')
    const size = Number.parseInt(rest.slice(0, line), 16)
    if (line < 0 || !(size > 0)) return body
    body += rest.slice(line + 2, line + 2 + size)
    rest = rest.slice(line + 4 + size)
  }
}
