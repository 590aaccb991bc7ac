import type {
  _Record as KinesisRecord,
  GetShardIteratorCommandInput,
  Shard as KinesisShard,
} from '@aws-sdk/client-kinesis'
import type { ShardPosition } from '../../runtime/registry/event-source-record.ts'
import type { AwsClients } from '../aws/clients.ts'
import { streamArn, type SourceArn } from './source-arn.ts'
import type { StreamRecord, StreamSource } from './stream-source.ts'

/** A Kinesis data stream. `role` is whom records say that they were read by. */
export function createKinesisStream(
  clients: AwsClients,
  source: SourceArn,
  role: () => string,
): StreamSource {
  const StreamARN = streamArn(source.arn)
  return {
    batchInfoName: 'KinesisBatchInfo',
    timestamp: (atMs) => new Date(atMs).toISOString(),
    maxRead: 10_000,
    async shards(abortSignal) {
      const { ListShardsCommand } = await import('@aws-sdk/client-kinesis')
      const client = await clients.get('kinesis', source.scope)
      const found: KinesisShard[] = []
      let NextToken: string | undefined
      do {
        const answer = await client.send(
          new ListShardsCommand(NextToken === undefined ? { StreamARN } : { NextToken }),
          { abortSignal },
        )
        found.push(...(answer.Shards ?? []))
        NextToken = answer.NextToken
      } while (NextToken !== undefined)
      return found.map((shard) => ({
        id: shard.ShardId ?? '',
        parents: [shard.ParentShardId, shard.AdjacentParentShardId].filter((id) => id !== undefined),
        closed: shard.SequenceNumberRange?.EndingSequenceNumber !== undefined,
      }))
    },
    async iterator(ShardId, position, abortSignal) {
      const { GetShardIteratorCommand } = await import('@aws-sdk/client-kinesis')
      const client = await clients.get('kinesis', source.scope)
      const { ShardIterator = '' } = await client.send(
        new GetShardIteratorCommand({ StreamARN, ShardId, ...iteratorOf(position) }),
        { abortSignal },
      )
      return ShardIterator
    },
    async read(shardId, ShardIterator, Limit, abortSignal) {
      const { GetRecordsCommand } = await import('@aws-sdk/client-kinesis')
      const client = await clients.get('kinesis', source.scope)
      const { Records = [], NextShardIterator } = await client.send(
        new GetRecordsCommand({ ShardIterator, Limit, StreamARN }),
        { abortSignal },
      )
      const records = Records.map((record) => streamRecord(record, shardId, source, role()))
      return { records, next: NextShardIterator }
    },
  }
}

/** After a restart, what came since the mapping was made is read, wherever the newest record is by now. */
function iteratorOf(
  position: ShardPosition,
): Pick<GetShardIteratorCommandInput, 'ShardIteratorType' | 'StartingSequenceNumber' | 'Timestamp'> {
  if (position.kind === 'after')
    return { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: position.sequence }
  if (position.kind === 'end' || position.from.kind === 'oldest') return { ShardIteratorType: 'TRIM_HORIZON' }
  const atMs = position.from.kind === 'time' ? position.from.atMs : position.sinceMs
  if (position.from.kind === 'latest' && position.sinceMs === 0) return { ShardIteratorType: 'LATEST' }
  return { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: new Date(atMs) }
}

function streamRecord(
  { Data, PartitionKey: key = '', SequenceNumber: sequence = '', ApproximateArrivalTimestamp }: KinesisRecord,
  shardId: string,
  source: SourceArn,
  role: string,
): StreamRecord {
  const bytes = Buffer.from(Data ?? [])
  const arrivedAtMs = ApproximateArrivalTimestamp?.getTime() ?? 0
  const kinesis = {
    kinesisSchemaVersion: '1.0',
    partitionKey: key,
    sequenceNumber: sequence,
    data: bytes.toString('base64'),
    approximateArrivalTimestamp: arrivedAtMs / 1000,
  }
  const record = {
    kinesis,
    eventSource: 'aws:kinesis',
    eventVersion: '1.0',
    eventID: `${shardId}:${sequence}`,
    eventName: 'aws:kinesis:record',
    invokeIdentityArn: role,
    awsRegion: source.scope.region,
    eventSourceARN: source.arn,
  }
  return {
    sequence,
    key,
    arrivedAtMs,
    sizeBytes: Buffer.byteLength(JSON.stringify(record)) + 1,
    record,
    filterable: {
      event: { ...record, ...kinesis },
      member: { name: 'data', text: bytes.toString('utf8') },
    },
  }
}
