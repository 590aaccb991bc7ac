import { CreateEventSourceMappingCommand } from '@aws-sdk/client-lambda'
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { CreateTopicCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns'
import type { Given, Reply } from '../../support/event-sources.ts'
import { until } from '../../support/until.ts'
import { ACCOUNT, REGION } from '../service.ts'
import type { SourceRun } from '../source-run.ts'
import type { SourceCase } from './queue-sources.ts'

const inClass = (name: string): string => `kinesis::TestKinesisSource::${name}`

/** Answers that count as a success of all, by the name of their recording. */
export const SUCCESSES: readonly (readonly [name: string, result: unknown])[] = [
  ['empty_list_success', []],
  ['null_success', null],
  ['empty_dict_success', {}],
  ['empty_batch_item_failure_success', { batchItemFailures: [] }],
  ['null_batch_item_failure_success', { batchItemFailures: null }],
]

/** Answers that count as a failure of all. */
export const FAILURES: readonly (readonly [name: string, reply: Reply])[] = [
  ['invalid_key_foo_null_value_failure', { result: { batchItemFailures: [{ foo: null }] } }],
  ['invalid_key_foo_failure', { result: { batchItemFailures: [{ foo: 123 }] } }],
  ['unhandled_exception_in_function', { error: 'no' }],
  ['item_identifier_not_present_failure', { result: { batchItemFailures: [{ itemIdentifier: 'id' }] } }],
]

const recorded = (names: readonly string[]) => ({
  has: ([name]: readonly [string, unknown]): boolean => names.includes(name),
})

/** Kinesis streams as sources. */
export const STREAM_SOURCE_CASES: readonly SourceCase[] = [
  { recording: inClass('test_create_kinesis_event_source_mapping'), script: newest },
  {
    recording: inClass(
      'test_create_kinesis_event_source_mapping_multiple_lambdas_single_kinesis_event_stream',
    ),
    script: twoFunctions,
  },
  {
    recording: inClass('test_kinesis_event_source_mapping_with_sns_on_failure_destination_config'),
    script: topic,
  },
  { recording: inClass('test_kinesis_event_source_mapping_with_s3_on_failure_destination'), script: bucket },
  { recording: inClass('test_kinesis_empty_provided'), script: emptyDestination },
  { recording: inClass('test_esm_with_not_existing_kinesis_stream'), script: missing },
  ...SUCCESSES.map(([name, result]) => ({
    recording: inClass(`test_kinesis_report_batch_item_success_scenarios[${name}]`),
    script: (run: SourceRun) => succeeded(run, result),
  })),
  ...FAILURES.filter(
    recorded([
      'invalid_key_foo_null_value_failure',
      'unhandled_exception_in_function',
      'item_identifier_not_present_failure',
    ]).has,
  ).map(([name, reply]) => ({
    recording: inClass(`test_kinesis_report_batch_item_failure_scenarios[${name}]`),
    script: (run: SourceRun) => failed(run, reply),
  })),
]

const REPORTING = {
  BatchSize: 1,
  StartingPosition: 'TRIM_HORIZON',
  MaximumBatchingWindowInSeconds: 1,
  MaximumRetryAttempts: 2,
  FunctionResponseTypes: ['ReportBatchItemFailures'],
} as const

const mapped = { ...REPORTING, FunctionResponseTypes: [...REPORTING.FunctionResponseTypes] }

async function newest(run: SourceRun): Promise<void> {
  const { arn } = await run.stream()
  await run.handle()
  await run.map('create_event_source_mapping_response', { EventSourceArn: arn, StartingPosition: 'LATEST' })
  for (let index = 0; index < 10; index++) await run.put(`test_${index}`, 'hello')
  const all = (events: Given['event'][]): unknown[] => events.flatMap(({ Records }) => Records)
  await until('all are there', async () => all(await run.events(1)).length === 10)
  run.compare('kinesis_records', { Records: all(await run.events(1)) })
}

async function twoFunctions(run: SourceRun): Promise<void> {
  const { arn: EventSourceArn } = await run.stream()
  const other = await run.sibling('-b')
  await run.handle()
  await other.handle()
  const StartingPosition = 'TRIM_HORIZON'
  await run.map('create_event_source_mapping_response-a', { EventSourceArn, StartingPosition })
  const command = new CreateEventSourceMappingCommand({
    FunctionName: other.name,
    EventSourceArn,
    StartingPosition,
  })
  await run.record('create_event_source_mapping_response-b', command)
  await run.put('test_1', 'hello')
  run.compare('kinesis_records-a', (await run.events(1))[0] ?? {})
  run.compare('kinesis_records-b', (await other.events(1))[0] ?? {})
}

async function succeeded(run: SourceRun, result: unknown): Promise<void> {
  const { arn: EventSourceArn } = await run.stream()
  await run.handle(() => ({ result }))
  await run.map('create_event_source_mapping_response', { EventSourceArn, ...mapped })
  await run.put('test', 'hello')
  run.compareItems('kinesis_events', await run.events(1))
}

async function failed(run: SourceRun, reply: Reply): Promise<void> {
  const queue = await run.queue()
  const { arn: EventSourceArn } = await run.stream()
  await run.handle(() => reply)
  await run.map('create_event_source_mapping_response', {
    EventSourceArn,
    ...mapped,
    DestinationConfig: { OnFailure: { Destination: queue.arn } },
  })
  await run.put('test', 'hello')
  run.compareItems('kinesis_events', await run.events(3))
  run.compare('sqs_payload', await run.received(queue))
}

async function topic(run: SourceRun): Promise<void> {
  const sns = new SNSClient(run.world.client as object)
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: run.name }))
  const queue = await run.queue()
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: queue.arn }))
  const { arn: EventSourceArn } = await run.stream()
  await run.handle(() => ({ error: 'no' }))
  await run.map('create_event_source_mapping_response', {
    EventSourceArn,
    BatchSize: 1,
    StartingPosition: 'TRIM_HORIZON',
    MaximumBatchingWindowInSeconds: 1,
    MaximumRetryAttempts: 1,
    DestinationConfig: { OnFailure: { Destination: TopicArn } },
  })
  await run.put('custom', '{"input": "hello"}')
  const { Messages } = await run.received(queue)
  const [message] = Messages as { Body: string }[] // what ReceiveMessage gave
  run.compare('failure_sns_message', JSON.parse(message?.Body ?? '{}'))
}

