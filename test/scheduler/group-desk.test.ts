import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createLog } from '../../runtime/log.ts'
import { GroupDesk } from '../../runtime/scheduler/group-desk.ts'
import { PlacementGroups } from '../../runtime/scheduler/groups.ts'
import { LocalCluster } from '../../runtime/scheduler/local-cluster.ts'
import { IN_MEMORY, openStore } from '../../runtime/store/open.ts'
import { rejectsWith } from '../support/assert.ts'
import { createFakeClock } from '../support/clock.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const desks = suite('placement groups that are asked for')

const SCOPE = { account: '000000000000', region: 'us-east-1' }

/** A desk over four processors. */
async function open(dataDirectory: string = IN_MEMORY) {
  const clock = createFakeClock()
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  const store = await openStore({ dataDirectory, clock, log })
  const launcher = { launch: () => Promise.reject(new Error('nothing is launched here')) } as never
  const cluster = new LocalCluster({ resources: { cpu: 4 }, nodes: 1, launcher })
  const host = { evict: () => {}, makeRoom: () => {}, onChange: () => {} }
  const groups = new PlacementGroups({ cluster, clock, host })
  const desk = new GroupDesk({ groups, store, clock, log })
  desk.open()
  const lease = () => {
    const acquired = cluster.acquire({ resources: { cpu: 4000 } }, 'someone')
    if (acquired.kind !== 'leased') throw new Error(acquired.reason)
    return acquired.lease
  }
  return { clock, desk, groups, lease, [Symbol.asyncDispose]: () => store.close() }
}

desks(
  'a group with a name is there again after a restart, one that expired or was removed is not',
  async () => {
    using folder = temporaryDirectory()
    {
      await using first = await open(folder.path)
      await first.desk.create(SCOPE, { name: 'kept', bundles: [{ cpu: 1 }], strategy: 'SPREAD' })
      await first.desk.create(SCOPE, { name: 'short', bundles: [{ cpu: 1 }], expires: 0 })
      await first.desk.create(SCOPE, { name: 'gone', bundles: [{ cpu: 1 }] })
      await first.desk.create(SCOPE, { bundles: [{ cpu: 1 }] })
      await first.desk.remove(SCOPE, 'gone')
    }

    await using second = await open(folder.path)

    assert.equal(
      second.desk.list(SCOPE).map(({ name, state, strategy }) => `${name} ${state} ${strategy}`),
      ['kept ready SPREAD'],
    )
  },
)

desks('a name is had by one group, and one without gets a name of its own', async () => {
  await using at = await open()
  const wish = { name: 'gang', bundles: [{ cpu: 1 }] }

  const [first, second] = await Promise.allSettled([at.desk.create(SCOPE, wish), at.desk.create(SCOPE, wish)])
  await rejectsWith(at.desk.create(SCOPE, wish), 'already-exists')
  const unnamed = await at.desk.create(SCOPE, { bundles: [{ cpu: 1 }] })

  assert.equal([first?.status, second?.status], ['fulfilled', 'rejected'])
  assert.match(unnamed.name, /^pg-/)
  assert.is(unnamed.expiresAtMs, at.clock.nowMs() + 3_600_000)
  assert.is(at.desk.list({ ...SCOPE, account: '111111111111' }).length, 0)
})

desks('ready waits, and tells at its timeout why there was no room', async () => {
  await using at = await open()
  const held = at.lease()
  await at.desk.create(SCOPE, { name: 'gang', bundles: [{ cpu: 2 }] })
  const late = rejectsWith(at.desk.ready(SCOPE, 'gang', { timeoutMs: 50 }), 'timeout')
  const patient = at.desk.ready(SCOPE, 'gang', { timeoutMs: null })

  await at.clock.advance(51)
  const failure = await late
  held[Symbol.dispose]()
  await at.clock.advance(200)

  assert.match(failure.message, /not ready within 50 ms.*someone \(cpu 4 on local\)/)
  assert.is((await patient).state, 'ready')
  assert.is((await at.desk.ready(SCOPE, 'gang', { timeoutMs: 0 })).state, 'ready')
})

desks('who waits for a group that is removed is told, and so is who gives up', async () => {
  await using at = await open()
  at.lease()
  await at.desk.create(SCOPE, { name: 'gang', bundles: [{ cpu: 2 }] })
  const leaving = new AbortController()
  const given = at.desk
    .ready(SCOPE, 'gang', { timeoutMs: null, signal: leaving.signal })
    .catch((error: unknown) => error)
  const waiting = rejectsWith(at.desk.ready(SCOPE, 'gang', { timeoutMs: null }), 'not-found')

  leaving.abort(new Error('enough'))
  await at.desk.remove(SCOPE, 'gang')

  assert.match((await waiting).message, 'was removed')
  assert.match(String(await given), 'enough')
  await rejectsWith(
    Promise.resolve().then(() => at.desk.remove(SCOPE, 'gang')),
    'not-found',
  )
})

desks.run()
