import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Actor } from '../../../../runtime/sdk/actor.ts'
import type { Alarm } from '../../../../runtime/sdk/actor-types.ts'
import { unpackWrites } from '../../../../runtime/environments/actor-messages.ts'
import { bytesOf, ScriptedEngine, valueOf } from './scripted-engine.ts'

const activation = suite('one activation of an actor')

class Tally extends Actor {
  static concurrent = ['peek', 'sneak']
  readonly seen: string[] = []

  async add(n: number): Promise<number> {
    const total = ((await this.storage.get<number>('total')) ?? 0) + n
    await this.storage.put('total', total)
    return total
  }

  async addThenThrow(n: number): Promise<void> {
    await this.add(n)
    throw new RangeError('too much', { cause: new Error('inside') })
  }

  async peek(): Promise<unknown> {
    return this.storage.get('total')
  }

  async sneak(): Promise<void> {
    await this.storage.put('total', -1)
  }

  async held(gate: string): Promise<string[]> {
    this.seen.push(`${gate} begins`)
    await this.storage.flush()
    this.seen.push(`${gate} ends`)
    return this.seen
  }

  _secret(): void {}
}

const put = (key: string, value: unknown): unknown => ({ kind: 'put', key, value: bytesOf(value) })

activation('what a call writes leaves in the frame of its reply, and the next call sees it', async () => {
  const engine = new ScriptedEngine(Tally)

  const replies = [await engine.call('add', 2), await engine.call('add', 3)]

  assert.equal(
    replies.map(({ value }) => value),
    [2, 5],
  )
  assert.equal(
    replies.map(({ writes }) => writes),
    [[put('total', 2)], [put('total', 5)]],
  )
})

activation('calls wait for start, and run in the order in which they came', async () => {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  const order: string[] = []
  class Slow extends Actor {
    async start(): Promise<void> {
      await opened
      order.push('start')
    }
    async wait(ms: number): Promise<void> {
      order.push(`begin ${ms}`)
      for (let turn = 0; turn < ms; turn++) await Promise.resolve()
      order.push(`end ${ms}`)
    }
  }
  const engine = new ScriptedEngine(Slow)
  const calls = [engine.send('wait', [20]), engine.send('wait', [1])]
  assert.equal(engine.said, [])

  open()
  for (const call of calls) await engine.reply(call)

  assert.equal(order, ['start', 'begin 20', 'end 20', 'begin 1', 'end 1'])
  assert.is(engine.said[0]?.operation, 'awake')
})

activation('what start writes is on disk before the actor is awake', async () => {
  class Starting extends Actor {
    async start(): Promise<void> {
      await this.storage.put('born', true)
    }
    born(): Promise<unknown> {
      return this.storage.get('born')
    }
  }
  const engine = new ScriptedEngine(Starting)
  const call = engine.send('born')

  const flushed = await engine.heard('flush')
  assert.equal(unpackWrites(flushed.payload), [put('born', true)])
  assert.is(engine.find('awake'), undefined)
  engine.tell(`done\n${flushed.fields[0]}`)

  assert.is((await engine.reply(call)).value, true)
})

activation('a start that throws ends the activation with its error', async () => {
  class Broken extends Actor {
    start(): void {
      throw new TypeError('no model here')
    }
  }

  const engine = new ScriptedEngine(Broken)
  while (engine.ended === undefined) await Promise.resolve()

  assert.ok(engine.ended.isError)
  const error = valueOf(engine.ended.payload) as Error
  assert.instance(error, TypeError)
  assert.is(error.message, 'no model here')
})

activation('a throw discards what the call wrote, and travels with class, cause and stack', async () => {
  const engine = new ScriptedEngine(Tally, { stored: { total: 10 } })

  const failed = await engine.call('addThenThrow', 5)
  const after = await engine.call('peek')

  assert.ok(failed.isError)
  assert.is(failed.errorName, 'RangeError')
  assert.equal(failed.writes, [])
  const error = failed.value as RangeError
  assert.instance(error, RangeError)
  assert.is((error.cause as Error).message, 'inside')
  assert.match(error.stack ?? '', 'addThenThrow')
  assert.is(after.value, 10)
})

