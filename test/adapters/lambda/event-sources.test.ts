import {
  DeleteEventSourceMappingCommand,
  DeleteFunctionCommand,
  GetEventSourceMappingCommand,
  ListEventSourceMappingsCommand,
  ListTagsCommand,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  create,
  createSettled,
  FUNCTION,
  FunctionName,
  get,
  QUEUE,
  refusedWith,
  settle,
  startWithFunction,
  STREAM,
  update,
} from './mapping-calls.ts'
import { refusalOf } from './start-api.ts'

const mappings = suite('Lambda API: event source mappings')

mappings('a queue shows what queues show', async () => {
  await using api = await startWithFunction()

  const created = await create(api, { EventSourceArn: QUEUE })
  const UUID = created.UUID ?? ''

  assert.equal(created, {
    UUID,
    BatchSize: 10,
    EventSourceArn: QUEUE,
    EventSourceMappingArn: `arn:aws:lambda:us-east-1:000000000000:event-source-mapping:${UUID}`,
    FunctionArn: FUNCTION,
    FunctionResponseTypes: [],
    LastModified: new Date(api.clock.nowMs()),
    MaximumBatchingWindowInSeconds: 0,
    State: 'Creating',
    StateTransitionReason: 'USER_INITIATED',
  })
  await settle(api, UUID)
  assert.equal(await get(api, UUID), { ...created, State: 'Enabled' })
})

mappings('a stream shows what streams show', async () => {
  await using api = await startWithFunction()

  const created = await create(api, { EventSourceArn: STREAM, StartingPosition: 'LATEST' })

  assert.equal(created, {
    UUID: created.UUID,
    BatchSize: 100,
    BisectBatchOnFunctionError: false,
    DestinationConfig: { OnFailure: {} },
    EventSourceArn: STREAM,
    EventSourceMappingArn: created.EventSourceMappingArn,
    FunctionArn: FUNCTION,
    FunctionResponseTypes: [],
    LastModified: created.LastModified,
    LastProcessingResult: 'No records processed',
    MaximumBatchingWindowInSeconds: 0,
    MaximumRecordAgeInSeconds: -1,
    MaximumRetryAttempts: -1,
    ParallelizationFactor: 1,
    StartingPosition: 'LATEST',
    State: 'Creating',
    StateTransitionReason: 'User action',
    TumblingWindowInSeconds: 0,
  })
})

mappings('what was asked for is what is shown', async () => {
  await using api = await startWithFunction()
  const asked = {
    BatchSize: 7,
    BisectBatchOnFunctionError: true,
    DestinationConfig: { OnFailure: { Destination: 'arn:aws:sqs:us-east-1:000000000000:failed' } },
    FilterCriteria: { Filters: [{ Pattern: '{"data":{"kind":["a"]}}' }] },
    FunctionResponseTypes: ['ReportBatchItemFailures' as const],
    KMSKeyArn: 'arn:aws:kms:us-east-1:000000000000:key/1',
    MaximumBatchingWindowInSeconds: 3,
    MaximumRecordAgeInSeconds: 60,
    MaximumRetryAttempts: 0,
    MetricsConfig: { Metrics: ['EventCount' as const] },
    ParallelizationFactor: 2,
    StartingPosition: 'AT_TIMESTAMP' as const,
    StartingPositionTimestamp: new Date('2026-01-01T00:00:00.500Z'),
    TumblingWindowInSeconds: 30,
  }

  const created = await create(api, { EventSourceArn: STREAM, ...asked })
  const scaled = await create(api, { EventSourceArn: QUEUE, ScalingConfig: { MaximumConcurrency: 2 } })

  assert.equal({ ...created, ...asked }, created)
  assert.equal(scaled.ScalingConfig, { MaximumConcurrency: 2 })
})

mappings('a name in any form leads to the function, and the ARN keeps its qualifier', async () => {
  await using api = await startWithFunction()
  const NAMES = [
    ['orders', FUNCTION],
    ['orders:$LATEST', `${FUNCTION}:$LATEST`],
    ['orders:1', `${FUNCTION}:1`],
    ['000000000000:function:orders:1', `${FUNCTION}:1`],
    [FUNCTION, FUNCTION],
    [`${FUNCTION}:1`, `${FUNCTION}:1`],
  ] as const

  for (const [name, expected] of NAMES) {
    const { UUID = '', FunctionArn } = await create(api, { EventSourceArn: QUEUE, FunctionName: name })
    assert.is(FunctionArn, expected)
    await settle(api, UUID)
    await api.client.send(new DeleteEventSourceMappingCommand({ UUID }))
    await settle(api, UUID)
  }
})

mappings('an update changes what it names and nothing else', async () => {
  await using api = await startWithFunction()
  const UUID = await createSettled(api, {
    EventSourceArn: STREAM,
    StartingPosition: 'LATEST',
    MaximumRetryAttempts: 3,
    FilterCriteria: { Filters: [{ Pattern: '{"a":["b"]}' }] },
    DestinationConfig: { OnFailure: { Destination: QUEUE } },
  })
  const before = await get(api, UUID)
  await api.clock.advance(1000)

  const updated = await update(api, UUID, { BatchSize: 5, FunctionName: 'orders:1' })
  await settle(api, UUID)
  const cleared = await update(api, UUID, {
    MaximumRetryAttempts: -1,
    FilterCriteria: { Filters: [] },
    DestinationConfig: { OnFailure: {} },
  })

  assert.equal(updated, {
    ...before,
    BatchSize: 5,
    FunctionArn: `${FUNCTION}:1`,
    State: 'Updating',
    LastModified: new Date(api.clock.nowMs()),
  })
  const { FilterCriteria: _, ...rest } = updated
  assert.equal(cleared, { ...rest, MaximumRetryAttempts: -1, DestinationConfig: { OnFailure: {} } })
})

