import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { packValue, unpackLed } from '../../runtime/environments/call-payload.ts'
import { FLAG } from '../../runtime/environments/frames.ts'
import { EngineError } from '../../runtime/errors.ts'
import { decode } from '../../runtime/sdk/codec/decode.ts'
import { encode } from '../../runtime/sdk/codec/encode.ts'
import { SDK_ERRORS } from '../../runtime/sdk/errors.ts'
import type { Segments } from '../../runtime/objects/segments.ts'
import { jsonOf, NotJson } from './json-value.ts'
import { openLarge } from './large-values.ts'

/** What a task, an actor or an object became, as it travels. */
export interface Outcome {
  readonly flags: number
  readonly body: Buffer
}

/** Errors of the engine's own, by class: what was called did not fail, it did not come to an end. */
const SHAPES: Readonly<Record<string, readonly [status: ContentfulStatusCode, code: string]>> = {
  Infeasible: [400, 'Infeasible'],
  LimitReached: [429, 'LimitReached'],
  MailboxFull: [429, 'MailboxFull'],
  TimeoutError: [504, 'Timeout'],
  TaskCancelled: [409, 'TaskCancelled'],
  TaskCrashed: [502, 'TaskCrashed'],
  ActorCrashed: [502, 'ActorCrashed'],
  ObjectLost: [404, 'ObjectLost'],
  ObjectStoreFull: [429, 'ObjectStoreFull'],
  NoSuchMethod: [404, 'NotFound'],
}

/** A JSON value as it travels between Lambent's own calls. */
export const packJson = (value: unknown): Buffer => packValue([], encode(value).head)

/** The JSON array in the body of a request. Throws EngineError 'not-json' and 'invalid'. */
export async function readArguments(context: Context): Promise<unknown[]> {
  const text = await context.req.text()
  let value: unknown
  try {
    value = text === '' ? [] : JSON.parse(text)
  } catch (cause) {
    throw new EngineError('not-json', 'The body is not JSON.', { cause, hint: ARRAY_HINT })
  }
  if (Array.isArray(value)) return value
  throw new EngineError('invalid', 'The body is not a JSON array.', { hint: ARRAY_HINT })
}

const ARRAY_HINT = 'Send the arguments as a JSON array: ["a", 1].'

/** Answers with a value as bare JSON, or with the error in its place. */
export async function answerOutcome(
  context: Context,
  { flags, body }: Outcome,
  segments: Segments,
): Promise<Response> {
  if ((flags & FLAG.object) === 0) return answerValue(context, flags, decode(unpackLed(body).encoded))
  const large = await openLarge(segments, body)
  return 'bytes' in large ? large.bytes : answerValue(context, flags, large.value)
}

function answerValue(context: Context, flags: number, value: unknown): Response {
  const bytes = (flags & FLAG.error) === 0 ? bytesOf(value) : undefined
  if (bytes !== undefined) return context.body(bytes, 200, { 'content-type': 'application/octet-stream' })
  if ((flags & FLAG.error) !== 0) return answerFailure(context, value)
  try {
    return context.body(jsonOf(value), 200, { 'content-type': 'application/json' })
  } catch (error) {
    if (!(error instanceof NotJson)) throw error
    const { message, path } = error
    const hint = 'Return plain values to callers over HTTP, or get it with the SDK.'
    return context.json({ error: { code: 'NotJson', message, hint, path } }, 422)
  }
}

/** The bytes of a value that is nothing else, a typed array's among them. */
function bytesOf(value: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  if (!ArrayBuffer.isView(value)) return undefined
  return new Uint8Array(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
}

function answerFailure(context: Context, thrown: unknown): Response {
  if (!(thrown instanceof Error)) {
    const message = typeof thrown === 'string' ? thrown : (JSON.stringify(thrown) ?? String(thrown))
    return context.json({ error: { code: 'FunctionError', message, type: typeof thrown, stack: '' } }, 500)
  }
  const { name, message, stack = '' } = thrown
  if (Object.values(SDK_ERRORS).some((Kind) => thrown instanceof Kind)) {
    const [status, code] = SHAPES[name] ?? [500, name]
    return context.json({ error: { code, message } }, status)
  }
  if (name === 'Runtime.OutOfMemory') return context.json({ error: { code: name, message } }, 502)
  return context.json({ error: { code: 'FunctionError', message, type: name, stack } }, 500)
}
