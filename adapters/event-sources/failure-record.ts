import type { EventSourceRecord } from '../../runtime/registry/event-source-record.ts'
import { functionArn } from '../../runtime/registry/function-record.ts'
import type { StreamRecord, StreamSource } from './stream-source.ts'

/** Records of a stream that are given up. */
export interface GivenUp {
  readonly condition: 'RetryAttemptsExhausted' | 'RecordAgeExceeded'
  readonly requestId: string
  readonly invokeCount: number
  /** Undefined when the function's last answer is not told. */
  readonly response: { readonly executedVersion: string; readonly functionError: string | null } | undefined
  readonly records: readonly StreamRecord[]
}

/**
 * What a destination is told of records that are given up. `payload` is the event, for those that keep it.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
 */
export function failureRecord(
  { condition, requestId, invokeCount, response, records }: GivenUp,
  of: {
    readonly record: EventSourceRecord
    readonly source: Pick<StreamSource, 'batchInfoName' | 'timestamp'>
    readonly shardId: string
    readonly nowMs: number
    readonly payload: string | undefined
  },
): Record<string, unknown> {
  const { record, source, shardId, nowMs, payload } = of
  const [first, last] = [records[0], records.at(-1)]
  return {
    requestContext: {
      requestId,
      functionArn: functionArn(record.scope, record.functionName, record.qualifier),
      condition,
      approximateInvokeCount: invokeCount,
    },
    ...(response === undefined ? {} : { responseContext: { statusCode: 200, ...response } }),
    version: '1.0',
    timestamp: new Date(nowMs).toISOString(),
    [source.batchInfoName]: {
      shardId,
      startSequenceNumber: first?.sequence,
      endSequenceNumber: last?.sequence,
      approximateArrivalOfFirstRecord: source.timestamp(first?.arrivedAtMs ?? nowMs),
      approximateArrivalOfLastRecord: source.timestamp(last?.arrivedAtMs ?? nowMs),
      batchSize: records.length,
      streamArn: record.sourceArn,
    },
    ...(payload === undefined ? {} : { payload }),
  }
}

/** Where a bucket keeps such a record. */
export function failureKey(record: EventSourceRecord, shardId: string, nowMs: number, uuid: string): string {
  const [day = '', time = ''] = new Date(nowMs).toISOString().split(/[T.]/)
  const folder = day.replaceAll('-', '/')
  return `aws/lambda/${record.id}/${shardId}/${folder}/${day}T${time.replaceAll(':', '.')}-${uuid}`
}
