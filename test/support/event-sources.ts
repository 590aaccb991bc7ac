import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import {
  CreateEventSourceMappingCommand,
  GetEventSourceMappingCommand,
  LambdaClient,
  type CreateEventSourceMappingCommandInput,
  type EventSourceMappingConfiguration,
} from '@aws-sdk/client-lambda'
import { SQSClient } from '@aws-sdk/client-sqs'
import {
  deploy,
  startLambent,
  zipOf,
  type DeployOptions,
  type RunningLambent,
  type StartOptions,
} from './lambent.ts'
import { MOTO_ACCOUNT, startMoto, type Moto } from './moto.ts'
import { until } from './until.ts'

export const REGION = 'us-east-1'

/** An event that a function was given, and when. */
export interface Given {
  readonly functionName: string
  readonly event: Readonly<Record<string, unknown>>
  readonly atMs: number
}

/** How a function answers: with a value, with text as it is, with an error, after a while, or never. */
export type Reply =
  | { readonly result: unknown }
  | { readonly error: string }
  | { readonly never: true }
  | { readonly later: Promise<unknown> }

/** What functions tell and ask: each of their invocations is one request. */
export interface Sink extends AsyncDisposable {
  readonly given: Given[]
  /** How an event is answered; by default with null. */
  reply: (given: Given, number: number) => Reply
  readonly code: (functionName: string) => string
}

/** An engine whose event sources are in a moto of its own. */
export interface SourcesWorld extends AsyncDisposable {
  readonly moto: Moto
  readonly sink: Sink
  lambent: RunningLambent
  lambda: LambdaClient
  readonly sqs: SQSClient
  /** Configuration for a client of any service in moto. */
  readonly service: { endpoint: string; region: string; credentials: typeof CREDENTIALS }
  /** Deploys a function that hands its events to the sink and answers as that says. */
  define(functionName: string, options?: DeployOptions): Promise<void>
  /** Ends the engine and starts another one on the same data. */
  restart(how: 'kill' | 'stop'): Promise<void>
  /** Makes a mapping and waits until it is what was asked for. */
  map(input: CreateEventSourceMappingCommandInput): Promise<string>
  state(UUID: string): Promise<EventSourceMappingConfiguration>
  /** Events of one function so far. */
  given(functionName: string): Given[]
}

const CREDENTIALS = { accessKeyId: MOTO_ACCOUNT, secretAccessKey: 'test' }

/** Starts all of it; functions and moto's services belong to the same account. */
export async function startSourcesWorld(options: StartOptions = {}): Promise<SourcesWorld> {
  const [moto, sink] = await Promise.all([startMoto(), startSink()])
  const settings = { ...options.settings, ...moto.environment }
  const first = await startLambent({ ...options, settings })
  const service = { endpoint: moto.url, region: REGION, credentials: CREDENTIALS }
  const sqs = new SQSClient(service)
  const world: SourcesWorld = {
    moto,
    sink,
    lambent: first,
    lambda: clientOf(first),
    sqs,
    service,
    async define(name, deployOptions = {}) {
      const zip = await zipOf({ 'index.js': sink.code(name) })
      await deploy(world.lambent.url, name, zip, {
        memoryMb: 256,
        timeoutSeconds: 20,
        account: MOTO_ACCOUNT,
        ...deployOptions,
      })
    },
    async restart(how) {
      await (how === 'kill' ? world.lambent.kill() : world.lambent.stop())
      world.lambda.destroy()
      world.lambent = await startLambent({ ...options, settings, data: first.data })
      world.lambda = clientOf(world.lambent)
    },
    async map(input) {
      const { UUID = '' } = await world.lambda.send(new CreateEventSourceMappingCommand(input))
      const wanted = input.Enabled === false ? 'Disabled' : 'Enabled'
      await until(`the mapping is ${wanted}`, async () => (await world.state(UUID)).State === wanted)
      return UUID
    },
    state: (UUID) => world.lambda.send(new GetEventSourceMappingCommand({ UUID })),
    given: (functionName) => sink.given.filter((one) => one.functionName === functionName),
    async [Symbol.asyncDispose]() {
      world.lambda.destroy()
      sqs.destroy()
      await world.lambent[Symbol.asyncDispose]()
      await first[Symbol.asyncDispose]()
      await Promise.all([moto[Symbol.asyncDispose](), sink[Symbol.asyncDispose]()])
    },
  }
  return world
}

const clientOf = ({ url }: RunningLambent): LambdaClient =>
  new LambdaClient({ endpoint: url, region: REGION, credentials: CREDENTIALS, maxAttempts: 1 })

/** The records of an event. */
export const recordsOf = ({ event }: Given): Readonly<Record<string, unknown>>[] =>
  // the cast: every event of a source has records
  event['Records'] as Readonly<Record<string, unknown>>[]

/** Starts what functions tell of their events, and ask for their answers. */
export async function startSink(): Promise<Sink> {
  const given: Given[] = []
  const sink: Pick<Sink, 'given' | 'reply'> = { given, reply: () => ({ result: null }) }
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const functionName = (request.url ?? '').slice(1)
      // the cast: the code below sends it
      const event = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Given['event']
      const one = { functionName, event, atMs: performance.now() }
      given.push(one)
      const reply = sink.reply(one, given.length)
      if ('never' in reply) return
      if (!('later' in reply)) return void response.end(JSON.stringify(reply))
      void reply.later.then((result) => response.end(JSON.stringify({ result })))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // the cast: a listening TCP server has an address with a port
  const { port } = server.address() as AddressInfo
  return Object.assign(sink, {
    code: (functionName: string) => `exports.handler = async (event) => {
      const request = { method: 'POST', body: JSON.stringify(event) }
      const response = await fetch('http://127.0.0.1:${port}/${functionName}', request)
      const { error, result } = await response.json()
      if (error !== undefined) throw new Error(error)
      return result
    }`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  })
}
