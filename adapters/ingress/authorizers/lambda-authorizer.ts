import { createHash } from 'node:crypto'
import type { Clock } from '../../../runtime/clock.ts'
import { isEngineError } from '../../../runtime/errors.ts'
import type { InvokeOutcome, Invoker } from '../../../runtime/invoke/types.ts'
import type { Log } from '../../../runtime/log.ts'
import type { Scope } from '../../../runtime/store/journal.ts'
import { isObject, isPlain } from '../reply.ts'
import { splitReference } from '../route-settings.ts'
import { decide } from './policy-decision.ts'

/** What an authorizing function may say of a caller. */
export type Verdict =
  | {
      kind: 'allowed'
      principalId: string | undefined
      context: Readonly<Record<string, unknown>> | undefined
    }
  | { kind: 'denied'; explicitly: boolean }
  /** It threw "Unauthorized". */
  | { kind: 'unauthorized' }
  /** It failed, or its answer is no answer. */
  | { kind: 'broken' }

/** One question to an authorizing function. */
export interface AuthorizerCall {
  readonly scope: Scope
  /** NAME or NAME:QUALIFIER. */
  readonly function: string
  readonly event: object
  /** Of the method that is asked for: what policies speak of. */
  readonly arn: string
  /** Whether `{ isAuthorized }` is an answer too. */
  readonly simple: boolean
  readonly requestId: string
  readonly traceId: string
  /** What an earlier answer must have been for to hold here; undefined: none does. */
  readonly cacheKey: readonly string[] | undefined
  readonly ttlMs: number
}

const MAX_KEPT = 10_000

/** Asks functions whether callers may pass, and keeps their answers as long as asked; the oldest leave. */
export class LambdaAuthorizers {
  readonly #invoker: Pick<Invoker, 'run'>
  readonly #clock: Clock
  readonly #log: Log
  /** By a hash, so that no credential stays in memory for it. */
  readonly #kept = new Map<string, { answer: Record<string, unknown>; untilMs: number }>()

  constructor({ invoker, clock, log }: { invoker: Pick<Invoker, 'run'>; clock: Clock; log: Log }) {
    this.#invoker = invoker
    this.#clock = clock
    this.#log = log
  }

  async ask(call: AuthorizerCall): Promise<Verdict> {
    const { scope, cacheKey, ttlMs } = call
    if (cacheKey === undefined || ttlMs === 0) {
      const answer = await this.#invoke(call)
      return 'kind' in answer ? answer : verdictOf(answer.answer, call)
    }
    const identity = [scope.account, scope.region, call.function, ...cacheKey]
    const key = createHash('sha256').update(JSON.stringify(identity)).digest('base64')
    const kept = this.#kept.get(key)
    if (kept !== undefined && this.#clock.monotonicMs() < kept.untilMs) return verdictOf(kept.answer, call)
    const answer = await this.#invoke(call)
    if ('kind' in answer) return answer
    const verdict = verdictOf(answer.answer, call)
    if (verdict.kind !== 'broken') this.#keep(key, answer.answer, ttlMs)
    return verdict
  }

  #keep(key: string, answer: Record<string, unknown>, ttlMs: number): void {
    this.#kept.delete(key)
    this.#kept.set(key, { answer, untilMs: this.#clock.monotonicMs() + ttlMs })
    if (this.#kept.size > MAX_KEPT) this.#kept.delete(this.#kept.keys().next().value ?? '')
  }

  async #invoke(call: AuthorizerCall): Promise<{ answer: Record<string, unknown> } | Verdict> {
    const { functionName, qualifier } = splitReference(call.function)
    let outcome: InvokeOutcome
    try {
      outcome = await this.#invoker.run({
        scope: call.scope,
        functionName,
        qualifier,
        payload: Buffer.from(JSON.stringify(call.event)),
        requestId: call.requestId,
        trigger: 'url',
        traceId: call.traceId,
        clientContext: '',
        tenantId: '',
        logTail: false,
      })
    } catch (error) {
      if (!isEngineError(error)) throw error
      this.#log.warn('authorizer not invoked', { functionName, reason: error.message })
      return { kind: 'broken' }
    }
    const answer = parsed(outcome.payload)
    if (outcome.kind === 'function-error')
      return { kind: answer?.errorMessage === 'Unauthorized' ? 'unauthorized' : 'broken' }
    return answer === undefined ? { kind: 'broken' } : { answer }
  }
}

function verdictOf(answer: Record<string, unknown>, { arn, simple }: AuthorizerCall): Verdict {
  const { context = undefined, principalId } = answer
  if (context !== undefined && context !== null && !isObject(context)) return { kind: 'broken' }
  const allowed: Verdict = {
    kind: 'allowed',
    principalId: isPlain(principalId) ? String(principalId) : undefined,
    context: context ?? undefined,
  }
  if (simple && 'isAuthorized' in answer) {
    if (typeof answer.isAuthorized !== 'boolean') return { kind: 'broken' }
    return answer.isAuthorized ? allowed : { kind: 'denied', explicitly: false }
  }
  switch (decide(answer.policyDocument, arn)) {
    case 'allowed':
      return allowed
    case 'denied':
      return { kind: 'denied', explicitly: true }
    case 'not-mentioned':
      return { kind: 'denied', explicitly: false }
    case 'malformed':
      return { kind: 'broken' }
  }
}

function parsed(payload: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(payload.toString('utf8'))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
