import { isUtf8 } from 'node:buffer'
import type { Clock } from '../../runtime/clock.ts'
import { EngineError, messageOf } from '../../runtime/errors.ts'
import { traceIdOf } from '../../runtime/invoke/trace.ts'
import {
  EVENT_PAYLOAD_BYTES,
  SYNC_PAYLOAD_BYTES,
  type Invoker,
  type InvokeOutcome,
  type InvokeSink,
  type StreamEnd,
} from '../../runtime/invoke/types.ts'
import type { Log } from '../../runtime/log.ts'
import type { Rng } from '../../runtime/rng.ts'
import { awsError, internalError } from './errors.ts'
import { invokeComplete, payloadChunk } from './event-stream.ts'
import { parseFunctionLabel, type FunctionLabel } from './labels.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import { scopeOf } from './scope.ts'
import { checkTenantId } from './tenancy.ts'

/** What of a request line and its headers an invocation needs; absent headers are undefined. */
export interface InvokeHead {
  /** `response-streaming-invocations` was asked for. */
  readonly streaming: boolean
  /** The function label as it stands in the path. */
  readonly label: string
  /** The query without its question mark. */
  readonly query: string
  readonly authorization: string | undefined
  /** Account and region of a caller who has proven who it is; else what the request says of them counts. */
  readonly scope?: Scope | undefined
  readonly invocationType: string | undefined
  readonly logType: string | undefined
  readonly clientContext: string | undefined
  readonly tenantId: string | undefined
  readonly traceId: string | undefined
}

/**
 * How an answer leaves: on Node's own response, or on a bare socket. Headers are name, value, name, value.
 */
export interface InvokeReply {
  answer(status: number, headers: readonly string[], body: Buffer): void
  startStream(status: number, headers: readonly string[]): void
  /** Calls `taken` once the bytes have left this process. */
  write(chunk: Buffer, taken: () => void): void
  end(): void
}

export interface InvocationsParts {
  readonly invoker: Invoker
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
  /** `strict` refuses payloads as AWS does; `extended` takes larger ones. */
  readonly limits: 'extended' | 'strict'
}

/** What the extended profile takes: a bound on memory, not a wish of AWS's. */
const EXTENDED_PAYLOAD_BYTES = 64 * 1024 * 1024
const MAX_CLIENT_CONTEXT_BYTES = 3583
const EMPTY = Buffer.alloc(0)
const EMPTY_OBJECT = Buffer.from('{}')
const TYPES = ['Event', 'RequestResponse', 'DryRun']

/** The largest body that is read at all. */
export const maxPayloadBytes = (limits: 'extended' | 'strict'): number =>
  limits === 'strict' ? SYNC_PAYLOAD_BYTES : EXTENDED_PAYLOAD_BYTES

/**
 * Which invocation a request target means; undefined for every other path. Any base path may lead it.
 */
export function invokeTarget(url: string): Pick<InvokeHead, 'streaming' | 'label' | 'query'> | undefined {
  const mark = url.indexOf('?')
  const end = mark < 0 ? url.length : mark
  const lastSlash = url.lastIndexOf('/', end - 1)
  const operation = url.slice(lastSlash + 1, end)
  if (operation !== 'invocations' && operation !== 'response-streaming-invocations') return undefined
  const labelStart = url.lastIndexOf('/', lastSlash - 1)
  const date = operation === 'invocations' ? '/2015-03-31/functions' : '/2021-11-15/functions'
  if (url.slice(Math.max(0, labelStart - date.length), labelStart) !== date) return undefined
  return {
    streaming: operation !== 'invocations',
    label: url.slice(labelStart + 1, lastSlash),
    query: mark < 0 ? '' : url.slice(mark + 1),
  }
}

/** Answers Invoke and InvokeWithResponseStream: headers and limits here, everything else in the engine. */
export class Invocations {
  readonly #parts: InvocationsParts

  constructor(parts: InvocationsParts) {
    this.#parts = parts
  }

