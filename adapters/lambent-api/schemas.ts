import { resolver } from 'hono-openapi'
import { z } from 'zod'
import { RouteSettings } from '../ingress/route-settings.ts'

const WHEN = 'Unix milliseconds, or an ISO date'

/** A time as people and programs give it. */
const time = z.string().transform((text, context): number => {
  const timeMs = /^\d+$/.test(text) ? Number(text) : Date.parse(text)
  if (Number.isSafeInteger(timeMs)) return timeMs
  context.addIssue({ code: 'custom', message: `is not a time: ${WHEN}` })
  return z.NEVER
})

const scope = {
  region: z.string().optional().describe('Region; by default that of the credentials, else us-east-1'),
  account: z.string().optional().describe('Account; by default that of the credentials, else 000000000000'),
}
const flag = z.enum(['0', '1', 'true', 'false']).optional()
const STATUSES = [
  ...(['succeeded', 'failed', 'timed-out', 'crashed'] as const),
  ...(['out-of-memory', 'expired', 'cancelled'] as const),
] as const

/** Of events that have no outcome yet. */
const OPEN_STATUSES = ['waiting', 'running'] as const

/** Which account and region are meant. */
export const ScopeQuery = z.object(scope)

/** Which runs are wanted. */
export const RunsQuery = z.object({
  ...scope,
  scope: z.literal('all').optional().describe('Runs of every account and region'),
  function: z.string().optional(),
  kind: z.string().optional().describe('invocation, task or actor'),
  status: z.enum([...STATUSES, ...OPEN_STATUSES]).optional(),
  since: time.optional().describe(WHEN),
  before: z.string().optional().describe('Only runs older than this run: the next page'),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
})

/** Which tasks or objects are wanted. */
export const WorkQuery = z.object({
  ...scope,
  function: z.string().optional().describe('Tasks of one function'),
  state: z.enum(['waiting', 'running']).optional().describe('Tasks in one state'),
  limit: z.coerce.number().int().min(1).max(10_000).default(1000),
})

/** Which runs a timeline shows. */
export const TimelineQuery = z.object({
  ...scope,
  scope: z.literal('all').optional().describe('Runs of every account and region'),
  function: z.string().optional(),
  since: time.optional().describe(WHEN),
  limit: z.coerce.number().int().min(1).max(100_000).default(10_000).describe('The newest so many runs'),
})

/** Which log lines are wanted. */
export const LogsQuery = z.object({
  ...scope,
  since: time.optional().describe(WHEN),
  until: time.optional().describe(WHEN),
  follow: flag.describe('Server-sent events: what was asked for, then every new line'),
  grep: z.string().optional().describe('Text that the line contains'),
  requestId: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(10_000).default(1000),
})

const Run = z.object({
  runId: z.string(),
  kind: z.string(),
  trigger: z.enum(['sync', 'stream', 'event', 'url', 'task', 'actor']),
  scope: z.object({ account: z.string(), region: z.string() }),
  functionName: z.string(),
  version: z.string(),
  qualifier: z.string(),
  status: z.enum([...STATUSES, ...OPEN_STATUSES]),
  acceptedAtMs: z.number(),
  startedAtMs: z.number(),
  durationMs: z.number(),
  billedMs: z.number(),
  initMs: z.number().nullable(),
  memoryMb: z.number(),
  maxMemoryMb: z.number(),
  errorType: z.string().nullable(),
  errorMessage: z.string().nullable(),
  environmentId: z.string(),
  attempt: z.number().describe('Attempts; of an event that waits, those that have failed'),
  reason: z.string().optional().describe('Why an event waits'),
  dueAtMs: z.number().optional().describe('When its next attempt is due'),
})
const Delivery = z.object({
  kind: z.enum(['destination', 'dead-letter']),
  target: z.string(),
  state: z.enum(['owed', 'delivered', 'failed']),
  attempts: z.number(),
  createdAtMs: z.number(),
  lastError: z.string().nullable(),
})
const LogLine = z.object({
  timeMs: z.number(),
  message: z.string(),
  group: z.string(),
  stream: z.string(),
  functionName: z.string(),
  requestId: z.string(),
})
const Key = z.object({
  keyId: z.string(),
  name: z.string(),
  account: z.string(),
  organization: z.string().nullable(),
  scopes: z.array(z.string()),
  createdAtMs: z.number(),
  expiresAtMs: z.number().nullable(),
  usedAtMs: z.number().nullable(),
})
const Problem = z.object({
  error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }),
})
const amounts = z.record(z.string(), z.number())

