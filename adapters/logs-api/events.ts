import { EngineError } from '../../runtime/errors.ts'
import type { LogPosition, PagedLogEvent } from '../../runtime/store/journal.ts'
import type { LogsAnswer, LogsApiParts, LogsCall, LogsOperations } from './parts.ts'
import { filterOf } from './filter-pattern.ts'
import { assertGroup, badToken, decodeToken, encodeToken, groupOf, limitOf, streamOf } from './names.ts'

const PAGE = 10_000
/** Pages that one filtered call looks through; then it answers what it has and a token. */
const PAGES_A_CALL = 10
const MAX_STREAM_NAMES = 100

/** Reading events: of one stream in both directions, or of a group through a filter. */
export function eventOperations(parts: LogsApiParts): LogsOperations {
  return {
    GetLogEvents: (call) => getEvents(parts, call),
    FilterLogEvents: (call) => filterEvents(parts, call),
  }
}

async function getEvents(parts: LogsApiParts, { scope, fields }: LogsCall): Promise<LogsAnswer> {
  const group = groupOf(fields, scope)
  const stream = streamOf(fields)
  const limit = limitOf(fields, PAGE)
  const token = fields.text('nextToken')
  const place = token === undefined ? undefined : placeOf(token)
  const direction = place?.direction ?? (fields.flag('startFromHead') === true ? 'forward' : 'backward')
  await assertGroup(parts, scope, group)
  if ((await parts.journal.streams({ scope, group, stream })).length === 0)
    throw new EngineError('not-found', 'The specified log stream does not exist.')
  const endTime = fields.integer('endTime')
  const { events } = await parts.journal.page({
    scope,
    group,
    streams: [stream],
    sinceMs: fields.integer('startTime'),
    untilMs: endTime === undefined ? undefined : endTime - 1,
    direction,
    from: place?.position,
    limit,
  })
  // where nothing was found, both ways lead on from the same place
  const first = events[0] ?? place?.position ?? END
  const last = events.at(-1) ?? place?.position ?? BEGINNING
  return {
    events: events.map(({ timeMs, message }) => ({ timestamp: timeMs, message, ingestionTime: timeMs })),
    nextForwardToken: `f/${encodeToken(positionOf(last))}`,
    nextBackwardToken: `b/${encodeToken(positionOf(first))}`,
  }
}

const BEGINNING: LogPosition = { timeMs: -1, fileId: -1, offset: -1 }
const END: LogPosition = { timeMs: Number.MAX_SAFE_INTEGER, fileId: Number.MAX_SAFE_INTEGER, offset: 0 }

async function filterEvents(parts: LogsApiParts, { scope, fields }: LogsCall): Promise<LogsAnswer> {
  const group = groupOf(fields, scope)
  const streams = fields.texts('logStreamNames')
  const streamPrefix = fields.text('logStreamNamePrefix')
  if (streams !== undefined && streamPrefix !== undefined)
    throw new EngineError('invalid', 'Cannot use both logStreamNames and logStreamNamePrefix.')
  if (streams !== undefined && (streams.length === 0 || streams.length > MAX_STREAM_NAMES))
    throw new EngineError('invalid', `logStreamNames takes 1 to ${MAX_STREAM_NAMES} names.`)
  const limit = limitOf(fields, PAGE)
  const matches = filterOf(fields.text('filterPattern'))
  const token = fields.text('nextToken')
  let from = token === undefined ? undefined : readPosition(decodeToken(token))
  await assertGroup(parts, scope, group)
  const found: PagedLogEvent[] = []
  let more = true
  for (let pages = 0; more && found.length < limit && pages < PAGES_A_CALL; pages++) {
    const page = await parts.journal.page({
      scope,
      group,
      streams,
      streamPrefix,
      sinceMs: fields.integer('startTime'),
      untilMs: fields.integer('endTime'),
      direction: 'forward',
      from,
      limit: matches === undefined ? limit : PAGE,
    })
    more = page.more
    for (const event of page.events) {
      if (found.length === limit) {
        more = true
        break
      }
      from = positionOf(event)
      if (matches?.(event.message) ?? true) found.push(event)
    }
    if (matches === undefined) break
  }
  return {
    events: found.map((event) => ({
      logStreamName: event.stream,
      timestamp: event.timeMs,
      message: event.message,
      ingestionTime: event.timeMs,
      eventId: eventId(event),
    })),
    searchedLogStreams: [],
    ...(more && from !== undefined ? { nextToken: encodeToken(from) } : {}),
  }
}

/** 56 digits that no other event has, and that grow as events do. */
const eventId = ({ timeMs, fileId, offset }: LogPosition): string =>
  [String(timeMs).padStart(20, '0'), String(fileId).padStart(18, '0'), String(offset).padStart(18, '0')].join(
    '',
  )

const positionOf = ({ timeMs, fileId, offset }: LogPosition): LogPosition => ({ timeMs, fileId, offset })

function placeOf(token: string): { direction: 'forward' | 'backward'; position: LogPosition } {
  const way = token.slice(0, 2)
  if (way !== 'f/' && way !== 'b/') throw badToken()
  const position = readPosition(decodeToken(token.slice(2)))
  return { direction: way === 'f/' ? 'forward' : 'backward', position }
}

function readPosition(value: unknown): LogPosition {
  if (typeof value !== 'object' || value === null) throw badToken()
  const { timeMs, fileId, offset } = value as Partial<LogPosition> // looked at below
  if (![timeMs, fileId, offset].every(Number.isSafeInteger)) throw badToken()
  return { timeMs: timeMs ?? 0, fileId: fileId ?? 0, offset: offset ?? 0 }
}