  handle(head: InvokeHead, body: Buffer, reply: InvokeReply): void {
    const { clock, rng } = this.#parts
    const now = clock.nowMs()
    const requestId = rng.uuid(now)
    const traceId = head.traceId ?? traceIdOf(requestId, now)
    const sink = new LambdaSink(reply, requestId, traceId, head.streaming)
    try {
      this.#start(head, body, sink, requestId, traceId)
    } catch (error) {
      sink.refused(this.#refusal(error))
    }
  }

  /** The answer to a body that is too large to be read. */
  tooLarge(head: InvokeHead, bytes: number, reply: InvokeReply): void {
    const requestId = this.#parts.rng.uuid(this.#parts.clock.nowMs())
    new LambdaSink(reply, requestId, '', head.streaming).refused(
      tooLarge(head, bytes, maxPayloadBytes(this.#parts.limits)),
    )
  }

  #start(head: InvokeHead, body: Buffer, sink: LambdaSink, requestId: string, traceId: string): void {
    const { invoker, limits } = this.#parts
    const scope = head.scope ?? scopeOf(head, head.query)
    const { functionName, qualifier } = parseFunctionLabel(head.label, qualifierOf(head.query), scope)
    if (head.tenantId !== undefined) checkTenantId(head.tenantId)
    const type = head.invocationType ?? 'RequestResponse'
    if (type !== 'RequestResponse')
      return this.#startOther(type, head, body, sink, requestId, traceId, { functionName, qualifier })
    if (body.length > maxPayloadBytes(limits)) throw tooLarge(head, body.length, maxPayloadBytes(limits))
    invoker.invoke(
      {
        scope,
        functionName,
        qualifier,
        payload: body,
        requestId,
        trigger: head.streaming ? 'stream' : 'sync',
        traceId,
        clientContext: head.clientContext === undefined ? '' : checkClientContext(head.clientContext),
        tenantId: head.tenantId ?? '',
        logTail: head.logType === 'Tail',
        streaming: head.streaming,
      },
      sink,
    )
  }

  #startOther(
    type: string,
    head: InvokeHead,
    body: Buffer,
    sink: LambdaSink,
    requestId: string,
    traceId: string,
    { functionName, qualifier }: FunctionLabel,
  ): void {
    const { invoker } = this.#parts
    const scope = head.scope ?? scopeOf(head, head.query)
    if (!TYPES.includes(type) || (type === 'Event' && head.streaming)) throw badType(type, head.streaming)
    if (type === 'DryRun') {
      invoker.check(scope, functionName, qualifier)
      return sink.bare(204)
    }
    if (body.length > EVENT_PAYLOAD_BYTES) throw tooLarge(head, body.length, EVENT_PAYLOAD_BYTES)
    const payload = body.length === 0 ? EMPTY_OBJECT : checkJson(body)
    invoker
      .accept({
        scope,
        functionName,
        qualifier,
        payload,
        requestId,
        traceId,
        clientContext: '',
        tenantId: head.tenantId ?? '',
      })
      .then(
        () => sink.bare(202),
        (error: unknown) => sink.refused(this.#refusal(error)),
      )
  }

  #refusal(error: unknown): EngineError {
    if (error instanceof EngineError) return error
    this.#parts.log.error('an invocation failed inside the engine', { error })
    return internalError(error)
  }
}

/** One caller of Invoke. */
class LambdaSink implements InvokeSink {
  readonly #reply: InvokeReply
  readonly #requestId: string
  readonly #traceId: string
  readonly #framed: boolean

  constructor(reply: InvokeReply, requestId: string, traceId: string, framed: boolean) {
    this.#reply = reply
    this.#requestId = requestId
    this.#traceId = traceId
    this.#framed = framed
  }

