import type { Message, MessageAttributeValue } from '@aws-sdk/client-sqs'
import type { Filterable } from './record-filter.ts'
import type { SourceArn } from './source-arn.ts'

/** A message that was received and is hidden from others for a while. */
export interface QueueMessage {
  readonly id: string
  readonly receiptHandle: string
  /** Its record in the event, about, in bytes. */
  readonly sizeBytes: number
  /** As functions see it. */
  readonly record: Readonly<Record<string, unknown>>
}

/**
 * A message as functions see it. Mappings that gather over a window say that a message has no attributes;
 * those that do not, leave it out.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
 */
export function queueMessage(message: Message, { arn, scope }: SourceArn, windowed: boolean): QueueMessage {
  const { MessageId: id = '', ReceiptHandle: receiptHandle = '', Body: body = '' } = message
  const attributesHash = message.MD5OfMessageAttributes ?? (windowed ? null : undefined)
  const record = {
    messageId: id,
    receiptHandle,
    body,
    attributes: { ...message.Attributes },
    messageAttributes: attributesOf(message.MessageAttributes ?? {}),
    ...(attributesHash === undefined ? {} : { md5OfMessageAttributes: attributesHash }),
    md5OfBody: message.MD5OfBody ?? '',
    eventSource: 'aws:sqs',
    eventSourceARN: arn,
    awsRegion: scope.region,
  }
  return { id, receiptHandle, record, sizeBytes: Buffer.byteLength(JSON.stringify(record)) + 1 }
}

/** What patterns are about: the record, and inside its body when that is JSON. */
export const filterableMessage = ({ record }: QueueMessage): Filterable => ({
  event: record,
  member: { name: 'body', text: String(record['body']) },
})

function attributesOf(attributes: Readonly<Record<string, MessageAttributeValue>>): Record<string, object> {
  const entries = Object.entries(attributes).map(([name, value]): [string, object] => {
    const { StringValue, BinaryValue, DataType } = value
    return [
      name,
      {
        ...(StringValue === undefined ? {} : { stringValue: StringValue }),
        ...(BinaryValue === undefined ? {} : { binaryValue: Buffer.from(BinaryValue).toString('base64') }),
        stringListValues: [],
        binaryListValues: [],
        dataType: DataType,
      },
    ]
  })
  return Object.fromEntries(entries)
}
