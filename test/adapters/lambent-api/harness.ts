import type { IncomingMessage } from 'node:http'
import { markCaller, type Caller } from '../../../adapters/auth/caller.ts'
import { createLambentApi } from '../../../adapters/lambent-api/api.ts'
import type { LambentApiParts } from '../../../adapters/lambent-api/parts.ts'
import { EngineError } from '../../../runtime/errors.ts'
import { Feed } from '../../../runtime/feed.ts'
import { KeyRing } from '../../../runtime/keys/key-ring.ts'
import { EventDesk } from '../../../runtime/invoke/event-desk.ts'
import { EventQueue } from '../../../runtime/invoke/event-queue.ts'
import type { RecordFirst, RunRequest } from '../../../runtime/invoke/invocation-run.ts'
import { OutsideRefs } from '../../../runtime/invoke/outside-refs.ts'
import type { OutsideTask } from '../../../runtime/invoke/task-calls.ts'
import type { EventRequest, InvokeSink } from '../../../runtime/invoke/types.ts'
import { createLog } from '../../../runtime/log.ts'
import { ObjectTable, type ObjectEntry } from '../../../runtime/objects/object-table.ts'
import { SegmentFolders } from '../../../runtime/objects/segment-folders.ts'
import { Segments } from '../../../runtime/objects/segments.ts'
import { Routes } from '../../../runtime/registry/routes.ts'
import type { Target } from '../../../runtime/registry/types.ts'
import { systemRng } from '../../../runtime/rng.ts'
import type { Journal, LogStream, RunRecord } from '../../../runtime/store/journal.ts'
import { GroupDesk } from '../../../runtime/scheduler/group-desk.ts'
import { PlacementGroups } from '../../../runtime/scheduler/groups.ts'
import { LocalCluster } from '../../../runtime/scheduler/local-cluster.ts'
import { openStore } from '../../../runtime/store/open.ts'
import type { RunningView } from '../../../runtime/views.ts'
import type { ObjectView, TaskView } from '../../../runtime/work-views.ts'
import { createFakeClock, type FakeClock } from '../../support/clock.ts'
import { version } from '../../support/scheduler-world.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { eventParts } from '../../invoke/event-parts.ts'

/** The Lambent API over a real store and a real feed; nothing runs functions. */
export interface LambentApiHarness extends AsyncDisposable {
  readonly clock: FakeClock
  readonly feed: Feed
  readonly journal: Journal
  readonly stopping: AbortController
  readonly parts: LambentApiParts
  /** `caller`: whose key it comes with; absent: keys are not asked for. */
  request(path: string, init?: RequestInit, caller?: Caller): Promise<Response>
  json(path: string): Promise<unknown>
  /** Accepts events; they start nothing but this list. */
  readonly invoker: { accept(request: EventRequest): Promise<void> }
  readonly started: StartedRun[]
  readonly table: ObjectTable
  /** Tasks that were asked for; their refs are pending. */
  readonly submitted: SubmittedTask[]
  /** What the engine says runs at this moment. */
  readonly running: RunningView[]
  readonly tasks: TaskView[]
  readonly objects: ObjectView[]
}

/** A task that nothing runs: the test settles its ref. */
export interface SubmittedTask {
  readonly request: OutsideTask
  readonly entry: ObjectEntry
}

/** A run of an event that the test has to end. */
export interface StartedRun {
  readonly request: RunRequest
  readonly sink: InvokeSink
  readonly attempt: number
  readonly recordFirst: RecordFirst
}

const targetOf = ({ functionName }: EventRequest): Target => ({
  version: version(functionName),
  limits: { functionId: functionName, reservedConcurrency: null, inFlight: 0 },
  invokedArn: '',
  qualifier: '',
  executedVersion: '$LATEST',
})

export const SCOPE = { account: '000000000000', region: 'us-east-1' } as const
export const STREAM: LogStream = {
  scope: SCOPE,
  functionId: 'f-1',
  functionName: 'orders',
  version: '$LATEST',
  group: '/aws/lambda/orders',
  name: '2026/01/02/[$LATEST]00112233445566778899aabbccddeeff',
  format: 'Text',
  systemLevel: 'INFO',
}

export const runOf = (change: Partial<RunRecord> & { runId: string }): RunRecord => ({
  kind: 'invocation',
  trigger: 'sync',
  scope: SCOPE,
  functionId: 'f-1',
  functionName: 'orders',
  version: '$LATEST',
  qualifier: '$LATEST',
  status: 'succeeded',
  acceptedAtMs: Date.UTC(2026, 0, 2, 3, 4, 5),
  startedAtMs: Date.UTC(2026, 0, 2, 3, 4, 5),
  durationMs: 1.5,
  billedMs: 2,
  initMs: null,
  memoryMb: 128,
  maxMemoryMb: 40,
  errorType: null,
  errorMessage: null,
  environmentId: 'e-1',
  attempt: 1,
  ...change,
})

