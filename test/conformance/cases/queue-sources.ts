import {
  CreateEventSourceMappingCommand,
  PutFunctionConcurrencyCommand,
  type CreateEventSourceMappingCommandInput,
} from '@aws-sdk/client-lambda'
import { SendMessageCommand, type SendMessageCommandInput } from '@aws-sdk/client-sqs'
import type { Given } from '../../support/event-sources.ts'
import { ACCOUNT, REGION } from '../service.ts'
import type { Source, SourceRun } from '../source-run.ts'

/** Calls that lead to the entries of one recorded case with a source. */
export interface SourceCase {
  readonly recording: string
  readonly script: (run: SourceRun) => Promise<void>
}

const inClass = (name: string): string => `sqs::TestSQSEventSourceMapping::${name}`

/** Filters with a message that they let through, and one that they do not. */
const FILTERS: readonly (readonly [name: string, body: unknown, match: unknown, other: unknown])[] = [
  [
    'filter0-item_matching0-item_not_matching0',
    { testItem: ['test24'] },
    { testItem: 'test24' },
    { testItem: 'x' },
  ],
  [
    'filter1-item_matching1-item_not_matching1',
    { testItem: ['test24', 'test45'] },
    { testItem: 'test45' },
    { testItem: 'WONT' },
  ],
  [
    'filter2-item_matching2-item_not_matching2',
    { testItem: ['test24', 'test45'], test2: ['go'] },
    { testItem: 'test45', test2: 'go' },
    { testItem: 'test67', test2: 'go' },
  ],
  [
    'filter4-item_matching4-this is a test string',
    { test2: [{ numeric: ['>', 100] }] },
    { test2: 105 },
    'a string',
  ],
  [
    'filter5-item_matching5-item_not_matching5',
    { test2: [{ numeric: ['<', 100] }] },
    { test2: 93 },
    { test2: 105 },
  ],
  [
    'filter6-item_matching6-item_not_matching6',
    { test2: [{ numeric: ['>=', 100, '<', 200] }] },
    { test2: 105 },
    { test2: 200 },
  ],
  ['exists-filter', { test2: [{ exists: true }] }, { test2: '7411' }, { test5: '74545' }],
  ['numeric-bigger', { 'my-number': [{ numeric: ['>', 100] }] }, { 'my-number': 101 }, { 'my-number': 100 }],
  ['numeric-smaller', { 'my-number': [{ numeric: ['<', 100] }] }, { 'my-number': 99 }, { 'my-number': 100 }],
  [
    'numeric-range',
    { 'my-number': [{ numeric: ['>=', 100, '<', 200] }] },
    { 'my-number': 100 },
    { 'my-number': 200 },
  ],
  ['numeric-prefix', { test2: [{ prefix: 'us-1' }] }, { test2: 'us-1-48454' }, { test2: 'eu-1' }],
  ['or', { 'my-key': ['my-value-one', 'my-value-two'] }, { 'my-key': 'my-value-two' }, { 'my-key': 'three' }],
  [
    'and',
    { 'my-key-one': ['other-filter', 'my-value-one'], 'my-key-two': ['my-value-two'] },
    { 'my-key-one': 'my-value-one', 'my-key-two': 'my-value-two' },
    { 'my-key-one': 'other-', 'my-key-two': 'my-value-two' },
  ],
  ['exists', { 'my-key': [{ exists: true }] }, { 'my-key': 'any-value-one' }, { 'other-key': 'x' }],
  ['prefix', { 'my-key': [{ prefix: 'yes' }] }, { 'my-key': 'yes-value' }, { 'my-key': 'no-value' }],
]

