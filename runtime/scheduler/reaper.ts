import type { Environment } from '../environments/environment.ts'
import type { EnvironmentPool } from '../environments/pool.ts'

/** One that has been idle this long has a quiet moment. */
const QUIET_MS = 1000

/** Looks after environments that have nothing to do: ends them in the end, has code caches made before. */
export class Reaper {
  readonly #idleTimeoutMs: number
  readonly #cached = new Set<string>()

  constructor(idleTimeoutMs: number) {
    this.#idleTimeoutMs = idleTimeoutMs
  }

  /** Looks at one pool; `now` is monotonic ms. Those of a version that was replaced end soon. */
  look(pool: EnvironmentPool, now: number): void {
    const patienceMs = pool.outdated ? QUIET_MS : this.#idleTimeoutMs
    for (const environment of pool.idle.slice()) {
      if (now - environment.idleSince > patienceMs && !environment.provisioned) pool.dismiss(environment)
      else if (now - environment.idleSince > QUIET_MS) this.#refineCodeCache(pool, environment)
    }
  }

  /**
   * After a real run the cache can hold what was compiled lazily: once per function, package and Node
   * version.
   */
  #refineCodeCache(pool: EnvironmentPool, environment: Environment): void {
    const key = `${pool.version.functionId} ${pool.version.codePackage.id} ${environment.identity.nodeVersion}`
    if (this.#cached.has(key) || environment.invocations === 0) return
    this.#cached.add(key)
    environment.connection?.makeCodeCache()
  }
}
