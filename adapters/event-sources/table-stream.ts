import type {
  _Record as TableRecord,
  AttributeValue,
  GetShardIteratorCommandInput,
  Shard as TableShard,
} from '@aws-sdk/client-dynamodb-streams'
import type { ShardPosition } from '../../runtime/registry/event-source-record.ts'
import type { AwsClients } from '../aws/clients.ts'
import type { SourceArn } from './source-arn.ts'
import type { StreamRecord, StreamSource } from './stream-source.ts'

/** The stream of a DynamoDB table's changes. */
export function createTableStream(clients: AwsClients, source: SourceArn): StreamSource {
  const StreamArn = source.arn
  /** Of shards that are read from the oldest record although they should be from a time on. */
  const skipBeforeMs = new Map<string, number>()
  return {
    batchInfoName: 'DDBStreamBatchInfo',
    // seconds are all there is
    timestamp: (atMs) => new Date(atMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    maxRead: 1000,
    async shards(abortSignal) {
      const { DescribeStreamCommand } = await import('@aws-sdk/client-dynamodb-streams')
      const client = await clients.get('dynamodbstreams', source.scope)
      const found: TableShard[] = []
      let ExclusiveStartShardId: string | undefined
      do {
        const { StreamDescription } = await client.send(
          new DescribeStreamCommand({
            StreamArn,
            ...(ExclusiveStartShardId === undefined ? {} : { ExclusiveStartShardId }),
          }),
          { abortSignal },
        )
        found.push(...(StreamDescription?.Shards ?? []))
        ExclusiveStartShardId = StreamDescription?.LastEvaluatedShardId
      } while (ExclusiveStartShardId !== undefined)
      return found.map((shard) => ({
        id: shard.ShardId ?? '',
        parents: shard.ParentShardId === undefined ? [] : [shard.ParentShardId],
        closed: shard.SequenceNumberRange?.EndingSequenceNumber !== undefined,
      }))
    },
    async iterator(ShardId, position, abortSignal) {
      const { GetShardIteratorCommand } = await import('@aws-sdk/client-dynamodb-streams')
      const client = await clients.get('dynamodbstreams', source.scope)
      skipBeforeMs.delete(ShardId)
      if (position.kind === 'start' && position.from.kind === 'latest' && position.sinceMs > 0)
        skipBeforeMs.set(ShardId, Math.floor(position.sinceMs / 1000) * 1000)
      const { ShardIterator = '' } = await client.send(
        new GetShardIteratorCommand({ StreamArn, ShardId, ...iteratorOf(position) }),
        { abortSignal },
      )
      return ShardIterator
    },
    async read(shardId, ShardIterator, Limit, abortSignal) {
      const { GetRecordsCommand } = await import('@aws-sdk/client-dynamodb-streams')
      const client = await clients.get('dynamodbstreams', source.scope)
      const { Records = [], NextShardIterator } = await client.send(
        new GetRecordsCommand({ ShardIterator, Limit }),
        { abortSignal },
      )
      const sinceMs = skipBeforeMs.get(shardId) ?? 0
      const records = Records.map((record) => streamRecord(record, source))
      return { records: records.filter(({ arrivedAtMs }) => arrivedAtMs >= sinceMs), next: NextShardIterator }
    },
  }
}

/** There is no reading from a time on: it is the oldest record then, and those before are skipped. */
function iteratorOf(position: ShardPosition): Pick<
  GetShardIteratorCommandInput,
  'ShardIteratorType' | 'SequenceNumber'
> & {
  ShardIteratorType: string
} {
  if (position.kind === 'after')
    return { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: position.sequence }
  if (position.kind === 'start' && position.from.kind === 'latest' && position.sinceMs === 0)
    return { ShardIteratorType: 'LATEST' }
  return { ShardIteratorType: 'TRIM_HORIZON' }
}

function streamRecord(change: TableRecord, { arn, scope }: SourceArn): StreamRecord {
  const { dynamodb = {}, userIdentity } = change
  const sequence = dynamodb.SequenceNumber ?? ''
  const arrivedAtMs = dynamodb.ApproximateCreationDateTime?.getTime() ?? 0
  const keys = imageOf(dynamodb.Keys)
  const record = {
    eventID: change.eventID,
    eventName: change.eventName,
    eventVersion: '1.1',
    eventSource: 'aws:dynamodb',
    awsRegion: scope.region,
    dynamodb: {
      ApproximateCreationDateTime: Math.floor(arrivedAtMs / 1000),
      Keys: keys,
      ...(dynamodb.NewImage === undefined ? {} : { NewImage: imageOf(dynamodb.NewImage) }),
      ...(dynamodb.OldImage === undefined ? {} : { OldImage: imageOf(dynamodb.OldImage) }),
      SequenceNumber: sequence,
      SizeBytes: dynamodb.SizeBytes,
      StreamViewType: dynamodb.StreamViewType,
    },
    ...(userIdentity === undefined
      ? {}
      : { userIdentity: { type: userIdentity.Type, principalId: userIdentity.PrincipalId } }),
    eventSourceARN: arn,
  }
  const text = JSON.stringify(record)
  return {
    sequence,
    key: JSON.stringify(keys),
    arrivedAtMs,
    sizeBytes: Buffer.byteLength(text) + 1,
    record,
    filterable: { event: record },
  }
}

const imageOf = (image: Readonly<Record<string, AttributeValue>> | undefined): Record<string, unknown> =>
  Object.fromEntries(Object.entries(image ?? {}).map(([name, value]) => [name, valueOf(value)]))

/** Bytes become base64, as everywhere in JSON. */
function valueOf(value: AttributeValue): unknown {
  if (value.B !== undefined) return { B: base64(value.B) }
  if (value.BS !== undefined) return { BS: value.BS.map(base64) }
  if (value.L !== undefined) return { L: value.L.map(valueOf) }
  if (value.M !== undefined) return { M: imageOf(value.M) }
  return value
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
