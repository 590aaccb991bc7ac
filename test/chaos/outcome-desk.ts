import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** How a handler is to behave: fail every time, only the first time, or never. */
export type Plan = 'always' | 'once' | 'never'

/** A message that a queue has taken. */
export interface QueuedMessage {
  readonly body: string
  /** The attribute RequestID, which dead letters have. */
  readonly requestId: string | undefined
}

/**
 * The world outside of a killed engine, in one server: handlers ask it whether to fail, and queues that speak
 * as much of SQS's protocol as the official client needs to send. Queues can be away, refuse some messages,
 * and take some without saying so.
 */
export class OutcomeDesk implements AsyncDisposable {
  /** How often each event has asked, so how often it has run. */
  readonly runs = new Map<string, number>()
  /** By queue, in order of arrival. */
  readonly messages = new Map<string, QueuedMessage[]>()
  /** Queues answer nothing but failures. */
  isAway = false
  /** Shares of messages that are refused, and that are taken although the sender hears of a failure. */
  trouble = { refused: 0, unheard: 0 }
  readonly #fraction: () => number
  readonly #server = createServer((request, response) => void this.#answer(request, response))

  constructor(fraction: () => number) {
    this.#fraction = fraction
  }

  async open(): Promise<number> {
    this.#server.keepAliveTimeout = 0
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port // it listens on TCP
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer) // no encoding is set
    } catch {
      return // a caller who was killed while it spoke has said nothing
    }
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Record<string, unknown> // JSON is all that comes
    const target = request.headers['x-amz-target']
    if (target === undefined) return this.#advise(body as { id: string; plan: Plan }, response)
    if (target === 'AmazonSQS.GetQueueUrl') {
      const url = `http://${request.headers.host}/000000000000/${String(body['QueueName'])}`
      return reply(response, 200, { QueueUrl: url })
    }
    this.#take(body as unknown as SendMessage, response)
  }

  #advise({ id, plan }: { id: string; plan: Plan }, response: ServerResponse): void {
    const run = (this.runs.get(id) ?? 0) + 1
    this.runs.set(id, run)
    reply(response, 200, { fail: plan === 'always' || (plan === 'once' && run === 1) })
  }

  #take({ QueueUrl, MessageBody, MessageAttributes }: SendMessage, response: ServerResponse): void {
    const failure = { __type: 'com.amazonaws.sqs#ServiceUnavailable', message: 'Away.' }
    const chance = this.#fraction()
    if (this.isAway || chance < this.trouble.refused) return reply(response, 503, failure)
    const queue = QueueUrl.slice(QueueUrl.lastIndexOf('/') + 1)
    const messages = this.messages.get(queue) ?? []
    messages.push({ body: MessageBody, requestId: MessageAttributes?.['RequestID']?.StringValue })
    this.messages.set(queue, messages)
    if (chance < this.trouble.refused + this.trouble.unheard) return reply(response, 503, failure)
    const MD5OfMessageBody = createHash('md5').update(MessageBody).digest('hex')
    reply(response, 200, { MessageId: String(messages.length), MD5OfMessageBody })
  }
}

interface SendMessage {
  readonly QueueUrl: string
  readonly MessageBody: string
  readonly MessageAttributes?: Readonly<Record<string, { StringValue?: string }>>
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body))
}

/** The code of a handler that asks the desk whether to fail. */
export const advisedHandler = (port: number): string => `
const http = require('node:http')
const agent = new http.Agent({ keepAlive: true })
exports.handler = ({ id, plan }) => new Promise((resolve, reject) => {
  const request = http.request({ host: '127.0.0.1', port: ${port}, method: 'POST', agent }, (response) => {
    let text = ''
    response.on('data', (chunk) => (text += chunk))
    response.on('end', () => (JSON.parse(text).fail ? reject(new Error('as planned')) : resolve({ id })))
  })
  request.on('error', () => process.kill(process.pid, 'SIGKILL'))
  request.end(JSON.stringify({ id, plan }))
})
`
