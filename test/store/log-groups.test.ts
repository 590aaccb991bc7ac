import { strict as assert } from 'node:assert'
import { suite } from 'uvu'
import { LogGroups } from '../../runtime/store/log-groups.ts'
import { openStore, type OpenStore } from '../../runtime/store/open.ts'
import { rejectsWith } from '../support/assert.ts'
import { createFakeClock, type FakeClock } from '../support/clock.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'
import { keptLog, makeStream, SCOPE, THEN_MS } from './samples.ts'

const DAY_MS = 86_400_000

interface Opened extends AsyncDisposable {
  readonly store: OpenStore
  readonly clock: FakeClock
  readonly groups: LogGroups
}

async function open(folder: TemporaryDirectory): Promise<Opened> {
  const clock = createFakeClock(THEN_MS)
  const dataDirectory = folder.join('data')
  const store = await openStore({ dataDirectory, clock, log: keptLog(), inline: true })
  const groups = new LogGroups({ store, journal: store.journal, clock })
  return { store, clock, groups, [Symbol.asyncDispose]: () => store.close() }
}

const logGroups = suite('log groups')

logGroups('what was said of a group is there after a restart', async () => {
  using folder = temporaryDirectory()
  {
    await using first = await open(folder)
    await first.groups.create(SCOPE, '/made', { team: 'a' })
    await first.groups.update(SCOPE, '/made', () => ({ retentionDays: 3 }))
    await first.groups.create(SCOPE, '/gone', {})
    await first.groups.delete(SCOPE, '/gone')
  }
  await using second = await open(folder)

  assert.deepEqual(await second.groups.list(SCOPE), [
    { name: '/made', createdAtMs: THEN_MS, retentionDays: 3, tags: { team: 'a' }, storedBytes: 0 },
  ])
  assert.deepEqual(await second.groups.list({ ...SCOPE, region: 'eu-west-1' }), [])
  await rejectsWith(second.groups.create(SCOPE, '/made', {}), 'already-exists')
  await rejectsWith(
    second.groups.update(SCOPE, '/gone', () => ({})),
    'not-found',
  )
})

logGroups('a retention deletes old lines of its own group only', async () => {
  using folder = temporaryDirectory()
  await using test = await open(folder)
  const { journal } = test.store
  for (const group of ['/short', '/long']) {
    const stream = journal.open(makeStream({ group, name: 'one' }))
    journal.line(stream, THEN_MS, '', `line of ${group}`)
    await test.groups.update(SCOPE, group, () => ({ retentionDays: group === '/short' ? 1 : 5 }))
  }
  await test.clock.advance(2 * DAY_MS)

  await test.groups.applyRetention()

  assert.deepEqual(
    (await journal.streams({ scope: SCOPE })).map(({ group }) => group),
    ['/long'],
  )
})

logGroups.run()
