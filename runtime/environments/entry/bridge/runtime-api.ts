import type { ServerResponse } from 'node:http'
import { FRAME, frame } from '../../frames.ts'
import type { Connection } from '../connection.ts'
import { parsePayload } from '../payload.ts'
import type { Answers } from './answers.ts'
import { answerError, answerJson, readBody, type ApiCall, type ApiRoute } from './api-server.ts'
import { Desk } from './desk.ts'
import type { HeldInvocation } from './held-invocation.ts'
import type { RuntimeEvents } from './runtime-events.ts'
import { StreamedResponse } from './streamed-response.ts'

/** Lambda's limit on what a runtime may answer at once. */
const MAX_RESPONSE_BYTES = 6_291_556
/** Polls for work that may be open at once, beyond which a runtime has lost count. */
const MAX_POLLS = 1024
const RESPONSE_MODE = 'lambda-runtime-function-response-mode'
const ERROR_TYPE = 'lambda-runtime-function-error-type'
const ACCEPTED = { status: 'OK' }
const TOO_LARGE = `Exceeded maximum allowed payload size (${MAX_RESPONSE_BYTES} bytes).`
const TOO_LARGE_ANSWER = Buffer.from(
  JSON.stringify({
    errorMessage: `Response payload size exceeded maximum allowed payload size (${MAX_RESPONSE_BYTES} bytes).`,
    errorType: 'Function.ResponseSizeTooLarge',
  }),
)

