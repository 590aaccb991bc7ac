import type { EngineError } from '../../../runtime/errors.ts'
import { systemClock, type Clock } from '../../../runtime/clock.ts'
import type { InvokeOutcome, InvokeRequest, InvokeSink, Invoker } from '../../../runtime/invoke/types.ts'
import { createLog } from '../../../runtime/log.ts'
import { Routes, type NewRoute } from '../../../runtime/registry/routes.ts'
import { systemRng } from '../../../runtime/rng.ts'
import { IN_MEMORY, openStore } from '../../../runtime/store/open.ts'
import { createGuardPolicy } from '../../../adapters/guard.ts'
import type { IamAuthenticator } from '../../../adapters/ingress/iam.ts'
import { ActorGateway } from '../../../adapters/ingress/actor-gateway.ts'
import type { IngressActors } from '../../../adapters/ingress/actor-target.ts'
import { createActorUpgrade } from '../../../adapters/ingress/actor-upgrade.ts'
import type { IngressOptions } from '../../../adapters/ingress/ingress-options.ts'
import { createIngress } from '../../../adapters/ingress/ingress.ts'
import { parsePattern, shapeOf } from '../../../runtime/registry/route-pattern.ts'
import { RouteInput, splitReference } from '../../../adapters/ingress/route-settings.ts'
import { urlBase, type UrlTarget } from '../../../adapters/ingress/url-target.ts'
import { openListener, type Listener } from '../../../adapters/listener.ts'

/** What one invocation does with its sink. */
export type Script = (request: InvokeRequest, sink: InvokeSink) => void

/** A real ingress listener whose invocations run a script. */
export interface IngressHarness extends AsyncDisposable {
  readonly port: number
  /** Every request that was invoked, in order. */
  readonly invoked: InvokeRequest[]
  readonly listener: Listener
}

export const URL_ID = 'abcdefghijklmnopqrstuvwxyz012345'
export const TARGET: UrlTarget = {
  scope: { account: '000000000000', region: 'us-east-1' },
  functionName: 'hello',
  qualifier: undefined,
  auth: 'none',
  invokeMode: 'buffered',
  cors: null,
}

export const success = (payload: string | Buffer, contentType = ''): InvokeOutcome => ({
  kind: 'success',
  payload: Buffer.from(payload),
  executedVersion: '$LATEST',
  logTail: undefined,
  contentType,
})

/** A script that answers with a value as JSON. */
export const answering =
  (value: unknown): Script =>
  (_request, sink) =>
    sink.result(success(JSON.stringify(value)))

export const refusing =
  (error: EngineError): Script =>
  (_request, sink) =>
    sink.refused(error)

/** Answers every invocation with its own event. */
export const echoing: Script = (request, sink) =>
  sink.result(success(JSON.stringify({ statusCode: 200, body: request.payload.toString('utf8') })))

/** What a test may want otherwise. */
export interface HarnessOptions {
  readonly payloadLimitBytes?: number
  readonly publicUrl?: string
  readonly strict?: boolean
  readonly iam?: IamAuthenticator
  readonly clock?: Clock
  /** As the Lambent API takes them. */
  readonly routes?: readonly object[]
  readonly actors?: IngressActors
}

export async function startIngress(
  script: Script,
  target: Partial<UrlTarget> = {},
  limits: HarnessOptions = {},
): Promise<IngressHarness> {
  const invoked: InvokeRequest[] = []
  const unused = (): never => {
    throw new Error('ingress neither accepts nor checks')
  }
  const invoker: Invoker = {
    invoke(request, sink) {
      invoked.push(request)
      script(request, sink)
    },
    run(request) {
      const whole = { ...request, streaming: false }
      invoked.push(whole)
      return new Promise((resolve, reject) => script(whole, { result: resolve, refused: reject }))
    },
    accept: unused,
    check: unused,
  }
  const { publicUrl, clock = systemClock } = limits
  const rng = systemRng()
  const listener = await openListener({
    host: '127.0.0.1',
    port: 0,
    policy: createGuardPolicy({ face: 'ingress', listenHost: '127.0.0.1', allowHosts: [], publicUrl }),
    maxConnections: 100,
    clock: systemClock,
    log: createLog({ level: 'silent', clock: systemClock, sink: () => {} }),
    requestId: () => rng.uuid(systemClock.nowMs()),
  })
  const base = urlBase(publicUrl ?? listener.url)
  const { actors } = limits
  const log = createLog({ level: 'silent', clock: systemClock, sink: () => {} })
  const options: IngressOptions = {
    invoker,
    urlTarget: (urlId) => (urlId === URL_ID ? { ...TARGET, ...target } : undefined),
    routes: await routesOf(limits.routes ?? []),
    ...{ clock, rng, log },
    strict: limits.strict ?? false,
    ...(limits.iam === undefined ? {} : { iam: limits.iam }),
    ...(actors === undefined ? {} : { actors }),
    base,
    behindProxy: publicUrl !== undefined,
    payloadLimitBytes: limits.payloadLimitBytes ?? 6_291_556,
  }
  const gateway = actors && new ActorGateway({ actors, clock, rng, log })
  listener.serve({
    handle: createIngress(options),
    ...(gateway && { upgrade: createActorUpgrade(options, gateway) }),
  })
  return {
    port: listener.port,
    invoked,
    listener,
    async [Symbol.asyncDispose]() {
      gateway?.close()
      await listener.close(0)
    },
  }
}

/** Routes over a store in memory. */
async function routesOf(given: readonly object[]): Promise<Routes> {
  const log = createLog({ level: 'silent', clock: systemClock, sink: () => {} })
  const routes = new Routes(await openStore({ dataDirectory: IN_MEMORY, clock: systemClock, log }))
  const inputs = given.map((one): NewRoute => {
    const { route, function: reference, ...settings } = RouteInput.parse({ function: 'hello', ...one })
    const pattern = parsePattern(route)
    if (typeof pattern === 'string') throw new Error(pattern)
    return { key: route, shape: shapeOf(pattern), ...splitReference(reference), settings }
  })
  await routes.replace(TARGET.scope, 'test', inputs)
  return routes
}
