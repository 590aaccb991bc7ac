import type { Invocation } from '../../runtime/environments/invocation.ts'
import type { PlacementGroups } from '../../runtime/scheduler/groups.ts'
import type { LocalCluster } from '../../runtime/scheduler/local-cluster.ts'
import type { PlacementGroup } from '../../runtime/scheduler/placement-group.ts'
import type { Scheduler } from '../../runtime/scheduler/scheduler.ts'
import type { ScriptedProcess } from '../support/scripted-process.ts'
import type { Chance } from './chance.ts'
import type { SimulatedClock } from './clock.ts'
import { addTo, type Ledger } from './ledger.ts'
import { GROUP_PATIENCE_MS, MAX_ENVIRONMENTS } from './scheduling-parts.ts'
import { Violation } from './simulate.ts'

/** Code that waits for others, and may want to go on. */
export interface Waiting {
  readonly process: ScriptedProcess
  wantsBack: boolean
  resumed: boolean
}

/** What the rules look at. */
export interface SchedulingView {
  readonly chance: Chance
  readonly clock: SimulatedClock
  readonly machine: LocalCluster
  readonly ledger: Ledger
  readonly scheduler: Scheduler
  /** The engine's own groups. */
  readonly all: PlacementGroups
  /** Processes that are not gone. */
  readonly live: ReadonlySet<ScriptedProcess>
  /** Groups that were made and not removed. */
  readonly groups: ReadonlyMap<string, PlacementGroup>
  /** Who waits for a group to change: its state then, and how often that was told. */
  readonly watched: Map<PlacementGroup, { readonly state: string; told: number }>
  readonly blocked: ReadonlyMap<Invocation, Waiting>
}

/** Throws a `Violation` when something is as it must never be. */
export function checkScheduling(view: SchedulingView): void {
  view.ledger.check()
  checkProcesses(view)
  checkGroups(view)
  checkWaiting(view)
}

/** No process is without the lease that it was started with, and all leases together fit their bundles. */
function checkProcesses(view: SchedulingView): void {
  const used = new Map<string, Record<string, number>>()
  const shares = new Map<number, number>()
  for (const process of view.live) {
    const { environment } = process
    const lease = view.scheduler.leaseOf(environment)
    if (lease === undefined) throw new Violation(`${environment.id} lives without a lease`)
    const share = Math.min(lease.resources['gpu'] ?? 0, 1000)
    for (const index of lease.gpuIndices) shares.set(index, (shares.get(index) ?? 0) + share)
    if (lease.id > 0) {
      if (view.ledger.holds(lease.id)) continue
      throw new Violation(`the lease of ${environment.id} ended before its process`)
    }
    const bundle = bundleOf(view, lease.id)
    if (bundle?.state === 'removed' && !process.killed)
      throw new Violation(`${environment.id} lives on in a group that was removed`)
    if (bundle === undefined) throw new Violation(`the lease of ${environment.id} ended before its process`)
    if (!view.ledger.holds(bundle.leaseId))
      throw new Violation(`the bundle of ${environment.id} ended before its process`)
    let of = used.get(bundle.key)
    if (of === undefined) used.set(bundle.key, (of = {}))
    addTo(of, lease.resources, environment.isParked || environment.isWaiting)
    for (const name in bundle.resources)
      if ((of[name] ?? 0) > (bundle.resources[name] ?? 0))
        throw new Violation(`${of[name]} of ${name} is used of bundle ${bundle.key}`)
  }
  for (const [index, share] of shares)
    if (share > 1000) throw new Violation(`processes hold GPU ${index} ${share / 1000} times`)
  if (view.live.size > MAX_ENVIRONMENTS) throw new Violation(`${view.live.size} processes run`)
}

function bundleOf(view: SchedulingView, memberId: number) {
  for (const group of view.all.all())
    for (const bundle of group.reserved)
      for (const member of bundle.members)
        if (member.id === memberId)
          return {
            key: `${group.name}/${bundle.index}/${bundle.lease.id}`,
            state: group.state,
            leaseId: bundle.lease.id,
            resources: group.spec.bundles[bundle.index]?.resources ?? {},
          }
  return undefined
}

/** All bundles or none, where the strategy wants them; whoever watches was told. */
function checkGroups(view: SchedulingView): void {
  for (const group of view.groups.values()) {
    const nodes = group.spec.bundles.map((_bundle, index) => group.nodeOf(index))
    const placed = nodes.filter((node) => node !== undefined)
    if (group.state === 'pending' && placed.length > 0)
      throw new Violation(`${group.name} is pending and holds ${placed.join(', ')}`)
    if (group.state === 'ready' && placed.length < nodes.length)
      throw new Violation(`${group.name} is ready and lacks a bundle`)
    const { size } = new Set(placed)
    const { strategy } = group.spec
    if (strategy === 'STRICT_SPREAD' && size < placed.length)
      throw new Violation(`${group.name} does not lie as ${strategy}`)
    if (strategy === 'STRICT_PACK' && size > 1)
      throw new Violation(`${group.name} does not lie as ${strategy}`)
    const waitedMs = view.clock.monotonicMs() - group.waitingSince
    if (!group.waits) continue
    if (waitedMs > GROUP_PATIENCE_MS && !isReduced(view))
      throw new Violation(`${group.name} waits for ${waitedMs} ms: ${view.all.reason(group)}`)
    if (view.chance.happens(0.02) && (view.all.reason(group) ?? '') === '')
      throw new Violation(`${group.name} waits and does not say what for`)
  }
  for (const [group, { state, told }] of view.watched) {
    if (group.state === state) continue
    if (told !== 1) throw new Violation(`who waits for ${group.name} was told ${told} times`)
    view.watched.delete(group)
  }
}

/** Who waits can say what for. */
function checkWaiting(view: SchedulingView): void {
  let returning = 0
  for (const [{ state }, { wantsBack, resumed }] of view.blocked)
    if (wantsBack && !resumed && state === 'running') returning += 1
  if (returning > view.scheduler.lending.returning)
    throw new Violation(
      `${returning} want their processor back, and ${view.scheduler.lending.returning} will be told`,
    )
  const waiting = view.scheduler.waiting
  if (waiting === 0 || !view.chance.happens(0.02)) return // reasons cost more than a step
  let named = 0
  for (const one of view.scheduler.reasons()) {
    named += one.waiting
    if (one.reason === '') throw new Violation(`${one.functionName} waits and does not say what for`)
  }
  if (named !== waiting) throw new Violation(`${waiting} wait, and ${named} of them can say what for`)
}

function isReduced(view: SchedulingView): boolean {
  return view.machine.nodes().some((node) => node.draining || (node.capacity['cpu'] ?? 0) < 4000)
}
