import type { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams'
import type { EventBridgeClient } from '@aws-sdk/client-eventbridge'
import type { KinesisClient } from '@aws-sdk/client-kinesis'
import type { S3Client } from '@aws-sdk/client-s3'
import type { SNSClient } from '@aws-sdk/client-sns'
import type { SQSClient, SQSClientConfig } from '@aws-sdk/client-sqs'
import { EngineError } from '../../runtime/errors.ts'
import type { Scope } from '../../runtime/store/journal.ts'

/** The clients there are, by the name they are asked for with. */
export interface Clients {
  readonly sqs: SQSClient
  readonly sns: SNSClient
  readonly eventbridge: EventBridgeClient
  readonly s3: S3Client
  readonly kinesis: KinesisClient
  readonly dynamodbstreams: DynamoDBStreamsClient
}

/** Variables of a process: where AWS's services are, and with which keys. */
export type Environment = Readonly<Record<string, string | undefined>>

/** One per service, account and region; past it the one that was used longest ago is forgotten. */
const MAX_CLIENTS = 64
const CONNECTION_TIMEOUT_MS = 3000
/** Longer than the longest poll that AWS allows, 20 s. */
const REQUEST_TIMEOUT_MS = 30_000
const MAX_SOCKETS = 256

/**
 * AWS's own clients for an account and a region, made and loaded when they are first asked for. They reach
 * what `AWS_ENDPOINT_URL_<SERVICE>` or `AWS_ENDPOINT_URL` name, AWS itself otherwise, with the keys of the
 * engine's environment. An endpoint without any keys is an emulator: it gets the account's number as the key,
 * which is how emulators that keep accounts apart are told.
 */
export class AwsClients {
  readonly #environment: Environment
  readonly #clients = new Map<string, Promise<Clients[keyof Clients]>>()
  /** Sockets are shared: a client that is forgotten while it is in use loses nothing. */
  #handler: Promise<SharedHandler> | undefined
  #closed = false

  constructor(environment: Environment) {
    this.#environment = environment
  }

  /** Rejects 'unavailable' once closed. */
  async get<Name extends keyof Clients>(service: Name, scope: Scope): Promise<Clients[Name]> {
    if (this.#closed) throw new EngineError('unavailable', 'The engine is stopping.')
    const key = `${service} ${scope.account} ${scope.region}`
    const known = this.#clients.get(key)
    const client = known ?? this.#make(service, scope)
    this.#clients.delete(key)
    this.#clients.set(key, client) // the newest is at the end
    if (this.#clients.size > MAX_CLIENTS) this.#forgetOldest()
    return (await client) as Clients[Name] // what the key names
  }

  /**
   * Whether anything says where this service is, or AWS would know who asks. Keys of another form than AWS's
   * were made up for an emulator; without its address there is nobody to ask.
   */
  isConfigured(service: keyof Clients): boolean {
    if (this.isElsewhere(service)) return true
    const key = this.#environment['AWS_ACCESS_KEY_ID'] ?? ''
    return AWS_KEY.test(key) || OTHER_CREDENTIALS.some((name) => Boolean(this.#environment[name]))
  }

  /** Whether this service is somewhere else than at AWS. */
  isElsewhere(service: keyof Clients): boolean {
    return endpointFor(this.#environment, SERVICES[service].variable) !== undefined
  }

  /** Breaks off what is under way. */
  close(): void {
    this.#closed = true
    this.#clients.clear()
    void this.#handler?.then((handler) => handler.destroy?.())
  }

  #forgetOldest(): void {
    for (const key of this.#clients.keys()) return void this.#clients.delete(key)
  }

  async #make(service: keyof Clients, scope: Scope): Promise<Clients[keyof Clients]> {
    const { variable, make } = SERVICES[service]
    const endpoint = endpointFor(this.#environment, variable)
    this.#handler ??= createHandler()
    return await make({
      region: scope.region,
      requestHandler: await this.#handler,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...credentialsFor(this.#environment, endpoint, scope),
    })
  }
}

type SharedHandler = SQSClient['config']['requestHandler']
type ClientConfig = Pick<SQSClientConfig, 'region' | 'requestHandler' | 'endpoint' | 'credentials'>

/** HTTP/1.1 for all of them, Kinesis too; the handler that the SDK makes for queues is the one. */
async function createHandler(): Promise<SharedHandler> {
  const { SQSClient: Client } = await import('@aws-sdk/client-sqs')
  const { requestHandler } = new Client({
    region: 'us-east-1',
    requestHandler: {
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      throwOnRequestTimeout: true,
      httpAgent: { maxSockets: MAX_SOCKETS },
      httpsAgent: { maxSockets: MAX_SOCKETS },
    },
  }).config
  return requestHandler
}

/** The name that each service's endpoint variable ends with, and how its client is made. */
const SERVICES: {
  readonly [Name in keyof Clients]: {
    readonly variable: string
    readonly make: (config: ClientConfig) => Promise<Clients[Name]>
  }
} = {
  sqs: {
    variable: 'SQS',
    make: async (config) => {
      const { SQSClient: Client } = await import('@aws-sdk/client-sqs')
      // An emulator may call itself by a name in its queues' URLs that this machine does not know.
      return new Client({ ...config, useQueueUrlAsEndpoint: config.endpoint === undefined })
    },
  },
  sns: {
    variable: 'SNS',
    make: async (config) => new (await import('@aws-sdk/client-sns')).SNSClient(config),
  },
  eventbridge: {
    variable: 'EVENTBRIDGE',
    make: async (config) => new (await import('@aws-sdk/client-eventbridge')).EventBridgeClient(config),
  },
  s3: {
    variable: 'S3',
    make: async (config) => {
      const { S3Client: Client } = await import('@aws-sdk/client-s3')
      return new Client({ ...config, forcePathStyle: config.endpoint !== undefined })
    },
  },
  kinesis: {
    variable: 'KINESIS',
    make: async (config) => new (await import('@aws-sdk/client-kinesis')).KinesisClient(config),
  },
  dynamodbstreams: {
    variable: 'DYNAMODB_STREAMS',
    make: async (config) =>
      new (await import('@aws-sdk/client-dynamodb-streams')).DynamoDBStreamsClient(config),
  },
}

function endpointFor(environment: Environment, service: string): string | undefined {
  if (environment['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS']?.toLowerCase() === 'true') return undefined
  const endpoint = environment[`AWS_ENDPOINT_URL_${service}`] ?? environment['AWS_ENDPOINT_URL']
  return endpoint === '' ? undefined : endpoint
}

const AWS_KEY = /^A(KIA|SIA)[A-Z0-9]{16}$/

/** Where the SDK finds keys by itself. */
const OTHER_CREDENTIALS = [
  'AWS_PROFILE',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
]

function credentialsFor(
  environment: Environment,
  endpoint: string | undefined,
  scope: Scope,
): Pick<ClientConfig, 'credentials'> {
  const accessKeyId = environment['AWS_ACCESS_KEY_ID']
  const secretAccessKey = environment['AWS_SECRET_ACCESS_KEY']
  const sessionToken = environment['AWS_SESSION_TOKEN']
  if (accessKeyId && secretAccessKey)
    return { credentials: { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) } }
  if (endpoint === undefined || OTHER_CREDENTIALS.some((name) => environment[name])) return {}
  return { credentials: { accessKeyId: scope.account, secretAccessKey: 'none' } }
}
