import type { Clock } from './clock.ts'
import type { Requests } from './invoke/requests.ts'
import type { Log } from './log.ts'
import { ObjectTable } from './objects/object-table.ts'
import type { Registry } from './registry/registry.ts'
import type { Rng } from './rng.ts'
import type { Cluster } from './scheduler/cluster.ts'
import type { Scheduler } from './scheduler/scheduler.ts'
import type { Journal } from './store/journal.ts'

/** What tasks, objects, actors and groups are built of. */
export interface ComputingParts {
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
  readonly journal: Journal
  readonly requests: Requests
  readonly registry: Registry
  readonly scheduler: Scheduler
  readonly cluster: Cluster
}

/** What there is beyond Lambda: one scheduler and one kind of environment serve all of it. */
export interface Computing {
  readonly objects: ObjectTable
  /** Resolves when no work is left; new work is still taken. */
  drain(): Promise<void>
  /** Refuses new work and ends what is left. */
  close(): Promise<void>
}

/** Wires tasks, objects, actors and groups into the engine. */
export function createComputing(_parts: ComputingParts): Computing {
  const objects = new ObjectTable()
  // tasks, objects, actors and groups: each registers its operations with `parts.requests` here
  return {
    objects,
    drain: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
}
