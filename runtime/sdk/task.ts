import type { Duration } from './duration.ts'
import type { ObjectRef } from './object-ref.ts'
import type { PlacementGroup } from './placement-group.ts'
import type { GpuRequest } from './types.ts'

/** What one call of a task takes and how it is treated. Amounts are plain units; everything is optional. */
export interface TaskOptions {
  /** Processors; 1 when absent. */
  cpu?: number
  gpu?: GpuRequest
  gpuMemoryMb?: number
  /** Memory limit, which is reserved too; none when absent. */
  memoryMb?: number
  /** Amounts of resources with names of your own. */
  resources?: Record<string, number>
  /** What the node must be labelled with. */
  labels?: Record<string, string>
  /** Attempts after the first when the process dies, and for errors of `retryOn`; 3 when absent. */
  retries?: number
  /** Names of errors, or their classes, after which it is tried again. */
  retryOn?: string | readonly (string | ErrorClass)[]
  /** Time limit of one attempt; none when absent. */
  timeout?: Duration
  /** A group's handle or name: what it takes comes from what the group has reserved. */
  placementGroup?: PlacementGroup | string
  /** Which bundle of the group; any that has room when absent. */
  bundle?: number
  /** Calls after which a process is replaced: 1 for tasks with a GPU, no bound for others when absent. */
  maxCalls?: number
}

type ErrorClass = new (...parameters: never[]) => Error

/** What `.remote` takes: each argument, or a ref to it. */
export type Remotely<Args extends readonly unknown[]> = {
  [Index in keyof Args]: Args[Index] | ObjectRef<Awaited<Args[Index]>>
}

/** The items of a streaming task, each as a ref, in the order they are made. */
export interface RefStream<Item> extends AsyncIterable<ObjectRef<Item>> {
  readonly id: string
  /** Ends the task, as leaving the loop does. */
  release(): void
}

/** What `.remote` returns: a ref to what the function returns, or refs to what a generator yields. */
export type RemoteResult<Result> =
  Result extends AsyncGenerator<infer Item, unknown, unknown>
    ? RefStream<Item>
    : Result extends Generator<infer Item, unknown, unknown>
      ? RefStream<Item>
      : ObjectRef<Awaited<Result>>

/** A task: a function that runs in a process of its own kind, wherever there is room. */
export interface TaskHandle<Args extends readonly unknown[] = never[], Result = unknown> {
  /** Starts it and returns at once: pass the ref to `get`. */
  remote(...args: Remotely<Args>): RemoteResult<Result>
  /** The same task with other options. */
  options(options: TaskOptions): TaskHandle<Args, Result>
  /** Runs the function here, as an ordinary call. */
  local(...args: Args): Result
}

/** A function, or the handle of one, as a type argument of `task('function/export')`. */
export type TaskType = ((...args: never[]) => unknown) | TaskHandle<never[], unknown>

/** The handle that goes with a function or a handle. */
export type TaskHandleOf<F> =
  F extends TaskHandle<infer Args, infer Result>
    ? TaskHandle<Args, Result>
    : F extends (...args: infer Args) => infer Result
      ? TaskHandle<Args, Result>
      : never

/** `task` as it is exported. */
export interface TaskFactory {
  /** Declares a task. Export it from the function's entry file: that is how other processes find it. */
  <Args extends unknown[], Result>(
    fn: (...args: Args) => Result,
    options?: TaskOptions,
  ): TaskHandle<Args, Result>
  /** A task of another function: `task<typeof count>('word-count/count')`. */
  <F extends TaskType>(name: string, options?: TaskOptions): TaskHandleOf<F>
}

/** What carries calls of tasks to where they run. */
export interface TaskHost {
  /** `functionName` is '' for the caller's own code; `options` is JSON, '' for none. */
  submit(call: TaskCall, args: unknown[]): ObjectRef
}

/** Everything of a call but its arguments; the same object for each call of a handle. */
export interface TaskCall {
  readonly functionName: string
  readonly exportName: string
  readonly options: string
}

