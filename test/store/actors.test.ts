import * as assert from 'node:assert/strict'
import { suite } from 'uvu'
import { createLog } from '../../runtime/log.ts'
import {
  countActorAlarms,
  dueAlarms,
  findActor,
  findActorReply,
  listActors,
  nextAlarmAfter,
  pinnedActors,
  readActorAlarms,
  readActorRange,
  readActorValues,
  readSmallStorage,
} from '../../runtime/store/actor-reading.ts'
import {
  activateActor,
  clearActorAlarm,
  deleteActorValue,
  destroyActor,
  endActorAlarm,
  failActorAlarm,
  fenceActor,
  moveActorAlarm,
  purgeActorReplies,
  putActorReply,
  putActorValue,
  setActorAlarm,
  type ActorAddress,
} from '../../runtime/store/actors.ts'
import { IN_MEMORY, openStore, type OpenStore } from '../../runtime/store/open.ts'
import { rejectsWith } from '../support/assert.ts'
import { createFakeClock } from '../support/clock.ts'

const actors = suite('store of actors')
const SCOPE = { account: '000000000000', region: 'us-east-1' }
const ADDRESS: ActorAddress = { scope: SCOPE, functionName: 'shop', className: 'Cart', key: 'a/b' }
const ROW = { id: 5, epoch: 2 ** 40, pinned: false }

async function open(): Promise<OpenStore> {
  const clock = createFakeClock()
  const log = createLog({ level: 'silent', clock, sink: () => {} })
  return await openStore({ dataDirectory: IN_MEMORY, clock, log })
}
const value = (text: string): Buffer => Buffer.from(text)

actors('an activation keeps its row, and a later one raises its epoch', async () => {
  const store = await open()

  await store.commit([activateActor(ADDRESS, ROW, 1000)])
  await store.commit([activateActor(ADDRESS, { ...ROW, epoch: ROW.epoch + 1 }, 2000)])

  const row = findActor(store.reader, ADDRESS)
  assert.deepEqual(row, {
    ...ADDRESS,
    id: 5,
    epoch: ROW.epoch + 1,
    createdAtMs: 1000,
    lastActiveAtMs: 2000,
    lastError: null,
  })
  assert.equal(findActor(store.reader, { ...ADDRESS, key: 'other' }), undefined)
})

actors('an earlier activation cannot begin any more, nor write', async () => {
  const store = await open()
  await store.commit([activateActor(ADDRESS, ROW, 1000)])

  await rejectsWith(store.commit([activateActor(ADDRESS, { ...ROW, epoch: ROW.epoch - 1 }, 2)]), 'conflict')
  const stale = store.commit([fenceActor(5, ROW.epoch - 1), putActorValue(5, 'n', value('stale'))])
  await rejectsWith(stale, 'conflict')
  await store.commit([fenceActor(5, ROW.epoch), putActorValue(5, 'n', value('fresh'))])

  assert.deepEqual(readActorValues(store.reader, 5, ['n']), [{ key: 'n', value: value('fresh') }])
})

actors('a set that is refused takes nobody with it', async () => {
  const store = await open()
  await store.commit([activateActor(ADDRESS, ROW, 1000)])

  const outcomes = await Promise.allSettled([
    store.commit([fenceActor(5, 1), putActorValue(5, 'a', value('1'))]),
    store.commit([fenceActor(5, ROW.epoch), putActorValue(5, 'b', value('2'))]),
  ])

  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['rejected', 'fulfilled'],
  )
  assert.deepEqual(readSmallStorage(store.reader, 5, 1000), [{ key: 'b', value: value('2') }])
})

actors('nothing is written for one that was destroyed', async () => {
  const store = await open()
  await store.commit([
    activateActor(ADDRESS, ROW, 1000),
    putActorValue(5, 'n', value('1')),
    setActorAlarm(5, { name: 'tick', token: 1, dueAtMs: 5, schedule: '', payload: value('') }),
    putActorReply(5, 'key', { flags: 0, reply: value('1') }, 1000),
  ])

  await store.commit(destroyActor(5))

  await rejectsWith(store.commit([fenceActor(5, ROW.epoch), putActorValue(5, 'n', value('2'))]), 'conflict')
  assert.equal(findActor(store.reader, ADDRESS), undefined)
  assert.deepEqual(readSmallStorage(store.reader, 5, 1000), [])
  assert.equal(countActorAlarms(store.reader, 5), 0)
  assert.equal(findActorReply(store.reader, 5, 'key', 0), undefined)
})

