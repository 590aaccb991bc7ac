import { packValue, unpackLed, unpackTask } from '../../runtime/environments/call-payload.ts'
import type { Manifest } from '../../runtime/environments/frames.ts'
import { refIdOf, Tasks } from '../../runtime/invoke/task-calls.ts'
import { encodeFailure } from '../../runtime/invoke/failure-codec.ts'
import { serveLending } from '../../runtime/invoke/lending-calls.ts'
import { TaskRecorder } from '../../runtime/invoke/task-records.ts'
import { ObjectTable } from '../../runtime/objects/object-table.ts'
import type { FunctionVersion, Target } from '../../runtime/registry/types.ts'
import type { RunRecord } from '../../runtime/store/journal.ts'
import { version, world } from '../support/scheduler-world.ts'
import type { Answer, ScriptedProcess } from '../support/scripted-process.ts'

/** A value without refs whose bytes are `text`. */
export const value = (text: string, refIds: readonly string[] = []): Buffer =>
  packValue(refIds, Buffer.from(text))

/** What a value says, or the name of an error. */
export function said(answer: Pick<Answer, 'flags' | 'body'> | undefined): string {
  if (answer === undefined) return 'nothing yet'
  const { lead, encoded } = unpackLed(answer.body)
  return (answer.flags & 1) === 1 ? `error ${lead}` : encoded.toString('utf8')
}

/** Tasks over scripted processes; the first process runs a handler that asks for them. */
export async function taskWorld(
  options: {
    maxEnvironments?: number
    cpu?: number
    maxTasks?: number
    maxTasksOfProcess?: number
    manifest?: Manifest
  } = {},
) {
  const base = await world({
    maxEnvironments: options.maxEnvironments ?? 8,
    resources: { cpu: options.cpu ?? 2 },
  })
  const { scheduler, requests, clock, journal, log } = base
  const objects = new ObjectTable()
  const records: RunRecord[] = []
  const versions = new Map<string, FunctionVersion>()
  let ids = 0
  const tasks = new Tasks({
    ...{ objects, requests, scheduler, clock, log },
    resolver: {
      resolve: (_scope, name): Target => {
        const one = versions.get(name) ?? version(name)
        versions.set(name, one)
        const limits = { functionId: name, reservedConcurrency: null, inFlight: 0 }
        return { version: one, limits, invokedArn: '', executedVersion: '$LATEST', qualifier: '$LATEST' }
      },
      ready: () => Promise.resolve(),
    },
    manifests: {
      known: () => options.manifest,
      of: () => Promise.resolve(options.manifest ?? { tasks: { work: {} }, actors: {} }),
    },
    recorder: new TaskRecorder({ clock, journal, onRecord: (record) => records.push(record) }),
    encode: encodeFailure,
    newId: () => `task-${++ids}`,
    ...(options.maxTasks === undefined ? {} : { maxTasks: options.maxTasks }),
    ...(options.maxTasksOfProcess === undefined ? {} : { maxTasksOfProcess: options.maxTasksOfProcess }),
  })
  serveLending(requests, scheduler.lending)
  base.submit('handler', version('f'))
  await base.ready()
  const [handler] = base.processes as [ScriptedProcess]
  const run = handler.held[0]?.id ?? 0

  /** Asks for a task of the process's own version; the number of the request, which is its ref. */
  const remote = (
    from: ScriptedProcess,
    runId: number,
    args = value('args'),
    { options: wanted = {}, refs = '', name = 'work', of = '' } = {},
  ): number => {
    const text = Object.keys(wanted).length === 0 ? '' : JSON.stringify(wanted)
    return from.ask(`task\n${runId}\n${of}\n${name}\n${text}\n${refs}`, args)
  }
  const refId = (process: ScriptedProcess, id: number): string => refIdOf(process.environment, id)
  /** Processes that hold an invocation of a task, in the order they were started. */
  const workers = (): ScriptedProcess[] =>
    base.processes.filter((one) => one.held.some(({ target }) => target?.startsWith('task/') === true))
  /** Lets time pass until what can start has started. */
  const settle = async (): Promise<void> => {
    for (let round = 0; round < 6; round++) {
      await base.ready()
      await clock.advance(6)
    }
    await base.ready()
  }
  const argumentsOf = (process: ScriptedProcess, index = 0): ReturnType<typeof unpackTask> =>
    unpackTask(process.held[index]?.payload ?? Buffer.alloc(4))
  return { ...base, objects, tasks, records, handler, run, remote, refId, workers, settle, argumentsOf }
}