const NAME = /^([a-zA-Z0-9-_]{1,64}(?::[a-zA-Z0-9$_-]{1,128})?)\/([\p{ID_Start}$_][\p{ID_Continue}$]*)$/u

/** A task of this package. Made once for each `task(fn)`; named when its export is found. */
export class DeclaredTask {
  readonly fn: (...args: unknown[]) => unknown
  readonly options: TaskOptions
  /** Undefined: no export of the package is this task. */
  exportName: string | undefined

  constructor(fn: (...args: unknown[]) => unknown, options: TaskOptions) {
    this.fn = fn
    this.options = options
  }
}

/** A handle: a task, and how it is called. */
export class Task {
  readonly #target: DeclaredTask | TaskCall
  readonly #options: TaskOptions
  readonly #host: TaskHost | undefined
  #call: TaskCall | undefined

  constructor(target: DeclaredTask | TaskCall, options: TaskOptions, host: TaskHost | undefined) {
    this.#target = target
    this.#options = options
    this.#host = host
  }

  /** The task that a value is the handle of, if it is one of this package's. */
  static declared(value: unknown): DeclaredTask | undefined {
    if (!(value instanceof Task)) return undefined
    return value.#target instanceof DeclaredTask ? value.#target : undefined
  }

  remote(...args: unknown[]): ObjectRef {
    if (this.#host === undefined)
      throw new Error('There is no engine here to run a task: call .local(…), or deploy the function.')
    this.#call ??= this.#prepare()
    return this.#host.submit(this.#call, args)
  }

  options(options: TaskOptions): Task {
    return new Task(this.#target, { ...this.#options, ...checked(options) }, this.#host)
  }

  local(...args: unknown[]): unknown {
    if (this.#target instanceof DeclaredTask) return this.#target.fn(...args)
    throw new Error(`The code of task "${this.#target.exportName}" is not in this package: call .remote(…).`)
  }

  #prepare(): TaskCall {
    const options = optionsText(this.#options)
    if (!(this.#target instanceof DeclaredTask)) return { ...this.#target, options }
    const { exportName, fn } = this.#target
    if (exportName !== undefined) return { functionName: '', exportName, options }
    const name = fn.name === '' ? 'myTask' : fn.name
    throw new Error(
      `A task is not exported, so no other process can find it. Export it from the function's entry file: ` +
        `export const ${name} = task(…). At module level no task can be called yet.`,
    )
  }
}

/** `task` for a process whose calls `host` carries; without one only `.local` works. */
export const taskFactory = (host: TaskHost | undefined): TaskFactory =>
  ((target: unknown, options: TaskOptions = {}) => {
    checked(options)
    if (typeof target === 'function')
      return new Task(new DeclaredTask(target as DeclaredTask['fn'], options), options, host)
    const named = typeof target === 'string' ? NAME.exec(target) : null
    if (named === null)
      throw new TypeError("task takes a function, or the name of a task such as 'word-count/countWords'.")
    const [, functionName = '', exportName = ''] = named
    return new Task({ functionName, exportName, options: '' }, options, host)
  }) as TaskFactory // its overloads are told apart above

/** Options as they travel: groups by name, errors by name. '' for none. */
export function optionsText(options: TaskOptions): string {
  const plain = plainOptions(options)
  return Object.keys(plain).length === 0 ? '' : JSON.stringify(plain)
}

/** Options as a manifest tells them. */
export function plainOptions({ placementGroup, retryOn, ...rest }: TaskOptions): Record<string, unknown> {
  const plain: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) plain[name] = value
  if (placementGroup !== undefined)
    plain['placementGroup'] = typeof placementGroup === 'string' ? placementGroup : placementGroup.name
  if (retryOn !== undefined)
    plain['retryOn'] = [retryOn].flat().map((one) => (typeof one === 'function' ? one.name : one))
  return plain
}

function checked(options: unknown): TaskOptions {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return options
  throw new TypeError('The options of a task are an object, such as { cpu: 2, retries: 0 }.')
}
