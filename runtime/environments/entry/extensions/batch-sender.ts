import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Clock } from '../../../clock.ts'
import { isOwnListener } from '../bridge/peer.ts'
import type { SendBatch } from './subscriber.ts'
import type { Destination } from './subscription.ts'

/** A destination that has not taken a batch by then is asked again. */
const SEND_LIMIT_MS = 5_000
const LOOPBACK = '127.0.0.1'

/**
 * Sends batches to who listens in this environment: at the address that it calls sandbox.localdomain, or else
 * on plain loopback. Both may be shared with the machine, so nothing goes to a listener that is not ours.
 */
export class BatchSender {
  readonly #addresses: readonly string[]
  readonly #clock: Clock
  readonly #sharesUser: boolean
  readonly #agent = new Agent({ keepAlive: true })
  readonly #sockets = new Map<number, Socket>()

  constructor(options: { address: string; clock: Clock; sharesUser: boolean }) {
    this.#addresses = [...new Set([options.address, LOOPBACK])]
    this.#clock = options.clock
    this.#sharesUser = options.sharesUser
  }

  readonly send: SendBatch = (destination, body) => {
    const host = this.#addresses.find((one) => isOwnListener(one, destination.port, this.#sharesUser))
    if (host === undefined) return Promise.resolve(false)
    return destination.protocol === 'HTTP'
      ? this.#post(host, destination, body)
      : this.#write(host, destination.port, body)
  }

  close(): void {
    this.#agent.destroy()
    for (const socket of this.#sockets.values()) socket.destroy()
  }

  #post(host: string, destination: Destination & { protocol: 'HTTP' }, body: string): Promise<boolean> {
    return new Promise((resolve) => {
      const bytes = Buffer.from(body)
      const { port, path, method } = destination
      const headers = {
        host: `sandbox.localdomain:${port}`,
        'content-type': 'application/json',
        'content-length': bytes.length,
      }
      const outgoing = request({ agent: this.#agent, host, port, path, method, headers }, (response) => {
        const { statusCode = 0 } = response
        response.resume()
        response.on('end', () => settle(statusCode >= 200 && statusCode < 300))
        response.on('error', () => settle(false))
      })
      const late = this.#clock.after(SEND_LIMIT_MS, () => outgoing.destroy(new Error('too slow')))
      const settle = (taken: boolean): void => {
        late.cancel()
        resolve(taken)
      }
      outgoing.on('error', () => settle(false))
      outgoing.end(bytes)
    })
  }

  /** Over one connection a port, opened again when it broke. */
  #write(host: string, port: number, body: string): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = this.#socketTo(host, port)
      const late = this.#clock.after(SEND_LIMIT_MS, () => socket.destroy())
      const broken = (): void => settle(false)
      const settle = (taken: boolean): void => {
        late.cancel()
        socket.off('close', broken)
        resolve(taken)
      }
      socket.once('close', broken)
      socket.write(body, (error) => {
        if (error === undefined || error === null) settle(true)
      })
    })
  }

  #socketTo(host: string, port: number): Socket {
    const open = this.#sockets.get(port)
    if (open !== undefined) return open
    const socket = connect({ host, port })
    this.#sockets.set(port, socket)
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => this.#sockets.delete(port))
    socket.resume()
    return socket
  }
}
