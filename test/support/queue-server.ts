import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A message as ReceiveMessage shows it; its body is JSON in all recordings, and shown as such. */
export type ReceivedMessage = Readonly<Record<string, unknown>>

/** A server that takes messages for any queue, as SQS does. */
export interface QueueServer extends AsyncDisposable {
  /** What a process needs to find it. */
  readonly environment: Readonly<Record<string, string>>
  /** By queue, in order of arrival. */
  readonly queues: ReadonlyMap<string, readonly ReceivedMessage[]>
}

interface Sent {
  readonly QueueName?: string
  readonly QueueUrl?: string
  readonly MessageBody?: string
  readonly MessageAttributes?: unknown
  readonly MessageSystemAttributes?: Readonly<Record<string, { StringValue: string }>>
}

/** Starts a server on a free port. */
export async function startQueueServer(): Promise<QueueServer> {
  const queues = new Map<string, ReceivedMessage[]>()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const sent = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Sent // of the official client
      const answer =
        request.headers['x-amz-target'] === 'AmazonSQS.GetQueueUrl'
          ? { QueueUrl: `http://${request.headers.host}/queue/${sent.QueueName}` }
          : take(queues, sent)
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(answer))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // a TCP server that listens
  return {
    environment: {
      AWS_ENDPOINT_URL_SQS: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
    },
    queues,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

function take(queues: Map<string, ReceivedMessage[]>, sent: Sent): object {
  const { QueueUrl = '', MessageBody = '', MessageAttributes, MessageSystemAttributes } = sent
  const name = QueueUrl.slice(QueueUrl.lastIndexOf('/') + 1)
  const MD5OfBody = createHash('md5').update(MessageBody).digest('hex')
  const MessageId = crypto.randomUUID()
  const now = String(Date.now())
  const system = Object.entries(MessageSystemAttributes ?? {}).map(([key, { StringValue }]) => [
    key,
    StringValue,
  ])
  const message = {
    Attributes: {
      ...Object.fromEntries(system),
      ApproximateFirstReceiveTimestamp: now,
      ApproximateReceiveCount: '1',
      SenderId: 'engine',
      SentTimestamp: now,
    },
    Body: JSON.parse(MessageBody) as unknown,
    MD5OfBody,
    ...(MessageAttributes === undefined ? {} : { MD5OfMessageAttributes: 'unchecked', MessageAttributes }),
    MessageId,
    ReceiptHandle: `receipt-${MessageId}`,
  }
  queues.set(name, [...(queues.get(name) ?? []), message])
  return { MessageId, MD5OfMessageBody: MD5OfBody }
}
