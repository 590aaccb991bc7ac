import { EngineError, type ThrottleReason } from '../errors.ts'
import type { EnvironmentPool } from '../environments/pool.ts'

/** Everyone who waits in `pool` is told `error` and waits no longer. */
export function refuseAll(pool: EnvironmentPool, error: EngineError): void {
  for (const invocation of pool.waiting.remove(() => true))
    invocation.input.observer.refused(invocation, error)
}

/** What callers get while the engine stops. */
export const stopping = (): EngineError =>
  new EngineError('unavailable', 'The engine is stopping.', { hint: 'Try again in a moment.' })

/** What callers get when there is no room in time. */
export const throttled = (reason: ThrottleReason, message: string): EngineError =>
  new EngineError('throttled', message, { detail: reason, hint: 'Try again, or allow more environments.' })
