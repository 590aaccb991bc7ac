import type { Clock } from './clock.ts'
import { FLAG } from './environments/frames.ts'
import type { TaskRun } from './invoke/task-run.ts'
import type { ObjectEntry, ObjectTable } from './objects/object-table.ts'
import type { Tasks } from './invoke/task-calls.ts'
import type { Scheduler } from './scheduler/scheduler.ts'
import type { Scope } from './store/journal.ts'
import { plain } from './views.ts'

/** A task that has not ended, as it is shown. */
export interface TaskView {
  readonly id: string
  /** Of the ref that stands for its value. */
  readonly objectId: string
  readonly scope: Scope
  readonly function: string
  readonly task: string
  readonly version: string
  readonly state: 'waiting' | 'running'
  /** What it waits for. */
  readonly reason?: string
  readonly acceptedAtMs: number
  readonly startedAtMs?: number
  readonly environmentId?: string
  /** 1 for the first. */
  readonly attempt: number
  /** 0 when a handler or somebody outside asked for it, 1 for a task of such a task. */
  readonly depth: number
  /** What it leases, in plain units. */
  readonly resources: Readonly<Record<string, number>>
}

/** A value that something still refers to, as it is shown. */
export interface ObjectView {
  readonly id: string
  readonly state: 'pending' | 'ready' | 'failed'
  /** In frames with the engine, in shared memory, or on disk; absent while there is no value. */
  readonly place?: 'engine' | 'memory' | 'disk'
  readonly sizeBytes: number
  /** How many hold it: invocations, arguments of tasks, other values. */
  readonly holders: number
}

/** What lists of work read. */
export interface WorkViews {
  /** Tasks that have not ended, oldest first, at most `limit`. */
  tasks(limit: number): TaskView[]
  /** Values that are referred to, oldest first, at most `limit`. */
  objects(limit: number): ObjectView[]
}

/** Lists of what tasks and objects there are at a moment. */
export function createWorkViews(parts: {
  readonly clock: Clock
  readonly tasks: Pick<Tasks, 'runs'>
  readonly objects: Pick<ObjectTable, 'entries' | 'whereIs'>
  readonly scheduler: Pick<Scheduler, 'reasonFor'>
}): WorkViews {
  const { clock, tasks, objects, scheduler } = parts
  return {
    tasks: (limit) => firstOf(tasks.runs, limit).map((run) => viewTask(run, clock, scheduler)),
    objects: (limit) => firstOf(objects.entries, limit).map((entry) => viewObject(entry, objects)),
  }
}

function firstOf<T>(all: Iterable<T>, limit: number): T[] {
  const found: T[] = []
  for (const one of all) {
    if (found.length >= limit) break
    found.push(one)
  }
  return found
}

function viewTask(run: TaskRun, clock: Clock, scheduler: Pick<Scheduler, 'reasonFor'>): TaskView {
  const { invocation, shape, entry } = run
  const { version } = shape
  const isRunning = invocation?.state === 'running' || invocation?.state === 'settling'
  const missing = run.waitsFor
  const reason =
    missing.length > 0
      ? `Its arguments are not there: it waits for ${missing.length} refs.`
      : invocation === undefined || isRunning
        ? undefined
        : invocation.state === 'queued-ahead'
          ? 'It is next in a busy environment.'
          : scheduler.reasonFor(invocation)
  return {
    ...{ id: run.id, objectId: entry.id, scope: version.scope },
    ...{ function: version.functionName, task: shape.exportName, version: version.version },
    state: isRunning ? 'running' : 'waiting',
    ...(reason === undefined ? {} : { reason }),
    acceptedAtMs: run.acceptedAtMs,
    ...(isRunning
      ? { startedAtMs: Math.round(clock.nowMs() - (clock.monotonicMs() - invocation.startedAt)) }
      : {}),
    ...(invocation?.host === undefined ? {} : { environmentId: invocation.host.id }),
    ...{ attempt: run.attempt, depth: run.depth, resources: plain(version.execution.resources) },
  }
}

function viewObject(entry: ObjectEntry, objects: Pick<ObjectTable, 'whereIs'>): ObjectView {
  const { id, isSettled, flags, pins } = entry
  if (!isSettled) return { id, state: 'pending', sizeBytes: 0, holders: pins }
  const state = (flags & FLAG.error) === 0 ? 'ready' : 'failed'
  return { ...{ id, state }, ...objects.whereIs(entry), holders: pins }
}
