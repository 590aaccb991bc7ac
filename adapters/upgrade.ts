import type { IncomingMessage, Server } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { guard, type GuardPolicy } from './guard.ts'

/** Takes a connection whose client wants another protocol, or not; `head` came behind the request. */
export type UpgradeHandler = (request: IncomingMessage, socket: Socket, head: Buffer) => boolean

/**
 * Offers connections that ask for another protocol to `take`. The others stay what they are: HTTP allows a
 * server to leave such a wish aside, so they are read once more without it.
 */
export function offerUpgrades(
  server: Server | SecureServer,
  policy: GuardPolicy,
  take: () => UpgradeHandler | undefined,
): void {
  server.on('upgrade', (request: IncomingMessage, stream, head: Buffer) => {
    const socket = stream as Socket // a server's streams are its sockets
    const { rawHeaders, url = '', method = '' } = request
    const refusal = guard(rawHeaders, url, method, policy)
    if (refusal === undefined && take()?.(request, socket, head) === true) return
    socket.unshift(Buffer.concat([Buffer.from(withoutWish(request), 'latin1'), head]))
    server.emit(socket instanceof TLSSocket ? 'secureConnection' : 'connection', socket)
  })
}

function withoutWish({ rawHeaders, method = '', url = '', httpVersion }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const [name = '', value = ''] = rawHeaders.slice(index, index + 2)
    switch (name.toLowerCase()) {
      case 'upgrade':
        break
      case 'connection': {
        const kept = value.split(',').filter((token) => token.trim().toLowerCase() !== 'upgrade')
        if (kept.length > 0) lines.push(`${name}: ${kept.join(',')}`)
        break
      }
      default:
        lines.push(`${name}: ${value}`)
    }
  }
  return `${lines.join('\r\n')}\r\n\r\n`
}