mappings('switching off and on leads through states, and nothing changes meanwhile', async () => {
  await using api = await startWithFunction()
  const { UUID = '' } = await create(api, { EventSourceArn: QUEUE, Enabled: false })
  const early = await refusalOf(update(api, UUID, { BatchSize: 5 }))
  const undeletable = await refusalOf(api.client.send(new DeleteEventSourceMappingCommand({ UUID })))
  await settle(api, UUID)
  const states = [(await get(api, UUID)).State]

  states.push((await update(api, UUID, { BatchSize: 5 })).State)
  await settle(api, UUID)
  states.push((await get(api, UUID)).State)
  states.push((await update(api, UUID, { Enabled: true })).State)
  await settle(api, UUID)
  states.push((await get(api, UUID)).State)
  states.push((await update(api, UUID, { Enabled: false })).State)

  assert.equal(states, ['Disabled', 'Updating', 'Disabled', 'Enabling', 'Enabled', 'Disabling'])
  const text = (verb: string): string => `Cannot ${verb} the event source mapping because it is in use.`
  assert.equal(early, refusedWith('ResourceInUseException', 400, text('update')))
  assert.equal(undeletable, refusedWith('ResourceInUseException', 400, text('delete')))
})

mappings('a mapping that is deleted is shown so, and then is gone', async () => {
  await using api = await startWithFunction()
  const UUID = await createSettled(api, { EventSourceArn: QUEUE })

  const deleted = await api.client.send(new DeleteEventSourceMappingCommand({ UUID }))
  const twice = await refusalOf(api.client.send(new DeleteEventSourceMappingCommand({ UUID })))
  await settle(api, UUID)

  assert.is(deleted.State, 'Deleting')
  assert.is(deleted.$metadata.httpStatusCode, 202)
  assert.is(twice.name, 'ResourceInUseException')
  const gone = refusedWith('ResourceNotFoundException', 404, 'The resource you requested does not exist.')
  assert.equal(await refusalOf(get(api, UUID)), gone)
  assert.equal(await refusalOf(update(api, UUID, { BatchSize: 1 })), gone)
  assert.equal(await refusalOf(api.client.send(new DeleteEventSourceMappingCommand({ UUID }))), gone)
})

mappings('lists go by function, qualifier and source, page by page', async () => {
  await using api = await startWithFunction()
  const first = await createSettled(api, { EventSourceArn: QUEUE })
  const second = await createSettled(api, { EventSourceArn: QUEUE, FunctionName: 'orders:1' })
  const third = await createSettled(api, { EventSourceArn: STREAM, StartingPosition: 'LATEST' })
  const list = async (input: object): Promise<string[]> => {
    const { EventSourceMappings = [] } = await api.client.send(new ListEventSourceMappingsCommand(input))
    return EventSourceMappings.map(({ UUID = '' }) => UUID)
  }

  const page = await api.client.send(new ListEventSourceMappingsCommand({ MaxItems: 2 }))
  const rest = await api.client.send(
    new ListEventSourceMappingsCommand({ MaxItems: 2, Marker: page.NextMarker }),
  )

  const sorted = (ids: string[]): string[] => ids.sort()
  assert.equal(sorted(await list({})), sorted([first, second, third]))
  assert.equal(sorted(await list({ EventSourceArn: QUEUE })), sorted([first, second]))
  assert.equal(sorted(await list({ FunctionName: FUNCTION })), sorted([first, third]))
  assert.equal(await list({ FunctionName: 'orders:1' }), [second])
  assert.equal(await list({ FunctionName, EventSourceArn: STREAM }), [third])
  assert.equal(await list({ FunctionName: 'nobody' }), [])
  assert.is(page.EventSourceMappings?.length, 2)
  assert.is(rest.EventSourceMappings?.length, 1)
  assert.is(rest.NextMarker, undefined)
})

mappings('mappings carry tags of their own', async () => {
  await using api = await startWithFunction()
  const { EventSourceMappingArn: Resource = '' } = await create(api, {
    EventSourceArn: QUEUE,
    Tags: { a: '1' },
  })

  await api.client.send(new TagResourceCommand({ Resource, Tags: { b: '2', c: '3' } }))
  await api.client.send(new UntagResourceCommand({ Resource, TagKeys: ['a', 'c'] }))
  const { Tags } = await api.client.send(new ListTagsCommand({ Resource }))
  const unknown = `${Resource.slice(0, -1)}${Resource.endsWith('0') ? '1' : '0'}`
  const missing = await refusalOf(api.client.send(new ListTagsCommand({ Resource: unknown })))

  assert.equal(Tags, { b: '2' })
  assert.is(missing.name, 'ResourceNotFoundException')
})

mappings('other accounts and regions do not see it', async () => {
  await using api = await startWithFunction()
  const UUID = await createSettled(api, { EventSourceArn: QUEUE })

  for (const elsewhere of [{ region: 'eu-west-1' }, { keyId: '111111111111' }]) {
    const client = api.clientFor(elsewhere)
    assert.is(
      (await refusalOf(client.send(new GetEventSourceMappingCommand({ UUID })))).name,
      'ResourceNotFoundException',
    )
    assert.equal((await client.send(new ListEventSourceMappingsCommand({}))).EventSourceMappings, [])
  }
})

mappings('a mapping outlives its function', async () => {
  await using api = await startWithFunction()
  const UUID = await createSettled(api, { EventSourceArn: QUEUE })

  await api.client.send(new DeleteFunctionCommand({ FunctionName }))

  assert.is((await get(api, UUID)).State, 'Enabled')
})

mappings.run()
