import type { SourceKind } from '../../runtime/registry/event-source-record.ts'
import type { Scope } from '../../runtime/store/journal.ts'

/** What an event source's ARN says. */
export interface SourceArn {
  readonly arn: string
  readonly kind: SourceKind
  /** The source's own account and region. */
  readonly scope: Scope
  /** Name of the queue, stream, table, cluster or broker. */
  readonly name: string
  /** Queues only: messages of a group come one after another. */
  readonly fifo: boolean
}

const ARN = /^arn:aws[a-zA-Z0-9-]*:([a-z0-9-]+):([a-z0-9-]+):(\d{12}):(.+)$/

const RESOURCES: readonly (readonly [service: string, resource: RegExp, kind: SourceKind])[] = [
  ['sqs', /^([a-zA-Z0-9_-]+(?:\.fifo)?)$/, 'queue'],
  ['kinesis', /^stream\/([a-zA-Z0-9_.-]+)(?:\/consumer\/.+)?$/, 'shards'],
  ['dynamodb', /^table\/([a-zA-Z0-9_.-]+)\/stream\/.+$/, 'table-stream'],
  ['kafka', /^cluster\/([^/]+)\/.+$/, 'log'],
  ['mq', /^broker:([^:]+):.+$/, 'broker'],
  ['rds', /^cluster:(.+)$/, 'document-stream'],
]

/** Takes the ARN of an event source apart; undefined for what nothing can be read from. */
export function parseSourceArn(arn: string): SourceArn | undefined {
  const [, service, region, account, resource = ''] = ARN.exec(arn) ?? []
  if (region === undefined || account === undefined) return undefined
  for (const [of, expression, kind] of RESOURCES) {
    const [, name] = service === of ? (expression.exec(resource) ?? []) : []
    if (name === undefined) continue
    return { arn, kind, scope: { account, region }, name, fifo: name.endsWith('.fifo') }
  }
  return undefined
}

/** The stream that a consumer with enhanced fan-out reads; any other ARN as it is. */
export const streamArn = (arn: string): string => arn.replace(/\/consumer\/.+$/, '')
