import type { HttpAnswer } from './http-call.ts'

/** The engine refused a request, or could not be reached (`code` is `unreachable`, `status` 0). */
export class LambentError extends Error {
  override readonly name: string = 'LambentError'
  /** Lambda's exception name, or the Lambent API's neutral code. */
  readonly code: string
  /** HTTP status. */
  readonly status: number
  /** What to do next, when the engine says so. */
  readonly hint: string | undefined

  constructor(code: string, message: string, options: { status: number; hint?: unknown; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.status = options.status
    this.hint = typeof options.hint === 'string' ? options.hint : undefined
  }
}

/** What was waited for did not come in time. It may still come: the wait has ended, nothing else. */
export class TimeoutError extends LambentError {
  override readonly name = 'TimeoutError'
}

/** No node can ever meet what was asked for; the message says what is missing. */
export class Infeasible extends LambentError {
  override readonly name = 'Infeasible'
}

/** As many calls wait for an actor as its mailbox takes. */
export class MailboxFull extends LambentError {
  override readonly name = 'MailboxFull'
}

/** A call to an actor that a crash cut off: it may have run or not. One with an idempotency key is rerun. */
export class ActorCrashed extends LambentError {
  override readonly name = 'ActorCrashed'
}

/** A task that was cancelled, by `cancel` or with the work that made it. */
export class TaskCancelled extends LambentError {
  override readonly name = 'TaskCancelled'
}

/** A task whose process ended before its result was there, more often than it is retried. */
export class TaskCrashed extends LambentError {
  override readonly name = 'TaskCrashed'
}

/** A value that is not there any more: its ref was released, its time is over, or what held it is gone. */
export class ObjectLost extends LambentError {
  override readonly name = 'ObjectLost'
}

/** Classes by the code that the engine answers. */
const BY_CODE: Readonly<Record<string, typeof LambentError>> = {
  Timeout: TimeoutError,
  TimeoutError,
  Infeasible,
  MailboxFull,
  ActorCrashed,
  TaskCancelled,
  Cancelled: TaskCancelled,
  TaskCrashed,
  ObjectLost,
}

/** The code that was called failed; `name` is its error's type, `remoteStack` where it happened. */
export class FunctionError extends Error {
  override readonly name: string
  /** The class of the error that was thrown there. */
  readonly type: string
  readonly remoteStack: string
  /** The whole error JSON. */
  readonly payload: unknown

  /** `payload` is Lambda's error JSON. */
  constructor(payload: unknown) {
    const { errorType, errorMessage, trace, stackTrace } = asRecord(payload)
    super(typeof errorMessage === 'string' ? errorMessage : 'The function failed.')
    this.type = typeof errorType === 'string' ? errorType : 'FunctionError'
    this.name = this.type
    const lines = Array.isArray(trace) ? trace : Array.isArray(stackTrace) ? stackTrace : []
    this.remoteStack = lines.join('\n')
    this.payload = payload
  }
}

/** The error that an answer of status 400 or more stands for. */
export function errorOf(answer: HttpAnswer): Error {
  const { status, headers } = answer
  const text = answer.body.toString('utf8')
  let body: Record<string, unknown> = {}
  try {
    body = asRecord(JSON.parse(text))
  } catch {
    // Not from the engine but from something between: the status and the text are all there is.
  }
  // Lambda's errors carry their code in a header, the Lambent API's in the body.
  const own = asRecord(body['error'])
  const [type] = String(headers['x-amzn-errortype'] ?? '').split(':')
  const code = [own['code'], type, body['__type'], body['code']].find(isText) ?? 'unknown'
  const message = [own['message'], body['message'], body['Message'], text].find(isText)
  if (code === 'FunctionError' && body['error'] !== undefined)
    return new FunctionError({
      errorType: own['type'],
      errorMessage: message,
      trace: String(own['stack'] ?? '').split('\n'),
    })
  const Kind = BY_CODE[code] ?? LambentError
  return new Kind(code, message ?? `The engine answered with status ${status}.`, {
    status,
    hint: own['hint'],
  })
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

/** The members of an object; none of anything else. */
export const asRecord = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {} // any object has string keys
