import { EngineError } from '../../runtime/errors.ts'
import type { LogStreamSummary } from '../../runtime/store/journal.ts'
import { Constraints } from '../lambda/constraints.ts'
import type { LogsApiParts, LogsOperations } from './parts.ts'
import { assertGroup, decodeToken, encodeToken, groupArn, groupOf, limitOf, streamOf } from './names.ts'

const PAGE = 50

/** Log streams: one for each environment that a function ran in. */
export function streamOperations(parts: LogsApiParts): LogsOperations {
  const { journal } = parts
  return {
    DescribeLogStreams: async ({ scope, fields }) => {
      const group = groupOf(fields, scope)
      const prefix = fields.text('logStreamNamePrefix')
      const orderBy = fields.text('orderBy') ?? 'LogStreamName'
      const descending = fields.flag('descending') ?? false
      const constraints = new Constraints()
      constraints.oneOf(orderBy, 'orderBy', ['LogStreamName', 'LastEventTime'])
      constraints.check()
      if (orderBy === 'LastEventTime' && prefix !== undefined)
        throw new EngineError('invalid', 'Cannot order by LastEventTime with a logStreamNamePrefix.')
      const limit = limitOf(fields, PAGE)
      const token = fields.text('nextToken')
      const skip = token === undefined ? 0 : Number(decodeToken(token))
      await assertGroup(parts, scope, group)
      const streams = (await journal.streams({ scope, group }))
        .filter(({ name }) => name.startsWith(prefix ?? ''))
        .sort(orderBy === 'LastEventTime' ? byTime : byName)
      if (descending) streams.reverse()
      const page = streams.slice(skip, skip + limit)
      return {
        logStreams: page.map((stream) => ({
          logStreamName: stream.name,
          creationTime: stream.firstTimeMs,
          firstEventTimestamp: stream.firstTimeMs,
          lastEventTimestamp: stream.lastTimeMs,
          lastIngestionTime: stream.lastTimeMs,
          uploadSequenceToken: '0',
          arn: `${groupArn(scope, group)}:log-stream:${stream.name}`,
          storedBytes: 0, // the service stopped counting it by stream
        })),
        ...(skip + page.length < streams.length ? { nextToken: encodeToken(skip + page.length) } : {}),
      }
    },
    DeleteLogStream: async ({ scope, fields }) => {
      const group = groupOf(fields, scope)
      const stream = streamOf(fields)
      await assertGroup(parts, scope, group)
      if ((await journal.streams({ scope, group, stream })).length === 0)
        throw new EngineError('not-found', 'The specified log stream does not exist.')
      await journal.forget({ scope, group, stream }, Number.MAX_SAFE_INTEGER)
      return undefined
    },
  }
}

const byName = (left: LogStreamSummary, right: LogStreamSummary): number =>
  left.name < right.name ? -1 : left.name > right.name ? 1 : 0
const byTime = (left: LogStreamSummary, right: LogStreamSummary): number =>
  left.lastTimeMs - right.lastTimeMs || byName(left, right)
