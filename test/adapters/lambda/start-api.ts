import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { LambdaClient } from '@aws-sdk/client-lambda'
import { createAdaptorServer } from '@hono/node-server'
import { AwsClients } from '../../../adapters/aws/clients.ts'
import { createLambdaApi } from '../../../adapters/lambda/api.ts'
import type { SourceProbe } from '../../../adapters/event-sources/source-probe.ts'
import { createLog } from '../../../runtime/log.ts'
import { CapacityProviders } from '../../../runtime/registry/capacity-providers.ts'
import { CodeSigningConfigs } from '../../../runtime/registry/code-signing.ts'
import { openLayers } from '../../../runtime/registry/layers.ts'
import { createCodePackages } from '../../../runtime/registry/packages.ts'
import { EventSources } from '../../../runtime/registry/event-sources.ts'
import { openRegistry, type Registry, type RegistryParts } from '../../../runtime/registry/registry.ts'
import { systemRng } from '../../../runtime/rng.ts'
import { openStore } from '../../../runtime/store/open.ts'
import { zipOf } from '../../registry/zip-bytes.ts'
import { createFakeClock, type FakeClock } from '../../support/clock.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

/** A role that the service's pattern accepts. */
export const ROLE = 'arn:aws:iam::000000000000:role/test'

/** A zip whose handler is `text`. */
export const zipWith = (text: string): Buffer =>
  zipOf([{ name: 'index.js', content: `exports.handler = ${text}` }])

/** What CreateFunction needs at least. */
export const NEW = {
  FunctionName: 'orders',
  Role: ROLE,
  Runtime: 'nodejs24.x',
  Handler: 'index.handler',
  Code: { ZipFile: zipWith('() => 1') },
} as const

/** The control API on a real socket over a real store and real packages. */
export interface TestApi extends AsyncDisposable {
  readonly url: string
  readonly registry: Registry
  readonly eventSources: EventSources
  readonly clock: FakeClock
  readonly client: LambdaClient
  /** A client with other credentials or region. */
  clientFor(options: { region?: string; keyId?: string; path?: string }): LambdaClient
}

export interface TestApiOptions {
  readonly limits?: 'extended' | 'strict'
  readonly accountConcurrency?: number
  readonly prepare?: RegistryParts['prepare']
  /** Where AWS's other services are. */
  readonly environment?: Readonly<Record<string, string>>
  /** An existing data folder; a new one that is removed in the end when absent. */
  readonly data?: string
  readonly feasible?: RegistryParts['feasible']
  readonly checkSource?: SourceProbe['check']
}

export async function startApi(options: TestApiOptions = {}): Promise<TestApi> {
  const own = options.data === undefined ? temporaryDirectory() : undefined
  const join = (name: string): string => `${options.data ?? own?.path ?? ''}/${name}`
  const clock = createFakeClock()
  const rng = systemRng()
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  const config = {
    limits: options.limits ?? 'extended',
    accountConcurrency: options.accountConcurrency ?? 1000,
  } as const
  const store = await openStore({ dataDirectory: join('data'), clock, log, inline: true })
  const packages = await createCodePackages({ directory: join('packages'), clock, rng, log })
  const registry = await openRegistry({
    store,
    packages,
    clock,
    rng,
    log,
    config,
    network: 'full',
    prepare: options.prepare ?? (() => Promise.resolve()),
    feasible: options.feasible ?? (() => undefined),
    onEvent: () => {},
  })
  const eventSources = new EventSources({ store, clock, rng, log })
  const sourceProbe = { check: options.checkSource ?? (() => Promise.resolve()) }
  const layers = await openLayers({ store, packages, clock, rng, log })
  const codeSigning = new CodeSigningConfigs({ store, clock, rng })
  const capacityProviders = new CapacityProviders({ store, clock })
  const aws = new AwsClients(options.environment ?? {})
  let url = ''
  const publicUrls = () => ({ api: url, ingress: 'http://127.0.0.1:4701' })
  const app = createLambdaApi({
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
    publicUrls,
  })
  const server = createAdaptorServer({ fetch: app.fetch })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // the cast: a listening TCP server has an address with a port
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const clients: LambdaClient[] = []
  const clientFor: TestApi['clientFor'] = ({ region = 'us-east-1', keyId = 'test', path = '' }) => {
    const credentials = { accessKeyId: keyId, secretAccessKey: 'test' }
    const client = new LambdaClient({ endpoint: `${url}${path}`, region, credentials, maxAttempts: 1 })
    clients.push(client)
    return client
  }
  return {
    url,
    registry,
    eventSources,
    clock,
    client: clientFor({}),
    clientFor,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy()
      server.close()
      if ('closeAllConnections' in server) server.closeAllConnections()
      await Promise.all([registry.close(), layers.close(), codeSigning.close(), capacityProviders.close()])
      await packages.close()
      await store.close()
      aws.close()
      own?.[Symbol.dispose]()
    },
  }
}

/** A refusal as an SDK sees it. */
export interface Refusal {
  readonly name: string
  readonly message: string
  readonly status: number | undefined
}

/** What `call` is refused with; fails when it succeeds. */
export async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  try {
    await call
  } catch (error) {
    if (error instanceof Error && '$metadata' in error) {
      // the cast: every error of the SDK carries its metadata
      const { $metadata } = error as { $metadata: { httpStatusCode?: number } }
      return { name: error.name, message: error.message, status: $metadata.httpStatusCode }
    }
    throw error
  }
  throw new Error('Expected a refusal, but the call succeeded.')
}
