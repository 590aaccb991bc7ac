import { EngineError } from '../../runtime/errors.ts'
import type { LogEvent } from '../../runtime/store/journal.ts'
import { jsonEvent } from '../lambda/event-stream.ts'
import type { LogsApiParts, LogsCall, LogsOperations } from './parts.ts'
import { filterOf } from './filter-pattern.ts'
import { assertGroup, groupArn, groupFromIdentifier } from './names.ts'

/** Events are sent together, this often; more than that many are sampled, as the service does. */
const EVERY_MS = 1000
const MAX_EVENTS = 500
const SESSION_MS = 3 * 3_600_000
const MAX_GROUPS = 10

/** Events as they are written, in frames of an event stream. */
export function liveTailOperations(parts: LogsApiParts): LogsOperations {
  return { StartLiveTail: (call) => start(parts, call) }
}

async function start(parts: LogsApiParts, { scope, fields }: LogsCall): Promise<Response> {
  const { clock, rng, journal, stopping } = parts
  const identifiers = fields.texts('logGroupIdentifiers') ?? []
  if (identifiers.length === 0 || identifiers.length > MAX_GROUPS)
    throw new EngineError('invalid', `logGroupIdentifiers takes 1 to ${MAX_GROUPS} log groups.`)
  const groups = identifiers.map((identifier) => groupFromIdentifier(identifier, scope))
  for (const group of groups) await assertGroup(parts, scope, group)
  const names = fields.texts('logStreamNames')
  const prefixes = fields.texts('logStreamNamePrefixes')
  if ((names ?? prefixes) !== undefined && groups.length > 1)
    throw new EngineError('invalid', 'Log streams can be chosen in one log group only.')
  const filterPattern = fields.text('logEventFilterPattern')
  const matches = filterOf(filterPattern)
  const isWanted = ({ stream, message }: LogEvent): boolean =>
    (names === undefined || names.includes(stream)) &&
    (prefixes === undefined || prefixes.some((prefix) => stream.startsWith(prefix))) &&
    (matches === undefined || matches(message))

  const sessionStart = {
    requestId: rng.uuid(clock.nowMs()),
    sessionId: rng.uuid(clock.nowMs()),
    logGroupIdentifiers: identifiers,
    ...(names === undefined ? {} : { logStreamNames: names }),
    ...(prefixes === undefined ? {} : { logStreamNamePrefixes: prefixes }),
    ...(filterPattern === undefined ? {} : { logEventFilterPattern: filterPattern }),
  }
  let end = (): void => undefined
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const collected = new Sample()
      const following = groups.map((group) =>
        journal.follow({ scope, group }, (event) => isWanted(event) && collected.add(event)),
      )
      const send = (type: string, payload: unknown): void => controller.enqueue(jsonEvent(type, payload))
      send('initial-response', {})
      send('sessionStart', sessionStart)
      const timer = clock.every(EVERY_MS, () => {
        // a reader that does not keep up gets its next update when it has read the last one
        if ((controller.desiredSize ?? 0) <= -MAX_UNREAD) return
        send(
          'sessionUpdate',
          collected.take((group) => groupArn(scope, group)),
        )
      })
      const limit = clock.after(SESSION_MS, () => end())
      end = () => {
        timer.cancel()
        limit.cancel()
        for (const one of following) one[Symbol.dispose]()
        stopping.removeEventListener('abort', end)
        controller.close()
        end = () => undefined
      }
      stopping.addEventListener('abort', end, { once: true })
    },
    cancel: () => {
      try {
        end()
      } catch {
        // the reader is gone, and the stream with it
      }
    },
  })
  return new Response(body, { headers: { 'content-type': 'application/vnd.amazon.eventstream' } })
}

/** Updates that may wait for a slow reader. */
const MAX_UNREAD = 5

/** What came since the last update; bounded. */
class Sample {
  #events: LogEvent[] = []
  #isSampled = false

  add(event: LogEvent): void {
    if (this.#events.length < MAX_EVENTS) this.#events.push(event)
    else this.#isSampled = true
  }

  take(arnOf: (group: string) => string): Readonly<Record<string, unknown>> {
    const sessionResults = this.#events.map(({ group, stream, message, timeMs }) => ({
      logStreamName: stream,
      logGroupIdentifier: arnOf(group),
      message,
      timestamp: timeMs,
      ingestionTime: timeMs,
    }))
    const sampled = this.#isSampled
    this.#events = []
    this.#isSampled = false
    return { sessionMetadata: { sampled }, sessionResults }
  }
}
