// time limit: 120 s
import {
  InvokeAsyncCommand,
  InvokeCommand,
  LambdaClient,
  PutFunctionRecursionConfigCommand,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { define } from '../support/function-calls.ts'
import { startLambent, type RunningLambent } from '../support/lambent.ts'
import { until } from '../support/until.ts'

/** Functions that call themselves through the API, passing the trace header on as SDKs inside them do. */
const recursion = suite('functions that call themselves in circles')

/** Answers with how often it went round and what ended it. */
const SYNC = `
  exports.handler = async ({ round = 1, until = 30 }) => {
    if (round >= until) return { round, ended: 'itself' }
    const response = await fetch(
      process.env.AWS_ENDPOINT_URL_LAMBDA + '/2015-03-31/functions/' + process.env.AWS_LAMBDA_FUNCTION_NAME + '/invocations',
      { method: 'POST', body: JSON.stringify({ round: round + 1, until }), headers: { 'x-amzn-trace-id': process.env._X_AMZN_TRACE_ID } })
    const body = await response.json()
    return response.ok ? body : { round, ended: response.headers.get('x-amzn-errortype'), status: response.status, body }
  }`
/** Sends itself an event each time, and logs that it ran. */
const EVENTS = `
  exports.handler = async ({ round }) => {
    console.log('round', round)
    await fetch(
      process.env.AWS_ENDPOINT_URL_LAMBDA + '/2015-03-31/functions/' + process.env.AWS_LAMBDA_FUNCTION_NAME + '/invocations',
      { method: 'POST', body: JSON.stringify({ round: round + 1 }),
        headers: { 'x-amzn-trace-id': process.env._X_AMZN_TRACE_ID, 'x-amz-invocation-type': 'Event' } })
  }`

let started: Promise<RunningLambent> | undefined
const running = (): Promise<RunningLambent> =>
  (started ??= startLambent({ settings: { LAMBENT_MAX_ENVIRONMENTS: '32' } }))

const clientOf = ({ url }: RunningLambent): LambdaClient =>
  new LambdaClient({
    endpoint: url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  })

interface Ended {
  readonly round: number
  readonly ended: string
  readonly status?: number
  readonly body?: { readonly Message?: string }
}

async function callOf(client: LambdaClient, FunctionName: string, payload: object): Promise<Ended> {
  const { Payload } = await client.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify(payload) }))
  return JSON.parse(Buffer.from(Payload ?? []).toString('utf8')) as Ended // what the handler above gives
}

recursion('a synchronous circle ends at the seventeenth call, unless it is allowed', async () => {
  const lambent = await running()
  const client = clientOf(lambent)
  await define(lambent, 'circle', SYNC)

  const stopped = await callOf(client, 'circle', {})
  const short = await callOf(client, 'circle', { until: 16 })
  await client.send(new PutFunctionRecursionConfigCommand({ FunctionName: 'circle', RecursiveLoop: 'Allow' }))
  const allowed = await callOf(client, 'circle', { until: 20 })

  assert.equal([stopped.round, stopped.ended, stopped.status], [16, 'RecursiveInvocationException', 400])
  assert.match(stopped.body?.Message ?? '', /recursive loop/)
  assert.equal([short.round, short.ended], [16, 'itself'])
  assert.equal([allowed.round, allowed.ended], [20, 'itself'])
})

recursion(
  'a circle of events ends, too, and the event that was one too many is recorded as failed',
  async () => {
    const lambent = await running()
    const client = clientOf(lambent)
    await define(lambent, 'events', EVENTS)
    const runs = async (): Promise<{ status: string; errorMessage: string | null }[]> => {
      const response = await fetch(`${lambent.url}/lambent/v1/runs?function=events`)
      return ((await response.json()) as { runs: { status: string; errorMessage: string | null }[] }).runs
    }

    const accepted = await client.send(
      new InvokeAsyncCommand({ FunctionName: 'events', InvokeArgs: Buffer.from('{"round":1}') }),
    )
    const failed = await until(
      'the circle was stopped',
      async () => (await runs()).find(({ status }) => status === 'failed'),
      30_000,
    )
    // the one that sent it may still be on its way to its own end
    const succeeded = await until('all others have ended', async () => {
      const ended = (await runs()).filter(({ status }) => status === 'succeeded')
      return ended.length >= 16 ? ended.length : undefined
    })

    assert.equal([accepted.Status, accepted.$metadata.httpStatusCode], [202, 202])
    assert.match(failed.errorMessage ?? '', /recursive loop/)
    assert.is(succeeded, 16)
  },
)

recursion('stops', async () => {
  assert.is(await (await started)?.stop(), 0)
})

recursion.run()
