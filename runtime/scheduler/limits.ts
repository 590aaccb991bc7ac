import type { EnvironmentPool } from '../environments/pool.ts'
import type { FunctionVersion } from '../registry/types.ts'

/**
 * Ends what is over its time limit, loading included; `now` is monotonic ms. Returns whether anything runs.
 */
export function enforceLimits(
  pool: EnvironmentPool,
  now: number,
  initLimitMs: (version: FunctionVersion) => number | null,
): boolean {
  let busy = false
  for (const environment of pool.members) {
    if (environment.state === 'loading') {
      if (environment.provisioned) continue
      const { version } = pool
      const limit = environment.loadsAgain ? version.timeoutMs : initLimitMs(version)
      if (limit !== null && now - environment.loadingSince > limit) environment.expireLoading()
      continue
    }
    for (const invocation of environment.inFlight) {
      busy = true
      if (now >= invocation.deadline && !invocation.timedOut) {
        environment.expire(invocation)
        break // the list may have changed; the rest is looked at in 5 ms
      }
    }
  }
  return busy
}
