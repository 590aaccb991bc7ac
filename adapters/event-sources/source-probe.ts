import { EngineError } from '../../runtime/errors.ts'
import type { Scope } from '../../runtime/store/journal.ts'
import type { AwsClients } from '../aws/clients.ts'
import { Queue } from './queue.ts'
import { parseSourceArn, streamArn, type SourceArn } from './source-arn.ts'
import { isMissing } from './source-failure.ts'

/** Looks at a source before a mapping to it is made. */
export interface SourceProbe {
  /**
   * Resolves when the source is there and fits a function that runs for `functionTimeoutMs`, and when nobody
   * can be asked. `scope` is who asks. Rejects with EngineError 'invalid' and the service's text.
   */
  check(scope: Scope, sourceArn: string, functionTimeoutMs: number): Promise<void>
}

/**
 * Asks where an endpoint is configured. A source that cannot be asked now may be there: its mapping is made,
 * and says so.
 */
export function createSourceProbe(clients: AwsClients): SourceProbe {
  return {
    async check(_scope, sourceArn, functionTimeoutMs) {
      const source = parseSourceArn(sourceArn)
      if (source === undefined) return
      if (source.kind === 'queue' && clients.isElsewhere('sqs'))
        return await checkQueue(clients, source, functionTimeoutMs)
      const look =
        source.kind === 'shards' ? lookAtStream : source.kind === 'table-stream' ? lookAtTable : undefined
      try {
        await look?.(clients, source)
      } catch (error) {
        if (isMissing(error))
          throw new EngineError('invalid', `Stream not found: ${sourceArn}`, { cause: error })
      }
    },
  }
}

async function checkQueue(clients: AwsClients, source: SourceArn, functionTimeoutMs: number): Promise<void> {
  let visibilityMs: number
  try {
    visibilityMs = await new Queue(clients, source).visibilityMs()
  } catch (error) {
    if (!isMissing(error)) return
    throw new EngineError(
      'invalid',
      'Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. ' +
        'SQS Error Message: The specified queue does not exist.',
      { cause: error },
    )
  }
  if (visibilityMs < functionTimeoutMs)
    throw new EngineError(
      'invalid',
      `Queue visibility timeout: ${visibilityMs / 1000} seconds is less than Function timeout: ` +
        `${Math.ceil(functionTimeoutMs / 1000)} seconds`,
    )
}

async function lookAtStream(clients: AwsClients, source: SourceArn): Promise<void> {
  if (!clients.isElsewhere('kinesis')) return
  const { DescribeStreamSummaryCommand } = await import('@aws-sdk/client-kinesis')
  const client = await clients.get('kinesis', source.scope)
  await client.send(new DescribeStreamSummaryCommand({ StreamARN: streamArn(source.arn) }))
}

async function lookAtTable(clients: AwsClients, source: SourceArn): Promise<void> {
  if (!clients.isElsewhere('dynamodbstreams')) return
  const { DescribeStreamCommand } = await import('@aws-sdk/client-dynamodb-streams')
  const client = await clients.get('dynamodbstreams', source.scope)
  await client.send(new DescribeStreamCommand({ StreamArn: source.arn, Limit: 1 }))
}