/** Queues as sources. */
export const QUEUE_SOURCE_CASES: readonly SourceCase[] = [
  ...FILTERS.map(([name, body, match, other]) => ({
    recording: inClass(`test_sqs_event_filter[${name}]`),
    script: (run: SourceRun) => filtered(run, body, match, other),
  })),
  { recording: inClass('test_sqs_invalid_event_filter[None]'), script: (run) => invalid(run, 'null') },
  {
    recording: inClass('test_sqs_invalid_event_filter[invalid_filter3]'),
    script: (run) => invalid(run, '{"eventSource":{}}'),
  },
  { recording: inClass('test_duplicate_event_source_mappings'), script: duplicate },
  { recording: inClass('test_sqs_event_source_mapping_batch_size[10000]'), script: largeBatch },
  { recording: inClass('test_sqs_event_source_mapping_batching_reserved_concurrency'), script: reserved },
  { recording: 'sqs::test_esm_with_not_existing_sqs_queue', script: missing },
  { recording: 'sqs::test_failing_lambda_retries_after_visibility_timeout', script: retried },
  { recording: 'sqs::test_redrive_policy_with_failing_lambda', script: redriven },
  {
    recording: 'sqs::test_report_batch_item_failures_invalid_result_json_batch_fails',
    script: notUnderstood,
  },
  { recording: 'sqs::test_message_body_and_attributes_passed_correctly', script: attributes },
]

const send = (run: SourceRun, { url }: Source, input: Partial<SendMessageCommandInput>): Promise<unknown> =>
  run.world.sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: '', ...input }))

async function filtered(run: SourceRun, body: unknown, match: unknown, other: unknown): Promise<void> {
  const queue = await run.queue()
  await run.handle()
  await run.map('create_event_source_mapping_response', {
    EventSourceArn: queue.arn,
    MaximumBatchingWindowInSeconds: 1,
    FilterCriteria: { Filters: [{ Pattern: JSON.stringify({ body }) }] },
  })
  await send(run, queue, { MessageBody: typeof other === 'string' ? other : JSON.stringify(other) })
  await send(run, queue, { MessageBody: JSON.stringify(match) })
  run.compareItems('invocation_events', await run.events(1))
}

async function invalid(run: SourceRun, Pattern: string): Promise<void> {
  await run.create()
  const { arn: EventSourceArn } = await run.queue()
  const input = { FunctionName: run.name, EventSourceArn, FilterCriteria: { Filters: [{ Pattern }] } }
  await run.record('create_event_source_mapping_exception', new CreateEventSourceMappingCommand(input))
}

async function duplicate(run: SourceRun): Promise<void> {
  await run.create()
  const { arn: EventSourceArn } = await run.queue()
  await run.map('create', { EventSourceArn })
  await run.record('error', new CreateEventSourceMappingCommand({ FunctionName: run.name, EventSourceArn }))
}

async function largeBatch(run: SourceRun): Promise<void> {
  const queue = await run.queue()
  await run.handle()
  for (let index = 0; index < 15; index++)
    await send(run, queue, { MessageBody: `${index % 10}-${Math.floor(index / 10)}-message-${index % 10}` })
  await run.map('create-event-source-mapping-response', {
    EventSourceArn: queue.arn,
    BatchSize: 10_000,
    MaximumBatchingWindowInSeconds: 2,
  })
  const [event] = await run.events(1)
  run.compareItems('Records', sortedBy(event?.['Records'], 'body'))
}

/** The recordings sort what may come in any order. */
const sortedBy = (records: unknown, name: string): Readonly<Record<string, unknown>>[] =>
  // the cast: the records of an event
  [...(records as Readonly<Record<string, unknown>>[])].sort((left, right) =>
    String(left[name]) < String(right[name]) ? -1 : 1,
  )

async function reserved(run: SourceRun): Promise<void> {
  const queue = await run.queue()
  await run.handle()
  const concurrency = { FunctionName: run.name, ReservedConcurrentExecutions: 2 }
  await run.record('put_concurrency_resp', new PutFunctionConcurrencyCommand(concurrency))
  for (let index = 0; index < 30; index++)
    await send(run, queue, { MessageBody: `${Math.floor(index / 3)}-${index % 3}-message` })
  await run.map('create-event-source-mapping-response', {
    EventSourceArn: queue.arn,
    BatchSize: 20,
    MaximumBatchingWindowInSeconds: 1,
    ScalingConfig: { MaximumConcurrency: 2 },
  })
  const events = await run.events(2)
  run.compare('batch_info', { total_batches_received: events.length })
  run.compareItems(
    'Records',
    sortedBy(
      events.flatMap(({ Records }) => Records),
      'body',
    ),
  )
}

