import type { IncomingMessage } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'
import { systemClock, type Clock } from '../runtime/clock.ts'
import type { Config } from '../runtime/config.ts'
import { EngineError } from '../runtime/errors.ts'
import { createEngine, type Engine } from '../runtime/index.ts'
import { createLog, type Log } from '../runtime/log.ts'
import { systemRng, type Rng } from '../runtime/rng.ts'
import { AwsClients, type Environment } from './aws/clients.ts'
import { outcomeDelivery } from './aws/outcomes.ts'
import { createTargets } from './aws/targets.ts'
import { Admission } from './auth/admission.ts'
import { ensureFirstKey } from './auth/first-key.ts'
import { createGate } from './auth/gate.ts'
import { readTls } from './auth/tls-files.ts'
import { createUrlGate } from './auth/url-gate.ts'
import { connectionLimit } from './connection-limit.ts'
import { openEventSources } from './event-sources/open.ts'
import type { SourceProbe } from './event-sources/source-probe.ts'
import { createGuardPolicy, type GuardPolicy } from './guard.ts'
import { ActorGateway } from './ingress/actor-gateway.ts'
import { createActorUpgrade } from './ingress/actor-upgrade.ts'
import { ingressActors } from './ingress/engine-actors.ts'
import { createIngress } from './ingress/ingress.ts'
import { urlBase, urlLookup } from './ingress/url-target.ts'
import { createLambdaApi } from './lambda/api.ts'
import { installFastFront } from './lambda/fast-front.ts'
import { Invocations, maxPayloadBytes } from './lambda/invocations.ts'
import { createInvokeHandler } from './lambda/invoke.ts'
import { DEFAULT_ACCOUNT } from './lambda/scope.ts'
import { createLambentApi } from './lambent-api/api.ts'
import { createMetrics, type EngineMetrics } from './lambent-api/metrics.ts'
import { createLogsApi, LOGS_TARGET } from './logs-api/api.ts'
import { openListener, type Listener, type RequestHandler, type Service } from './listener.ts'
import { createStsApi } from './sts/api.ts'

/** A Lambent that serves. */
export interface RunningLambent {
  readonly engine: Engine
  /** Addresses of the two listeners as this machine reaches them, with their real ports. */
  readonly urls: Urls
  /** A bearer token for this process's own calls; undefined where none is asked for. */
  readonly ownKey: string | undefined
  /** Refuses new work, lets running work finish for up to `drainMs`, then ends everything. */
  stop(): Promise<void>
}

/** What is handed in instead of the machine's own. */
export interface Dependencies {
  readonly clock?: Clock
  readonly rng?: Rng
  readonly log?: Log
  /** Where AWS's services are and with which keys: what its own clients read. */
  readonly environment?: Environment
}

/** After the engine has stopped: how long answers may take to leave. */
const CLOSE_GRACE_MS = 1000

/**
 * Binds both listeners, starts the engine, and serves. Requests that come while the engine starts are
 * answered 503.
 *
 * Rejects with EngineError 'conflict' (a port is taken, and by whom), 'unsupported' (a setting that is not
 * built yet), 'invalid' (an open API on more than loopback), and whatever `createEngine` rejects with;
 * nothing is left running then.
 */
export async function startLambent(
  config: Config,
  {
    clock = systemClock,
    rng = systemRng(),
    log = logToStderr(config, clock),
    environment = process.env,
  }: Dependencies = {},
): Promise<RunningLambent> {
  assertServable(config)
  // Environments run as other users: they must be able to read the code that is linked for them.
  process.umask(0o022)
  const maxConnections = connectionLimit(config.maxEnvironments)
  const policies = { api: policyOf(config, 'api'), ingress: policyOf(config, 'ingress') }
  const tls = readTls(config)
  const common = { maxConnections, tls, clock, log, requestId: () => rng.uuid(clock.nowMs()) }
  const api = await openListener({
    ...common,
    host: config.host,
    port: config.port,
    policy: policies.api,
  })
  let ingress: Listener | undefined
  let inner: Listener | undefined
  let engine: Engine | undefined
  const aws = new AwsClients(environment)
  try {
    ingress = await openListener({
      ...common,
      host: config.httpHost,
      port: config.httpPort,
      policy: policies.ingress,
    })
    // With TLS, functions and this process itself reach the API here: they need not know the certificate.
    if (tls !== undefined) inner = await openListener({ ...common, ...INNER, tls: undefined })
    engine = await createEngine(config, {
      ...{ clock, rng, log },
      delivery: (invoker) => outcomeDelivery(createTargets({ clients: aws, invoker, clock, rng })),
    })
    if (config.auth !== 'open') await ensureFirstKey({ ...config, keys: engine.keys, log })
  } catch (error) {
    await Promise.all([api.close(0), ingress?.close(0), inner?.close(0)])
    await engine?.stop()
    throw error
  }
  return serve(engine, { api, ingress, inner }, policies.api, aws)
}

