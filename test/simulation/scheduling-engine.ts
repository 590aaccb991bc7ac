import type { Invocation } from '../../runtime/environments/invocation.ts'
import { Spares } from '../../runtime/environments/spares.ts'
import { createLog } from '../../runtime/log.ts'
import { createCapacity, type Capacity } from '../../runtime/scheduler/capacity.ts'
import type { PlacementGroups } from '../../runtime/scheduler/groups.ts'
import { LocalCluster } from '../../runtime/scheduler/local-cluster.ts'
import { Scheduler } from '../../runtime/scheduler/scheduler.ts'
import { scriptedStarter } from '../support/scripted-process.ts'
import type { Chance } from './chance.ts'
import type { SimulatedClock } from './clock.ts'
import { Ledger } from './ledger.ts'
import { plantAbove, plantBelow, plantBetween } from './planted-bugs.ts'
import { MAX_ENVIRONMENTS, MAX_WAITING, NODES, NO_JOURNAL, RESOURCES } from './scheduling-parts.ts'

/** The engine's own scheduler, leases and groups over surroundings of the simulation. */
export interface SchedulingEngine {
  readonly machine: LocalCluster
  readonly ledger: Ledger
  readonly groups: PlacementGroups
  readonly scheduler: Scheduler
  readonly starter: ReturnType<typeof scriptedStarter>
  /** A process was told to end, and is not gone: only a planted bug gives its lease back then. */
  early(leaseId: number): void
}

/** Builds it; `planted` names a bug that is built into its surroundings. */
export function createSchedulingEngine(options: {
  readonly clock: SimulatedClock
  readonly chance: Chance
  readonly planted: string | undefined
  onOrphan(invocation: Invocation): void
}): SchedulingEngine {
  const { clock, chance, planted, onOrphan } = options
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  const launcher = {
    isolation: {
      requested: 'none',
      effective: 'none',
      means: '',
      missing: [],
      memory: '',
      killsTree: true,
    },
    launch: () => Promise.reject(new Error('nothing is launched here')),
    close: () => Promise.resolve(),
  } as const
  const machine: LocalCluster = new LocalCluster({
    ...{ resources: RESOURCES, nodes: NODES, launcher },
    onRoom: () => capacity.onRoom(),
  })
  const ledger = new Ledger(plantBelow(machine, planted))
  const capacity: Capacity = createCapacity({
    machine: plantBetween(ledger, planted),
    ...{ clock, cpuLimit: () => undefined },
    scheduler: () => (planted === 'a removed group does not end who uses it' ? blind(scheduler) : scheduler),
  })
  const above = plantAbove(capacity.cluster, planted, chance)
  const starter = scriptedStarter(clock, NO_JOURNAL)
  const spares = new Spares({ perVersion: 0, starter, launcher, clock })
  const scheduler: Scheduler = new Scheduler({
    ...{ clock, log, cluster: above.cluster, starter, spares },
    binaryFor: () => ({ nodePath: 'node', version: 'v20' }),
    ...{
      maxEnvironments: MAX_ENVIRONMENTS,
      maxWaiting: MAX_WAITING,
      maxWaitMs: 10_000,
      idleTimeoutMs: 5000,
    },
    initLimitMs: () => 10_000,
    onOrphans: (invocations) => {
      for (const one of invocations) onOrphan(one)
    },
    ...{ onRequest: () => {}, onEnvironment: () => {}, onCodeCache: () => {} },
  })
  return { machine, ledger, groups: capacity.groups, scheduler, starter, early: above.early }
}

/** The scheduler to somebody who cannot see its environments. */
function blind(scheduler: Scheduler): Scheduler {
  return {
    environments: [],
    makeRoom: (...room: Parameters<Scheduler['makeRoom']>) => scheduler.makeRoom(...room),
    reconsider: () => scheduler.reconsider(),
  } as unknown as Scheduler // what groups ask of it
}
