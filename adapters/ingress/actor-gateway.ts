import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { WebSocketServer, type WebSocket } from 'ws'
import type { Clock, Timer } from '../../runtime/clock.ts'
import { packSocketRequest, SOCKET_LIMITS } from '../../runtime/environments/socket-messages.ts'
import type { Log } from '../../runtime/log.ts'
import type { Rng } from '../../runtime/rng.ts'
import type { ActorAddress } from '../../runtime/store/actors.ts'
import { ActorClient } from './actor-client.ts'
import { queryOf, type IngressActors } from './actor-target.ts'

/** What the gateway works with. */
export interface GatewayParts {
  readonly actors: IngressActors
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
}

/** Clients that do not answer in so long are gone. */
const PING_EVERY_MS = 30_000
/** Connections to all actors. */
const MAX_CLIENTS = 20_000
const GOING_AWAY = 1001

/** The connections of clients to actors. They stay here while actors sleep, move and die. */
export class ActorGateway {
  readonly #parts: GatewayParts
  readonly #clients = new Map<string, ActorClient>()
  /** The same by actor. */
  readonly #byActor = new Map<string, Set<ActorClient>>()
  readonly #server: WebSocketServer
  readonly #pings: Timer

  constructor(parts: GatewayParts) {
    this.#parts = parts
    const { messageBytes: maxPayload } = SOCKET_LIMITS
    this.#server = new WebSocketServer({
      noServer: true,
      maxPayload,
      perMessageDeflate: false,
      clientTracking: false,
    })
    this.#pings = parts.clock.every(PING_EVERY_MS, () => {
      for (const client of this.#clients.values()) client.checkAlive()
    })
    parts.actors.serveSockets({
      socketsOf: (address) => this.#socketsOf(address),
      said: (address, id, verb, payload) => {
        const client = this.#clients.get(id)
        if (client !== undefined && keyOf(client.address) === keyOf(address)) client.said(verb, payload)
      },
    })
  }

  /** Why one more client of an actor cannot be taken; undefined: it can. */
  refusal(address: ActorAddress): string | undefined {
    if (this.#clients.size >= MAX_CLIENTS) return `${MAX_CLIENTS} clients are connected to actors already.`
    const own = this.#byActor.get(keyOf(address))?.size ?? 0
    return own < SOCKET_LIMITS.perActor ? undefined : `${own} clients are connected to this actor already.`
  }

  /** Answers a client's handshake and connects it to an actor. */
  connect(address: ActorAddress, request: IncomingMessage, socket: Socket, head: Buffer): void {
    this.#server.handleUpgrade(request, socket, head, (opened) =>
      this.#open(address, opened, queryOf(request)),
    )
  }

  /** Takes leave of all clients. */
  close(): void {
    this.#pings.cancel()
    for (const client of this.#clients.values()) client.close(GOING_AWAY, 'The server stops.')
  }

  #open(address: ActorAddress, socket: WebSocket, query: Record<string, string>): void {
    const { actors, log, rng, clock } = this.#parts
    const id = rng.uuid(clock.nowMs())
    const client = new ActorClient({
      ...{ id, address, socket, query, log },
      call: (kind, args, sink) => void actors.call(address, { kind, name: id, args, flags: 0, sink }),
      ended: () => {
        this.#clients.delete(id)
        const own = this.#byActor.get(keyOf(address))
        own?.delete(client)
        if (own?.size === 0) this.#byActor.delete(keyOf(address))
      },
    })
    this.#clients.set(id, client)
    const own = this.#byActor.get(keyOf(address)) ?? new Set()
    this.#byActor.set(keyOf(address), own.add(client))
    client.begin(packSocketRequest(query))
  }

  #socketsOf(address: ActorAddress): string {
    const known = [...(this.#byActor.get(keyOf(address)) ?? [])].filter((client) => client.isKnown)
    return known.length === 0 ? '' : JSON.stringify(known.map((client) => client.description))
  }
}

const keyOf = ({ scope, functionName, className, key }: ActorAddress): string =>
  `${scope.account}/${scope.region}/${functionName}/${className}/${key}`
