import { ClientRef, type ObjectCalls } from './client-refs.ts'
import { startDeadline, type WaitOptions } from './client-wait.ts'
import { asRecord, LambentError } from './client-errors.ts'
import type { Wire } from './client-wire.ts'

/** Arguments as they may be given: a ref stands for its value. */
export type ArgumentsOf<Parameters extends readonly unknown[]> = {
  [Index in keyof Parameters]: Parameters[Index] | ClientRef<Parameters[Index]>
}

/** What a task's function, or a task itself, takes and answers. */
export type TaskShape = ((...args: never[]) => unknown) | { local: (...args: never[]) => unknown }
type FunctionOf<Task extends TaskShape> = Task extends { local: infer Run } ? Run : Task
type ParametersOf<Task extends TaskShape> =
  FunctionOf<Task> extends (...args: infer Given extends readonly unknown[]) => unknown ? Given : never
type ResultOf<Task extends TaskShape> =
  FunctionOf<Task> extends (...args: never[]) => infer Result ? Awaited<Result> : never

/** A task of a function, called from outside: arguments and results are JSON. */
export interface RemoteTask<Task extends TaskShape> {
  /** Starts it; the ref is there at once. */
  remote(...args: ArgumentsOf<ParametersOf<Task>>): ClientRef<ResultOf<Task>>
  /** Starts it and waits for its value. */
  call(...args: ArgumentsOf<ParametersOf<Task>>): Promise<ResultOf<Task>>
  /** The same task with other options for its calls. */
  options(options: WaitOptions): RemoteTask<Task>
}

/** The task `function/export`. Throws a TypeError for another form of name. */
export function remoteTask<Task extends TaskShape>(
  parts: { wire: Wire; objects: ObjectCalls },
  name: string,
  options: WaitOptions = {},
): RemoteTask<Task> {
  const { wire, objects } = parts
  const [functionName = '', exportName = '', ...rest] = name.split('/')
  if (functionName === '' || exportName === '' || rest.length > 0)
    throw new TypeError(`"${name}" names no task: write "function/export".`)
  const path = `tasks/${encodeURIComponent(functionName)}/${encodeURIComponent(exportName)}`
  const start = async (args: readonly unknown[]): Promise<string> => {
    using deadline = startDeadline(`Starting ${name}`, { signal: options.signal })
    const { signal } = deadline
    const given = await Promise.all(
      args.map((one) => (one instanceof ClientRef ? objects.get(one, { signal }) : one)),
    )
    const body = JSON.stringify(given)
    const headers = { 'content-type': 'application/json' }
    const answer = asRecord(await wire.json(path, { method: 'POST', headers, body, signal }))
    if (typeof answer['objectId'] === 'string') return answer['objectId']
    throw new LambentError('invalid', `The answer to ${name} has no objectId.`, { status: 202 })
  }
  const remote = (...args: readonly unknown[]): ClientRef<ResultOf<Task>> => new ClientRef(start(args))
  return {
    remote,
    call: async (...args) => {
      const ref = remote(...args)
      const value = await objects.get(ref, options)
      await objects.release(ref).catch(() => {}) // it ends by itself within the hour
      return value
    },
    options: (more) => remoteTask<Task>(parts, name, { ...options, ...more }),
  }
}
