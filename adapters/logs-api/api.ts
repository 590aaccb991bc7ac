import { Hono, type Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Clock } from '../../runtime/clock.ts'
import { EngineError } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { Registry } from '../../runtime/registry/registry.ts'
import type { Rng } from '../../runtime/rng.ts'
import type { Journal, Scope } from '../../runtime/store/journal.ts'
import type { LogGroups } from '../../runtime/store/log-groups.ts'
import { readFields, type Fields } from '../lambda/fields.ts'
import { scopeOf } from '../lambda/scope.ts'
import { logsError } from './errors.ts'
import { eventOperations } from './events.ts'
import { groupOperations } from './groups.ts'
import { liveTailOperations } from './live-tail.ts'
import { streamOperations } from './streams.ts'

/** What the logs API is built of. */
export interface LogsApiParts {
  readonly journal: Pick<Journal, 'page' | 'streams' | 'follow' | 'forget'>
  readonly groups: LogGroups
  readonly registry: Pick<Registry, 'list'>
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
  /** Aborts when the listener stops: a live tail would otherwise hold it open. */
  readonly stopping: AbortSignal
}

/** One call, read. */
export interface LogsCall {
  readonly scope: Scope
  readonly fields: Fields
}

/** What an operation answers: an object as JSON, undefined as an empty body, or a response of its own. */
export type LogsAnswer = Readonly<Record<string, unknown>> | Response | undefined

/** Operations by name. */
export type LogsOperations = Readonly<Record<string, (call: LogsCall) => Promise<LogsAnswer> | LogsAnswer>>

/** How the header `X-Amz-Target` of a call to this API begins. */
export const LOGS_TARGET = 'Logs_20140328.'
const MAX_BODY_BYTES = 1_048_576

/**
 * CloudWatch Logs over the functions' own logs, in AWS's JSON protocol, to be mounted at `/`: enough for
 * `aws logs tail --follow`, for Terraform's log groups and for scripts that read logs.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_Operations.html
 */
export function createLogsApi(parts: LogsApiParts): Hono {
  const { clock, rng, log } = parts
  const operations: LogsOperations = {
    ...groupOperations(parts),
    ...streamOperations(parts),
    ...eventOperations(parts),
    ...liveTailOperations(parts),
  }
  const app = new Hono()
  app.post('/', async (context) => {
    context.header('x-amzn-RequestId', rng.uuid(clock.nowMs()))
    const name = (context.req.header('x-amz-target') ?? '').slice(LOGS_TARGET.length)
    const operation = Object.hasOwn(operations, name) ? operations[name] : undefined
    if (operation === undefined)
      throw new EngineError('unsupported', `The operation ${name.slice(0, 100)} is not built.`)
    const scope = scopeOf({ authorization: context.req.header('authorization') })
    const answer = await operation({ scope, fields: await readFields(context.req.raw, MAX_BODY_BYTES, name) })
    if (answer instanceof Response) return answer
    return json(context, answer, 200)
  })
  app.onError((error, context) => {
    const { status, body } = logsError(error)
    if (status >= 500) log.error('request to the logs API failed', { error })
    context.header('x-amzn-ErrorType', body.__type)
    return json(context, body, status)
  })
  return app
}

function json(context: Context, body: object | undefined, status: number): Response {
  context.header('content-type', 'application/x-amz-json-1.1')
  // the cast: only statuses that have a body are given
  return context.body(body === undefined ? '' : JSON.stringify(body), status as ContentfulStatusCode)
}
