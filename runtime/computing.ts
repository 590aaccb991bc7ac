import { Actors } from './actors/actors.ts'
import { CallRecorder } from './actors/call-records.ts'
import type { Clock } from './clock.ts'
import { encodeFailure } from './invoke/failure-codec.ts'
import { serveLending } from './invoke/lending-calls.ts'
import { serveGroups } from './invoke/group-calls.ts'
import type { Manifests } from './invoke/manifests.ts'
import type { Requests } from './invoke/requests.ts'
import { OutsideRefs } from './invoke/outside-refs.ts'
import { Tasks } from './invoke/task-calls.ts'
import { refusalFailure } from './invoke/task-errors.ts'
import { TaskRecorder } from './invoke/task-records.ts'
import type { Log } from './log.ts'
import { ObjectTable } from './objects/object-table.ts'
import type { Segments } from './objects/segments.ts'
import type { Registry } from './registry/registry.ts'
import type { Rng } from './rng.ts'
import type { Cluster } from './scheduler/cluster.ts'
import { GroupDesk } from './scheduler/group-desk.ts'
import type { PlacementGroups } from './scheduler/groups.ts'
import type { Scheduler } from './scheduler/scheduler.ts'
import type { Journal, RunRecord } from './store/journal.ts'
import type { Store } from './store/store.ts'
import { createWorkViews, type WorkViews } from './work-views.ts'

/** What tasks, objects, actors and groups are built of. */
export interface ComputingParts {
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
  readonly store: Store
  readonly journal: Journal
  readonly requests: Requests
  readonly registry: Registry
  readonly scheduler: Scheduler
  readonly cluster: Cluster
  readonly manifests: Manifests
  readonly segments: Segments
  /** A task or a call of an actor has ended and is written down. */
  readonly onRecord: (record: RunRecord) => void
  readonly groups: PlacementGroups
}

/** What there is beyond Lambda: one scheduler and one kind of environment serve all of it. */
export interface Computing {
  readonly objects: ObjectTable
  readonly tasks: Tasks
  /** Refs of callers from outside. */
  readonly outsideRefs: OutsideRefs
  /** Where large values lie. */
  readonly segments: Segments
  readonly actors: Actors
  readonly groups: GroupDesk
  readonly work: WorkViews
  /** Resolves when no work is left; new work is still taken. */
  drain(): Promise<void>
  /** Refuses new work and ends what is left. */
  close(): Promise<void>
}

/** Wires tasks, objects, actors and groups into the engine. */
export function createComputing(parts: ComputingParts): Computing {
  const { clock, rng, log, store, journal, requests, registry, scheduler, manifests } = parts
  const { onRecord, segments } = parts
  const objects = new ObjectTable({ segments, encode: (error) => encodeFailure(refusalFailure(error)) })
  requests.on('unmap', ({ environment, fields: [text = ''] }) => segments.giveBack(environment.id, text))
  const tasks = new Tasks({
    ...{ objects, requests, scheduler, manifests, clock, log: parts.log },
    resolver: registry,
    recorder: new TaskRecorder({ clock, journal, onRecord }),
    encode: encodeFailure,
    newId: () => rng.uuid(clock.nowMs()),
  })
  const actors = new Actors({
    ...{ clock, log, store, scheduler, objects, requests, manifests },
    resolver: registry,
    records: new CallRecorder({ clock, journal, onRecord, newId: (atMs) => rng.uuid(atMs) }),
    newId: () => rng.uuid(clock.nowMs()),
  })
  tasks.otherStreams = (environment, id) => actors.requests.streamOf(environment, id)
  const groups = new GroupDesk(parts)
  groups.open()
  serveGroups({ requests, desk: groups, objects, encode: encodeFailure })
  const outsideRefs = new OutsideRefs(objects, clock)
  serveLending(requests, scheduler.lending)
  return {
    objects,
    tasks,
    outsideRefs,
    segments,
    actors,
    groups,
    work: createWorkViews({ clock, tasks, objects, scheduler }),
    drain: async () => void (await Promise.all([tasks.drain(), actors.drain()])),
    close: async () => {
      tasks.close()
      outsideRefs.close()
      parts.groups.close()
      await actors.close()
    },
  }
}