async function bucket(run: SourceRun): Promise<void> {
  const { arn: EventSourceArn } = await run.stream()
  await run.handle(() => ({ error: 'no' }))
  const { Destination, body } = await failureBucket(run)
  await run.map('create_event_source_mapping_response', {
    EventSourceArn,
    BatchSize: 1,
    StartingPosition: 'TRIM_HORIZON',
    MaximumBatchingWindowInSeconds: 1,
    MaximumRetryAttempts: 1,
    DestinationConfig: { OnFailure: { Destination } },
  })
  await run.put('custom', '{"input": "hello", "value": "world", "raise_error": 1}')
  run.compare('record_body', await body())
}

/** A bucket, and what the first object in it says. */
export async function failureBucket(
  run: SourceRun,
): Promise<{ Destination: string; body: () => Promise<Record<string, unknown>> }> {
  const s3 = new S3Client({ ...run.world.client, forcePathStyle: true } as object)
  const Bucket = run.name
  await s3.send(new CreateBucketCommand({ Bucket }))
  return {
    Destination: `arn:aws:s3:::${Bucket}`,
    body: async () => {
      const Key = await until('there is an object', async () => {
        const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket }))
        return Contents?.[0]?.Key
      })
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }))
      return JSON.parse((await Body?.transformToString()) ?? '{}') as Record<string, unknown>
    },
  }
}

async function emptyDestination(run: SourceRun): Promise<void> {
  const { arn: EventSourceArn } = await run.stream()
  await run.handle()
  await run.map('create_event_source_mapping_response', {
    EventSourceArn,
    BatchSize: 1,
    StartingPosition: 'TRIM_HORIZON',
    MaximumBatchingWindowInSeconds: 1,
    MaximumRetryAttempts: 2,
    DestinationConfig: {},
  })
  await run.put('test', 'hello')
  await until('it says so', async () => (await run.send(run.mapping))['LastProcessingResult'] === 'OK')
  await run.record('get_esm_result', run.mapping)
}

async function missing(run: SourceRun): Promise<void> {
  await run.create()
  const EventSourceArn = `arn:aws:kinesis:${REGION}:${ACCOUNT}:stream/test-foobar-81ded7e8`
  const input = { FunctionName: run.name, EventSourceArn, StartingPosition: 'LATEST' as const }
  await run.record('error', new CreateEventSourceMappingCommand(input))
}
