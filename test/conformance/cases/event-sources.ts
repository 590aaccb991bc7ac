import {
  CreateAliasCommand,
  CreateEventSourceMappingCommand,
  DeleteEventSourceMappingCommand,
  GetEventSourceMappingCommand,
  ListTagsCommand,
  TagResourceCommand,
  UntagResourceCommand,
  PublishVersionCommand,
  UpdateEventSourceMappingCommand,
  type CreateEventSourceMappingCommandInput,
} from '@aws-sdk/client-lambda'
import { until } from '../../support/until.ts'
import type { Case, CaseRun } from '../case.ts'
import { ACCOUNT, arnOf, REGION } from '../service.ts'

const TABLE = `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/pets/stream/2025-11-25T02:47:00.000`
const STREAM = `arn:aws:kinesis:${REGION}:${ACCOUNT}:stream/clicks`
const QUEUE = `arn:aws:sqs:${REGION}:${ACCOUNT}:orders`

const lambdaApi = (name: string): string => `lambda_api::TestLambdaEventSourceMappings::${name}`

/** Event source mappings. Nothing says where their sources are, so that nobody looks for them. */
export const EVENT_SOURCE_CASES: readonly Case[] = [
  { recording: lambdaApi('test_event_source_mapping_exceptions'), script: refusals },
  { recording: lambdaApi('test_event_source_mapping_lifecycle'), script: lifecycle },
  { recording: lambdaApi('test_create_event_source_validation'), script: tablePositions },
  {
    recording: lambdaApi('test_create_event_source_validation_kinesis'),
    script: (run) => positions(run, STREAM),
  },
  { recording: lambdaApi('test_function_name_variations'), script: names },
  { recording: lambdaApi('test_create_event_source_self_managed'), script: selfManaged },
  { recording: 'lambda_api::TestLambdaTag::test_tag_lifecycle[event_source_mapping]', script: tagging },
  { recording: 'lambda_api::TestLambdaTag::test_create_tag_on_esm_create', script: tagOnCreate },
]

/** The ARN of a new mapping. */
async function created(run: CaseRun, Tags?: Record<string, string>): Promise<string> {
  await run.create()
  const { UUID } = await run.send(creation(run, { EventSourceArn: QUEUE, Tags }))
  return `arn:aws:lambda:${REGION}:${ACCOUNT}:event-source-mapping:${String(UUID)}`
}

async function tagOnCreate(run: CaseRun): Promise<void> {
  const Resource = await created(run, { testtag: 'custom-value' })
  await run.record('list_tags_result', new ListTagsCommand({ Resource }))
}

async function tagging(run: CaseRun): Promise<void> {
  const Resource = await created(run)
  const tag = (Tags: Record<string, string>): TagResourceCommand => new TagResourceCommand({ Resource, Tags })
  const untag = (...TagKeys: string[]): UntagResourceCommand =>
    new UntagResourceCommand({ Resource, TagKeys })
  const steps = {
    tag_single_response: tag({ A: 'tag-a' }),
    tag_multiple_response: tag({ B: 'tag-b', C: 'tag-c' }),
    tag_overlap_response: tag({ C: 'tag-c-newsuffix', D: 'tag-d' }),
    untag_single_response: untag('A'),
    untag_multiple_response: untag('B', 'C'),
    untag_nonexisting_response: untag('F'),
    untag_existing_and_nonexisting_response: untag('D', 'F'),
  }
  for (const [entry, command] of Object.entries(steps)) {
    await run.record(entry, command)
    await run.record(`${entry}_listtags`, new ListTagsCommand({ Resource }))
  }
}

const creation = (
  run: CaseRun,
  input: Partial<CreateEventSourceMappingCommandInput>,
): CreateEventSourceMappingCommand =>
  new CreateEventSourceMappingCommand({ FunctionName: run.name, ...input })

async function refusals(run: CaseRun): Promise<void> {
  const UUID = '01234567-0123-0123-0123-0123456789ab'
  await run.record('get_unknown_uuid', new GetEventSourceMappingCommand({ UUID }))
  await run.record('delete_unknown_uuid', new DeleteEventSourceMappingCommand({ UUID }))
  await run.record('update_unknown_uuid', new UpdateEventSourceMappingCommand({ UUID, Enabled: false }))
  const FunctionName = 'nobody'
  await run.record('create_no_event_source_arn', creation(run, { FunctionName }))
  await run.record('create_unknown_params', creation(run, { FunctionName, EventSourceArn: QUEUE }))
  await run.create()
  const DestinationConfig = { OnFailure: { Destination: QUEUE } }
  await run.record('destination_config_failure', creation(run, { EventSourceArn: QUEUE, DestinationConfig }))
}

