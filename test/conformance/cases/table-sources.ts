import { PutItemCommand, type AttributeValue } from '@aws-sdk/client-dynamodb'
import {
  CreateEventSourceMappingCommand,
  ListEventSourceMappingsCommand,
  UpdateEventSourceMappingCommand,
} from '@aws-sdk/client-lambda'
import type { Given, Reply } from '../../support/event-sources.ts'
import { until } from '../../support/until.ts'
import { ACCOUNT, REGION } from '../service.ts'
import type { SourceRun } from '../source-run.ts'
import type { SourceCase } from './queue-sources.ts'
import { FAILURES, failureBucket, SUCCESSES } from './stream-sources.ts'

const inClass = (name: string): string => `dynamodbstreams::TestDynamoDBEventSourceMapping::${name}`

type Item = Record<string, AttributeValue>

/** Filters with an item that they let through, and one that they do not. */
const FILTERS: readonly (readonly [name: string, pattern: unknown, match: Item, other: Item | undefined])[] =
  [
    [
      'content_multiple_filters',
      { eventName: ['INSERT'], eventSource: ['aws:dynamodb'] },
      { id: { S: 'id_value' } },
      undefined,
    ],
    [
      'exists_filter_type',
      { dynamodb: { NewImage: { presentKey: { S: [{ exists: true }] } } } },
      { presentKey: { S: 'presentValue' }, id: { S: 'id_value_1' } },
      { id: { S: 'id_value_2' } },
    ],
    [
      'numeric_filter',
      {
        dynamodb: {
          NewImage: { numericFilter: { N: [{ numeric: ['>', 100] }, { 'anything-but': '101' }] } },
        },
      },
      { numericFilter: { N: '42' }, id: { S: 'id_value_1' } },
      { numericFilter: { N: '101' }, id: { S: 'id_value_2' } },
    ],
    [
      'prefix_filter',
      { dynamodb: { NewImage: { prefix: { S: [{ prefix: 'us-1' }] } } } },
      { prefix: { S: 'us-1-other-suffix' }, id: { S: 'id_value_1' } },
      { prefix: { S: 'other-suffix' }, id: { S: 'id_value_2' } },
    ],
  ]

const SUCCESS_NAMES = ['empty_list_success', 'empty_dict_success', 'empty_batch_item_failure_success']
const FAILURE_NAMES = [
  'invalid_key_foo_failure',
  'invalid_key_foo_null_value_failure',
  'item_identifier_not_present_failure',
]

/** Streams of tables as sources. */
export const TABLE_SOURCE_CASES: readonly SourceCase[] = [
  { recording: inClass('test_dynamodb_event_source_mapping'), script: plain },
  { recording: inClass('test_disabled_dynamodb_event_source_mapping'), script: disabled },
  { recording: inClass('test_deletion_event_source_mapping_with_dynamodb'), script: listed },
  { recording: inClass('test_duplicate_event_source_mappings'), script: duplicate },
  {
    recording: inClass('test_dynamodb_event_source_mapping_with_on_failure_destination_config'),
    script: (run) => failed(run, { error: 'no' }, 1),
  },
  { recording: inClass('test_dynamodb_event_source_mapping_with_s3_on_failure_destination'), script: bucket },
  {
    recording: inClass('test_dynamodb_invalid_event_filter[single-string]'),
    script: (run) => invalid(run, 'single'),
  },
  {
    recording: inClass('test_dynamodb_invalid_event_filter[[{"eventName": ["INSERT"=123}]]'),
    script: (run) => invalid(run, '[{"eventName": ["INSERT"=123}]'),
  },
  { recording: inClass('test_esm_with_not_existing_dynamodb_stream'), script: missing },
  { recording: inClass('test_dynamodb_report_batch_item_failures'), script: partly },
  ...FILTERS.map(([name, pattern, match, other]) => ({
    recording: inClass(`test_dynamodb_event_filter[${name}]`),
    script: (run: SourceRun) => filtered(run, pattern, match, other),
  })),
  ...SUCCESSES.filter(([name]) => SUCCESS_NAMES.includes(name)).map(([name, result]) => ({
    recording: inClass(`test_dynamodb_report_batch_item_success_scenarios[${name}]`),
    script: (run: SourceRun) => succeeded(run, result),
  })),
  ...FAILURES.filter(([name]) => FAILURE_NAMES.includes(name)).map(([name, reply]) => ({
    recording: inClass(`test_dynamodb_report_batch_item_failure_scenarios[${name}]`),
    script: (run: SourceRun) => failed(run, reply, 3, true),
  })),
]

