import { Actor } from '../../../sdk/actor.ts'
import { SDK_ERRORS } from '../../../sdk/errors.ts'
import type { InstalledSdk } from '../../../sdk/installed.ts'
import { ObjectRef } from '../../../sdk/object-ref.ts'
import { placementGroupFactory } from '../../../sdk/placement-group.ts'
import { plainOptions, taskFactory, type DeclaredTask } from '../../../sdk/task.ts'
import type { Context } from '../../../sdk/types.ts'
import type { CallTarget } from '../../call-target.ts'
import type { Manifest, ObjectPlaces } from '../../frames.ts'
import { Actors } from '../actors/actors.ts'
import type { CallScope } from '../call-scope.ts'
import type { Connection } from '../connection.ts'
import type { FunctionFacts } from '../context.ts'
import { ANSWER_BYTES, type Executor, type Work } from '../executor.ts'
import type { Invocation } from '../invocation.ts'
import { LargeValues } from '../segments/large-values.ts'
import { Calls } from './calls.ts'
import { Lending } from './lending.ts'
import type { CellHome } from './ref-cell.ts'
import { SdkCalls } from './sdk-calls.ts'
import { findTasks, TaskWork } from './task-work.ts'
import { Values } from './values.ts'

/** What an environment has for packages that use the SDK. */
export interface ComputingParts {
  readonly connection: Pick<Connection, 'post' | 'unsentBytes' | 'scheduleFlush' | 'beforeFlush'>
  readonly scope: CallScope
  readonly facts: FunctionFacts
  readonly refPrefix: string
  readonly lendsCpu: boolean
  /** Where large values lie; absent: every value travels in its frame. */
  readonly objects?: ObjectPlaces | undefined
}

/**
 * Everything beyond the handler: what the code asks the engine for, and the tasks and actors that this
 * process runs. Made only for packages that use the SDK, and for what is no handler's work.
 */
export class Computing implements Work {
  readonly values: Values
  readonly calls: Calls
  readonly sdkCalls: SdkCalls
  readonly lending: Lending | undefined
  readonly #taskWork: TaskWork
  #tasks = new Map<string, DeclaredTask>()
  readonly #actors: Actors
  #manifest: Manifest = { tasks: {}, actors: {} }

  constructor({ connection, scope, facts, refPrefix, lendsCpu, objects }: ComputingParts) {
    this.values = new Values((id) => this.sdkCalls.refOf(id))
    this.calls = new Calls(connection, this.values)
    if (objects !== undefined)
      this.values.large = new LargeValues({
        folders: objects,
        mapperPath: objects.mapperPath,
        giveBack: (text) => this.calls.tell(`unmap\n${text}`),
      })
    this.lending = lendsCpu ? new Lending(this.calls, connection) : undefined
    const { values, calls, lending } = this
    const home: CellHome = { values, calls, lending, current: () => scope.current() }
    this.sdkCalls = new SdkCalls(home, refPrefix)
    const taskOf = (name: string): DeclaredTask | undefined => this.#tasks.get(name)
    this.#taskWork = new TaskWork({ connection, values, lending, facts, taskOf })
    this.#actors = new Actors({ connection, scope, facts, home, sdkCalls: this.sdkCalls })
  }

  /** What packages get through the global symbol. */
  installed(context: Context): InstalledSdk {
    const { sdkCalls } = this
    return {
      context,
      task: taskFactory(sdkCalls),
      // Their types say more than what runs can know: which value belongs to which ref.
      get: ((target: unknown, options?: object) => sdkCalls.get(target, options)) as InstalledSdk['get'],
      wait: ((refs: ObjectRef[], options?: object) => sdkCalls.wait(refs, options)) as InstalledSdk['wait'],
      put: ((value: unknown) => sdkCalls.put(value)) as InstalledSdk['put'],
      cancel: (ref, options) => sdkCalls.cancel(ref, options),
      placementGroup: placementGroupFactory(sdkCalls),
      actor: this.#actors.face,
      Actor,
      ObjectRef,
      errors: SDK_ERRORS,
    }
  }

  /** Names the package's tasks and actors by their exports, and says what there is. */
  scan(exports: Readonly<Record<string, unknown>>): Manifest {
    this.#tasks = findTasks(exports)
    const tasks: Manifest['tasks'] = {}
    for (const [name, task] of this.#tasks)
      tasks[name] = plainOptions(task.options as Record<string, unknown>)
    this.#manifest = { tasks, actors: this.#actors.scan(exports) }
    return this.#manifest
  }

  get lentPlaces(): number {
    return this.lending?.places ?? 0
  }

  get isWaiting(): boolean {
    return this.calls.isWaiting
  }

  start(executor: Executor, invocation: Invocation, target: CallTarget): void {
    switch (target.kind) {
      case 'task':
        return this.#taskWork.start(executor, invocation, target.exportName, target.again)
      case 'describe':
        return executor.answerWith(invocation, 0, this.#description())
      case 'actor':
        return this.#actors.start(executor, invocation, target)
      case 'handler':
        return executor.fail(invocation, new TypeError(`This environment runs no ${target.kind}.`))
    }
  }

  message(id: number, meta: string, payload: Buffer): void {
    if (!this.#actors.message(id, meta, payload)) this.#taskWork.message(id, meta)
  }

  abort(id: number): void {
    this.#actors.abort(id)
  }

  ended(invocation: Invocation): void {
    this.lending?.ended(invocation)
  }

  encodeError(thrown: unknown): Buffer {
    return this.values.encodeError(thrown)
  }

  #description(): Buffer {
    return Buffer.concat([Buffer.alloc(ANSWER_BYTES), Buffer.from(JSON.stringify(this.#manifest))])
  }
}
