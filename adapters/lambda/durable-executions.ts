import type { Context } from 'hono'
import { EngineError } from '../../runtime/errors.ts'
import { Constraints, pattern } from './constraints.ts'
import { fieldsFor, labelFor, versionFor, type Routes } from './context.ts'

const ARN = pattern(
  String.raw`arn:([a-zA-Z0-9-]+):lambda:([a-zA-Z0-9-]+):(\d{12}):function:([a-zA-Z0-9_-]+):(\$LATEST(?:\.PUBLISHED)?|[0-9]+)/durable-execution/([a-zA-Z0-9_-]+)/([a-zA-Z0-9_-]+)`,
)
/** Checkpoint tokens and the ids of callbacks: standard base64, so never a UUID. */
const TOKEN = pattern(String.raw`[A-Za-z0-9+/]+={0,2}`)
const NAME = pattern('[a-zA-Z0-9-_]+')
const STATUSES = ['RUNNING', 'SUCCEEDED', 'FAILED', 'TIMED_OUT', 'STOPPED']
const MAX_TOKEN = 2048
const MAX_CALLBACK_ID = 1024
const MAX_ITEMS = 1000

/**
 * The operations of durable executions while no function can be durable: what is asked is checked, and there
 * is no execution, no valid token and no open callback.
 */
export const durableExecutionRoutes: Routes = (app, { registry }) => {
  const path = '/2025-12-01/durable-executions/:arn'

  app.get(path, (context) => {
    const constraints = new Constraints()
    const arn = executionArn(context, constraints)
    constraints.check()
    throw noExecution(arn)
  })

  app.get(`${path}/history`, (context) => {
    const constraints = new Constraints()
    const arn = executionArn(context, constraints)
    checkMaxItems(context, constraints)
    constraints.check()
    throw noExecution(arn)
  })

  app.post(`${path}/stop`, async (context) => {
    const constraints = new Constraints()
    const arn = executionArn(context, constraints)
    await fieldsFor(context, 'StopDurableExecution')
    constraints.check()
    throw noExecution(arn)
  })

  // these two know no missing execution: a token that is not the newest is all they refuse
  app.get(`${path}/state`, (context) => {
    const constraints = new Constraints()
    executionArn(context, constraints)
    checkToken(context.req.query('CheckpointToken'), constraints)
    checkMaxItems(context, constraints)
    constraints.check()
    throw invalidToken()
  })

  app.post(`${path}/checkpoint`, async (context) => {
    const constraints = new Constraints()
    executionArn(context, constraints)
    const body = await fieldsFor(context, 'CheckpointDurableExecution')
    checkToken(body.text('CheckpointToken'), constraints)
    constraints.check()
    throw invalidToken()
  })

  app.get('/2025-12-01/functions/:function/durable-executions', (context) => {
    const constraints = new Constraints()
    constraints.length(context.req.query('DurableExecutionName'), 'durableExecutionName', 1, 64)
    constraints.pattern(context.req.query('DurableExecutionName'), 'durableExecutionName', NAME)
    const statuses = context.req.queries('Statuses') ?? []
    if (statuses.some((status) => !STATUSES.includes(status)))
      constraints.add(
        statuses,
        'statuses',
        `Member must satisfy constraint: [Member must satisfy enum value set: [${STATUSES.join(', ')}]]`,
      )
    checkMaxItems(context, constraints)
    constraints.check()
    const { scope, functionName, qualifier } = labelFor(context)
    versionFor(registry.get(scope, functionName, qualifier), qualifier)
    return context.json({ DurableExecutions: [] })
  })

  for (const outcome of ['succeed', 'fail', 'heartbeat'])
    app.post(`/2025-12-01/durable-execution-callbacks/:callback/${outcome}`, async (context) => {
      const constraints = new Constraints()
      const callbackId = context.req.param('callback')
      constraints.length(callbackId, 'callbackId', 1, MAX_CALLBACK_ID)
      constraints.pattern(callbackId, 'callbackId', TOKEN)
      if (outcome === 'fail') await fieldsFor(context, 'SendDurableExecutionCallbackFailure')
      constraints.check()
      throw new EngineError('not-found', `Callback not found: ${callbackId}`)
    })
}

function executionArn(context: Context, constraints: Constraints): string {
  const arn = context.req.param('arn') ?? ''
  constraints.length(arn, 'durableExecutionArn', 1, 1024)
  constraints.pattern(arn, 'durableExecutionArn', ARN)
  return arn
}

function checkToken(token: string | undefined, constraints: Constraints): void {
  constraints.required(token, 'checkpointToken')
  constraints.length(token, 'checkpointToken', 1, MAX_TOKEN)
  constraints.pattern(token, 'checkpointToken', TOKEN)
}

function checkMaxItems(context: Context, constraints: Constraints): void {
  const asked = context.req.query('MaxItems')
  if (asked === undefined || asked === '') return
  if (!/^-?\d+$/.test(asked))
    throw new EngineError('invalid', 'MaxItems can not be converted to an Integer', {
      detail: 'serialization',
    })
  constraints.range(Number(asked), 'maxItems', 0, MAX_ITEMS)
}

const noExecution = (arn: string): EngineError =>
  new EngineError('not-found', `Durable execution not found: ${arn}`)

/** SDKs inside functions look at the beginning of this text. */
const invalidToken = (): EngineError =>
  new EngineError('invalid', 'Invalid Checkpoint Token: it belongs to no running durable execution.')
