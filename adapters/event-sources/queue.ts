import type { DeleteMessageBatchRequestEntry, Message, SQSClient } from '@aws-sdk/client-sqs'
import { EngineError } from '../../runtime/errors.ts'
import type { AwsClients } from '../aws/clients.ts'
import type { SourceArn } from './source-arn.ts'

/** Messages that one call may receive, delete or hide. */
export const CALL_MESSAGES = 10

/** One queue, through AWS's client. Every call rejects with what the service or the network says. */
export class Queue {
  readonly #clients: AwsClients
  readonly #source: SourceArn
  #url: string | undefined

  constructor(clients: AwsClients, source: SourceArn) {
    this.#clients = clients
    this.#source = source
  }

  /** How long a message that was received stays hidden. */
  async visibilityMs(signal?: AbortSignal): Promise<number> {
    const { GetQueueAttributesCommand } = await import('@aws-sdk/client-sqs')
    const { client, QueueUrl } = await this.#open(signal)
    const { Attributes } = await client.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['VisibilityTimeout'] }),
      abortBy(signal),
    )
    return Number(Attributes?.['VisibilityTimeout'] ?? 30) * 1000
  }

  /** At most ten messages; waits up to `waitSeconds` for the first. */
  async receive(count: number, waitSeconds: number, signal: AbortSignal): Promise<Message[]> {
    const { ReceiveMessageCommand } = await import('@aws-sdk/client-sqs')
    const { client, QueueUrl } = await this.#open(signal)
    const { Messages } = await client.send(
      new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: Math.min(count, CALL_MESSAGES),
        WaitTimeSeconds: waitSeconds,
        MessageSystemAttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      }),
      abortBy(signal),
    )
    return Messages ?? []
  }

  /** Deletes messages; resolves with the handles of those that the queue did not delete. */
  async delete(receiptHandles: readonly string[]): Promise<string[]> {
    const { DeleteMessageBatchCommand } = await import('@aws-sdk/client-sqs')
    const { client, QueueUrl } = await this.#open()
    const left: string[] = []
    for (const entries of callsOf(receiptHandles)) {
      const { Failed = [] } = await client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries: entries }))
      const failed = new Set(Failed.map(({ Id }) => Id))
      for (const { Id, ReceiptHandle } of entries) if (failed.has(Id)) left.push(ReceiptHandle ?? '')
    }
    return left
  }

  /** Hides messages for `visibilityMs` from now on; 0 shows them at once. */
  async hide(receiptHandles: readonly string[], visibilityMs: number): Promise<void> {
    const { ChangeMessageVisibilityBatchCommand } = await import('@aws-sdk/client-sqs')
    const { client, QueueUrl } = await this.#open()
    const VisibilityTimeout = Math.ceil(visibilityMs / 1000)
    for (const entries of callsOf(receiptHandles))
      await client.send(
        new ChangeMessageVisibilityBatchCommand({
          QueueUrl,
          Entries: entries.map((entry) => ({ ...entry, VisibilityTimeout })),
        }),
      )
  }

  /** The queue may be another one of that name, or gone: its address is looked up anew. */
  forget(): void {
    this.#url = undefined
  }

  async #open(signal?: AbortSignal): Promise<{ client: SQSClient; QueueUrl: string }> {
    const { scope, name } = this.#source
    const client = await this.#clients.get('sqs', scope)
    if (this.#url === undefined) {
      const { GetQueueUrlCommand } = await import('@aws-sdk/client-sqs')
      const owner = { QueueName: name, QueueOwnerAWSAccountId: scope.account }
      const { QueueUrl } = await client.send(new GetQueueUrlCommand(owner), abortBy(signal))
      if (QueueUrl === undefined) throw new EngineError('not-found', `Queue ${name} has no URL.`)
      this.#url = QueueUrl
    }
    return { client, QueueUrl: this.#url }
  }
}

type Entry = DeleteMessageBatchRequestEntry & { readonly Id: string }

/** Entries for as many calls as it takes. */
function callsOf(receiptHandles: readonly string[]): Entry[][] {
  const calls: Entry[][] = []
  for (let start = 0; start < receiptHandles.length; start += CALL_MESSAGES) {
    const part = receiptHandles.slice(start, start + CALL_MESSAGES)
    calls.push(part.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle })))
  }
  return calls
}

const abortBy = (signal: AbortSignal | undefined): { abortSignal?: AbortSignal } =>
  signal === undefined ? {} : { abortSignal: signal }
