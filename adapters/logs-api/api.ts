import { Hono, type Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { EngineError } from '../../runtime/errors.ts'
import { readFields } from '../lambda/fields.ts'
import { callerIn } from '../auth/caller.ts'
import { scopeOf } from '../lambda/scope.ts'
import { logsError } from './errors.ts'
import { eventOperations } from './events.ts'
import { groupOperations } from './groups.ts'
import { liveTailOperations } from './live-tail.ts'
import type { LogsApiParts, LogsOperations } from './parts.ts'
import { streamOperations } from './streams.ts'

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
    const scope =
      callerIn(context.env)?.scope ?? scopeOf({ authorization: context.req.header('authorization') })
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
