import { setTimeout as delay } from 'node:timers/promises'

/** Where functions are deployed to, and in whose name. */
export interface LambdaTarget {
  /** The engine's api port: `http://127.0.0.1:4700`. */
  readonly endpoint: string
  /** us-east-1 when absent. */
  readonly region?: string
  /** Twelve digits; the engine's default account when absent. */
  readonly account?: string
  /** Bearer token, where the engine asks for keys. */
  readonly key?: string | undefined
}

/** A refusal of the Lambda API. */
export class LambdaError extends Error {
  override readonly name = 'LambdaError'
  readonly status: number
  /** Lambda's exception, such as `ResourceNotFoundException`. */
  readonly code: string
  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** One request: a JSON answer, undefined when it is empty. Rejects with a LambdaError. */
export type LambdaCall = (
  method: string,
  path: string,
  body?: unknown,
) => Promise<Record<string, unknown> | undefined>

/** Calls of the Lambda REST API at `target`; all end when `signal` aborts. */
export function createLambdaCall(target: LambdaTarget, signal: AbortSignal): LambdaCall {
  const base = target.endpoint.replace(/\/$/, '')
  const headers = { 'content-type': 'application/json', ...credentials(target) }
  return async (method, path, body) => {
    const response = await fetch(base + path, {
      method,
      headers,
      signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    // Lambda's are objects
    if (response.ok) return text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>)
    const code = response.headers.get('x-amzn-errortype')?.split(':')[0] ?? String(response.status)
    throw new LambdaError(
      response.status,
      code,
      messageIn(text) ?? `${method} ${path} answered ${response.status}.`,
    )
  }
}

/** As `call`, but undefined where Lambda says that there is no such thing. */
export async function callOrUndefined(
  call: LambdaCall,
  method: string,
  path: string,
): Promise<Record<string, unknown> | undefined> {
  try {
    return await call(method, path)
  } catch (error) {
    if (error instanceof LambdaError && error.status === 404) return undefined
    throw error
  }
}

/**
 * A token says the account. Without one the credential scope says account and region, unsigned: only an open
 * engine takes it.
 */
function credentials({ account, region, key }: LambdaTarget): Record<string, string> {
  if (key !== undefined)
    return { authorization: `Bearer ${key}`, ...(region === undefined ? {} : { 'x-lambent-region': region }) }
  if (account === undefined && region === undefined) return {}
  const scope = `${account ?? '000000000000'}/20260101/${region ?? 'us-east-1'}/lambda/aws4_request`
  return { authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=none` }
}

function messageIn(text: string): string | undefined {
  try {
    // checked below; the Lambent API's errors lie one level deeper
    const body = JSON.parse(text) as { message?: unknown; Message?: unknown; error?: { message?: unknown } }
    const message = body.message ?? body.Message ?? body.error?.message
    return typeof message === 'string' ? message : undefined
  } catch {
    return text === '' ? undefined : text.slice(0, 500) // an answer that is not JSON speaks for itself
  }
}

const POLL_FIRST_MS = 20
const POLL_MOST_MS = 500
/** A runtime of another Node.js version is fetched while the function is Pending. */
const READY_WITHIN_MS = 600_000

/** Polls until the function is Active and not being updated. Rejects when it failed or takes too long. */
export async function untilReady(
  call: LambdaCall,
  functionName: string,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const path = `/2015-03-31/functions/${functionName}/configuration`
  const deadlineMs = performance.now() + READY_WITHIN_MS
  for (let waitMs = POLL_FIRST_MS; ; waitMs = Math.min(waitMs * 2, POLL_MOST_MS)) {
    const configuration = (await call('GET', path)) ?? {}
    const { State, LastUpdateStatus, StateReason, LastUpdateStatusReason } = configuration
    if (State === 'Failed') throw new Error(`it failed: ${String(StateReason)}`)
    if (LastUpdateStatus === 'Failed') throw new Error(`its update failed: ${String(LastUpdateStatusReason)}`)
    if (State === 'Active' && LastUpdateStatus !== 'InProgress') return configuration
    if (performance.now() > deadlineMs)
      throw new Error(`it is ${String(State)} after ${READY_WITHIN_MS / 1000} s`)
    await delay(waitMs, undefined, { signal })
  }
}
