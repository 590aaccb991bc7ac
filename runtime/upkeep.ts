import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import type { ConcurrencyGate } from './invoke/concurrency.ts'
import { packageIdOf } from './registry/package-folder.ts'
import type { Registry } from './registry/registry.ts'
import type { FunctionVersion } from './registry/types.ts'
import type { Scheduler } from './scheduler/scheduler.ts'

/** Lambda's limit on a version's loading; in the extended profile a longer Timeout stretches it. */
const INIT_LIMIT_MS = 10_000
const DRAIN_POLL_MS = 20

/** How long a version's loading may take; null: no limit. */
export function initLimit(version: FunctionVersion, limits: Config['limits']): number | null {
  if (limits === 'strict') return INIT_LIMIT_MS
  return version.timeoutMs === null ? null : Math.max(INIT_LIMIT_MS, version.timeoutMs)
}

/** The runtimes of every version there is. */
export function runtimesOf(registry: Pick<Registry, 'all'>): Set<string> {
  const runtimes = new Set<string>()
  for (const record of registry.all()) {
    for (const one of record.versions.values()) runtimes.add(one.runnable.runtime)
  }
  return runtimes
}

/** Ids of packages that environments run or read as their layers, whatever became of their functions. */
export const packagesRunning = (scheduler: Scheduler): string[] =>
  scheduler.environments.flatMap(({ version }) =>
    version === undefined ? [] : [version.codePackage.id, ...version.layerDirectories.map(packageIdOf)],
  )

/** Resolves when nothing is in flight. */
export async function quiet(clock: Clock, gate: ConcurrencyGate): Promise<void> {
  while (gate.inFlight > 0) await clock.sleep(DRAIN_POLL_MS)
}
