import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { LambdaClient, waitUntilFunctionActiveV2, waitUntilFunctionUpdatedV2 } from '@aws-sdk/client-lambda'
import { startBucketServer, type BucketServer } from '../support/bucket-server.ts'
import { runCli } from '../support/cli.ts'
import { startLambent, zipOf, type RunningLambent } from '../support/lambent.ts'
import { temporaryDirectory } from '../support/temporary.ts'

/** The account in all recordings: an access key id of twelve digits chooses it. */
export const ACCOUNT = '111111111111'
export const REGION = 'us-east-1'
export const ROLE = `arn:aws:iam::${ACCOUNT}:role/conformance`

/** The ARN of a function, with whatever follows its name. */
export const arnOf = (name: string, region = REGION): string =>
  `arn:aws:lambda:${region}:${ACCOUNT}:function:${name}`

/** What came back over the wire for the last command. */
interface Wire {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

type Handled = Awaited<ReturnType<LambdaClient['config']['requestHandler']['handle']>>

/** Any command of the client; what `send` declares takes none of them by its general type. */
export interface ServiceCommand {
  readonly input: object
  readonly middlewareStack: object
}

/** The service under test, driven by the official client and seen as it answers on the wire. */
export class Service implements AsyncDisposable {
  readonly client: LambdaClient
  readonly lambent: RunningLambent
  /** What the service under test takes for S3. */
  readonly store: BucketServer
  #wire: Wire | undefined
  #folder: Disposable | undefined

  private constructor(
    lambent: RunningLambent,
    store: BucketServer,
    credentials = { accessKeyId: ACCOUNT, secretAccessKey: 'test' },
  ) {
    this.lambent = lambent
    this.store = store
    const client = new LambdaClient({ endpoint: lambent.url, region: REGION, credentials, maxAttempts: 1 })
    this.client = client
    const { requestHandler } = client.config
    const handle = requestHandler.handle.bind(requestHandler)
    requestHandler.handle = async (request, options) => {
      const handled = await handle(request, options)
      return await this.#observe(handled)
    }
  }

  /** With the limits of the real service: what it refuses is recorded, too. */
  static async start(environment: Readonly<Record<string, string>> = {}): Promise<Service> {
    const store = await startBucketServer('code')
    const settings = { ...store.environment, ...environment }
    return new Service(await startLambent({ argv: ['--limits', 'strict'], settings }), store)
  }

  /** As `start`, with policies asked for, and a key of the recordings' account. */
  static async startWithPolicies(): Promise<Service> {
    const store = await startBucketServer('code')
    const folder = temporaryDirectory()
    const words = ['key', 'create', '--account', ACCOUNT, '--data', folder.path, '--json']
    const { keyId, secret } = JSON.parse((await runCli(words)).stdout) as { keyId: string; secret: string }
    const argv = ['--limits', 'strict', '--auth', 'policies']
    const lambent = await startLambent({ argv, data: folder.path, settings: store.environment })
    const service = new Service(lambent, store, { accessKeyId: keyId, secretAccessKey: secret })
    service.#folder = folder
    return service
  }

  /** Another client of the same service: one of them sees one answer at a time. */
  other(): Service {
    return new Service(this.lambent, this.store)
  }

  /** The answer as the recordings write it: the body's members, `Error` for a refusal, and the status. */
  async answer(command: ServiceCommand): Promise<Readonly<Record<string, unknown>>> {
    this.#wire = undefined
    // Refusals are answers here; what never reached the service is not.
    await this.client.send(command as never).catch((error: unknown) => {
      if (this.#wire === undefined) throw error
    })
    if (this.#wire === undefined) throw new Error('Nothing came back.')
    return recordedForm(this.#wire, command.constructor.name)
  }

  /** Waits until a function, or a version of it, is Active with what was last asked for. */
  async ready(FunctionName: string, Qualifier?: string): Promise<void> {
    // The waiter's types leave out that a delay may be below a second; this service is quick.
    const options = { client: this.client, maxWaitTime: 20, minDelay: 0.02, maxDelay: 0.05 } as never
    const input = Qualifier === undefined ? { FunctionName } : { FunctionName, Qualifier }
    await waitUntilFunctionActiveV2(options, input)
    await waitUntilFunctionUpdatedV2(options, input)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.destroy()
    await this.lambent[Symbol.asyncDispose]()
    await this.store[Symbol.asyncDispose]()
    this.#folder?.[Symbol.dispose]()
  }

  async #observe(handled: Handled): Promise<Handled> {
    const { response } = handled
    const body = await text(response.body as Readable) // Node's handler gives Node's stream
    this.#wire = { status: response.statusCode, headers: response.headers, body }
    response.body = Readable.from([Buffer.from(body)])
    return handled
  }
}

/** A zip with one handler under the names that recorded functions use. */
export const codeOf = (source: string): Promise<Buffer> => zipOf({ 'index.js': source, 'handler.js': source })

/** Members that are not part of an answer's own: botocore shows them of modelled errors alone. */
const ERROR_ONLY = new Set(['__type', 'message', 'Message', 'Type'])

function recordedForm(wire: Wire, command: string): Readonly<Record<string, unknown>> {
  const metadata = { ResponseMetadata: { HTTPHeaders: {}, HTTPStatusCode: wire.status } }
  const { headers } = wire
  if (wire.status >= 400) return { ...errorForm(wire), ...metadata }
  if (command === 'InvokeCommand') {
    return {
      ...present('ExecutedVersion', headers['x-amz-executed-version']),
      ...present('FunctionError', headers['x-amz-function-error']),
      ...present('LogResult', headers['x-amz-log-result']),
      Payload: parsed(wire.body),
      StatusCode: wire.status,
      ...metadata,
    }
  }
  const body = wire.body === '' ? {} : parsed(wire.body)
  const members = body as Record<string, unknown> // every answer but an invocation's is an object
  const known = command === 'DeleteFunctionCommand' ? { StatusCode: wire.status } : {}
  return { ...members, ...known, ...metadata }
}

/** `Error` with code and message, and every member of the body for the recording to choose from. */
function errorForm({ headers, body }: Wire): Record<string, unknown> {
  const members = parsed(body) as Record<string, unknown> // every refusal is an object
  const code = (headers['x-amzn-errortype'] ?? String(members['__type'])).split(':')[0]
  const message = members['message'] ?? members['Message']
  const rest = Object.entries(members).filter(([name]) => name !== '__type')
  return { Error: { Code: code, ...present('Message', message) }, ...Object.fromEntries(rest) }
}

/** Drops members of a refusal that its recording leaves out: the message is there in two spellings. */
export function likeRecorded(actual: Readonly<Record<string, unknown>>, recorded: unknown): unknown {
  if (!('Error' in actual) || typeof recorded !== 'object' || recorded === null) return actual
  return Object.fromEntries(
    Object.entries(actual).filter(([name]) => name in recorded || !ERROR_ONLY.has(name)),
  )
}

const present = (name: string, value: unknown): Record<string, unknown> =>
  value === undefined ? {} : { [name]: value }

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return body
  }
}
