import { EngineError, type ThrottleReason } from '../errors.ts'
import type { FunctionLimits } from '../registry/types.ts'
import type { Scope } from '../store/journal.ts'

/** Invocations in flight of one account in one region. */
interface AccountCount {
  inFlight: number
}

/**
 * The gate every invocation passes: a function's reserved concurrency and the account's limit. It refuses at
 * once and
 * never queues, so nested calls cannot wait for each other here.
 */
export class ConcurrencyGate {
  readonly #accountLimit: number
  readonly #accounts = new Map<string, AccountCount>()
  readonly #byFunction = new WeakMap<FunctionLimits, AccountCount>()
  #inFlight = 0
  #onLeave: ((limits: FunctionLimits) => void) | undefined

  constructor(accountLimit: number) {
    this.#accountLimit = accountLimit
  }

  /** Invocations in flight of all accounts. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** Calls `listener` whenever a place becomes free. */
  onLeave(listener: (limits: FunctionLimits) => void): void {
    this.#onLeave = listener
  }

  /** Counts one more, or says why not. */
  enter(scope: Scope, limits: FunctionLimits): ThrottleReason | undefined {
    if (limits.reservedConcurrency !== null && limits.inFlight >= limits.reservedConcurrency)
      return 'reserved-concurrency'
    const account = this.#accountOf(scope, limits)
    if (account.inFlight >= this.#accountLimit) return 'account-concurrency'
    limits.inFlight += 1
    account.inFlight += 1
    this.#inFlight += 1
    return undefined
  }

  leave(scope: Scope, limits: FunctionLimits): void {
    limits.inFlight -= 1
    this.#accountOf(scope, limits).inFlight -= 1
    this.#inFlight -= 1
    this.#onLeave?.(limits)
  }

  #accountOf(scope: Scope, limits: FunctionLimits): AccountCount {
    let account = this.#byFunction.get(limits)
    if (account !== undefined) return account
    const key = `${scope.account}/${scope.region}`
    account = this.#accounts.get(key)
    if (account === undefined) {
      account = { inFlight: 0 }
      this.#accounts.set(key, account)
    }
    this.#byFunction.set(limits, account)
    return account
  }
}

/** The refusal a caller gets for a throttle. */
export const throttle = (reason: ThrottleReason): EngineError =>
  new EngineError('throttled', 'Rate Exceeded.', {
    detail: reason,
    hint: 'Try again later, or raise the concurrency limit.',
  })
