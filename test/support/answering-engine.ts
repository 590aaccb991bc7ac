import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request that came, read to its end. */
export interface SeenRequest {
  readonly method: string
  /** With its query. */
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** What to answer; `never` leaves the caller waiting. */
export type ScriptedAnswer =
  { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: unknown } | 'never'

/** A port that answers by script, to see what a caller sends and what it makes of an answer. */
export async function answeringEngine(
  answer: (request: SeenRequest) => ScriptedAnswer,
): Promise<AsyncDisposable & { readonly url: string; readonly seen: readonly SeenRequest[] }> {
  const seen: SeenRequest[] = []
  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    const { method = '', url = '', headers } = request
    const one = { method, url, headers, body }
    seen.push(one)
    const given = answer(one)
    if (given === 'never') return
    response.writeHead(given.status ?? 200, given.headers ?? {})
    if (given.body instanceof Uint8Array) response.end(given.body)
    else response.end(given.body === undefined ? '' : JSON.stringify(given.body))
  }
  const server = createServer((request, response) => void receive(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
