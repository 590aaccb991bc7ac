import { EngineError, type ThrottleReason } from '../errors.ts'
import type { FunctionLimits, Target } from '../registry/types.ts'
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

  /**
   * Counts one more, or says why not. What is kept ready for a version is its own: it takes from what is
   * reserved for the function, whether it is used or not.
   */
  enter(scope: Scope, { limits, share }: Target): ThrottleReason | undefined {
    const account = this.#accountOf(scope, limits)
    if (share === undefined || share.inFlight >= share.count) {
      const { reservedConcurrency: reserved, provisioned } = limits
      if (
        reserved !== null &&
        limits.inFlight >= reserved - (provisioned === undefined ? 0 : unused(provisioned))
      )
        return 'reserved-concurrency'
      if (account.inFlight >= this.#accountLimit) return 'account-concurrency'
    }
    if (share !== undefined) share.inFlight += 1
    limits.inFlight += 1
    account.inFlight += 1
    this.#inFlight += 1
    return undefined
  }

  /** One that is counted goes on as another version of its function. */
  move(from: Target, to: Target): void {
    if (from.share !== undefined) from.share.inFlight -= 1
    if (to.share !== undefined) to.share.inFlight += 1
  }

  /** `target` is the one that was entered with, or moved to. */
  leave(scope: Scope, { limits, share }: Target): void {
    if (share !== undefined) share.inFlight -= 1
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

/** Places that are kept for their versions and free at the moment. */
function unused(provisioned: NonNullable<FunctionLimits['provisioned']>): number {
  let total = 0
  for (const { count, inFlight } of provisioned.values()) total += Math.max(0, count - inFlight)
  return total
}

/** The refusal a caller gets for a throttle. */
export const throttle = (reason: ThrottleReason): EngineError =>
  new EngineError('throttled', 'Rate Exceeded.', {
    detail: reason,
    hint: 'Try again later, or raise the concurrency limit.',
  })
