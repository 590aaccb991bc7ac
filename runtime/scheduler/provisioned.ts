import type { Clock } from '../clock.ts'
import type { Environment } from '../environments/environment.ts'
import type { EnvironmentPool } from '../environments/pool.ts'
import type { FunctionVersion, ProvisionedShare } from '../registry/types.ts'

/** Environments of one version that shall be there whether somebody asks for them or not. */
export interface ProvisionedWish {
  readonly version: FunctionVersion
  readonly count: number
  /** Who is told how many are ready, and why not all; undefined: nobody asks. */
  readonly share: ProvisionedShare | undefined
  /** No more than this many are started, kept or not; absent: no bound of its own. */
  readonly atMost?: number
}

/** What keeping environments ready needs from the scheduler. */
export interface ProvisionedHost {
  /** The pool of a version, made when there is none. */
  poolOf(version: FunctionVersion): EnvironmentPool
  /** Starts one more for a pool, or says why there is no room for it: now, or ever. */
  startKept(pool: EnvironmentPool): string | undefined
}

/** Starts under way for one version: the processors are shared with those who wait for an answer. */
const STARTING_AT_ONCE = 4
/** Code that is loaded before anybody asks for it may take this long, as on Lambda. */
const INIT_LIMIT_MS = 900_000
/** After a failed start the next one waits this long, doubling. */
const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 60_000
/** Without room for this long, the caller is told that it failed; it is tried on. */
const ROOM_PATIENCE_MS = 30_000
/** Lambda's own word for code that cannot be loaded. */
const INIT_FAILED = 'FUNCTION_ERROR_INIT_FAILURE'

interface Kept extends ProvisionedWish {
  failures: number
  /** Monotonic ms before which nothing is started. */
  retryAt: number
  /** Since when there has been no room, and why. */
  short: { since: number; reason: string } | undefined
}

/**
 * Keeps environments ready: starts what was asked for, starts another when one ends, ends what nobody asks
 * for any more once it has answered. They are marked, and nobody else takes their place while they idle.
 */
export class Provisioned {
  readonly #host: ProvisionedHost
  readonly #clock: Clock
  /** By version key. */
  readonly #kept = new Map<string, Kept>()
  /** Keys by function: what `follow` has to compare with. */
  readonly #byFunction = new Map<string, readonly string[]>()

  #open = false

  constructor(host: ProvisionedHost, clock: Clock) {
    this.#host = host
    this.#clock = clock
  }

  /** Begins: before this, wishes are taken and nothing is started. */
  open(): void {
    this.#open = true
    this.look()
  }

  /** From now on exactly these environments of a function are kept. */
  follow(functionId: string, wishes: readonly ProvisionedWish[]): void {
    const before = this.#byFunction.get(functionId)
    if (before === undefined && wishes.length === 0) return
    const keys = wishes.map((wish) => wish.version.key)
    for (const key of before ?? []) if (!keys.includes(key)) this.#release(key)
    if (keys.length === 0) this.#byFunction.delete(functionId)
    else this.#byFunction.set(functionId, keys)
    for (const wish of wishes) {
      const known = this.#kept.get(wish.version.key)
      // whoever asks again wants it tried again
      const fresh = known === undefined || known.count !== wish.count || known.atMost !== wish.atMost
      const kept: Kept = fresh
        ? { ...wish, failures: 0, retryAt: 0, short: undefined }
        : { ...wish, failures: known.failures, retryAt: known.retryAt, short: known.short }
      this.#kept.set(wish.version.key, kept)
      if (fresh && wish.share !== undefined) wish.share.failure = undefined
      this.#balance(kept)
    }
  }

  /** How many environments a version may have; undefined: nothing was said. */
  ceilingOf(versionKey: string): number | undefined {
    return this.#kept.get(versionKey)?.atMost
  }

  /** The version is gone for good. */
  retired(versionKey: string): void {
    this.#kept.delete(versionKey)
  }