  result(outcome: InvokeOutcome): void {
    if (this.#framed) return this.#framedResult(outcome)
    const headers = [
      'Content-Type',
      'application/json',
      'x-amzn-RequestId',
      this.#requestId,
      'X-Amz-Executed-Version',
      outcome.executedVersion,
      'X-Amzn-Trace-Id',
      this.#traceId,
    ]
    if (outcome.kind === 'function-error') headers.push('X-Amz-Function-Error', 'Unhandled')
    if (outcome.logTail !== undefined) headers.push('X-Amz-Log-Result', outcome.logTail)
    this.#reply.answer(200, headers, outcome.payload)
  }

  refused(error: EngineError): void {
    const { status, name, body, retryAfterSeconds } = awsError(inServiceWords(error))
    const headers = [
      'Content-Type',
      'application/json',
      'x-amzn-RequestId',
      this.#requestId,
      'x-amzn-ErrorType',
      name,
    ]
    if (retryAfterSeconds !== undefined) headers.push('Retry-After', String(retryAfterSeconds))
    this.#reply.answer(status, headers, Buffer.from(JSON.stringify(body)))
  }

  /** 202 for an accepted event, 204 for a dry run: no body, no version. */
  bare(status: 202 | 204): void {
    this.#reply.answer(status, ['x-amzn-RequestId', this.#requestId, 'X-Amzn-Trace-Id', this.#traceId], EMPTY)
  }

  streamStarted(start: { contentType: string; executedVersion: string }): void {
    this.#startFrames(start.executedVersion)
  }

  streamData(chunk: Buffer, taken: () => void): void {
    this.#reply.write(payloadChunk(chunk), taken)
  }

  streamEnded({ error, logTail }: StreamEnd): void {
    this.#endFrames(error, logTail)
  }

  #framedResult(outcome: InvokeOutcome): void {
    this.#startFrames(outcome.executedVersion)
    if (outcome.kind === 'success') {
      this.#reply.write(payloadChunk(outcome.payload), () => {})
      this.#endFrames(undefined, outcome.logTail)
    } else this.#endFrames(outcome.payload, outcome.logTail)
  }

  #startFrames(executedVersion: string): void {
    this.#reply.startStream(200, [
      'Content-Type',
      'application/vnd.amazon.eventstream',
      'x-amzn-RequestId',
      this.#requestId,
      'X-Amz-Executed-Version',
      executedVersion,
      'X-Amzn-Trace-Id',
      this.#traceId,
    ])
  }

  #endFrames(error: Buffer | undefined, logTail: string | undefined): void {
    const failure =
      error === undefined ? {} : { ErrorCode: 'Unhandled', ErrorDetails: error.toString('utf8') }
    const log = logTail === undefined ? {} : { LogResult: logTail }
    this.#reply.write(invokeComplete({ ...failure, ...log }), () => {})
    this.#reply.end()
  }
}

function qualifierOf(query: string): string | undefined {
  if (query === '') return undefined
  return new URLSearchParams(query).get('Qualifier') ?? undefined
}

function checkJson(body: Buffer): Buffer {
  try {
    if (!isUtf8(body)) throw new SyntaxError('Invalid UTF-8')
    JSON.parse(body.toString('utf8'))
    return body
  } catch (error) {
    throw new EngineError('not-json', messageOf(error), { detail: 'payload' })
  }
}

function checkClientContext(encoded: string): string {
  if (encoded.length > MAX_CLIENT_CONTEXT_BYTES) {
    throw new EngineError(
      'not-json',
      `Client context must be no more than ${MAX_CLIENT_CONTEXT_BYTES} bytes when base64-encoded.`,
    )
  }
  try {
    JSON.parse(Buffer.from(encoded, 'base64').toString('utf8'))
    return encoded.replaceAll(/\s/g, '')
  } catch (error) {
    throw new EngineError('not-json', 'Client context must be a valid Base64-encoded JSON object.', {
      cause: error,
    })
  }
}

function tooLarge(head: InvokeHead, bytes: number, limit: number): EngineError {
  const type = head.invocationType ?? 'RequestResponse'
  return new EngineError(
    'too-large',
    `${bytes} byte payload is too large for the ${type} invocation type (limit ${limit} bytes)`,
  )
}

/** The service says where it could not read the payload. */
function inServiceWords(error: EngineError): EngineError {
  if (error.code !== 'not-json' || error.detail !== 'payload') return error
  const where = 'Could not parse request body into json: Could not parse payload into json: '
  return new EngineError('not-json', where + error.message, { cause: error })
}

const badType = (type: string, streaming: boolean): EngineError =>
  new EngineError(
    'invalid',
    `1 validation error detected: Value '${type}' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [${streaming ? '' : 'Event, '}RequestResponse, DryRun]`,
    { detail: 'constraint' },
  )
