import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { deploy, zipOf, type DeployOptions, type RunningLambent, type ZippedFile } from './lambent.ts'
import { until } from './until.ts'

/** One thing that an extension under test has told. */
export interface Told {
  /** The extension's name. */
  readonly from: string
  /** `registered`, `event`, `telemetry`, … */
  readonly what: string
  readonly value: unknown
  /** Monotonic ms of this process. */
  readonly at: number
}

/** A telemetry event as it arrives. */
export interface ToldEvent {
  readonly time: string
  readonly type: string
  readonly record: Record<string, unknown>
}

/** Where extensions under test tell what they see: an HTTP server on this machine's loopback. */
export class Collector implements AsyncDisposable {
  readonly told: Told[] = []
  readonly #server: Server

  constructor(server: Server) {
    this.#server = server
  }

  static async open(): Promise<Collector> {
    const server = createServer((request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        const told = JSON.parse(Buffer.concat(parts).toString('utf8')) as Omit<Told, 'at'>
        collector.told.push({ ...told, at: performance.now() })
        response.end()
      })
    })
    const collector = new Collector(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return collector
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`
  }

  /** What `from` has told of `what`, in order. */
  of(from: string, what: string): unknown[] {
    return this.told.filter((one) => one.from === from && one.what === what).map((one) => one.value)
  }

  /** The same, once there are at least `count`. */
  async waitFor(from: string, what: string, count = 1): Promise<unknown[]> {
    return await until(`${from} has told ${count} of ${what}; so far: ${JSON.stringify(this.told)}`, () => {
      const found = this.of(from, what)
      return found.length >= count && found
    })
  }

  /** Every telemetry event that `from` has received, in order. */
  telemetry(from: string): ToldEvent[] {
    return this.of(from, 'telemetry').flat() as ToldEvent[]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

/** What an extension of `nodeExtension` does; all of it optional. */
export interface ExtensionBehaviour {
  /** Default: INVOKE and SHUTDOWN. */
  readonly events?: readonly string[]
  /** A subscription's types; no subscription when absent. */
  readonly types?: readonly string[]
  readonly api?: '2022-07-01/telemetry' | '2020-08-15/logs'
  readonly schemaVersion?: string
  readonly protocol?: 'HTTP' | 'TCP'
  readonly port?: number
  /** JavaScript run before it registers, after it has registered, and with each event. */
  readonly atStart?: string
  readonly atRegistered?: string
  readonly onEvent?: string
  /** Takes this long with each INVOKE, ms. */
  readonly workMs?: number
}

/**
 * An extension in Node.js that tells everything it sees to the collector that COLLECTOR names. Its own pieces
 * of code can use `tell(what, value)`, `ask(method, path, headers, body)`, `identifier` and `event`.
 */
export function nodeExtension(behaviour: ExtensionBehaviour = {}): ZippedFile {
  const { events = ['INVOKE', 'SHUTDOWN'], types, port = 4243, protocol = 'HTTP', workMs = 0 } = behaviour
  const { api = '2022-07-01/telemetry', schemaVersion = '2022-12-13' } = behaviour
  const destination =
    protocol === 'HTTP'
      ? { protocol, URI: `http://sandbox.localdomain:${port}/telemetry` }
      : { protocol, port }
  const buffering = { maxItems: 1000, maxBytes: 262_144, timeoutMs: 25 }
  const subscription = JSON.stringify({ schemaVersion, types, buffering, destination })
  const program = `#!/usr/bin/env node
const http = require('node:http')
const net = require('node:net')
const { basename } = require('node:path')
const name = basename(process.argv[1])
const base = 'http://' + process.env.AWS_LAMBDA_RUNTIME_API + '/'
function send(url, method, headers, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers }, (response) => {
      let text = ''
      response.on('data', (part) => (text += part))
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }))
    })
    request.on('error', reject)
    request.end(body)
  })
}
const tell = (what, value) => send(process.env.COLLECTOR, 'POST', {}, JSON.stringify({ from: name, what, value }))
const ask = (method, path, headers, body) => send(base + path, method, headers, body)
const listen = (server) => new Promise((resolve) => server.listen(${port}, 'sandbox.localdomain', resolve))
async function receive() {
  if (${JSON.stringify(protocol)} === 'HTTP') {
    await listen(http.createServer((request, response) => {
      let text = ''
      request.on('data', (part) => (text += part))
      request.on('end', async () => { await tell('telemetry', JSON.parse(text)); response.end() })
    }))
  } else {
    await listen(net.createServer((socket) => {
      let rest = ''
      socket.on('data', (part) => {
        const lines = (rest + part).split('\\n')
        rest = lines.pop()
        tell('telemetry', lines.map((line) => JSON.parse(line)))
      })
    }))
  }
}
async function main() {
  ${behaviour.atStart ?? ''}
  const registration = await ask('POST', '2020-01-01/extension/register',
    { 'Lambda-Extension-Name': name, 'Lambda-Extension-Accept-Feature': 'accountId' },
    JSON.stringify({ events: ${JSON.stringify(events)} }))
  const identifier = registration.headers['lambda-extension-identifier']
  await tell('registered', { status: registration.status, body: JSON.parse(registration.text), identifier })
  if (${types !== undefined}) {
    await receive()
    const answer = await ask('PUT', ${JSON.stringify(api)},
      { 'Lambda-Extension-Identifier': identifier }, ${JSON.stringify(subscription)})
    await tell('subscribed', answer)
  }
  ${behaviour.atRegistered ?? ''}
  for (;;) {
    const answer = await ask('GET', '2020-01-01/extension/event/next', { 'Lambda-Extension-Identifier': identifier })
    const event = JSON.parse(answer.text)
    await tell('event', { ...event, identified: answer.headers['lambda-extension-event-identifier'] !== undefined })
    ${behaviour.onEvent ?? ''}
    if (event.eventType === 'INVOKE') await new Promise((resolve) => setTimeout(resolve, ${workMs}))
    if (event.eventType === 'SHUTDOWN') { await tell('leaving', Date.now()); process.exit(0) }
  }
}
main().catch((error) => { console.log(String(error)); process.exit(70) })
`
  return { program }
}

/** A function with extensions. */
export interface ExtendedFunction {
  /** Programs that a layer puts under extensions/, by name. */
  readonly extensions: Readonly<Record<string, ZippedFile>>
  readonly files: Readonly<Record<string, ZippedFile>>
  readonly options?: DeployOptions
}

/** Deploys a function with a layer of extensions, which tell `collector` what they see. */
export async function defineExtended(
  { url }: RunningLambent,
  collector: Collector,
  name: string,
  { extensions, files, options = {} }: ExtendedFunction,
): Promise<void> {
  const programs = Object.entries(extensions).map(([file, program]) => [`extensions/${file}`, program])
  const layer = await publishLayer(url, `${name}-layer`, await zipOf(Object.fromEntries(programs)))
  const variables = { ...options.variables, COLLECTOR: collector.url }
  await deploy(url, name, await zipOf(files), { memoryMb: 256, ...options, layers: [layer], variables })
}

/** Publishes a layer; resolves with its version's ARN. */
async function publishLayer(url: string, name: string, zip: Buffer): Promise<string> {
  const response = await fetch(`${url}/2018-10-31/layers/${name}/versions`, {
    method: 'POST',
    body: JSON.stringify({ Content: { ZipFile: zip.toString('base64') } }),
  })
  const { LayerVersionArn } = (await response.json()) as { LayerVersionArn?: string }
  if (LayerVersionArn === undefined) throw new Error(`The layer ${name} was refused: ${response.status}`)
  return LayerVersionArn
}