export async function startLambentApi(known: readonly string[] = ['orders']): Promise<LambentApiHarness> {
  const folder = temporaryDirectory()
  const clock = createFakeClock()
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  const store = await openStore({ dataDirectory: folder.join('data'), clock, log, inline: true })
  const feed = new Feed(clock)
  const stopping = new AbortController()
  const started: StartedRun[] = []
  const queue = new EventQueue({
    ...eventParts({ store, clock, log }),
    start: (request, sink, event) => started.push({ request, sink, ...event }),
  })
  const rng = systemRng()
  const segments = new Segments({
    folders: new SegmentFolders({ dataDirectory: folder.join('data'), rng, log }),
    limits: { memory: 8e6, disk: 8e6 },
    clock,
    log,
  })
  const table = new ObjectTable({ segments })
  const submitted: SubmittedTask[] = []
  const running: RunningView[] = []
  const work = { tasks: () => tasks, objects: () => objects }
  const tasks: TaskView[] = []
  const objects: ObjectView[] = []
  const invoker = { accept: (request: EventRequest) => queue.accept(request, () => targetOf(request)) }
  const desk = { ...{ store, clock, rng, queue, invoker }, environments: () => [], shortage: () => undefined }
  const cluster = new LocalCluster({ resources: { cpu: 2, gpu: 1 }, nodes: 1, launcher: {} as never })
  const host = { evict: () => {}, makeRoom: () => {}, onChange: () => {} }
  const groups = new GroupDesk({
    groups: new PlacementGroups({ cluster, clock, host }),
    ...{ store, clock, log },
  })
  const parts: LambentApiParts = {
    engine: {
      clock,
      rng,
      log,
      journal: store.journal,
      events: new EventDesk(desk),
      actors: NO_ACTORS,
      routes: new Routes(store),
      health: () => HEALTH,
      environments: () => [],
      running: () => running,
      work,
      objects: table,
      outsideRefs: new OutsideRefs(table, clock),
      segments,
      tasks: {
        submit: (request) => {
          const entry = table.create(request.refId, request.holder, request.scope.account)
          submitted.push({ request, entry })
          return Promise.resolve(entry)
        },
      },
      nodes: () => [
        {
          name: 'local',
          state: 'alive',
          labels: {},
          capacity: { cpu: 2 },
          available: { cpu: 1.5 },
          gpus: [],
        },
      ],
      nodeSettings: {
        change: (name) =>
          name === 'local'
            ? Promise.resolve()
            : Promise.reject(new EngineError('not-found', `There is no node ${name}.`)),
      },
      groups,
      watch: (afterId, listener) => feed.watch(afterId, listener),
    },
    keys: new KeyRing({ store, dataDirectory: folder.join('data'), clock, rng: systemRng() }),
    auth: 'open',
    registry: {
      list: () => [],
      // Logs look only at whether there is such a function.
      find: (_scope, name) => (known.includes(name) ? ({} as never) : undefined),
    },
    ingressUrls: () => ({ host: new URL('http://localhost:4701'), path: 'http://127.0.0.1:4701' }),
    stopping: stopping.signal,
  }
  const app = createLambentApi(parts)
  const request = async (path: string, init?: RequestInit, caller?: Caller): Promise<Response> => {
    const incoming = {} as IncomingMessage // nothing else of it is looked at
    if (caller !== undefined) markCaller(incoming, caller)
    return await app.request(`http://localhost:4700/lambent/v1${path}`, init, { incoming })
  }
  return {
    clock,
    feed,
    journal: store.journal,
    invoker,
    started,
    table,
    submitted,
    running,
    tasks,
    objects,
    stopping,
    parts,
    request,
    json: async (path) => (await request(path)).json(),
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await store.close()
      await segments.close()
      folder[Symbol.dispose]()
    },
  }
}

const noActors = (): never => {
  throw new EngineError('not-found', 'There are no actors here.')
}
const NO_ACTORS = { call: noActors, list: noActors, get: noActors, kill: noActors, destroy: noActors }

const HEALTH = {
  status: 'ok',
  reasons: [],
  version: '0.1.0',
  uptimeMs: 1,
  isolation: {
    requested: 'auto',
    effective: 'none',
    means: 'process group',
    missing: [],
    memory: 'watchdog',
    killsTree: false,
  },
  environments: 0,
  spares: 0,
  waiting: [],
  inFlight: 0,
  queuedEvents: 0,
  owedDeliveries: 0,
  unrecordedTasks: 0,
  unrecordedActorCalls: 0,
} as const

/** Reads a response's text until `enough` says so. */
export async function readText(response: Response, enough: (text: string) => boolean): Promise<string> {
  const reader = response.body?.getReader()
  if (reader === undefined) return ''
  const decoder = new TextDecoder()
  let text = ''
  while (!enough(text)) {
    // The body of a Response holds bytes.
    const { done, value } = (await reader.read()) as { done: boolean; value: Uint8Array | undefined }
    if (done) break
    text += decoder.decode(value, { stream: true })
  }
  await reader.cancel()
  return text
}
