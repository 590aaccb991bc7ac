import type { Clock } from '../clock.ts'
import { CapacityPools } from './capacity-pools.ts'
import type { Cluster } from './cluster.ts'
import { PlacementGroups } from './groups.ts'
import type { Scheduler } from './scheduler.ts'

/** What can be leased: the machine, what placement groups reserve of it, what capacity providers may have. */
export interface Capacity {
  readonly groups: PlacementGroups
  /** All of it, one around the other: what the scheduler leases from. */
  readonly cluster: Cluster
  /** To be called when the machine has more room, or less, other than by the end of a lease. */
  onRoom(): void
}

/** Builds what can be leased. `scheduler` is asked once there is one. */
export function createCapacity(options: {
  readonly machine: Cluster
  readonly clock: Clock
  readonly cpuLimit: (provider: string) => number | undefined
  readonly scheduler: () => Scheduler
}): Capacity {
  const { machine, clock, cpuLimit, scheduler } = options
  const groups = new PlacementGroups({
    cluster: machine,
    clock,
    host: {
      evict: (leaseIds) => evict(scheduler(), leaseIds),
      makeRoom: (helps, urgent) => scheduler().makeRoom(helps, urgent),
      onChange: () => scheduler().reconsider(),
    },
  })
  return {
    groups,
    cluster: new CapacityPools(groups, cpuLimit),
    onRoom() {
      groups.nodesChanged()
      scheduler().reconsider()
    },
  }
}

function evict(scheduler: Scheduler, leaseIds: ReadonlySet<number>): void {
  for (const environment of scheduler.environments) {
    const lease = scheduler.leaseOf(environment)
    if (lease !== undefined && leaseIds.has(lease.id)) environment.kill()
  }
}
