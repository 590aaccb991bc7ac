import { Actor as OwnActor } from './actor.ts'
import type { ActorFunction } from './actor-handle.ts'
import type { Cancel, Get, Put, Wait } from './computing.ts'
import { contextOf } from './context.ts'
import { SDK_ERRORS } from './errors.ts'
import { installedSdk, neededSdk } from './installed.ts'
import { ObjectRef as OwnObjectRef } from './object-ref.ts'
import type { PlacementGroup, PlacementGroupOptions } from './placement-group.ts'
import { taskFactory, type TaskFactory } from './task.ts'
import type { Context, ProjectConfig } from './types.ts'

export type { ActorFunction, ActorHandle, ActorRefs } from './actor-handle.ts'
export type {
  ActorAlarms,
  ActorCallOptions,
  ActorHooks,
  ActorOptions,
  ActorSocket,
  ActorStorage,
  Alarm,
  AlarmEntry,
  AlarmTime,
  StorageRange,
} from './actor-types.ts'
export type { WaitLimits } from './computing.ts'
export { parseDuration, type Duration } from './duration.ts'
export type {
  PlacementGroup,
  PlacementGroupOptions,
  PlacementGroupState,
  PlacementStrategy,
} from './placement-group.ts'
export type { ResponseMetadata, ResponseStream, StreamingHandler } from './streaming.ts'
export type { RefStream, Remotely, RemoteResult, TaskHandle, TaskOptions } from './task.ts'
export type {
  ActorRoute,
  Context,
  CorsConfig,
  FunctionConfig,
  GpuRequest,
  Handler,
  PlacementGroupConfig,
  ProjectConfig,
  ProjectFunction,
  Route,
  RouteConfig,
  ScheduleConfig,
  UrlConfig,
} from './types.ts'

/** Gives `lambent.config.ts` its types; returns what it is given. */
export const defineConfig = (config: ProjectConfig): ProjectConfig => config

/**
 * The context of the invocation that this code runs in, also behind awaits and in concurrent calls. Reading a
 * member outside of an invocation throws.
 */
export const context: Context = /* @__PURE__ */ ownContext()

function ownContext(): Context {
  return installedSdk()?.context ?? contextOf(() => undefined)
}

/**
 * Declares a task: a function that runs in a process of its own kind, wherever there is room. `task(fn)` or,
 * for one of another function, `task<typeof fn>('function/export')`.
 */
export const task: TaskFactory = ((...parameters: Parameters<TaskFactory>) =>
  (installedSdk()?.task ?? taskFactory(undefined))(...parameters)) as TaskFactory // its overloads stay

/** What a stateful object with a key extends: `export class Tally extends Actor`. */
export const Actor: typeof OwnActor = /* @__PURE__ */ ownActor()
export type Actor = OwnActor

function ownActor(): typeof OwnActor {
  return installedSdk()?.Actor ?? OwnActor
}

/** A handle of the actor of that class and key: `actor(Tally, 'all').add(1)`. */
export const actor: ActorFunction = /* @__PURE__ */ ownActors()

function ownActors(): ActorFunction {
  const make = (...call: Parameters<ActorFunction>): object => neededSdk().actor(...call)
  return Object.assign(make, {
    with: ((handle, options) => neededSdk().actor.with(handle, options)) as ActorFunction['with'],
    remote: ((handle) => neededSdk().actor.remote(handle)) as ActorFunction['remote'],
  }) as ActorFunction // its overloads stay
}

/** The value of a ref, or of several in their order. */
export const get: Get = ((...refs: Parameters<Get>) => neededSdk().get(...refs)) as Get // as above

/** Which refs are there, as soon as `count` are or when the time is over. */
export const wait: Wait = (refs, options) => neededSdk().wait(refs, options)

/** Stores a value and returns a ref to it, which costs little to pass on. */
export const put: Put = (value) => neededSdk().put(value)

/** Cancels the task that makes what a ref stands for. What has ended stays as it is. */
export const cancel: Cancel = (ref, options) => neededSdk().cancel(ref, options)

/** Reserves a gang of resources, all or none. The handle is there at once; `ready` says when the room is. */
export const placementGroup = (options: PlacementGroupOptions): PlacementGroup =>
  neededSdk().placementGroup(options)