async function missing(run: SourceRun): Promise<void> {
  await run.create()
  const EventSourceArn = `arn:aws:sqs:${REGION}:${ACCOUNT}:nobody`
  await run.record('error', new CreateEventSourceMappingCommand({ FunctionName: run.name, EventSourceArn }))
}

/** A queue whose function tells another queue of each attempt, and the message that makes it fail. */
async function tellingQueue(
  run: SourceRun,
  failures: number,
  Attributes: Record<string, string>,
  input: Partial<CreateEventSourceMappingCommandInput> & { message?: object; result?: unknown } = {},
): Promise<{ queue: Source; told: Source; tell: Promise<unknown>[] }> {
  const told = await run.queue('-told')
  const queue = await run.queue('', { VisibilityTimeout: '5', ...Attributes })
  const tell: Promise<unknown>[] = []
  const { message, result, ...mapping } = input
  await run.handle(({ event }: Given, number) => {
    const error = number <= failures ? 'failed attempt' : null
    const body = result === undefined ? { error, event } : { event, result }
    tell.push(send(run, told, { MessageBody: JSON.stringify(body) }))
    return error === null ? { result: result ?? null } : { error }
  })
  await run.map(undefined, { EventSourceArn: queue.arn, BatchSize: 1, ...mapping })
  const body = message ?? { destination: told.url, fail_attempts: failures }
  await send(run, queue, { MessageBody: pythonJson(body) })
  return { queue, told, tell }
}

/** As the recordings' own client writes it. */
const pythonJson = (value: object): string =>
  JSON.stringify(value).replaceAll('":', '": ').replaceAll(',"', ', "')

async function retried(run: SourceRun): Promise<void> {
  const { told } = await tellingQueue(run, 1, {})
  await run.record('event_source_mapping', run.mapping)
  run.compare('first_attempt', await run.received(told))
  run.compare('second_attempt', await run.received(told))
}

async function redriven(run: SourceRun): Promise<void> {
  const dead = await run.queue('-dead')
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount: '2' })
  const { told } = await tellingQueue(run, 2, { RedrivePolicy })
  run.compare('first_attempt', await run.received(told))
  run.compare('second_attempt', await run.received(told))
  run.compare('dlq_response', await run.received(dead))
}

async function notUnderstood(run: SourceRun): Promise<void> {
  const dead = await run.queue('-dead')
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount: '2' })
  const result = { batchItemFailures: [{ foo: 'notvalid' }] }
  const message = { message: 1, fail_attempts: 0 }
  const FunctionResponseTypes = ['ReportBatchItemFailures' as const]
  const input = { message, result, FunctionResponseTypes, BatchSize: 10 }
  const { told } = await tellingQueue(run, 0, { RedrivePolicy }, input)
  run.compare('first_invocation', await run.received(told))
  run.compare('second_invocation', await run.received(told))
  run.compare('dlq_response', await run.received(dead))
}

async function attributes(run: SourceRun): Promise<void> {
  const told = await run.queue('-told')
  const queue = await run.queue()
  await run.handle(({ event }: Given) => {
    void send(run, told, { MessageBody: JSON.stringify({ error: null, event }) })
    return { result: null }
  })
  await run.map(undefined, { EventSourceArn: queue.arn, BatchSize: 1 })
  await send(run, queue, {
    MessageBody: pythonJson({ destination: told.url, fail_attempts: 0 }),
    MessageAttributes: {
      Title: { DataType: 'String', StringValue: 'The Whistler' },
      Author: { DataType: 'String', StringValue: 'John Grisham' },
      WeeksOn: { DataType: 'Number', StringValue: '6' },
    },
  })
  run.compare('first_attempt', await run.received(told))
}