async function lifecycle(run: CaseRun): Promise<void> {
  await run.create()
  const created = await run.record(
    'create_response',
    creation(run, {
      EventSourceArn: TABLE,
      BatchSize: 1,
      StartingPosition: 'TRIM_HORIZON',
      DestinationConfig: { OnFailure: { Destination: QUEUE } },
      MaximumBatchingWindowInSeconds: 1,
      MaximumRetryAttempts: 1,
    }),
  )
  const UUID = String(created['UUID'])
  await settled(run, UUID)
  await run.record('get_response', new GetEventSourceMappingCommand({ UUID }))
  await run.record('delete_response', new DeleteEventSourceMappingCommand({ UUID }))
}

/** Waits until it is Enabled, Disabled or gone. */
async function settled(run: CaseRun, UUID: string): Promise<void> {
  await until('the mapping has settled', async () => {
    const { State } = await run.send(new GetEventSourceMappingCommand({ UUID }))
    return State === undefined || State === 'Enabled' || State === 'Disabled'
  })
}

async function tablePositions(run: CaseRun): Promise<void> {
  await positions(run, TABLE)
  await run.record(
    'incompatible_starting_position',
    creation(run, {
      EventSourceArn: TABLE,
      StartingPosition: 'AT_TIMESTAMP',
      StartingPositionTimestamp: new Date('2025-11-25T00:00:00Z'),
    }),
  )
}

async function positions(run: CaseRun, EventSourceArn: string): Promise<void> {
  await run.create()
  await run.record('no_starting_position', creation(run, { EventSourceArn }))
  const StartingPosition = 'invalid' as 'LATEST'
  await run.record('invalid_starting_position', creation(run, { EventSourceArn, StartingPosition }))
}

async function names(run: CaseRun): Promise<void> {
  await run.create()
  await run.send(new PublishVersionCommand({ FunctionName: run.name }))
  await run.ready(run.name, '1')
  await run.send(new CreateAliasCommand({ FunctionName: run.name, Name: 'myalias', FunctionVersion: '1' }))
  const partial = `${ACCOUNT}:function:${run.name}`
  const NAMES = [
    ['name_only', run.name],
    ['partial_arn_latest', `${partial}:$LATEST`],
    ['partial_arn_version', `${partial}:1`],
    ['partial_arn_alias', `${partial}:myalias`],
    ['full_arn_latest', arnOf(run.name)],
    ['full_arn_version', arnOf(`${run.name}:1`)],
    ['full_arn_alias', arnOf(`${run.name}:myalias`)],
  ] as const
  for (const [entry, FunctionName] of NAMES) {
    const created = await run.record(
      `${entry}_create_esm`,
      creation(run, { FunctionName, EventSourceArn: QUEUE }),
    )
    const UUID = String(created['UUID'])
    await settled(run, UUID)
    await run.send(new DeleteEventSourceMappingCommand({ UUID }))
    await settled(run, UUID)
  }
}

async function selfManaged(run: CaseRun): Promise<void> {
  await run.create()
  const cluster = (...servers: string[]) => ({ Endpoints: { KAFKA_BOOTSTRAP_SERVERS: servers } })
  const SourceAccessConfigurations: CreateEventSourceMappingCommandInput['SourceAccessConfigurations'] = [
    { Type: 'BASIC_AUTH', URI: `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:kafka` },
  ]
  const input = {
    SelfManagedEventSource: cluster('kafka:1000'),
    SourceAccessConfigurations,
    Topics: ['topic'],
    StartingPosition: 'TRIM_HORIZON' as const,
  }
  const { SourceAccessConfigurations: _, ...open } = input
  await run.record('missing-source-access-configuration', creation(run, open))
  await run.record('event-source-mapping-default', creation(run, input))
  await run.record('duplicate-source', creation(run, input))
  await run.record(
    'event-source-mapping-values',
    creation(run, {
      ...input,
      BatchSize: 1,
      StartingPosition: 'LATEST',
      Topics: ['topic_2'],
      SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: 'random_id' },
    }),
  )
  const SelfManagedEventSource = cluster('kafka:1000', 'kafka:2000')
  await run.record('multiple-duplicate-source', creation(run, { ...input, SelfManagedEventSource }))
}
