import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { EngineError } from '../../../runtime/errors.ts'
import {
  ACCESS,
  create,
  createSettled,
  FUNCTION,
  invalid,
  QUEUE,
  refusedWith,
  SELF_MANAGED,
  startWithFunction,
  STREAM,
  TABLE,
} from './mapping-calls.ts'
import { refusalOf, type Refusal } from './start-api.ts'

const mappings = suite('Lambda API: refused event source mappings')

const REFUSED: readonly (readonly [name: string, input: Parameters<typeof create>[1], refusal: Refusal])[] = [
  ['no source', {}, invalid('Unrecognized event source.')],
  [
    'a service that nothing is read from',
    { EventSourceArn: 'arn:aws:s3:::bucket' },
    invalid('Unrecognized event source.'),
  ],
  [
    'an unknown function',
    { EventSourceArn: QUEUE, FunctionName: 'nobody' },
    invalid('Function does not exist'),
  ],
  [
    'an unknown version',
    { EventSourceArn: QUEUE, FunctionName: 'orders:9' },
    invalid('Function does not exist'),
  ],
  ['no source and no function', { FunctionName: 'nobody' }, invalid('Unrecognized event source.')],
  [
    'a destination of a queue',
    { EventSourceArn: QUEUE, DestinationConfig: { OnFailure: { Destination: QUEUE } } },
    invalid('Unsupported DestinationConfig parameter for given event source mapping type.'),
  ],
  [
    'a stream without a position',
    { EventSourceArn: STREAM },
    invalid(
      "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.",
    ),
  ],
  [
    'an unknown position',
    { EventSourceArn: STREAM, StartingPosition: 'invalid' as 'LATEST' },
    refusedWith(
      'ValidationException',
      400,
      "1 validation error detected: Value 'invalid' at 'startingPosition' failed to satisfy constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
    ),
  ],
  [
    'a time in a table stream',
    { EventSourceArn: TABLE, StartingPosition: 'AT_TIMESTAMP', StartingPositionTimestamp: new Date(0) },
    invalid(`Unsupported starting position for arn type: ${TABLE}`),
  ],
  [
    'a batch too large to gather at once',
    { EventSourceArn: QUEUE, BatchSize: 11 },
    invalid(
      'Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10',
    ),
  ],
  [
    'a batch beyond any size',
    { EventSourceArn: QUEUE, BatchSize: 10_001, MaximumBatchingWindowInSeconds: 1 },
    refusedWith(
      'ValidationException',
      400,
      "1 validation error detected: Value '10001' at 'batchSize' failed to satisfy constraint: Member must have value less than or equal to 10000",
    ),
  ],
  [
    'a pattern that is none',
    { EventSourceArn: QUEUE, FilterCriteria: { Filters: [{ Pattern: 'simple string' }] } },
    invalid('Invalid filter pattern definition.'),
  ],
  [
    'a cluster without access',
    { SelfManagedEventSource: SELF_MANAGED, Topics: ['topic'], StartingPosition: 'TRIM_HORIZON' },
    invalid("Required 'sourceAccessConfigurations' parameter is missing."),
  ],
]

for (const [name, input, refusal] of REFUSED)
  mappings(`${name} is refused`, async () => {
    await using api = await startWithFunction()

    assert.equal(await refusalOf(create(api, input)), refusal)
  })

mappings('a source that is not there is refused with the words of its service', async () => {
  const told: unknown[] = []
  await using api = await startWithFunction({
    checkSource: (scope, arn, functionTimeoutMs) => {
      told.push([scope.account, arn, functionTimeoutMs])
      return Promise.reject(new EngineError('invalid', `Stream not found: ${arn}`))
    },
  })

  const refusal = await refusalOf(create(api, { EventSourceArn: STREAM, StartingPosition: 'LATEST' }))

  assert.equal(refusal, invalid(`Stream not found: ${STREAM}`))
  assert.equal(told, [['000000000000', STREAM, 3000]])
})

mappings('one function is fed from one source once', async () => {
  await using api = await startWithFunction()
  const queue = await createSettled(api, { EventSourceArn: QUEUE })
  const stream = await createSettled(api, { EventSourceArn: STREAM, StartingPosition: 'LATEST' })

  const twice = await refusalOf(create(api, { EventSourceArn: QUEUE }))
  const again = await refusalOf(create(api, { EventSourceArn: STREAM, StartingPosition: 'LATEST' }))
  await createSettled(api, { EventSourceArn: QUEUE, FunctionName: 'orders:1' })

  const advice = 'Please update or delete the existing mapping with UUID'
  assert.equal(
    twice,
    refusedWith(
      'ResourceConflictException',
      409,
      `An event source mapping with SQS arn (" ${QUEUE} ") and function (" orders ") already exists. ${advice} ${queue}`,
    ),
  )
  assert.equal(
    again,
    refusedWith(
      'ResourceConflictException',
      409,
      `The event source arn (" ${STREAM} ") and function (" orders ") provided mapping already exists. ${advice} ${stream}`,
    ),
  )
})

mappings("a cluster of one's own has a consumer group, and is known by an address and a topic", async () => {
  await using api = await startWithFunction()
  const input = {
    SourceAccessConfigurations: ACCESS,
    Topics: ['topic'],
    StartingPosition: 'TRIM_HORIZON' as const,
  }

  const created = await create(api, { ...input, SelfManagedEventSource: SELF_MANAGED })
  const wider = { Endpoints: { KAFKA_BOOTSTRAP_SERVERS: ['kafka:1000', 'kafka:2000'] } }
  const twice = await refusalOf(create(api, { ...input, SelfManagedEventSource: wider }))
  const other = await create(api, {
    ...input,
    SelfManagedEventSource: SELF_MANAGED,
    Topics: ['topic_2'],
    SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: 'mine' },
  })

  assert.equal(created, {
    UUID: created.UUID,
    BatchSize: 100,
    EventSourceMappingArn: created.EventSourceMappingArn,
    FunctionArn: FUNCTION,
    LastModified: created.LastModified,
    LastProcessingResult: 'No records processed',
    SelfManagedEventSource: SELF_MANAGED,
    SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: created.UUID },
    SourceAccessConfigurations: ACCESS,
    StartingPosition: 'TRIM_HORIZON',
    State: 'Creating',
    StateTransitionReason: 'USER_INITIATED',
    Topics: ['topic'],
  })
  assert.is(
    twice.message,
    `An event source mapping with event source ("kafka:1000,kafka:2000"), function ("${FUNCTION}"), topics ("topic") ` +
      `already exists. Please update or delete the existing mapping with UUID ${created.UUID}`,
  )
  assert.equal(other.SelfManagedKafkaEventSourceConfig, { ConsumerGroupId: 'mine' })
})

mappings.run()