const KEY = 'my_partition_key'
const BINARY: Item = { [KEY]: { S: 'hello world' }, binary_key: { B: Buffer.from('foobar') } }
const INPUT = {
  BatchSize: 1,
  StartingPosition: 'TRIM_HORIZON' as const,
  MaximumBatchingWindowInSeconds: 1,
  MaximumRetryAttempts: 1,
}

const put = (run: SourceRun, Item: Item): Promise<unknown> =>
  run.world.dynamodb.send(new PutItemCommand({ TableName: run.name, Item }))

async function plain(run: SourceRun): Promise<void> {
  const { arn: EventSourceArn } = await run.table(KEY, 'NEW_IMAGE')
  await run.handle()
  await run.map('create_event_source_mapping_response', { EventSourceArn, ...INPUT })
  await put(run, BINARY)
  run.compareItems('event_logs', await run.events(1))
}

async function disabled(run: SourceRun): Promise<void> {
  const { arn: EventSourceArn } = await run.table('id', 'NEW_IMAGE')
  await run.handle()
  const UUID = await run.map('create_event_source_mapping_result', {
    EventSourceArn,
    StartingPosition: 'TRIM_HORIZON',
    MaximumBatchingWindowInSeconds: 1,
  })
  await put(run, { id: { S: 'test' } })
  await until('it says so', async () => (await run.send(run.mapping))['LastProcessingResult'] === 'OK')
  const update = new UpdateEventSourceMappingCommand({ UUID, Enabled: false })
  await run.record('update_event_source_mapping_result', update)
  await run.settled('Disabled')
}

async function listed(run: SourceRun): Promise<void> {
  const { arn: EventSourceArn } = await run.table('id', 'NEW_IMAGE')
  await run.create()
  await run.map('create_event_source_mapping_result', { EventSourceArn, StartingPosition: 'TRIM_HORIZON' })
  await run.record('list_event_source_mapping_result', new ListEventSourceMappingsCommand({ EventSourceArn }))
}

async function duplicate(run: SourceRun): Promise<void> {
  const { arn: EventSourceArn } = await run.table(KEY, 'NEW_IMAGE')
  await run.create()
  await run.map('create', { EventSourceArn, ...INPUT, BatchSize: 100 })
  const again = { FunctionName: run.name, EventSourceArn, ...INPUT }
  await run.record('error', new CreateEventSourceMappingCommand(again))
}

async function filtered(
  run: SourceRun,
  pattern: unknown,
  match: Item,
  other: Item | undefined,
): Promise<void> {
  const { arn: EventSourceArn } = await run.table('id', 'NEW_AND_OLD_IMAGES')
  await run.handle()
  await run.map('create_event_source_mapping_response', {
    EventSourceArn,
    ...INPUT,
    FilterCriteria: { Filters: [{ Pattern: JSON.stringify(pattern) }] },
  })
  await put(run, match)
  const events = await run.events(1)
  if (other !== undefined) await put(run, other)
  run.compareItems('lambda-log-events', events)
  run.compareItems('lambda-multiple-log-events', await run.events(1))
}

async function succeeded(run: SourceRun, result: unknown): Promise<void> {
  const { arn: EventSourceArn } = await run.table(KEY, 'NEW_IMAGE')
  await run.handle(() => ({ result }))
  const FunctionResponseTypes = ['ReportBatchItemFailures' as const]
  await run.map(undefined, { EventSourceArn, ...INPUT, FunctionResponseTypes })
  await put(run, BINARY)
  run.compareItems('dynamodb_events', await run.events(1))
}

