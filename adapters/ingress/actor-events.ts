import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../runtime/clock.ts'
import { FLAG } from '../../runtime/environments/frames.ts'
import type { EngineError } from '../../runtime/errors.ts'
import { packArguments, queryOf, unpackAnswer, type ActorTarget, type IngressActors } from './actor-target.ts'

/** A comment now and then, so that proxies keep the connection and a client that is gone is seen. */
const SIGN_OF_LIFE_MS = 15_000

/** How a stream of events is answered, and what with before it has begun. */
export interface EventsParts {
  readonly actors: IngressActors
  readonly clock: Clock
  readonly sendHead: () => void
  readonly sendFailure: (error: EngineError | undefined) => void
}

/**
 * Answers with the items of a generator method as server-sent events, JSON each. The method gets what the
 * request asks with. It is read no faster than the client takes; when that leaves, the generator is ended.
 */
export function serveActorEvents(
  parts: EventsParts,
  target: ActorTarget,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { actors, clock, sendHead, sendFailure } = parts
  let hasBegun = false
  const begin = (): void => {
    if (!hasBegun) sendHead()
    hasBegun = true
  }
  const call = actors.call(target.address, {
    kind: 'method',
    name: target.method ?? '',
    args: packArguments([queryOf(request)]),
    flags: 0,
    sink: {
      item(flags, _index, body) {
        begin()
        const text = eventOf(flags, body)
        if (text !== undefined) return void response.write(text, () => call.taken(1))
        response.end(failureEvent(new TypeError('An item has no form in JSON.')))
        call.cancel()
      },
      answered(flags, body) {
        signs.cancel()
        if ((flags & FLAG.error) === 0) {
          begin()
          response.end(body.length === 0 ? '' : (eventOf(flags, body) ?? ''))
        } else if (hasBegun) response.end(failureEvent(unpackAnswer(flags, body)))
        else sendFailure(undefined)
      },
      failed(error) {
        signs.cancel()
        if (hasBegun) response.end(failureEvent(error))
        else sendFailure(error)
      },
    },
  })
  const signs = clock.every(SIGN_OF_LIFE_MS, () => {
    begin()
    response.write(':\n\n')
  })
  response.once('close', () => {
    signs.cancel()
    call.cancel()
  })
}

/** Undefined: the value has no form in JSON, or is too large for an event. */
function eventOf(flags: number, body: Buffer): string | undefined {
  try {
    const value = unpackAnswer(flags, body)
    return value === undefined ? '' : `data: ${JSON.stringify(value)}\n\n`
  } catch {
    return undefined
  }
}

function failureEvent(thrown: unknown): string {
  const { name, message } = thrown instanceof Error ? thrown : new Error(String(thrown))
  return `event: error\ndata: ${JSON.stringify({ type: name, message })}\n\n`
}
