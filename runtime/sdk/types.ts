import type { Duration } from './duration.ts'

/** What AWS and Lambent tell a handler about its invocation. */
export interface Context {
  readonly functionName: string
  readonly functionVersion: string
  readonly invokedFunctionArn: string
  /** A string, as on AWS. */
  readonly memoryLimitInMB: string
  readonly awsRequestId: string
  readonly logGroupName: string
  readonly logStreamName: string
  /** The client context's JSON, when the caller sent one. */
  readonly clientContext?: unknown
  readonly identity?: unknown
  readonly tenantId?: string | undefined
  /** From nodejs24.x on. */
  readonly xRayTraceId?: string | undefined
  /** Until the deadline; 2147483647, the longest delay a timer takes, when there is no time limit. */
  getRemainingTimeInMillis(): number
  /** Up to nodejs22.x: whether the answer of a callback waits for an empty event loop. */
  callbackWaitsForEmptyEventLoop?: boolean
  /** Aborts at the deadline and when the invocation is cancelled. */
  readonly signal: AbortSignal
  /** The id of this invocation's run, which is its request id. */
  readonly runId: string
}

/** A function that answers invocations: its value, or what its promise becomes, is sent back as JSON. */
export type Handler<Event = unknown, Result = unknown> = (
  event: Event,
  context: Context,
) => Result | Promise<Result>

/** `'GET /pets/{id}'`, `'ANY /'` or `'$default'`. */
export type Route = string

/** A route that leads to actors of a function: the part `{key}` of its path says to which. */
export interface ActorRoute {
  /** `'GET /rooms/{key}'` */
  route: Route
  /**
   * `'Room'`: clients connect by WebSocket, and the hooks `connect`, `message` and `disconnect` of the class
   * serve them. `'Room.watch'`: the items of a generator method, which gets what the request asks with, as
   * server-sent events.
   */
  actor: string
  /** Which pages of other origins may connect; only those of the same origin when absent. */
  cors?: boolean | CorsConfig
}

/** Answers to browsers of other origins, as on a Lambda function URL. */
export interface CorsConfig {
  allowOrigins?: string[]
  allowMethods?: string[]
  allowHeaders?: string[]
  exposeHeaders?: string[]
  allowCredentials?: boolean
  maxAge?: Duration
}

/** A function's own URL. */
export interface UrlConfig {
  auth?: 'none' | 'iam'
  cors?: boolean | CorsConfig
  /** The response is passed on as it is written. */
  stream?: boolean
}

/** When a function runs by itself. `expression` is `cron(…)`, `rate(…)` or five cron fields. */
export interface ScheduleConfig {
  expression: string
  /** IANA name; UTC when absent. */
  timeZone?: string
  /** The event, as JSON. */
  input?: unknown
}

/** Number of GPUs (a fraction shares one), or a model with a count; a list is tried in order. */
export type GpuRequest = number | string | string[]

/** What a function is, apart from its code. Amounts are plain units; everything is optional. */
export interface FunctionConfig {
  /** The folder's name when absent. */
  name?: string
  /** Export that answers invocations; `handler` when absent. */
  handler?: string
  /** `nodejs24.x` and the like; the engine's own Node.js when absent. */
  runtime?: string
  /** Memory limit; none when absent. */
  memoryMb?: number
  /** Time limit; none when absent. */
  timeout?: Duration
  env?: Record<string, string>
  /** ARNs of layers, in the order they are laid over each other. */
  layers?: string[]
  url?: boolean | UrlConfig
  routes?: (Route | ActorRoute)[]
  schedules?: (string | ScheduleConfig)[]
  tags?: Record<string, string>
  cpu?: number
  gpu?: GpuRequest
  gpuMemoryMb?: number
  /** Amounts of resources with names of your own. */
  resources?: Record<string, number>
  /** What the node must be labelled with. */
  labels?: Record<string, string>
  /** Invocations one environment runs at once; 1 when absent. */
  concurrency?: number
  /** Invocations that may run at once in all, set aside for this function. */
  reserved?: number
  /** Environments that are kept ready. */
  provisioned?: number
  /** `name` or `name/bundle`. */
  placementGroup?: string
  /** Attempts after the first of an asynchronous invocation. */
  retries?: number
  /** How long an asynchronous invocation may wait to be run. */
  maxAge?: Duration
  /** Function that is told of an asynchronous invocation's failure. */
  onFailure?: string
  /** Function that is told of an asynchronous invocation's success. */
  onSuccess?: string
  /** Runs as a durable execution. */
  durable?: boolean | { executionTimeout?: Duration; retention?: Duration }
  /** Packages that are not bundled. */
  external?: string[]
}

/** One function of a project. */
export interface ProjectFunction extends FunctionConfig {
  /** The file that exports the handler, relative to the config. */
  entry: string
}

/** Where a route leads. */
export interface RouteConfig {
  /** A function's name, or name:version for one of its versions or aliases. */
  function: string
  /** Shape of the event: of an HTTP API ('2.0' when absent, '1.0'), a REST API or a load balancer. */
  payload?: '2.0' | '1.0' | 'rest' | 'alb'
  /** For 'alb': headers and parameters as lists. */
  multiValue?: boolean
  cors?: boolean | CorsConfig
  /** The caller is answered after it, whatever the function does. */
  timeout?: Duration
  stageVariables?: Record<string, string>
  /** Leads to actors of the function, see ActorRoute. */
  actor?: string
  /** Who may pass: 'iam', or the name of a function that decides on the whole request. */
  authorizer?: string | AuthorizerConfig
}

/** Who may pass a route, as on API Gateway. An identity source is such as `$request.header.Authorization`. */
export type AuthorizerConfig =
  | { type: 'iam' }
  | {
      type: 'jwt'
      issuer: string
      audience: string | string[]
      /** What the issuer's OpenID configuration says when absent. */
      jwksUri?: string
      identitySource?: string
      /** A token needs one of them. */
      scopes?: string[]
    }
  | {
      type: 'request'
      function: string
      payload?: '1.0' | '2.0'
      identitySource?: string | string[]
      /** How long an answer holds for the same identity; not at all when absent. */
      ttl?: Duration
    }
  | {
      type: 'token'
      function: string
      identitySource?: string
      /** A regular expression that a token must match as a whole. */
      validation?: string
      ttl?: Duration
    }

/** A gang of reservations. */
export interface PlacementGroupConfig {
  bundles: {
    cpu?: number
    gpu?: GpuRequest
    memoryMb?: number
    resources?: Record<string, number>
    labels?: Record<string, string>
  }[]
  strategy?: string
}

/** A project: everything in one file, `lambent.config.ts`. */
export interface ProjectConfig {
  functions?: Record<string, ProjectFunction>
  routes?: Record<Route, string | RouteConfig>
  schedules?: Record<string, ScheduleConfig & { function: string }>
  placementGroups?: Record<string, PlacementGroupConfig>
  resources?: Record<string, number>
}