async function failed(run: SourceRun, reply: Reply, retries: number, reports = false): Promise<void> {
  const queue = await run.queue()
  const { arn: EventSourceArn } = await run.table(KEY, 'NEW_IMAGE')
  await run.handle(() => reply)
  await run.map(reports ? undefined : 'create_event_source_mapping_response', {
    EventSourceArn,
    ...INPUT,
    MaximumRetryAttempts: retries,
    DestinationConfig: { OnFailure: { Destination: queue.arn } },
    ...(reports ? { FunctionResponseTypes: ['ReportBatchItemFailures'] } : {}),
  })
  await put(run, reports ? BINARY : { [KEY]: { S: 'hello world' } })
  run.compare('destination_queue_messages', await run.received(queue))
  if (reports) run.compareItems('dynamodb_events', await run.events(retries + 1))
}

/** The last of six items fails, always. */
async function partly(run: SourceRun): Promise<void> {
  const queue = await run.queue()
  const { arn: EventSourceArn } = await run.table(KEY, 'NEW_IMAGE')
  await run.handle(({ event }: Given) => {
    const failed = recordsOf(event).filter(({ dynamodb }) => dynamodb.NewImage['should_fail']?.BOOL === true)
    const batchItemFailures = failed.map(({ dynamodb }) => ({ itemIdentifier: dynamodb.SequenceNumber }))
    return { result: { batchItemFailures } }
  })
  for (let index = 0; index < 6; index++)
    await put(run, { [KEY]: { S: `testId${index}` }, should_fail: { BOOL: index === 5 } })
  await run.map('create_event_source_mapping_response', {
    EventSourceArn,
    ...INPUT,
    BatchSize: 3,
    MaximumRetryAttempts: 3,
    DestinationConfig: { OnFailure: { Destination: queue.arn } },
    FunctionResponseTypes: ['ReportBatchItemFailures'],
  })
  run.compare('destination_queue_messages', await run.received(queue))
  const records = (await run.events(1)).flatMap(recordsOf)
  const keyOf = (record: TableRecord): string => record.dynamodb.NewImage[KEY]?.S ?? ''
  const Records = records.sort((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1))
  run.compare('dynamodb_records', { Records })
}

interface TableRecord {
  readonly dynamodb: {
    readonly NewImage: Record<string, { S?: string; BOOL?: boolean }>
    readonly SequenceNumber: string
  }
}

/** The cast: the records of a table's event. */
const recordsOf = (event: Given['event']): TableRecord[] => event['Records'] as unknown as TableRecord[]

async function bucket(run: SourceRun): Promise<void> {
  const { arn: EventSourceArn } = await run.table(KEY, 'NEW_IMAGE')
  await run.handle(() => ({ error: 'no' }))
  const { Destination, body } = await failureBucket(run)
  const DestinationConfig = { OnFailure: { Destination } }
  await run.map('create_event_source_mapping_response', { EventSourceArn, ...INPUT, DestinationConfig })
  await put(run, { [KEY]: { S: 'hello world' } })
  run.compare('record_body', await body())
}

async function invalid(run: SourceRun, Pattern: string): Promise<void> {
  const { arn: EventSourceArn } = await run.table('id', 'NEW_IMAGE')
  await run.create()
  const FilterCriteria = { Filters: [{ Pattern }] }
  const input = { FunctionName: run.name, EventSourceArn, ...INPUT, FilterCriteria }
  await run.record('exception_event_source_creation', new CreateEventSourceMappingCommand(input))
}

async function missing(run: SourceRun): Promise<void> {
  await run.create()
  const table = 'table/test-table-4a53f4e8/stream/2025-02-22T03:03:25.490'
  const EventSourceArn = `arn:aws:dynamodb:${REGION}:${ACCOUNT}:${table}`
  const input = { FunctionName: run.name, EventSourceArn, ...INPUT }
  await run.record('error', new CreateEventSourceMappingCommand(input))
}
