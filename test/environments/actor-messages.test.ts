import * as assert from 'node:assert/strict'
import { suite } from 'uvu'
import {
  alarmCallName,
  callMeta,
  packActivation,
  packKeys,
  packRows,
  packWrites,
  readAlarmCallName,
  readCallMeta,
  unpackActivation,
  unpackKeys,
  unpackRows,
  unpackWrites,
  type ActorWrite,
} from '../../runtime/environments/actor-messages.ts'
import { looksLikeSchedule, nextDue } from '../../runtime/environments/alarm-schedule.ts'

const messages = suite('messages of actors')

messages('writes come back as they were, in order', () => {
  const writes: ActorWrite[] = [
    { kind: 'delete-all' },
    { kind: 'put', key: 'a\nb é', value: Buffer.from([0, 255]) },
    { kind: 'put', key: '', value: Buffer.alloc(0) },
    { kind: 'delete', key: 'gone' },
    { kind: 'set-alarm', name: 'tick', dueAtMs: 1.5e12, schedule: '* * * * *', payload: Buffer.from('x') },
    { kind: 'clear-alarm', name: 'tock' },
  ]

  assert.deepEqual(unpackWrites(packWrites(writes)), writes)
  assert.deepEqual(unpackWrites(packWrites([])), [])
})

messages('what is cut off or unknown is refused', () => {
  const bytes = packWrites([{ kind: 'put', key: 'key', value: Buffer.from('value') }])

  for (let end = 1; end < bytes.length; end++)
    assert.throws(() => unpackWrites(bytes.subarray(0, end)), RangeError)
  assert.throws(() => unpackWrites(Buffer.from([9])), RangeError)
})

messages('an activation, rows and keys come back as they were', () => {
  const rows = [
    { key: 'a', value: Buffer.from('1') },
    { key: 'b', value: undefined },
    { key: 'c', value: Buffer.alloc(0) },
  ]
  const start = { epoch: 2 ** 40 + 1, complete: true, sockets: '[{"id":"é"}]', rows }

  assert.deepEqual(unpackActivation(packActivation(start)), start)
  assert.deepEqual(unpackRows(packRows(rows)), rows)
  assert.deepEqual(unpackKeys(packKeys(['', 'x\ny'])), ['', 'x\ny'])
})

messages('a call keeps its fields, whatever the name of an alarm', () => {
  const call = { id: 7, kind: 'alarm', mode: 'turn', outer: 0, flags: 16 } as const
  const [, ...fields] = callMeta({ ...call, name: alarmCallName('a b\nc', 3) }).split('\n')

  const read = readCallMeta(fields)

  assert.deepEqual({ ...read, name: '' }, { ...call, name: '' })
  assert.deepEqual(readAlarmCallName(read.name), { name: 'a b\nc', attempt: 3 })
})

messages('schedules say when they come due, and what is wrong with them', () => {
  const monday = Date.UTC(2026, 0, 5, 9, 30)

  assert.equal(nextDue('rate(5 minutes)', monday), monday + 300_000)
  assert.equal(nextDue('0 9 * * *', monday), Date.UTC(2026, 0, 6, 9))
  assert.equal(nextDue('30 9 * * *', monday), Date.UTC(2026, 0, 6, 9, 30))
  for (const wrong of ['rate(0 minutes)', 'a b c d e', '* * * *', '61 * * * *', '0 0 31 2 *'])
    assert.throws(() => nextDue(wrong, monday), RangeError, wrong)
  assert.equal(looksLikeSchedule('30s'), false)
  assert.equal(looksLikeSchedule('*/5 * * * *'), true)
})

messages.run()