/** Stands for a value that is made, or lies, elsewhere. */
export const ObjectRef: typeof OwnObjectRef = /* @__PURE__ */ ownRef()
export type ObjectRef<Value = unknown> = OwnObjectRef<Value>

function ownRef(): typeof OwnObjectRef {
  return installedSdk()?.ObjectRef ?? OwnObjectRef
}

type Errors = typeof SDK_ERRORS

/** The class that this process's errors are made of. */
function errorClass<Name extends keyof Errors>(name: Name): Errors[Name] {
  return (installedSdk()?.errors ?? SDK_ERRORS)[name]
}

/** Why an actor, or a call of one, was refused: see its `name`. */
export const ActorError: Errors['ActorError'] = /* @__PURE__ */ errorClass('ActorError')
export type ActorError = InstanceType<Errors['ActorError']>

/** A call to an actor that a crash cut off: it may have run or not. */
export const ActorCrashed: Errors['ActorCrashed'] = /* @__PURE__ */ errorClass('ActorCrashed')
export type ActorCrashed = InstanceType<Errors['ActorCrashed']>

/** No node can ever meet what was asked for, or something that the call names does not exist. */
export const Infeasible: Errors['Infeasible'] = /* @__PURE__ */ errorClass('Infeasible')
export type Infeasible = InstanceType<Errors['Infeasible']>

/** A bound was reached: of calls that wait, or of what they hold. */
export const LimitReached: Errors['LimitReached'] = /* @__PURE__ */ errorClass('LimitReached')
export type LimitReached = InstanceType<Errors['LimitReached']>

/** As many calls wait for an actor as its mailbox takes. */
export const MailboxFull: Errors['MailboxFull'] = /* @__PURE__ */ errorClass('MailboxFull')
export type MailboxFull = InstanceType<Errors['MailboxFull']>

/** A value that is not there any more: its ref was released, or what held it is gone. */
export const ObjectLost: Errors['ObjectLost'] = /* @__PURE__ */ errorClass('ObjectLost')
export type ObjectLost = InstanceType<Errors['ObjectLost']>

/** A task that was cancelled, by `cancel` or with the work that made it. */
export const TaskCancelled: Errors['TaskCancelled'] = /* @__PURE__ */ errorClass('TaskCancelled')
export type TaskCancelled = InstanceType<Errors['TaskCancelled']>

/** A task whose process ended before its result was there, more often than it is retried. */
export const TaskCrashed: Errors['TaskCrashed'] = /* @__PURE__ */ errorClass('TaskCrashed')
export type TaskCrashed = InstanceType<Errors['TaskCrashed']>

/** What was waited for did not come within `timeout`. */
export const TimeoutError: Errors['TimeoutError'] = /* @__PURE__ */ errorClass('TimeoutError')
export type TimeoutError = InstanceType<Errors['TimeoutError']>

/** A value that cannot be sent to another process; `path` says where in it. */
export const UnsupportedValue: Errors['UnsupportedValue'] = /* @__PURE__ */ errorClass('UnsupportedValue')
export type UnsupportedValue = InstanceType<Errors['UnsupportedValue']>

/** Calls of actors that wait for each other in a circle. */
export const ActorDeadlock: Errors['ActorDeadlock'] = /* @__PURE__ */ errorClass('ActorDeadlock')
export type ActorDeadlock = InstanceType<Errors['ActorDeadlock']>

/** A call of an actor that was killed or destroyed before it had ended. */
export const ActorKilled: Errors['ActorKilled'] = /* @__PURE__ */ errorClass('ActorKilled')
export type ActorKilled = InstanceType<Errors['ActorKilled']>

/** An actor that crashed too often and is left alone for a while; the message says how long and why. */
export const ActorQuarantined: Errors['ActorQuarantined'] = /* @__PURE__ */ errorClass('ActorQuarantined')
export type ActorQuarantined = InstanceType<Errors['ActorQuarantined']>

/** There is no room for a large value, in memory or on disk. */
export const ObjectStoreFull: Errors['ObjectStoreFull'] = /* @__PURE__ */ errorClass('ObjectStoreFull')
export type ObjectStoreFull = InstanceType<Errors['ObjectStoreFull']>

/** A wait that could never end: what it waits for waits for it in turn. */
export const WaitCycle: Errors['WaitCycle'] = /* @__PURE__ */ errorClass('WaitCycle')
export type WaitCycle = InstanceType<Errors['WaitCycle']>
