import type { Cluster, Lease } from '../../runtime/scheduler/cluster.ts'
import type { Chance } from './chance.ts'

/** Bugs that can be built into what surrounds the scheduler, to see that they are found. */
export const SCHEDULING_BUGS = [
  'a lease ends when its process is told to end, not when it is gone',
  'a bundle is twice as large as what it has reserved',
  'every lease gets the same GPU',
  'a lent processor is taken back without waiting for it',
  'nothing is kept for a group that waits long',
  'a lease that was given back is forgotten',
  'an accepted invocation is dropped',
  'who waits for a group is not told',
  'who waits for its processor is not told',
  'a removed group does not end who uses it',
] as const
export type SchedulingBug = (typeof SCHEDULING_BUGS)[number]

type Change = (lease: Lease, holder: string) => Lease

/** A cluster of which every lease is changed. */
function changing(cluster: Cluster, change: Change): Cluster {
  return {
    nodes: () => cluster.nodes(),
    holdings: () => cluster.holdings(),
    launcher: (node) => cluster.launcher(node),
    infeasible: (request, times) => cluster.infeasible(request, times),
    keep: (claimant, kept) => cluster.keep(claimant, kept),
    acquire(request, holder) {
      const acquired = cluster.acquire(request, holder)
      return acquired.kind === 'leased' ? { kind: 'leased', lease: change(acquired.lease, holder) } : acquired
    },
  }
}

/** The machine below the ledger, with a bug or without. */
export function plantBelow(machine: Cluster, bug: string | undefined): Cluster {
  switch (bug) {
    case 'every lease gets the same GPU':
      return changing(machine, (lease) =>
        lease.gpuIndices.length === 0 ? lease : { ...lease, gpuIndices: lease.gpuIndices.map(() => 0) },
      )
    case 'a lent processor is taken back without waiting for it':
      return changing(machine, (lease) => ({ ...lease, takeBack: () => true }))
    case 'nothing is kept for a group that waits long':
      return { ...changing(machine, (lease) => lease), keep: () => {} }
    default:
      return machine
  }
}

/** What groups lease from, above the ledger. */
export function plantBetween(ledger: Cluster, bug: string | undefined): Cluster {
  if (bug !== 'a bundle is twice as large as what it has reserved') return ledger
  return changing(ledger, (lease, holder) => {
    if (!holder.startsWith('placement group')) return lease
    const resources = Object.fromEntries(
      Object.entries(lease.resources).map(([name, amount]) => [name, name === 'gpu' ? amount : amount * 2]),
    )
    return { ...lease, resources }
  })
}

/** What the scheduler leases from; `early` gives a lease back by its id before its time. */
export function plantAbove(
  cluster: Cluster,
  bug: string | undefined,
  chance: Chance,
): { cluster: Cluster; early: (leaseId: number) => void } {
  const held = new Map<number, Lease>()
  switch (bug) {
    case 'a lease ends when its process is told to end, not when it is gone':
      return {
        cluster: changing(cluster, (lease) => {
          held.set(lease.id, lease)
          return { ...lease, [Symbol.dispose]: () => end(lease.id) }
        }),
        early: (leaseId) => end(leaseId),
      }
    case 'a lease that was given back is forgotten':
      return {
        cluster: changing(cluster, (lease) => ({
          ...lease,
          [Symbol.dispose]: () => {
            if (!chance.happens(0.1)) lease[Symbol.dispose]()
          },
        })),
        early: () => {},
      }
    default:
      return { cluster, early: () => {} }
  }
  function end(leaseId: number): void {
    const lease = held.get(leaseId)
    held.delete(leaseId)
    lease?.[Symbol.dispose]()
  }
}
