import type { IncomingMessage } from 'node:http'
import type { HttpRequest } from './event.ts'
import { firstHeader } from './exchange.ts'

/** What an event says of the request that led to it, beside what the caller knows already. */
export function httpRequestOf(
  message: IncomingMessage,
  known: Pick<
    HttpRequest,
    'rawPath' | 'rawQueryString' | 'host' | 'requestId' | 'traceId' | 'timeMs' | 'body'
  >,
  { base, behindProxy }: { base: URL; behindProxy: boolean },
): HttpRequest {
  const peer = (message.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
  const forwarded = behindProxy ? firstHeader(message, 'x-forwarded-for') : undefined
  const protocol = base.protocol.slice(0, -1)
  return {
    ...known,
    method: message.method ?? 'GET',
    rawHeaders: message.rawHeaders,
    protocol: `HTTP/${message.httpVersion}`,
    // The last entry is the one our own proxy wrote; everything before it is the client's word.
    sourceIp: forwarded?.split(',').at(-1)?.trim() ?? peer,
    forwardedFor: forwarded ?? peer,
    forwardedPort: base.port === '' ? (protocol === 'https' ? '443' : '80') : base.port,
    forwardedProtocol: protocol,
  }
}
