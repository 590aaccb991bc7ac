import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createLog } from '../../runtime/log.ts'
import type { EventSourceRecord, EventSourceSettings } from '../../runtime/registry/event-source-record.ts'
import { EventSources, type NewEventSource } from '../../runtime/registry/event-sources.ts'
import { systemRng } from '../../runtime/rng.ts'
import { openStore } from '../../runtime/store/open.ts'
import { rejectsWith } from '../support/assert.ts'
import { createFakeClock } from '../support/clock.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const sources = suite('event sources in the registry')

const SCOPE = { account: '000000000000', region: 'us-east-1' }
const SETTINGS: EventSourceSettings = {
  batchSize: 100,
  batchWindowMs: 0,
  filters: null,
  itemFailures: false,
  maxConcurrency: null,
  startingPosition: { kind: 'oldest' },
  parallelization: 1,
  bisect: false,
  maxRecordAgeMs: null,
  maxRetries: null,
  tumblingWindowMs: 0,
  onFailure: null,
  kept: {},
}
const NEW: NewEventSource = {
  functionName: 'orders',
  qualifier: undefined,
  kind: 'shards',
  sourceArn: 'arn:aws:kinesis:us-east-1:000000000000:stream/clicks',
  enabled: true,
  tags: {},
  settings: () => SETTINGS,
}

/** Event sources over a data folder; what is committed there is found again. */
async function open(dataDirectory: string): Promise<EventSources & AsyncDisposable> {
  const clock = createFakeClock()
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  const store = await openStore({ dataDirectory, clock, log, inline: true })
  const eventSources = new EventSources({ store, clock, rng: systemRng(), log })
  return Object.assign(eventSources, {
    async [Symbol.asyncDispose]() {
      await eventSources.close()
      await store.close()
    },
  })
}

sources('a mapping and how far it has come outlive the engine', async () => {
  using folder = temporaryDirectory()
  let record: EventSourceRecord
  {
    await using eventSources = await open(folder.path)
    record = await eventSources.create(SCOPE, NEW, () => {})
    await eventSources.saveCheckpoints(record.id, [
      { shardId: 'one', position: { kind: 'after', sequence: '4' }, window: null },
      { shardId: 'two', position: { kind: 'end' }, window: null },
    ])
    await eventSources.saveCheckpoints(record.id, [
      { shardId: 'one', position: { kind: 'after', sequence: '5' }, window: { startMs: 60_000, state: [1] } },
    ])
    eventSources.noteResult(record.id, 'OK')
  }

  await using eventSources = await open(folder.path)

  assert.equal(eventSources.get(SCOPE, record.id), { ...record, lastResult: 'OK' })
  assert.equal(eventSources.checkpoints(record.id), [
    { shardId: 'one', position: { kind: 'after', sequence: '5' }, window: { startMs: 60_000, state: [1] } },
    { shardId: 'two', position: { kind: 'end' }, window: null },
  ])
})

sources('a mapping that is gone leaves nothing, and nothing can be added to it', async () => {
  using folder = temporaryDirectory()
  await using eventSources = await open(folder.path)
  const record = await eventSources.create(SCOPE, NEW, () => {})
  await eventSources.settle(record)
  const checkpoint = { shardId: 'one', position: { kind: 'end' as const }, window: null }
  await eventSources.saveCheckpoints(record.id, [checkpoint])

  await eventSources.settle(await eventSources.remove(SCOPE, record.id))
  await eventSources.saveCheckpoints(record.id, [checkpoint])

  assert.is(eventSources.find(record.id), undefined)
  assert.equal(eventSources.checkpoints(record.id), [])
})

sources('the end of an earlier change is not taken for the end of the next', async () => {
  using folder = temporaryDirectory()
  await using eventSources = await open(folder.path)
  const created = await eventSources.create(SCOPE, NEW, () => {})
  await eventSources.settle(created)
  await eventSources.update(SCOPE, created.id, () => ({ enabled: false }))

  await eventSources.settle(created)
  const meanwhile = eventSources.get(SCOPE, created.id).state
  await rejectsWith(eventSources.remove(SCOPE, created.id), 'conflict')

  assert.is(meanwhile, 'disabling')
})

sources('whoever polls is told of each change after it is on disk', async () => {
  using folder = temporaryDirectory()
  await using eventSources = await open(folder.path)
  const seen: string[] = []
  using _watching = eventSources.watch(({ id, state }) =>
    seen.push(`${state} ${eventSources.find(id)?.state}`),
  )

  const record = await eventSources.create(SCOPE, NEW, () => {})
  await eventSources.settle(record)
  await eventSources.update(SCOPE, record.id, () => ({ settings: { ...SETTINGS, batchSize: 5 } }))

  assert.equal(seen, ['creating creating', 'updating updating'])
})

sources('a mapping that its maker refuses is not there', async () => {
  using folder = temporaryDirectory()
  await using eventSources = await open(folder.path)

  const refused = eventSources.create(SCOPE, NEW, () => {
    throw new Error('no')
  })
  await refused.catch(() => undefined)

  assert.equal(eventSources.list(SCOPE), [])
})

sources.run()