/**
 * Invocations from the engine on one side, a runtime that polls for them on the other.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
export class RuntimeApi {
  readonly #connection: Connection
  readonly #answers: Answers
  readonly #events: RuntimeEvents
  readonly #desk: Desk
  readonly #polls: ServerResponse[] = []
  /** Request ids that were answered last. */
  readonly #answered: string[] = []
  #init: 'running' | 'done' | 'failed' = 'running'

  constructor(options: {
    connection: Connection
    answers: Answers
    concurrency: number
    events: RuntimeEvents
  }) {
    this.#connection = options.connection
    this.#answers = options.answers
    this.#events = options.events
    const { connection, concurrency } = options
    this.#desk = new Desk({ connection, concurrency, onWork: () => this.#serve() })
  }

  /** Request ids of what the runtime works on. */
  get running(): readonly string[] {
    return [...this.#desk.running.values()].map(({ meta }) => meta.requestId)
  }

  get routes(): readonly ApiRoute[] {
    const runtime = '^/2018-06-01/runtime'
    const route = (method: ApiRoute['method'], path: string, answer: ApiRoute['answer']): ApiRoute => ({
      method,
      path: new RegExp(`${path}$`),
      answer,
    })
    return [
      route('GET', `${runtime}/invocation/next`, (call) => this.#next(call)),
      route('POST', `${runtime}/invocation/([^/]+)/response`, (call) => void this.#response(call)),
      route('POST', `${runtime}/invocation/([^/]+)/error`, (call) => void this.#error(call)),
      route('POST', `${runtime}/init/error`, (call) => void this.#initError(call)),
      // Without snapshots there is nothing to wait for.
      route('GET', `${runtime}/restore/next`, ({ response }) => void response.writeHead(200).end()),
      route('POST', `${runtime}/restore/error`, ({ request, response }) => {
        request.resume()
        answerJson(response, 202, ACCEPTED)
      }),
      route('GET', '^/2018-06-01/ping', ({ response }) => void response.end('pong')),
    ]
  }

  /** Lets invocations go to the runtime: until then its polls wait. */
  open(): void {
    this.#desk.open()
  }

  /** Hands nothing to the runtime until it is opened again. */
  pause(): void {
    this.#desk.pause()
  }

  // -- from the engine

  accept(id: number, metaBytes: number, body: Buffer): void {
    this.#desk.accept(id, metaBytes, body)
  }

  recall(id: number): void {
    this.#desk.recall(id)
  }

  /** The runtime is not told, as on AWS; that this process turns is what the engine wants to know. */
  abort(id: number): void {
    this.#connection.send(frame(FRAME.aborted, '', id))
    this.#desk.running.get(id)?.stream?.discard()
  }

  credit(id: number, bytes: number): void {
    this.#desk.running.get(id)?.stream?.credit(bytes)
  }

  whenIdle(callback: () => void): void {
    this.#desk.whenIdle(callback)
  }

  // -- from the runtime

  #next({ response }: ApiCall): void {
    if (this.#desk.concurrency === 1 && this.#desk.running.size > 0)
      return refuseTransition(response, 'Running', 'Ready')
    if (this.#init === 'failed') return refuseTransition(response, 'InitError', 'Ready')
    if (this.#polls.length >= MAX_POLLS)
      return answerError(response, 403, 'Runtime.TooManyIdleRuntimes', 'Too many polls are open.')
    this.#polls.push(response)
    response.once('close', () => {
      const index = this.#polls.indexOf(response)
      if (index >= 0) this.#polls.splice(index, 1)
    })
    if (this.#init === 'running') {
      this.#init = 'done'
      this.#events.ready({})
    } else this.#events.waiting()
    this.#serve()
  }

  async #response({ request, response, parameters }: ApiCall): Promise<void> {
    const invocation = this.#addressed(parameters, response, 'InvocationResponse')
    if (invocation === undefined) return void request.resume()
    const mode = request.headers[RESPONSE_MODE]
    if (mode === 'streaming') {
      this.#responding(invocation)
      this.#stream(invocation, { request, response, parameters })
      return
    }
    if (mode !== undefined && mode !== 'buffered') {
      request.resume()
      answerError(response, 400, 'InvalidFunctionResponseMode', 'Invalid function response mode.')
      const message = `Invalid response mode header: ${String(mode)}`
      this.#answer(invocation, (one) => this.#answers.failAs(one, INVALID_MODE, message))
      return
    }
    this.#responding(invocation)
    const body = await readBody(request, MAX_RESPONSE_BYTES)
    switch (body.kind) {
      case 'whole':
        this.#answer(invocation, (one) => this.#answers.succeed(one, body.bytes))
        return answerJson(response, 202, ACCEPTED)
      case 'too-large':
        this.#answer(invocation, (one) => this.#answers.fail(one, TOO_LARGE_ANSWER))
        return answerError(response, 413, 'RequestEntityTooLarge', TOO_LARGE)
      case 'truncated':
        return this.#answer(invocation, (one) => this.#answers.failAs(one, TRUNCATED, CUT_OFF))
    }
  }

  #stream(invocation: HeldInvocation, { request, response }: ApiCall): void {
    const { 'content-type': contentType = 'application/octet-stream' } = request.headers
    this.#answers.startStream(invocation, contentType)
    invocation.stream = new StreamedResponse(request, {
      bytes: (part) => this.#answers.stream(invocation, part),
      ending: (how) => {
        this.#answer(invocation, (one) => {
          if (how.kind === 'whole') this.#answers.endStream(one)
          else if (how.kind === 'error') this.#answers.fail(one, how.body)
          else this.#answers.failAs(one, TRUNCATED, CUT_OFF)
        })
        if (how.kind !== 'truncated') answerJson(response, 202, ACCEPTED)
      },
    })
  }

  async #error({ request, response, parameters }: ApiCall): Promise<void> {
    const invocation = this.#addressed(parameters, response, 'InvocationErrorResponse')
    if (invocation === undefined) return void request.resume()
    this.#responding(invocation)
    const body = await readBody(request, MAX_RESPONSE_BYTES)
    if (body.kind === 'truncated') {
      return this.#answer(invocation, (one) => this.#answers.failAs(one, TRUNCATED, CUT_OFF))
    }
    const payload = body.kind === 'whole' ? body.bytes : TOO_LARGE_ANSWER
    const told = payload.length > 0 ? payload : emptyError(request.headers[ERROR_TYPE])
    this.#answer(invocation, (one) => this.#answers.fail(one, told))
    if (body.kind === 'whole') answerJson(response, 202, ACCEPTED)
    else answerError(response, 413, 'RequestEntityTooLarge', TOO_LARGE)
  }

  async #initError({ request, response }: ApiCall): Promise<void> {
    const body = await readBody(request, MAX_RESPONSE_BYTES)
    if (this.#init !== 'running') {
      const state = this.#init === 'failed' ? 'InitError' : this.#desk.running.size > 0 ? 'Running' : 'Ready'
      return refuseTransition(response, state, 'InitError')
    }
    this.#init = 'failed'
    answerJson(response, 202, ACCEPTED)
    const header = request.headers[ERROR_TYPE]
    const given = body.kind === 'whole' && body.bytes.length > 0 ? body.bytes : emptyError(header)
    this.#events.answering()
    this.#events.initFailed({
      error: { errorType: typeIn(given) ?? String(header ?? UNKNOWN), errorMessage: '', trace: [] },
      errorJson: given.toString('utf8'),
    })
  }

  // -- inside

  /** The invocation that a call is about; refuses the call when there is none, or it was answered. */
  #addressed(
    [requestId = '']: readonly string[],
    response: ServerResponse,
    wanted: string,
  ): HeldInvocation | undefined {
    const { running } = this.#desk
    const invocation = [...running.values()].find(({ meta }) => meta.requestId === requestId)
    if (invocation?.state === 'running') return invocation
    if (invocation !== undefined) refuseTransition(response, 'InvocationResponse', wanted)
    else if (this.#answered.includes(requestId)) refuseTransition(response, 'ResponseSent', wanted)
    else answerError(response, 400, 'InvalidRequestID', 'Invalid request ID')
    return undefined
  }

  #responding(invocation: HeldInvocation): void {
    invocation.state = 'responding'
    this.#events.responding(invocation)
  }

  #answer(invocation: HeldInvocation, send: (invocation: HeldInvocation) => void): void {
    this.#events.answering()
    send(invocation)
    this.#answered.push(invocation.meta.requestId)
    if (this.#answered.length > this.#desk.concurrency) this.#answered.shift()
    this.#events.ended(invocation)
    this.#desk.finish(invocation)
  }

  #serve(): void {
    while (this.#polls.length > 0) {
      const invocation = this.#desk.take()
      if (invocation === undefined) return
      const parsed = parsePayload(invocation.payload)
      if (!parsed.ok) {
        this.#connection.send(frame(FRAME.notJson, parsed.reason, invocation.id))
        this.#desk.finish(invocation)
        continue
      }
      this.#events.started(invocation)
      // There is one: the loop has looked.
      const poll = this.#polls.shift() as ServerResponse
      invocation.handOver(poll)
    }
  }
}

const UNKNOWN = 'Runtime.Unknown'
const TRUNCATED = 'Runtime.TruncatedResponse'
const CUT_OFF = 'The response was cut off.'
const INVALID_MODE = 'Runtime.InvalidResponseModeHeader'

function refuseTransition(response: ServerResponse, from: string, to: string): void {
  const message = `State transition from ${from} to ${to} failed for runtime. Error: State transition is not allowed`
  answerError(response, 403, 'InvalidStateTransition', message)
}

/** Error JSON for a runtime that sent none. */
const emptyError = (errorType: string | string[] | undefined): Buffer =>
  Buffer.from(JSON.stringify({ errorType: String(errorType ?? UNKNOWN), errorMessage: '' }))

/** The type in error JSON; undefined where there is none. */
function typeIn(body: Buffer): string | undefined {
  try {
    const { errorType } = JSON.parse(body.toString('utf8')) as { errorType?: unknown } // looked at below
    return typeof errorType === 'string' ? errorType : undefined
  } catch {
    return undefined // no JSON, or null
  }
}