const INNER = {
  host: '127.0.0.1',
  port: 0,
  policy: createGuardPolicy({ face: 'api', listenHost: '127.0.0.1', allowHosts: [] }),
} as const

interface Listeners {
  readonly api: Listener
  readonly ingress: Listener
  readonly inner: Listener | undefined
}

function serve(
  engine: Engine,
  { api, ingress, inner }: Listeners,
  apiPolicy: GuardPolicy,
  aws: AwsClients,
): RunningLambent {
  const { config, clock, rng, invoker, registry, keys } = engine
  const urls = { api: api.url, ingress: ingress.url, inner: (inner ?? api).url }
  const admission = new Admission({ mode: config.auth, keys, clock, registry })
  const stopping = new AbortController()
  const metrics = createMetrics(engine)
  engine.setApiUrl(urls.inner)
  const sources = openEventSources(engine, aws)
  const service = apiService(engine, admission, urls, metrics, stopping.signal, sources.probe, aws)
  api.serve(service(apiPolicy))
  inner?.serve(service(INNER.policy))
  const actors = ingressActors(engine.actors)
  const gateway = new ActorGateway({ actors, clock, rng, log: engine.log })
  const publicSide = {
    ...{ invoker, actors, clock, rng, log: engine.log },
    urlTarget: urlLookup(registry),
    routes: engine.routes,
    ...createUrlGate({ mode: config.auth, authenticator: admission.authenticator, registry }),
    base: urlBase(config.publicUrl ?? urls.ingress),
    behindProxy: config.publicUrl !== undefined,
    payloadLimitBytes: maxPayloadBytes(config.limits),
    strict: config.limits === 'strict',
  }
  ingress.serve({
    handle: createIngress(publicSide),
    upgrade: createActorUpgrade(publicSide, gateway),
  })
  let stopped: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    // Streams of events would hold their listener open until the end of time.
    stopping.abort()
    api.refuseNewWork()
    ingress.refuseNewWork()
    inner?.refuseNewWork()
    gateway.close()
    try {
      await engine.stop()
    } finally {
      aws.close()
      metrics[Symbol.dispose]()
      sources.close()
      await Promise.all([api, ingress, inner].map((listener) => listener?.close(CLOSE_GRACE_MS)))
    }
  }
  const ownKey = config.auth === 'open' ? undefined : keys.ownToken(DEFAULT_ACCOUNT)
  return { engine, urls, ownKey, stop: () => (stopped ??= stop()) }
}

interface Urls {
  readonly api: string
  readonly ingress: string
  /** The api port as this machine reaches it without TLS. */
  readonly inner: string
}

