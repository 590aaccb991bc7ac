import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Clock } from '../../../clock.ts'
import type { SendBatch } from './subscriber.ts'
import type { Destination } from './subscription.ts'

/** A destination that has not taken a batch by then is asked again. */
const SEND_LIMIT_MS = 5_000

/** Sends batches to `address`, which is what the environment calls sandbox.localdomain. */
export class BatchSender {
  readonly #address: string
  readonly #clock: Clock
  readonly #agent = new Agent({ keepAlive: true })
  readonly #sockets = new Map<number, Socket>()

  constructor(options: { address: string; clock: Clock }) {
    this.#address = options.address
    this.#clock = options.clock
  }

  readonly send: SendBatch = (destination, body) =>
    destination.protocol === 'HTTP' ? this.#post(destination, body) : this.#write(destination.port, body)

  close(): void {
    this.#agent.destroy()
    for (const socket of this.#sockets.values()) socket.destroy()
  }

  #post(destination: Destination & { protocol: 'HTTP' }, body: string): Promise<boolean> {
    return new Promise((resolve) => {
      const bytes = Buffer.from(body)
      const { port, path, method } = destination
      const outgoing = request(
        {
          agent: this.#agent,
          host: this.#address,
          port,
          path,
          method,
          headers: {
            host: `sandbox.localdomain:${port}`,
            'content-type': 'application/json',
            'content-length': bytes.length,
          },
        },
        (response) => {
          const { statusCode = 0 } = response
          response.resume()
          response.on('end', () => settle(statusCode >= 200 && statusCode < 300))
          response.on('error', () => settle(false))
        },
      )
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
  #write(port: number, body: string): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = this.#sockets.get(port) ?? connect({ host: this.#address, port })
      const late = this.#clock.after(SEND_LIMIT_MS, () => socket.destroy())
      const settle = (taken: boolean): void => {
        late.cancel()
        socket.off('close', broken)
        resolve(taken)
      }
      const broken = (): void => {
        this.#sockets.delete(port)
        settle(false)
      }
      if (!this.#sockets.has(port)) {
        socket.on('error', () => {}) // its close is what counts
        socket.resume()
        this.#sockets.set(port, socket)
      }
      socket.once('close', broken)
      socket.write(body, (error) => {
        if (error === undefined || error === null) settle(true)
      })
    })
  }
}
