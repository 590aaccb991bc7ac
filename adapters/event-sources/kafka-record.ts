import type { KafkaMessage } from 'kafkajs'
import type { Filterable } from './record-filter.ts'

/** A record of a topic, as functions see it. */
export interface TopicRecord {
  readonly offset: string
  readonly sizeBytes: number
  readonly record: Readonly<Record<string, unknown>>
  readonly filterable: Filterable
}

/** @see https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html */
export function topicRecord(message: KafkaMessage, topic: string, partition: number): TopicRecord {
  const value = message.value ?? Buffer.alloc(0)
  const record = {
    topic,
    partition,
    offset: Number(message.offset),
    timestamp: Number(message.timestamp),
    timestampType: 'CREATE_TIME',
    ...(message.key === null ? {} : { key: message.key.toString('base64') }),
    value: value.toString('base64'),
    headers: headersOf(message.headers ?? {}),
  }
  return {
    offset: message.offset,
    sizeBytes: Buffer.byteLength(JSON.stringify(record)) + 1,
    record,
    filterable: { event: record, member: { name: 'value', text: value.toString('utf8') } },
  }
}

/** The event for records of one partition. */
export const topicEvent = (
  servers: readonly string[],
  topic: string,
  partition: number,
  records: readonly TopicRecord[],
): Record<string, unknown> => ({
  eventSource: 'SelfManagedKafka',
  bootstrapServers: servers.join(','),
  records: { [`${topic}-${partition}`]: records.map(({ record }) => record) },
})

/** Headers are lists of bytes; one name may come more than once. */
const headersOf = (headers: NonNullable<KafkaMessage['headers']>): Record<string, number[]>[] =>
  Object.entries(headers).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value])
      .filter((one) => one !== undefined)
      .map((one) => ({ [name]: [...Buffer.from(one)] })),
  )
