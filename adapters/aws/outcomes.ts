import { EngineError, isEngineError } from '../../runtime/errors.ts'
import type { DeliverOutcome, EndReason, OutgoingOutcome } from '../../runtime/invoke/event-outcome.ts'
import { parseTargetArn } from './target-arn.ts'
import type { MessageAttribute, OutgoingMessage, Targets } from './targets.ts'

/** Messages up to this size are taken by every kind of target, bytes. */
const SMALLEST_LIMIT_BYTES = 262_144
const ERROR_MESSAGE_BYTES = 1024

const CONDITIONS: Readonly<Record<EndReason, string>> = {
  success: 'Success',
  'retries-exhausted': 'RetriesExhausted',
  'event-age-exceeded': 'EventAgeExceeded',
  'zero-reserved-concurrency': 'ZeroReservedConcurrency',
  'recursion-detected': 'RecursiveInvocation',
  'not-found': 'ResourceNotFound',
  invalid: 'InvalidRequest',
  cancelled: 'Cancelled',
}

/**
 * Delivery of outcomes as Lambda words them: a record to destinations, the event itself with three attributes
 * to dead-letter targets. A record of a failure that is too large for its target goes without the payloads.
 */
export const outcomeDelivery =
  (targets: Targets): DeliverOutcome =>
  async (outcome, signal) => {
    const { target, event, kind } = outcome
    const send = (message: OutgoingMessage): Promise<void> =>
      targets.deliver(event.scope, target, message, signal)
    if (kind === 'dead-letter') return await send(deadLetter(outcome))
    // Told of the stop, the next function of a circle would be stopped and tell the one before, for ever.
    if (event.reason === 'recursion-detected' && parseTargetArn(target)?.kind === 'function')
      throw new EngineError('invalid', 'Functions are not told of circles that they may be part of.')
    const message = destinationMessage(outcome, true)
    try {
      await send(message)
    } catch (error) {
      const isTooLarge = isEngineError(error, 'too-large') || isEngineError(error, 'invalid')
      const isLarge = Buffer.byteLength(message.body) > SMALLEST_LIMIT_BYTES
      if (!isTooLarge || !isLarge || event.reason === 'success') throw error
      await send(destinationMessage(outcome, false))
    }
  }

/** The record and what buses and buckets need beside it. */
function destinationMessage(outcome: OutgoingOutcome, withPayloads: boolean): OutgoingMessage {
  const { event, functionArn, target } = outcome
  const end = event.reason === 'success' ? 'Success' : 'Failure'
  return {
    body: invocationRecord(outcome, withPayloads),
    ...traceOf(event),
    envelope: {
      source: 'lambda',
      detailType: `Lambda Function Invocation Result - ${end}`,
      resources: [target, functionArn],
      timeMs: event.endedAtMs,
    },
    objectKey: objectKey(event.functionName, event.endedAtMs, event.id),
  }
}

const traceOf = ({ traceId }: OutgoingOutcome['event']): Pick<OutgoingMessage, 'traceHeader'> =>
  traceId === '' ? {} : { traceHeader: traceId }

/** Payloads go in as they are: parsed and written anew, their numbers could change. */
export function invocationRecord({ event, functionArn }: OutgoingOutcome, withPayloads: boolean): string {
  const { response } = event
  const members: [name: string, json: string][] = [
    ['version', '"1.0"'],
    ['timestamp', JSON.stringify(new Date(event.endedAtMs))],
    [
      'requestContext',
      JSON.stringify({
        requestId: event.id,
        functionArn,
        condition: conditionOf(event.reason),
        approximateInvokeCount: event.attempts,
      }),
    ],
  ]
  if (withPayloads) members.push(['requestPayload', jsonOf(event.payload)])
  if (response !== undefined) {
    const context = {
      statusCode: 200,
      executedVersion: response.executedVersion,
      functionError: response.isError ? 'Unhandled' : undefined,
    }
    members.push(['responseContext', JSON.stringify(context)])
    if (withPayloads) members.push(['responsePayload', jsonOf(response.payload)])
  }
  return `{${members.map(([name, json]) => `"${name}":${json}`).join(',')}}`
}

const conditionOf = (reason: string): string =>
  reason in CONDITIONS ? CONDITIONS[reason as EndReason] : reason // just looked up

/** The event alone; why it failed stands in attributes. */
function deadLetter({ event }: OutgoingOutcome): OutgoingMessage {
  const { code, message } = failureOf(event)
  const text = (value: string): MessageAttribute => ({ type: 'String', value: permitted(value) })
  return {
    body: permittedJson(event.payload.toString('utf8')),
    ...traceOf(event),
    attributes: {
      RequestID: text(event.id),
      ErrorCode: { type: 'Number', value: code },
      // An attribute may not be empty.
      ...(message === '' ? {} : { ErrorMessage: text(firstBytes(message, ERROR_MESSAGE_BYTES)) }),
    },
  }
}

/** An answer of the function is a 200 with an error inside; without one, Lambda could not run it. */
function failureOf({ response, reason }: OutgoingOutcome['event']): { code: string; message: string } {
  if (response === undefined)
    return reason === 'zero-reserved-concurrency' || reason === 'event-age-exceeded'
      ? { code: '429', message: 'Rate Exceeded.' }
      : { code: '400', message: conditionOf(reason) }
  try {
    const answer: unknown = JSON.parse(response.payload.toString('utf8'))
    const message = (answer as { errorMessage?: unknown } | null)?.errorMessage // any JSON may stand there
    return { code: '200', message: typeof message === 'string' ? message : '' }
  } catch {
    return { code: '200', message: '' }
  }
}

/** `aws/lambda/async/<function>/yyyy/MM/dd/yyyy-MM-ddTHH.mm.ss-<uuid>`; a repeat is the same object. */
function objectKey(functionName: string, timeMs: number, id: string): string {
  const [day = '', time = ''] = new Date(timeMs).toISOString().slice(0, 19).split('T')
  return `aws/lambda/async/${functionName}/${day.replaceAll('-', '/')}/${day}T${time.replaceAll(':', '.')}-${id}`
}

/** A payload as JSON: what is none, such as a text that was streamed, becomes a string. */
function jsonOf(payload: Buffer): string {
  const text = payload.toString('utf8')
  if (text.trim() === '') return '{}'
  try {
    JSON.parse(text)
    return permittedJson(text)
  } catch {
    return JSON.stringify(permitted(text))
  }
}

/** Queues and topics take the characters of XML only; in JSON others than these two are escaped anyway. */
const permittedJson = (json: string): string =>
  json.replace(/[\uFFFE\uFFFF]/g, (found) => `\\u${found.charCodeAt(0).toString(16)}`)

/** Half a surrogate is none of them either. */
const permitted = (text: string): string =>
  Buffer.from(text)
    .toString('utf8')
    .replace(/[^\t\n\r\u0020-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')

/** The start of `text` that fits, without half a character at its end. */
function firstBytes(text: string, bytes: number): string {
  const whole = Buffer.from(text)
  if (whole.length <= bytes) return text
  let end = bytes
  while (end > 0 && ((whole[end] ?? 0) & 0xc0) === 0x80) end--
  return whole.toString('utf8', 0, end)
}
