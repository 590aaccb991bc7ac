import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { invocationRecord, outcomeDelivery } from '../../../adapters/aws/outcomes.ts'
import type { OutgoingMessage } from '../../../adapters/aws/targets.ts'
import { EngineError } from '../../../runtime/errors.ts'
import type { OutgoingOutcome } from '../../../runtime/invoke/event-outcome.ts'

const ID = '019b7d1e-0001-4000-8000-000000000000'
const BUS = 'arn:aws:events:us-east-1:000000000000:event-bus/default'
const FUNCTION = 'arn:aws:lambda:us-east-1:000000000000:function:orders:live'

type Event = OutgoingOutcome['event']
const outcome = (
  change: Partial<Event> = {},
  kind: OutgoingOutcome['kind'] = 'destination',
): OutgoingOutcome => ({
  kind,
  target: BUS,
  functionArn: FUNCTION,
  event: {
    id: ID,
    scope: { account: '000000000000', region: 'us-east-1' },
    functionName: 'orders',
    qualifier: 'live',
    traceId: 'Root=1-2-3',
    clientContext: '',
    tenantId: '',
    reason: 'retries-exhausted',
    attempts: 3,
    endedAtMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    payload: Buffer.from('{"n":12345678901234567890}'),
    response: {
      executedVersion: '7',
      isError: true,
      payload: Buffer.from('{"errorType":"Error","errorMessage":"no","trace":[]}'),
    },
    ...change,
  },
})

/** Delivers and answers the messages that were sent; `refuse` refuses some. */
async function sent(one: OutgoingOutcome, refuse?: (message: OutgoingMessage) => EngineError | undefined) {
  const messages: OutgoingMessage[] = []
  const deliver = outcomeDelivery({
    deliver: async (_scope, _target, message) => {
      messages.push(message)
      const refusal = refuse?.(message)
      if (refusal !== undefined) throw refusal
    },
  })
  await deliver(one, new AbortController().signal)
  return messages
}

const telling = suite('outcomes of events on the wire')

telling('a failure is a record with both payloads as they are', () => {
  assert.is(
    invocationRecord(outcome(), true),
    '{"version":"1.0","timestamp":"2026-01-02T03:04:05.678Z",' +
      `"requestContext":{"requestId":"${ID}","functionArn":"${FUNCTION}","condition":"RetriesExhausted","approximateInvokeCount":3},` +
      '"requestPayload":{"n":12345678901234567890},' +
      '"responseContext":{"statusCode":200,"executedVersion":"7","functionError":"Unhandled"},' +
      '"responsePayload":{"errorType":"Error","errorMessage":"no","trace":[]}}',
  )
})

telling('a success has no functionError, and one that never ran no response at all', () => {
  const response = { executedVersion: '$LATEST', isError: false, payload: Buffer.from('not JSON') }
  const success = JSON.parse(invocationRecord(outcome({ reason: 'success', attempts: 1, response }), true))
  const unrun = JSON.parse(
    invocationRecord(
      outcome({ reason: 'zero-reserved-concurrency', attempts: 0, response: undefined }),
      true,
    ),
  )

  assert.equal(success.responseContext, { statusCode: 200, executedVersion: '$LATEST' })
  assert.is(success.requestContext.condition, 'Success')
  assert.is(success.responsePayload, 'not JSON')
  assert.equal(Object.keys(unrun), ['version', 'timestamp', 'requestContext', 'requestPayload'])
  assert.is(unrun.requestContext.condition, 'ZeroReservedConcurrency')
  assert.is(unrun.requestContext.approximateInvokeCount, 0)
})

telling('buses get an envelope and buckets a key', async () => {
  const [message] = await sent(outcome())

  assert.equal(message?.envelope, {
    source: 'lambda',
    detailType: 'Lambda Function Invocation Result - Failure',
    resources: [BUS, FUNCTION],
    timeMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  })
  assert.is(message?.objectKey, `aws/lambda/async/orders/2026/01/02/2026-01-02T03.04.05-${ID}`)
})

telling('a dead-letter target gets the event alone, and why in attributes', async () => {
  const [message] = await sent(outcome({}, 'dead-letter'))

  assert.is(message?.body, '{"n":12345678901234567890}')
  assert.is(message?.traceHeader, 'Root=1-2-3')
  assert.equal(message?.attributes, {
    RequestID: { type: 'String', value: ID },
    ErrorCode: { type: 'Number', value: '200' },
    ErrorMessage: { type: 'String', value: 'no' },
  })
})

telling(
  'attributes hold what queues take: a kilobyte of whole characters, none forbidden, none empty',
  async () => {
    const errorMessage = async (message: string): Promise<string | undefined> => {
      const payload = Buffer.from(JSON.stringify({ errorMessage: message }))
      const response = { executedVersion: '7', isError: true, payload }
      const [dead] = await sent(outcome({ response }, 'dead-letter'))
      return dead?.attributes?.['ErrorMessage']?.value
    }

    assert.is(await errorMessage('é'.repeat(600)), 'é'.repeat(512))
    assert.is(await errorMessage(`x${'é'.repeat(600)}`), `x${'é'.repeat(511)}`)
    assert.is(await errorMessage('a\u0000b\uFFFFc\ud800d\te😀'), 'a\uFFFDb\uFFFDc\uFFFDd\te😀')
    assert.is(await errorMessage(''), undefined)
  },
)

telling('what never ran was throttled', async () => {
  const [message] = await sent(
    outcome({ reason: 'zero-reserved-concurrency', attempts: 0, response: undefined }, 'dead-letter'),
  )

  assert.is(message?.attributes?.['ErrorCode']?.value, '429')
})

telling(
  'a record of a failure that is too large goes without its payloads, that of a success does not',
  async () => {
    const payload = Buffer.from(`"${'x'.repeat(300_000)}"`)
    const refuse = (message: OutgoingMessage): EngineError | undefined =>
      message.body.length > 262_144 ? new EngineError('invalid', 'Too long.') : undefined

    const messages = await sent(outcome({ payload }), refuse)
    const success = await sent(outcome({ payload, reason: 'success' }), refuse).catch(
      (error: unknown) => error,
    )

    assert.is(messages.length, 2)
    const record = JSON.parse(messages[1]?.body ?? '{}')
    assert.equal(Object.keys(record), ['version', 'timestamp', 'requestContext', 'responseContext'])
    assert.instance(success, EngineError)
  },
)

telling.run()
