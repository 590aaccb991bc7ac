import type { IncomingMessage } from 'node:http'
import { readBody } from '../api.ts'
import type { Session } from '../session.ts'
import { sampleEvent } from '../event-samples.ts'
import { readEventStream } from '../event-stream.ts'
import { CommandError, EXIT, type ExitCode } from '../exit-codes.ts'
import { describeFunctionError, exitCodeOfFunctionError } from '../function-error.ts'
import { readPayload } from '../payload.ts'

/** The options of `lambent invoke`, as commander hands them over. */
export type InvokeOptions = Readonly<Record<string, string | boolean | undefined>>

/**
 * `lambent invoke`: the answer on stdout; a function's failure, readable, on stderr with exit code 1 (or
 * 124).
 */
export async function invoke(session: Session, name: string, options: InvokeOptions): Promise<ExitCode> {
  refuseContradictions(options)
  const payload = await payloadOf(options)
  if (options.async === true) return await accept(session, name, payload)
  if (options.stream === true) return await stream(session, name, payload, options)
  const response = await session.api.send({
    method: 'POST',
    path: invocationPath('2015-03-31', name, 'invocations'),
    headers: { 'content-type': 'application/json', ...logType(options) },
    body: payload,
  })
  return await answer(session, response, await readBody(response))
}

function refuseContradictions(options: InvokeOptions): void {
  const refuse = (message: string): never => {
    throw new CommandError(EXIT.usage, message)
  }
  if (options.async === true && options.stream === true) refuse('--async has no response to --stream.')
  if (options.async === true && options.tail === true)
    refuse('--async has no log to --tail yet: use lambent logs.')
  if (options.payload !== undefined && options.event !== undefined)
    refuse('Give --payload or --event, not both.')
}

/** Lambda's path: the qualifier of `NAME:QUALIFIER` goes into the query, an ARN is one label. */
function invocationPath(version: string, name: string, action: string): string {
  const [, functionName = name, qualifier] = /^([\w-]+):([^:]+)$/.exec(name) ?? []
  const query = qualifier === undefined ? '' : `?Qualifier=${encodeURIComponent(qualifier)}`
  return `/${version}/functions/${encodeURIComponent(functionName)}/${action}${query}`
}

const logType = (options: InvokeOptions): Record<string, string> =>
  options.tail === true ? { 'x-amz-log-type': 'Tail' } : {}

const payloadOf = async (options: InvokeOptions): Promise<Uint8Array> =>
  typeof options.event === 'string'
    ? Buffer.from(JSON.stringify(sampleEvent(options.event)))
    : await readPayload(options.payload)

async function answer({ out }: Session, response: IncomingMessage, payload: Buffer): Promise<ExitCode> {
  const header = (name: string): string | undefined => {
    const value = response.headers[name]
    return typeof value === 'string' ? value : undefined
  }
  const functionError = header('x-amz-function-error')
  const log = decodeLog(header('x-amz-log-result'))
  if (out.json) {
    const value = {
      statusCode: response.statusCode,
      executedVersion: header('x-amz-executed-version'),
      requestId: header('x-amzn-requestid'),
      functionError,
      log,
      payload: parsed(payload),
    }
    await out.answer(value, () => '')
  } else if (functionError === undefined) {
    await out.data(payload)
    await out.data('\n')
  }
  if (log !== undefined && !out.json) out.note(out.paint.dim(log.trimEnd()))
  if (functionError === undefined) return EXIT.ok
  out.note(describeFunctionError(payload.toString('utf8'), out.paint))
  return exitCodeOfFunctionError(payload.toString('utf8'))
}

const decodeLog = (encoded: string | undefined): string | undefined =>
  encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8')

/** JSON where it is JSON, else the text itself. */
function parsed(payload: Buffer): unknown {
  const text = payload.toString('utf8')
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Answers with the request id, by which the run and its log are found. */
async function accept({ api, out }: Session, name: string, payload: Uint8Array): Promise<ExitCode> {
  const response = await api.send({
    method: 'POST',
    path: invocationPath('2015-03-31', name, 'invocations'),
    headers: { 'content-type': 'application/json', 'x-amz-invocation-type': 'Event' },
    body: payload,
  })
  await readBody(response)
  const requestId = String(response.headers['x-amzn-requestid'] ?? '')
  await out.answer({ statusCode: response.statusCode, requestId }, () => requestId)
  if (!out.json) out.note('Accepted: it is on disk and will run.')
  return EXIT.ok
}

async function stream(
  { api, out }: Session,
  name: string,
  payload: Uint8Array,
  options: InvokeOptions,
): Promise<ExitCode> {
  const response = await api.send({
    method: 'POST',
    path: invocationPath('2021-11-15', name, 'response-streaming-invocations'),
    headers: { 'content-type': 'application/json', ...logType(options) },
    body: payload,
  })
  for await (const { headers, payload: bytes } of readEventStream(response)) {
    if (headers.get(':message-type') === 'exception') {
      throw new CommandError(EXIT.failed, `${headers.get(':exception-type')}: ${bytes.toString('utf8')}`)
    }
    const kind = headers.get(':event-type')
    if (kind === 'PayloadChunk') await out.data(bytes)
    if (kind === 'InvokeComplete') return await complete({ out }, bytes)
  }
  throw new CommandError(EXIT.failed, 'The response stream ended before the invocation was complete.')
}

async function complete({ out }: Pick<Session, 'out'>, bytes: Buffer): Promise<ExitCode> {
  // The engine's own message: every member is optional text.
  const end = JSON.parse(bytes.toString('utf8')) as {
    ErrorCode?: string
    ErrorDetails?: string
    LogResult?: string
  }
  if (process.stdout.isTTY) await out.data('\n')
  const log = decodeLog(end.LogResult)
  if (log !== undefined) out.note(out.paint.dim(log.trimEnd()))
  if (end.ErrorCode === undefined) return EXIT.ok
  const details = end.ErrorDetails ?? end.ErrorCode
  out.note(describeFunctionError(details, out.paint))
  return exitCodeOfFunctionError(details)
}