const Node = z.object({
  name: z.string(),
  state: z.enum(['alive', 'draining']),
  labels: z.record(z.string(), z.string()),
  capacity: amounts,
  available: amounts,
  gpus: z.array(
    z.object({
      index: z.number().describe('On the machine'),
      free: z.number(),
      holders: z.array(z.string()),
      model: z.string().optional(),
      memoryMb: z.number().optional(),
      withheld: z.string().optional().describe('Why it is handed to nobody at the moment'),
    }),
  ),
})

const PlacementGroup = z.object({
  name: z.string(),
  state: z.enum(['pending', 'ready', 'rescheduling', 'removed']),
  reason: z.string().optional().describe('Why it waits, and who holds what it waits for'),
  strategy: z.enum(['PACK', 'SPREAD', 'STRICT_PACK', 'STRICT_SPREAD']),
  bundles: z.array(
    z.object({
      cpu: z.number(),
      gpu: z.number(),
      memoryMb: z.number().optional(),
      resources: amounts.optional(),
      labels: z.record(z.string(), z.string()).optional(),
      node: z.string().optional(),
      gpuIds: z.array(z.number()).optional(),
    }),
  ),
  expiresAtMs: z.number().optional().describe('When it ends by itself'),
})
const Actor = z.object({
  function: z.string(),
  class: z.string(),
  key: z.string(),
  state: z.enum(['asleep', 'activating', 'awake', 'stopping', 'restarting', 'quarantined']),
  reason: z.string().optional().describe('Why it is not awake'),
  mailbox: z.number().describe('Calls that wait'),
  running: z.number().describe('Calls that its process has'),
  environmentId: z.string().optional().describe('Where it runs'),
  storageBytes: z.number(),
  alarms: z.number(),
  nextAlarmAtMs: z.number().nullable(),
  createdAtMs: z.number().nullable(),
  lastActiveAtMs: z.number().nullable(),
  lastError: z.string().nullable(),
})
const ActorAlarm = z.object({
  name: z.string(),
  dueAtMs: z.number(),
  schedule: z.string().optional(),
  attempt: z.number().describe('Attempts that have failed'),
  failed: z.string().optional().describe('Why it is not tried any more'),
})