activation('what is stored and read is a copy, each time', async () => {
  class Keeper extends Actor {
    async keep(): Promise<unknown> {
      const value = { list: [1], when: new Date(5), of: new Map([['a', 1n]]) }
      await this.storage.put('value', value)
      value.list.push(2)
      const first = await this.storage.get<typeof value>('value')
      first?.list.push(3)
      return this.storage.get('value')
    }
  }
  const engine = new ScriptedEngine(Keeper)

  const { value } = await engine.call('keep')

  assert.equal(value, { list: [1], when: new Date(5), of: new Map([['a', 1n]]) })
})

activation('concurrent methods run beside a call, see what is committed, and may not write', async () => {
  const engine = new ScriptedEngine(Tally, { stored: { total: 1 } })
  const turn = engine.send('held', ['a'])
  await engine.heard('flush')

  const peeked = await engine.reply(engine.send('peek', [], { mode: 'beside' }))
  const sneaked = await engine.reply(engine.send('sneak', [], { mode: 'beside' }))

  assert.is(engine.find('reply', String(turn)), undefined)
  assert.is(peeked.value, 1)
  assert.is(sneaked.errorName, 'ReadOnlyCall')
})

activation('a call that comes back in runs inside the one that waits for it, in its buffer', async () => {
  class Outer extends Tally {
    async outer(): Promise<unknown> {
      await this.storage.put('total', 40)
      await answered
      return this.storage.get('total')
    }
  }
  let answer = (): void => {}
  const answered = new Promise<void>((resolve) => (answer = resolve))
  const nested = new ScriptedEngine(Outer)
  await nested.heard('awake')
  const outer = nested.send('outer')
  const waiting = nested.send('add', [100])

  const inner = await nested.reply(nested.send('add', [2], { mode: 'inner', outer }))
  const sneaked = await nested.reply(nested.send('sneak', [], { mode: 'inner', outer }))
  const thrown = await nested.reply(nested.send('addThenThrow', [7], { mode: 'inner', outer }))
  answer()
  const replied = await nested.reply(outer)

  assert.is(inner.value, 42)
  assert.equal(inner.writes, [])
  assert.is(sneaked.errorName, 'ReadOnlyCall')
  assert.ok(thrown.isError)
  assert.is(replied.value, 42)
  assert.equal(replied.writes, [put('total', 42)])
  assert.is((await nested.reply(waiting)).value, 142)
})

activation('a call ends behind those that came back into it, though it did not wait for them', async () => {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  class Careless extends Actor {
    async outer(): Promise<void> {
      await gone
    }
    async inner(): Promise<void> {
      await opened
      await this.storage.put('late', 1)
    }
  }
  let leave = (): void => {}
  const gone = new Promise<void>((resolve) => (leave = resolve))
  const engine = new ScriptedEngine(Careless)
  await engine.heard('awake')
  const outer = engine.send('outer')
  const inner = engine.send('inner', [], { mode: 'inner', outer })
  leave()
  await Promise.resolve()
  open()

  assert.equal((await engine.reply(inner)).writes, [])
  assert.equal((await engine.reply(outer)).writes, [put('late', 1)])
})

activation('hooks and private names cannot be called, nor what every object has', async () => {
  const engine = new ScriptedEngine(Tally)

  for (const name of [
    'start',
    'stop',
    'alarm',
    'constructor',
    '_secret',
    'toString',
    '__proto__',
    'seen',
    'nothing',
    'exit',
    'storage',
  ]) {
    const { errorName } = await engine.call(name)
    assert.is(errorName, 'NoSuchMethod', name)
  }
})

