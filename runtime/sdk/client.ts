import { remoteActor, type ActorCallOptions, type RemoteActor } from './client-actors.ts'
import { FunctionError } from './client-errors.ts'
import { createGroup, type PlacementGroupWish, type RemotePlacementGroup } from './client-groups.ts'
import { objectCalls, type ObjectCalls } from './client-refs.ts'
import { remoteTask, type RemoteTask, type TaskShape } from './client-tasks.ts'
import type { WaitOptions } from './client-wait.ts'
import { createWire, listIn, parseAnswer } from './client-wire.ts'

export type { ActorCallOptions, RemoteActor } from './client-actors.ts'
export {
  ActorCrashed,
  FunctionError,
  Infeasible,
  LambentError,
  MailboxFull,
  ObjectLost,
  TaskCancelled,
  TaskCrashed,
  TimeoutError,
} from './client-errors.ts'
export type { PlacementGroupState, PlacementGroupWish, RemotePlacementGroup } from './client-groups.ts'
export { ClientRef } from './client-refs.ts'
export type { RemoteTask } from './client-tasks.ts'
export type { WaitOptions } from './client-wait.ts'

/** What a run says of itself; more members may come. */
export interface Run {
  readonly runId: string
  readonly kind: string
  readonly functionName: string
  readonly status: string
  readonly [member: string]: unknown
}

/** What a node offers; amounts in plain units. */
export interface Node {
  readonly name: string
  readonly state: string
  readonly labels: Readonly<Record<string, string>>
  readonly capacity: Readonly<Record<string, number>>
  readonly available: Readonly<Record<string, number>>
  readonly [member: string]: unknown
}

/** Which runs to list; everything narrows. */
export interface RunFilter {
  function?: string
  kind?: string
  status?: string
  /** A time of the day or a duration back from now: `2026-01-02T03:04:05Z`, `10m`. */
  since?: string
}

/** How one invocation is made. */
export interface InvokeOptions {
  /** A version or an alias; `$LATEST` when absent. */
  qualifier?: string
  /** `RequestResponse` waits for the result; `Event` is run later, at least once; `DryRun` only checks. */
  type?: 'RequestResponse' | 'Event' | 'DryRun'
  signal?: AbortSignal
}

/**
 * An engine, seen from outside. Every call rejects with a LambentError, or a kind of it, when the engine
 * refuses it, and with a FunctionError when the code that was called failed.
 */
export interface Client extends ObjectCalls {
  /** Runs a function and returns its result; undefined for `Event` and `DryRun`. */
  invoke<Result = unknown>(name: string, payload?: unknown, options?: InvokeOptions): Promise<Result>
  /** The task `function/export`: `client.task<typeof count>('word-count/count').call('a b')`. */
  task<Task extends TaskShape = (...args: unknown[]) => unknown>(
    name: string,
    options?: WaitOptions,
  ): RemoteTask<Task>
  /** The actor of `function/Class` with a key: `client.actor<Tally>('word-count/Tally', 'all').add(1)`. */
  actor<Actor = Record<string, (...args: unknown[]) => Promise<unknown>>>(
    name: string,
    key: string,
    options?: ActorCallOptions,
  ): RemoteActor<Actor>
  /** Reserves a gang of resources. */
  placementGroup(wish: PlacementGroupWish, options?: { signal?: AbortSignal }): Promise<RemotePlacementGroup>
  readonly runs: {
    list(filter?: RunFilter, options?: { signal?: AbortSignal }): Promise<Run[]>
    get(runId: string, options?: { signal?: AbortSignal }): Promise<Run>
  }
  nodes(options?: { signal?: AbortSignal }): Promise<Node[]>
}

/** The engine whose api port is at `url`. `key` is needed where the engine asks for keys. */
export function connect(url: string, options: { key?: string } = {}): Client {
  const wire = createWire(url, options.key)
  const objects = objectCalls(wire)
  return {
    ...objects,
    async invoke<Result>(name: string, payload?: unknown, invocation: InvokeOptions = {}) {
      const { qualifier, type = 'RequestResponse', signal } = invocation
      const answer = await wire.call(`/2015-03-31/functions/${encodeURIComponent(name)}/invocations`, {
        method: 'POST',
        query: { Qualifier: qualifier },
        headers: { 'content-type': 'application/json', 'x-amz-invocation-type': type },
        body: payload === undefined ? '' : JSON.stringify(payload),
        signal,
      })
      const result = parseAnswer(answer)
      if (answer.headers['x-amz-function-error'] !== undefined) throw new FunctionError(result)
      return result as Result // what the caller says the function returns
    },
    task: (name, waiting) => remoteTask({ wire, objects }, name, waiting),
    actor: (name, key, calls) => remoteActor(wire, name, key, calls),
    placementGroup: (wish, waiting) => createGroup(wire, wish, waiting),
    runs: {
      list: async (filter = {}, { signal } = {}) =>
        listIn(await wire.json('runs', { query: { ...filter }, signal }), 'runs') as Run[], // the engine's records
      get: async (runId, { signal } = {}) =>
        (await wire.json(`runs/${encodeURIComponent(runId)}`, { signal })) as Run, // the same
    },
    nodes: async ({ signal } = {}) => listIn(await wire.json('nodes', { signal }), 'nodes') as Node[], // the same
  }
}
