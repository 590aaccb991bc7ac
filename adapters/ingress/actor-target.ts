import type { IncomingMessage } from 'node:http'
import type { EngineError } from '../../runtime/errors.ts'
import type { ActorCallKind } from '../../runtime/environments/actor-messages.ts'
import type { ActorAddress } from '../../runtime/store/actors.ts'
import { packValue, unpackLed } from '../../runtime/environments/call-payload.ts'
import { FLAG } from '../../runtime/environments/frames.ts'
import { decode } from '../../runtime/sdk/codec/decode.ts'
import { encode } from '../../runtime/sdk/codec/encode.ts'
import { decodedParameters, type RouteMatch } from './route-table.ts'

/** What becomes of a call. */
export interface ActorSink {
  /** FLAG.error: `body` is an error of the method. */
  answered(flags: number, body: Buffer): void
  failed(error: EngineError): void
  item?(flags: number, index: number, body: Buffer): void
}

/** A call of an actor from outside. */
export interface ActorRequest {
  readonly kind: ActorCallKind
  /** The method; for the kinds of connections, the connection's id. */
  readonly name: string
  readonly args: Buffer
  readonly flags: number
  readonly sink: ActorSink
}

/** The engine's actors, as ingress uses them. */
export interface IngressActors {
  call(address: ActorAddress, request: ActorRequest): IngressCall
  /** JSON of the connections that are open to an actor, asked for when it wakes; and what it says for one. */
  serveSockets(host: {
    socketsOf(address: ActorAddress): string
    said(address: ActorAddress, id: string, verb: string, payload: Buffer): void
  }): void
}

/** A call that was made. */
export interface IngressCall {
  /** Its caller waits no longer. */
  cancel(): void
  /** So many more items were taken. */
  taken(count: number): void
}

/** Where a route to an actor leads. */
export interface ActorTarget {
  readonly address: ActorAddress
  /** A generator method; undefined: its connections. */
  readonly method: string | undefined
}

/** Undefined: the route leads to a function. */
export function actorTargetOf(match: RouteMatch): ActorTarget | undefined {
  const { record, settings } = match.route
  if (settings.actor === undefined) return undefined
  const [className = '', method] = settings.actor.split('.')
  const key = decodedParameters(match.pathParameters)?.['key'] ?? ''
  return { address: { scope: record.scope, functionName: record.functionName, className, key }, method }
}

/** What a request asks with behind the `?`; of a name that comes more than once, the last. */
export function queryOf(request: IncomingMessage): Record<string, string> {
  const url = request.url ?? ''
  const mark = url.indexOf('?')
  return mark < 0 ? {} : Object.fromEntries(new URLSearchParams(url.slice(mark)))
}

/** Arguments as calls carry them. */
export const packArguments = (args: unknown[]): Buffer => packValue([], encode(args).head)

/** A value or an error that came back. Throws a TypeError for one that does not travel in its frame. */
export function unpackAnswer(flags: number, body: Buffer): unknown {
  if (body.length === 0) return undefined
  if ((flags & FLAG.object) !== 0) throw new TypeError('A value is too large for an event: send it in parts.')
  return decode(unpackLed(body).encoded)
}