actors('ranges follow the order of bytes, and end where they should', async () => {
  const store = await open()
  const keys = ['a', 'a\u0000', 'a/1', 'b', '\uffff', '😀']
  await store.commit(keys.map((key) => putActorValue(5, key, value(key))))
  const range = (start: string, end: string | undefined, reverse = false, limit = 10): string[] =>
    readActorRange(store.reader, 5, { start, end, reverse }, limit).map(({ key }) => key)

  assert.deepEqual(range('', undefined), keys)
  assert.deepEqual(range('a', 'b'), ['a', 'a\u0000', 'a/1'])
  assert.deepEqual(range('', undefined, true, 2), ['😀', '\uffff'])
  await store.commit([deleteActorValue(5, 'a/1')])
  assert.deepEqual(range('a/', 'b'), [])
})

actors('storage that is larger than asked for is not read whole', async () => {
  const store = await open()
  await store.commit([putActorValue(5, 'large', Buffer.alloc(1000))])

  assert.equal(readSmallStorage(store.reader, 5, 1000), undefined)
  assert.equal(readSmallStorage(store.reader, 5, 1013)?.length, 1)
  assert.deepEqual(readSmallStorage(store.reader, 6, 0), [])
})

actors('damaged entries are found', async () => {
  const store = await open()
  await store.commit([putActorValue(5, 'n', value('1'))])

  store.reader.exec(`UPDATE actor_storage SET value = x'32'`)

  assert.throws(() => readActorValues(store.reader, 5, ['n']), /"n" is damaged/)
})

actors('alarms are found when they are due, and moved, given up or ended only as they were set', async () => {
  const store = await open()
  const alarm = { name: 'tick', token: 1, dueAtMs: 100, schedule: '', payload: value('p') }
  await store.commit([setActorAlarm(5, alarm), setActorAlarm(5, { ...alarm, name: 'tock', dueAtMs: 200 })])

  assert.deepEqual(
    dueAlarms(store.reader, 150, 10).map(({ name, attempt }) => [name, attempt]),
    [['tick', 0]],
  )
  assert.equal(nextAlarmAfter(store.reader, 150), 200)

  await store.commit([setActorAlarm(5, { ...alarm, token: 2, dueAtMs: 300 })])
  await store.commit([endActorAlarm({ actorId: 5, name: 'tick', token: 1 })])
  await store.commit([moveActorAlarm({ actorId: 5, name: 'tick', token: 1 }, 999, 1)])
  assert.equal(readActorAlarms(store.reader, 5)[0]?.dueAtMs, 300)

  await store.commit([failActorAlarm({ actorId: 5, name: 'tick', token: 2 }, 6, 'it threw')])
  assert.deepEqual(
    dueAlarms(store.reader, 999, 10).map(({ name }) => name),
    ['tock'],
  )
  assert.equal(readActorAlarms(store.reader, 5)[0]?.failed, 'it threw')
  await store.commit([clearActorAlarm(5, 'tick')])
  assert.equal(countActorAlarms(store.reader, 5), 1)
})

actors('replies are kept for a while', async () => {
  const store = await open()
  await store.commit([putActorReply(5, 'key', { flags: 1, reply: value('first') }, 1000)])

  assert.deepEqual(findActorReply(store.reader, 5, 'key', 1000), { flags: 1, reply: value('first') })
  assert.equal(findActorReply(store.reader, 5, 'key', 1001), undefined)
  assert.equal(findActorReply(store.reader, 6, 'key', 0), undefined)
  await store.commit([purgeActorReplies(1001)])
  assert.equal(findActorReply(store.reader, 5, 'key', 0), undefined)
})

actors('actors are listed page by page with what they store', async () => {
  const store = await open()
  for (const [id, key] of ['x', 'y', 'z'].entries())
    await store.commit([activateActor({ ...ADDRESS, key }, { id: id + 1, epoch: 1, pinned: key === 'y' }, 1)])
  await store.commit([putActorValue(2, 'é', Buffer.alloc(10))])
  const query = { scope: SCOPE, functionName: undefined, className: undefined, afterId: 0 }

  assert.deepEqual(
    listActors(store.reader, query, 2).map(({ key, storageBytes }) => [key, storageBytes]),
    [
      ['x', 0],
      ['y', 12],
    ],
  )
  assert.deepEqual(
    listActors(store.reader, { ...query, afterId: 2 }, 2).map(({ key }) => key),
    ['z'],
  )
  assert.equal(listActors(store.reader, { ...query, className: 'Other' }, 2).length, 0)
  assert.deepEqual(
    pinnedActors(store.reader).map(({ key }) => key),
    ['y'],
  )
})

actors.run()