/** Everything on the api port: invocations on Node's own request, the rest through Hono. */
function apiService(
  engine: Engine,
  admission: Admission,
  urls: Urls,
  metrics: EngineMetrics,
  stopping: AbortSignal,
  sourceProbe: SourceProbe,
  aws: AwsClients,
): (policy: GuardPolicy) => Service {
  const { config, clock, rng, log, invoker, registry, packages, keys } = engine
  const { eventSources, layers, codeSigning, capacityProviders } = engine
  const publicUrls = { api: config.publicUrl ?? urls.api, ingress: config.publicUrl ?? urls.ingress }
  const invocationParts = { invoker, clock, rng, log, limits: config.limits }
  const invocations = new Invocations(invocationParts)
  const invoke = createInvokeHandler(invocationParts, invocations)
  const lambent = throughHono(
    createLambentApi({
      engine,
      registry,
      keys,
      auth: config.auth,
      ingressUrls: () => ({ host: urlBase(publicUrls.ingress), path: withoutSlash(publicUrls.ingress) }),
      stopping,
    }),
  )
  const lambda = throughHono(
    createLambdaApi({
      registry,
      packages,
      eventSources,
      sourceProbe,
      layers,
      codeSigning,
      capacityProviders,
      aws,
      clock,
      rng,
      config,
      log,
      publicUrls: () => publicUrls,
    }),
  )
  const sts = throughHono(createStsApi({ clock, rng }))
  const { journal, logGroups: groups } = engine
  const logs = throughHono(createLogsApi({ journal, groups, registry, clock, rng, log, stopping }))
  const handle = createGate({
    admission,
    requestId: () => rng.uuid(clock.nowMs()),
    next(request, response) {
      if (invoke(request, response)) return
      const path = pathOf(request)
      if (path === '/lambent/v1' || path.startsWith('/lambent/v1/')) lambent(request, response)
      else if (path === '/metrics' && request.method === 'GET') sendMetrics(metrics, log)(request, response)
      else if (path === '/' && isLogsCall(request)) logs(request, response)
      else if (path === '/' && isQueryCall(request)) sts(request, response)
      else lambda(request, response)
    },
  })
  return (policy) => ({
    handle,
    front: (server, refusing) =>
      installFastFront({ server, invocations, policy, admission, clock, refusing }),
  })
}

/** Hono answers whatever its handlers throw; this is for requests that never become one of its own. */
function throughHono(app: Hono): RequestHandler {
  const listener = getRequestListener(app.fetch, {
    errorHandler: () =>
      Response.json(
        { Type: 'User', __type: 'BadRequestException', message: 'This request cannot be read.' },
        { status: 400, headers: { 'x-amzn-errortype': 'BadRequestException' } },
      ),
  })
  return (request, response) => void listener(request, response)
}

const sendMetrics =
  (metrics: EngineMetrics, log: Log): RequestHandler =>
  (_request, response) => {
    metrics.text().then(
      (text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text),
      (error: unknown) => {
        log.error('metrics failed', { error })
        response.writeHead(500, { 'content-type': 'text/plain' }).end('The metrics could not be read.\n')
      },
    )
  }

/** Refuses what would be unsafe or is not there yet, before anything is started. */
function assertServable(config: Config): void {
  if (config.cluster !== 'local') {
    throw new EngineError('unsupported', `--cluster ${config.cluster} is not built yet.`)
  }
  if (config.auth === 'open' && !isLoopback(config.host)) {
    const message = `The API asks for no keys (--auth open), so it may not be bound to ${config.host}: whoever reaches it runs code here.`
    throw new EngineError('invalid', message, {
      hint: 'Start with --auth keys, or bind it to 127.0.0.1 (--host). Function URLs may be public: --http-host.',
    })
  }
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)

const policyOf = (config: Config, face: 'api' | 'ingress'): GuardPolicy =>
  createGuardPolicy({
    face,
    listenHost: face === 'api' ? config.host : config.httpHost,
    allowHosts: config.allowHosts,
    publicUrl: config.publicUrl,
    protocol: config.tls === undefined ? 'http' : 'https',
  })

const logToStderr = (config: Config, clock: Clock): Log =>
  createLog({ level: config.logLevel, clock, sink: (line) => process.stderr.write(`${line}\n`) })

const withoutSlash = (url: string): string => url.replace(/\/$/, '')

/** AWS's JSON protocol: the operation is in a header. */
const isLogsCall = ({ headers }: IncomingMessage): boolean =>
  String(headers['x-amz-target'] ?? '').startsWith(LOGS_TARGET)

/** AWS's older protocol: an action in a form, or in the query. */
const isQueryCall = (request: IncomingMessage): boolean =>
  request.method === 'POST' || (request.url ?? '').includes('Action=')

function pathOf(request: IncomingMessage): string {
  const url = request.url ?? '/'
  const mark = url.indexOf('?')
  return mark < 0 ? url : url.slice(0, mark)
}
