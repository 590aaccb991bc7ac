import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Calls } from '../../../../runtime/environments/entry/computing/calls.ts'
import { Lending } from '../../../../runtime/environments/entry/computing/lending.ts'
import { Values } from '../../../../runtime/environments/entry/computing/values.ts'
import type { Invocation } from '../../../../runtime/environments/entry/invocation.ts'
import { FLAG, FRAME, HEADER_BYTES } from '../../../../runtime/environments/frames.ts'
import { decode } from '../../../../runtime/sdk/codec/decode.ts'
import { LimitReached } from '../../../../runtime/sdk/errors.ts'

const calls = suite('calls of a process')

interface Sent {
  readonly type: number
  readonly flags: number
  readonly number: number
  readonly meta: string
  readonly payload: Buffer
}

/** A connection whose far end is this test. */
class Wire {
  readonly sent: Sent[] = []
  unsentBytes = 0
  beforeFlush: (() => void) | undefined
  isScheduled = false

  post(bytes: Buffer): void {
    const metaBytes = bytes.readUInt32LE(12)
    assert.is(bytes.readUInt32LE(0), bytes.length - HEADER_BYTES)
    this.sent.push({
      type: bytes.readUInt8(4),
      flags: bytes.readUInt8(5),
      number: bytes.readUInt32LE(8),
      meta: bytes.toString('utf8', HEADER_BYTES, HEADER_BYTES + metaBytes),
      payload: bytes.subarray(HEADER_BYTES + metaBytes),
    })
  }
  scheduleFlush(): void {
    this.isScheduled = true
  }
  /** The end of a turn. */
  flush(): void {
    this.isScheduled = false
    this.beforeFlush?.()
  }
  get metas(): string[] {
    return this.sent.map(({ meta }) => meta.replaceAll('\n', ' '))
  }
}

const values = new Values((id) => ({ id, release() {} }))
const ignore = { answered(): void {} }
const invocation = (id: number): Invocation => ({ id, state: 'running' }) as Invocation // all that is looked at

calls('a request has a number, its meta and its value; answers find who asked', () => {
  const wire = new Wire()
  const all = new Calls(wire, values)
  const got: [string, number][] = []

  const first = all.askWith('put\né', ['value'], { answered: (flags) => got.push(['first', flags]) })
  const second = all.ask('get', { answered: (flags) => got.push(['second', flags]) })
  all.receive(second, FLAG.error, Buffer.alloc(0))
  all.receive(first, 0, Buffer.alloc(0))
  all.receive(first, 0, Buffer.alloc(0))

  assert.equal([first, second], [1, 2])
  assert.equal(got, [
    ['second', FLAG.error],
    ['first', 0],
  ])
  assert.is(wire.sent[0]?.type, FRAME.request)
  assert.is(wire.sent[0]?.meta, 'put\né')
  assert.equal(decode(wire.sent[0]?.payload.subarray(4) ?? Buffer.alloc(0)), ['value'])
})

calls('whoever keeps the process alive is told when the first waits and when none does', () => {
  const all = new Calls(new Wire(), values)
  const told: boolean[] = []
  all.onWaiting = (isWaiting) => told.push(isWaiting)

  const numbers = [all.ask('a', ignore), all.ask('b', ignore)]
  for (const number of numbers) all.receive(number, 0, Buffer.alloc(0))
  all.tell('c')

  assert.equal(told, [true, false])
})

calls('items come before the answer, and count as none', () => {
  const all = new Calls(new Wire(), values)
  const got: string[] = []

  const number = all.ask('task', { answered: () => got.push('end'), item: () => got.push('item') })
  for (const flags of [FLAG.streaming, FLAG.streaming, 0]) all.receive(number, flags, Buffer.alloc(0))

  assert.equal(got, ['item', 'item', 'end'])
  assert.not.ok(all.isWaiting)
})

calls('past the bound of unanswered requests there is a typed error, and room again after an answer', () => {
  const all = new Calls(new Wire(), values, { pending: 2, unsentBytes: 100 })
  const first = all.ask('a', ignore)
  all.ask('b', ignore)

  assert.throws(
    () => all.ask('c', ignore),
    (error: unknown) => error instanceof LimitReached,
  )
  all.receive(first, 0, Buffer.alloc(0))
  assert.is(all.ask('d', ignore), 3)
})

calls('past the bound of bytes that the engine has not taken, too', () => {
  const wire = new Wire()
  const all = new Calls(wire, values, { pending: 2, unsentBytes: 100 })
  wire.unsentBytes = 101

  assert.throws(
    () => all.askWith('put', 'x', ignore),
    (error: unknown) => error instanceof LimitReached,
  )
  assert.equal(wire.sent, [])
})

calls('a processor is lent at the end of a turn, once, and not for what came meanwhile', () => {
  const wire = new Wire()
  const lending = new Lending(new Calls(wire, values), wire)
  const [one, other] = [invocation(1), invocation(2)]

  lending.began(one)
  lending.began(one)
  lending.began(other)
  lending.resume(other, () => {})
  wire.flush()

  assert.equal(wire.metas, ['block 1'])
  assert.is(lending.places, 1)
})

calls('code goes on when the engine has given the processor back, and lends it again while it waits', () => {
  const wire = new Wire()
  const all = new Calls(wire, values)
  const lending = new Lending(all, wire)
  const one = invocation(1)
  const went: string[] = []

  lending.began(one)
  lending.began(one)
  wire.flush()
  lending.resume(one, () => went.push('first'))
  assert.equal(went, [])
  all.receive(wire.sent.at(-1)?.number ?? 0, 0, Buffer.alloc(0))
  assert.equal(went, ['first'])
  assert.is(lending.places, 0)
  wire.flush()
  lending.resume(one, () => went.push('second'))
  all.receive(wire.sent.at(-1)?.number ?? 0, 0, Buffer.alloc(0))

  assert.equal(wire.metas, ['block 1', 'unblock 1', 'block 1', 'unblock 1'])
  assert.equal(went, ['first', 'second'])
})

calls('two that are ready while the processor is asked for share one question', () => {
  const wire = new Wire()
  const all = new Calls(wire, values)
  const lending = new Lending(all, wire)
  const one = invocation(1)
  const went: string[] = []

  lending.began(one)
  lending.began(one)
  wire.flush()
  lending.resume(one, () => went.push('first'))
  lending.resume(one, () => went.push('second'))
  all.receive(wire.sent.at(-1)?.number ?? 0, 0, Buffer.alloc(0))
  wire.flush()

  assert.equal(wire.metas, ['block 1', 'unblock 1'])
  assert.equal(went, ['first', 'second'])
})

calls('an invocation that ends while it waits has no place that could be lent', () => {
  const wire = new Wire()
  const lending = new Lending(new Calls(wire, values), wire)
  const one = invocation(1)

  lending.began(one)
  wire.flush()
  lending.ended(one)

  assert.is(lending.places, 0)
})

calls.run()
