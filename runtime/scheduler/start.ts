import { messageOf } from '../errors.ts'
import type { Environment } from '../environments/environment.ts'
import type { EnvironmentPool } from '../environments/pool.ts'
import { fitsSpare } from '../environments/variables.ts'
import type { FunctionVersion } from '../registry/types.ts'
import type { Lease } from './cluster.ts'
import type { SchedulerOptions } from './scheduler-options.ts'

/** What is told of an environment beside what its pool is told. */
export interface StartHooks {
  loaded(environment: Environment): void
  calmed(environment: Environment): void
}

type Parts = Pick<SchedulerOptions, 'spares' | 'starter' | 'cluster' | 'binaryFor' | 'log' | 'onManifest'>

/**
 * Has an environment started for `pool`, or takes a spare; `adopt` is called with it before anything can
 * happen to it. One that is kept ready takes no spare: those are for callers who wait. Answers what it was.
 */
export function startEnvironment(
  parts: Parts,
  pool: EnvironmentPool,
  lease: Lease,
  kept: boolean,
  hooks: StartHooks & { adopt(environment: Environment): void },
): { environment: Environment; from: 'cold' | 'spare' } {
  const { version } = pool
  const { spares, starter, cluster, binaryFor, onManifest } = parts
  const binary = binaryFor(version.runtime)
  const launcher = cluster.launcher(lease.node)
  const general = fitsSpare(version)
  const spare = general && !kept ? spares.take(binary) : undefined
  const environment =
    spare ??
    starter.start({
      binary,
      launcher,
      owner: pool,
      gpuIndices: lease.gpuIndices,
      ...(general ? {} : { dedicatedTo: version }),
    })
  environment.provisioned = kept
  environment.initReported = kept // nobody waited for it, so nobody is told
  hooks.adopt(environment)
  pool.add(environment)
  environment.owner = {
    booted: () => specialize(parts, environment, version),
    loaded: (one, result) => {
      if (result.manifest !== undefined) onManifest?.(version, result.manifest)
      pool.loaded(one, result)
      hooks.loaded(one)
    },
    released: (one) => pool.released(one),
    startedHeld: () => pool.startedHeld(),
    calmed: (one) => hooks.calmed(one),
    returned: (one, invocation) => pool.returned(one, invocation),
    stopped: (one, exit) => pool.stopped(one, exit),
    codeCache: (one, bytes) => pool.codeCache(one, bytes),
    requested: (one, request) => pool.requested(one, request),
  }
  if (spare !== undefined) specialize(parts, environment, version)
  return { environment, from: spare === undefined ? 'cold' : 'spare' }
}

function specialize({ starter, log }: Parts, environment: Environment, version: FunctionVersion): void {
  starter.specialize(environment, version).catch((error: unknown) => {
    if (environment.state === 'stopped') return // it ended meanwhile, which has been told
    log.error('environment could not be given its code', {
      functionName: version.functionName,
      message: messageOf(error),
    })
    environment.kill()
  })
}