/** What operations answer, by name. */
export const Answers = {
  health: z.object({
    status: z.enum(['ok', 'degraded']),
    reasons: z.array(z.string()),
    version: z.string(),
    uptimeMs: z.number(),
    isolation: z.record(z.string(), z.unknown()),
    environments: z.number(),
    spares: z.number(),
    waiting: z.array(z.object({ functionName: z.string(), waiting: z.number(), reason: z.string() })),
    inFlight: z.number(),
    queuedEvents: z.number(),
    owedDeliveries: z.number(),
  }),
  nodes: z.object({ nodes: z.array(Node) }),
  node: Node,
  environments: z.object({
    environments: z.array(
      z.object({
        id: z.string(),
        state: z.string(),
        functionName: z.string().optional(),
        version: z.string().optional(),
        pid: z.number().nullable(),
        node: z.string(),
        nodeVersion: z.string(),
        startedAtMs: z.number(),
        invocations: z.number(),
        inFlight: z.number(),
        memoryMb: z.number(),
        waits: z.string().optional().describe('What the code in it waits for'),
        resources: amounts.describe('Leased'),
      }),
    ),
  }),
  placementGroups: z.object({ placementGroups: z.array(PlacementGroup) }),
  placementGroup: PlacementGroup,
  functions: z.object({
    functions: z.array(
      z.object({
        name: z.string(),
        runtime: z.string(),
        handler: z.string(),
        state: z.enum(['pending', 'active', 'failed']),
        memoryMb: z.number(),
        timeoutMs: z.number().nullable().describe('Null: no time limit'),
        codeBytes: z.number(),
        modifiedAtMs: z.number(),
        versions: z.array(z.string()),
        aliases: z.record(z.string(), z.string()),
        tags: z.record(z.string(), z.string()),
        urls: z.array(
          z.object({
            qualifier: z.string(),
            url: z.string(),
            urlByPath: z.string().describe('For resolvers that do not know *.localhost'),
            auth: z.enum(['none', 'iam']),
            stream: z.boolean(),
          }),
        ),
        routes: z.array(z.string()),
      }),
    ),
  }),
  routes: z.object({
    apiId: z.string().describe('What events call the API that the routes are'),
    url: z.string().describe('Base of every route'),
    urlByHost: z.string().describe('Base that means this account and region alone'),
    routes: z.array(
      RouteSettings.extend({ route: z.string(), function: z.string(), source: z.string() }).describe(
        'In no order; `source`: who declared it',
      ),
    ),
  }),
  actors: z.object({
    actors: z.array(Actor),
    next: z.number().optional().describe('`after` of the next page'),
  }),
  actor: Actor.extend({ alarmList: z.array(ActorAlarm) }),
  newObject: z.object({ objectId: z.string(), sizeBytes: z.number() }),
  result: z.unknown().describe('Whatever the code returned'),
  runs: z.object({ runs: z.array(Run), next: z.string().optional().describe('`before` of the next page') }),
  run: Run.extend({
    outcome: z.string().optional().describe('Why an event ended; kept as long as its payload'),
    deliveries: z.array(Delivery).optional().describe('Who is told of an event’s outcome'),
  }),
  tasks: z.object({
    tasks: z.array(
      z.object({
        id: z.string().describe('Of its run'),
        objectId: z.string().describe('Of its value'),
        function: z.string(),
        task: z.string(),
        version: z.string(),
        state: z.enum(['waiting', 'running']),
        reason: z.string().optional().describe('What it waits for'),
        acceptedAtMs: z.number(),
        startedAtMs: z.number().optional(),
        environmentId: z.string().optional(),
        attempt: z.number(),
        depth: z.number().describe('0: a handler or somebody outside asked for it'),
        resources: amounts.describe('What it leases'),
      }),
    ),
  }),
  objects: z.object({
    objects: z.array(
      z.object({
        id: z.string(),
        state: z.enum(['pending', 'ready', 'failed']),
        place: z.enum(['engine', 'memory', 'disk']).optional(),
        sizeBytes: z.number(),
        holders: z.number(),
      }),
    ),
  }),
  timeline: z.object({
    traceEvents: z.array(z.looseObject({ name: z.string(), ph: z.string(), ts: z.number() })),
    displayTimeUnit: z.literal('ms'),
    otherData: z.record(z.string(), z.string()),
  }),
  newTask: z.unknown().describe('The bare value; with status 202, and no `wait`, { objectId }'),
  cancelled: z.object({ runId: z.string(), status: z.literal('cancelled') }),
  replayed: z.object({ runId: z.string().describe('Of the new run'), replayOf: z.string() }),
  logs: z.object({ lines: z.array(LogLine) }),
  keys: z.object({ keys: z.array(Key) }),
  newKey: Key.extend({ secret: z.string(), token: z.string() }),
  caller: z.object({
    auth: z.enum(['open', 'keys', 'policies']),
    account: z.string(),
    region: z.string(),
    key: Key.nullable().describe('Null: nobody had to say, or a running function'),
  }),
  nothing: z.object({}),
  problem: Problem,
}

/** An operation's description for the OpenAPI document: what it does and what it answers. */
export const describing = (summary: string, answer: keyof typeof Answers) => ({
  summary,
  responses: {
    200: { description: 'Done', content: { 'application/json': { schema: resolver(Answers[answer]) } } },
    default: {
      description: 'Refused or failed',
      content: { 'application/json': { schema: resolver(Answers.problem) } },
    },
  },
})

/** The description of an operation that answers with server-sent events. */
export const describingEvents = (summary: string) => ({
  summary,
  responses: {
    200: {
      description: 'A stream',
      content: { 'text/event-stream': { schema: { type: 'string' as const } } },
    },
  },
})