  /** An environment that is kept has loaded its code, or has not been able to. */
  loaded(pool: EnvironmentPool, environment: Environment): void {
    const kept = this.#kept.get(pool.version.key)
    if (kept === undefined) return environment.drain()
    if (environment.initFailed) this.#failed(kept, INIT_FAILED)
    else {
      kept.failures = 0
      if (kept.share !== undefined) kept.share.failure = undefined
    }
    this.#balance(kept)
  }

  /** One is gone: another takes its place if it was kept, and where there was no room there may be some. */
  stopped(pool: EnvironmentPool, environment: Environment): void {
    const kept = environment.provisioned ? this.#kept.get(pool.version.key) : undefined
    if (kept !== undefined) {
      // one whose code could not be loaded has been counted; one that ran is replaced at once
      if (environment.version === undefined) this.#failed(kept, 'The environment could not be started.')
      else if (!environment.loaded) this.#failed(kept, INIT_FAILED)
      this.#balance(kept)
    }
    for (const other of this.#kept.values()) if (other.short !== undefined) this.#balance(other)
  }

  /** To be called every second or so: time has passed, and places may have come free. */
  look(): void {
    const now = this.#clock.monotonicMs()
    for (const kept of this.#kept.values()) {
      for (const one of this.#host.poolOf(kept.version).members) {
        const late = one.state === 'loading' && now - one.loadingSince > INIT_LIMIT_MS
        if (late && one.provisioned) one.expireLoading()
      }
      this.#balance(kept)
    }
  }

  #failed(kept: Kept, reason: string): void {
    kept.retryAt = this.#clock.monotonicMs() + Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** kept.failures)
    kept.failures = Math.min(kept.failures + 1, 10)
    if (kept.share !== undefined) kept.share.failure = reason
  }

  /** Starts what is missing, ends what is too much, and counts. */
  #balance(kept: Kept): void {
    if (!this.#open) return
    const pool = this.#host.poolOf(kept.version)
    const live = [...pool.members].filter((one) => one.provisioned && one.state !== 'draining')
    for (const one of surplus(live, kept.count)) pool.dismiss(one)
    const others = [...pool.members].filter((one) => !one.provisioned && one.state !== 'draining')
    const room = Math.max(0, (kept.atMost ?? Infinity) - kept.count)
    for (const one of surplus(others, room)) pool.dismiss(one)
    this.#startMissing(kept, pool, live)
    if (kept.share !== undefined) kept.share.ready = live.filter(isReady).length
  }

  #startMissing(kept: Kept, pool: EnvironmentPool, live: readonly Environment[]): void {
    const now = this.#clock.monotonicMs()
    if (now < kept.retryAt) return
    const loading = live.filter((one) => !isReady(one)).length
    const missing = Math.min(kept.count - live.length, STARTING_AT_ONCE - loading)
    for (let started = 0; started < missing; started++) {
      const refusal = this.#host.startKept(pool)
      if (refusal === undefined) {
        kept.short = undefined
        continue
      }
      kept.short = { since: kept.short?.since ?? now, reason: refusal }
      if (kept.share !== undefined && now - kept.short.since >= ROOM_PATIENCE_MS) kept.share.failure = refusal
      return
    }
  }

  #release(key: string): void {
    const kept = this.#kept.get(key)
    if (kept === undefined) return
    this.#kept.delete(key)
    const pool = this.#host.poolOf(kept.version)
    for (const one of [...pool.members]) if (one.provisioned) pool.dismiss(one)
  }
}

const isReady = (environment: Environment): boolean =>
  environment.state === 'idle' || environment.state === 'busy'

/** Those to end where there are more than `count`: what has not loaded, then what idles, then the rest. */
function surplus(live: readonly Environment[], count: number): Environment[] {
  if (live.length <= count) return []
  const rank = (one: Environment): number => (one.state === 'idle' ? 1 : one.state === 'busy' ? 2 : 0)
  return live.toSorted((left, right) => rank(left) - rank(right)).slice(0, live.length - count)
}