activation('an alarm runs its hook; setting and clearing one is committed with the call', async () => {
  const rang: Alarm[] = []
  class Waking extends Actor {
    async alarm(alarm: Alarm): Promise<void> {
      rang.push(alarm)
      await this.alarms.set('again', 60_000, { n: 1 })
      await this.alarms.set('cron', '0 9 * * 1-5')
    }
  }
  const engine = new ScriptedEngine(Waking)

  const { writes } = await engine.reply(engine.deliver('alarm', '2 check%20it', bytesOf({ n: 0 })))

  assert.equal(rang, [{ name: 'check it', attempt: 2, payload: { n: 0 } }])
  assert.equal(
    writes.map((write) => (write.kind === 'set-alarm' ? [write.name, write.schedule] : write)),
    [
      ['again', ''],
      ['cron', '0 9 * * 1-5'],
    ],
  )
})

activation('list of alarms shows what the call has set over what is committed', async () => {
  class Listing extends Actor {
    async show(): Promise<unknown> {
      await this.alarms.set('new', new Date(50), 'x')
      const cleared = [await this.alarms.clear('old'), await this.alarms.clear('none')]
      return [cleared, await this.alarms.list()]
    }
  }
  const engine = new ScriptedEngine(Listing)
  const row = { dueAtMs: 10, schedule: '', payload: bytesOf(null).toString('base64') }
  const rows = JSON.stringify([
    { name: 'old', ...row },
    { name: 'kept', ...row },
  ])
  const call = engine.send('show')

  for (const number of ['1', '2', '3']) {
    await engine.heard('alarms', number)
    engine.tell(`alarms\n${number}`, Buffer.from(rows))
  }

  assert.equal((await engine.reply(call)).value, [
    [true, false],
    [
      { name: 'kept', at: new Date(10), payload: null },
      { name: 'new', at: new Date(50), payload: 'x' },
    ],
  ])
})

activation('a generator gives its items one by one, no further ahead than the caller takes', async () => {
  class Counting extends Actor {
    made = 0
    async *count(to: number): AsyncGenerator<number> {
      for (let n = 0; n < to; n++) {
        this.made = n + 1
        yield n
      }
      await this.storage.put('counted', to)
    }
  }
  const engine = new ScriptedEngine(Counting)
  const call = engine.send('count', [20])
  await engine.heard('item', String(call))
  const items = (): unknown[] =>
    engine.said.filter(({ operation }) => operation === 'item').map(({ payload }) => valueOf(payload))
  while (items().length < 16) await Promise.resolve()
  await new Promise(setImmediate)

  assert.is(items().length, 16)
  engine.tell(`taken\n${call}\n16`)
  const { writes, value } = await engine.reply(call)

  assert.equal(items(), [...Array(20).keys()])
  assert.is(value, undefined)
  assert.equal(writes, [put('counted', 20)])
})

activation('stop runs when the engine says so, and what it writes ends the activation', async () => {
  class Stopping extends Actor {
    async stop(): Promise<void> {
      await this.storage.put('stopped', true)
    }
  }
  const engine = new ScriptedEngine(Stopping)
  await engine.heard('awake')

  engine.tell('stop')
  while (engine.ended === undefined) await Promise.resolve()

  assert.not.ok(engine.ended.isError)
  assert.equal(unpackWrites(engine.ended.payload), [put('stopped', true)])
})

activation('exit lets the running call end and leaves the others to the next activation', async () => {
  class Leaving extends Actor {
    async leave(): Promise<string> {
      this.exit()
      await Promise.resolve()
      return 'bye'
    }
  }
  const engine = new ScriptedEngine(Leaving)
  const leaving = engine.send('leave')
  const next = engine.send('leave')

  assert.is((await engine.reply(leaving)).value, 'bye')
  assert.is(engine.ended?.isError, false)
  assert.is(engine.find('reply', String(next)), undefined)
})

activation('an aborted call sees it on its signal', async () => {
  class Patient extends Actor {
    async wait(): Promise<string> {
      const { signal } = this.context
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      return signal.reason.name as string
    }
  }
  const engine = new ScriptedEngine(Patient)
  await engine.heard('awake')
  const call = engine.send('wait')

  engine.tell(`abort\n${call}`)

  assert.is((await engine.reply(call)).value, 'AbortError')
})

activation('an actor is not made with new', () => {
  assert.throws(() => new Tally(), /actor\(Class, key\)/)
})

activation.run()
