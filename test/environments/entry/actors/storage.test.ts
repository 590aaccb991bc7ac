import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Actor } from '../../../../runtime/sdk/actor.ts'
import type { StorageRange } from '../../../../runtime/sdk/actor-types.ts'
import { ObjectRef } from '../../../../runtime/sdk/object-ref.ts'
import { packRows, unpackKeys, unpackWrites } from '../../../../runtime/environments/actor-messages.ts'
import { bytesOf, ScriptedEngine } from './scripted-engine.ts'

const storage = suite('storage of an actor')

/** Runs what a test gives it. */
let body: (actor: Actor) => unknown = () => undefined
class Any extends Actor {
  run(): unknown {
    return body(this)
  }
}
const put = (key: string, value: unknown): unknown => ({ kind: 'put', key, value: bytesOf(value) })

function run(engine: ScriptedEngine, what: (actor: Actor) => unknown): number {
  body = what
  return engine.send('run')
}

storage('a transaction is committed at once, with what was written before, and waited for', async () => {
  const engine = new ScriptedEngine(Any)
  const call = run(engine, async ({ storage }) => {
    await storage.put('before', 1)
    await storage.transaction(async () => {
      await storage.put('inside', 2)
    })
    await storage.put('after', 3)
  })

  const flushed = await engine.heard('flush')
  assert.is(engine.find('reply'), undefined)
  engine.tell(`done\n${flushed.fields[0]}`)
  const { writes } = await engine.reply(call)

  assert.is(flushed.fields[1], String(call))
  assert.equal(unpackWrites(flushed.payload), [put('before', 1), put('inside', 2)])
  assert.equal(writes, [put('after', 3)])
})

storage('a transaction that throws has written nothing, and what was written before stays', async () => {
  const engine = new ScriptedEngine(Any, { stored: { kept: 0 } })
  const call = run(engine, async ({ storage }) => {
    await storage.put('before', 1)
    const failed = await storage
      .transaction(async () => {
        await storage.put('inside', 2)
        await storage.delete('kept')
        throw new Error('no')
      })
      .catch((error: Error) => error.message)
    return [failed, await storage.get('inside'), await storage.get('kept')]
  })

  const { writes, value } = await engine.reply(call)

  assert.equal(value, ['no', undefined, 0])
  assert.equal(writes, [put('before', 1)])
  assert.is(engine.find('flush'), undefined)
})

storage('transactions of one call run one behind the other', async () => {
  const engine = new ScriptedEngine(Any, { stored: { n: 0 } })
  const call = run(engine, async ({ storage }) => {
    const increment = (): Promise<void> =>
      storage.transaction(async () => {
        const n = (await storage.get<number>('n')) ?? 0
        await Promise.resolve()
        await storage.put('n', n + 1)
      })
    await Promise.all([increment(), increment(), increment()])
    return storage.get('n')
  })

  for (const number of ['1', '2', '3']) {
    await engine.heard('flush', number)
    engine.tell(`done\n${number}`)
  }

  assert.is((await engine.reply(call)).value, 3)
})

storage('a write that runs beside a transaction is not taken back with it', async () => {
  const engine = new ScriptedEngine(Any)
  const call = run(engine, async ({ storage }) => {
    const failing = storage.transaction(async () => {
      await storage.put('inside', 1)
      await Promise.resolve()
      throw new Error('no')
    })
    await storage.put('beside', 2)
    await failing.catch(() => undefined)
  })

  assert.equal((await engine.reply(call)).writes, [put('beside', 2)])
})

storage('a flush that fails ends the activation: what is cached was not written', async () => {
  const engine = new ScriptedEngine(Any)
  run(engine, async ({ storage }) => {
    await storage.put('a', 1)
    await storage.flush()
  })

  const { fields } = await engine.heard('flush')
  engine.tell(`failed\n${fields[0]}`, Buffer.from('the disk is full'))
  while (engine.ended === undefined) await Promise.resolve()

  assert.ok(engine.ended.isError)
})

storage('list gives what is committed and written, in order, from either end', async () => {
  const engine = new ScriptedEngine(Any, {
    stored: { b: 1, a: 2, 'x/1': 3, 'x/2': 4, '\u{1F600}': 5, '\uFF5E': 6 },
  })
  const call = run(engine, async ({ storage }) => {
    await storage.put('x/15', 7)
    await storage.delete('a')
    const show = async (range?: StorageRange): Promise<unknown> => [...(await storage.list(range)).entries()]
    return [
      await show(),
      await show({ prefix: 'x/' }),
      await show({ prefix: 'x/', reverse: true, limit: 2 }),
      await show({ start: 'b', end: 'x/2', limit: 2 }),
      await show({ limit: 0 }),
    ]
  })

  assert.equal((await engine.reply(call)).value, [
    [
      ['b', 1],
      ['x/1', 3],
      ['x/15', 7],
      ['x/2', 4],
      ['\uFF5E', 6],
      ['\u{1F600}', 5],
    ],
    [
      ['x/1', 3],
      ['x/15', 7],
      ['x/2', 4],
    ],
    [
      ['x/2', 4],
      ['x/15', 7],
    ],
    [
      ['b', 1],
      ['x/1', 3],
    ],
    [],
  ])
})

storage('what did not travel with the activation is asked for once', async () => {
  const engine = new ScriptedEngine(Any, { complete: false })
  const call = run(engine, async ({ storage }) => [
    await Promise.all([storage.get('far'), storage.get('far')]),
    await storage.get('far'),
    await storage.get('none'),
    await storage.get('none'),
  ])

  const first = await engine.heard('read', '1')
  engine.tell('rows\n1', packRows([{ key: 'far', value: bytesOf('away') }]))
  const second = await engine.heard('read', '2')
  engine.tell('rows\n2', packRows([{ key: 'none', value: undefined }]))
  const { value } = await engine.reply(call)

  assert.equal([unpackKeys(first.payload), unpackKeys(second.payload)], [['far'], ['none']])
  assert.equal(value, [['away', 'away'], 'away', undefined, undefined])
  assert.is(engine.find('read', '3'), undefined)
})

storage('a long list is asked for page by page', async () => {
  const engine = new ScriptedEngine(Any, { complete: false })
  const call = run(engine, async ({ storage }) => (await storage.list({ prefix: 'k' })).size)
  const page = (from: number, count: number): Buffer =>
    packRows([...Array(count).keys()].map((n) => ({ key: `k${10_000 + from + n}`, value: bytesOf(n) })))

  const first = await engine.heard('list', '1')
  engine.tell('rows\n1', page(0, 1000))
  const second = await engine.heard('list', '2')
  engine.tell('rows\n2', page(1000, 5))

  assert.equal(JSON.parse(String(first.payload)), { prefix: 'k', limit: 1000 })
  assert.equal(JSON.parse(String(second.payload)), { prefix: 'k', start: 'k10999\0', limit: 1000 })
  assert.is((await engine.reply(call)).value, 1005)
})

storage('what cannot be stored is refused by name', async () => {
  const engine = new ScriptedEngine(Any)
  const bad: [string, unknown][] = [
    ['a', undefined],
    ['a', () => 1],
    ['a', { deep: [new ObjectRef({ id: 'o1-1', release() {} })] }],
    ['', 1],
    ['k'.repeat(2049), 1],
    ['\uD800', 1],
    ['a', 'x'.repeat(9_000_000)],
  ]
  for (const [key, value] of bad) {
    const { errorName } = await engine.reply(run(engine, ({ storage }) => storage.put(key, value)))
    assert.is(errorName, 'NotStorable', `${key.slice(0, 10)} ${String(value).slice(0, 20)}`)
  }
})

storage('a call that writes too much is refused, and writes nothing', async () => {
  const engine = new ScriptedEngine(Any)

  const { errorName, writes } = await engine.reply(
    run(engine, async ({ storage }) => {
      for (let n = 0; n < 6; n++) await storage.put(`part ${n}`, Buffer.alloc(7_000_000))
    }),
  )

  assert.is(errorName, 'ActorLimit')
  assert.equal(writes, [])
})

storage('writing behind the end of a call is refused', async () => {
  const engine = new ScriptedEngine(Any)
  let late: Promise<string> = Promise.resolve('')
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  const call = run(engine, ({ storage }) => {
    late = opened
      .then(() => storage.put('late', 1))
      .then(
        () => 'written',
        (error: Error) => error.name,
      )
  })
  await engine.reply(call)

  open()

  assert.is(await late, 'CallEnded')
})

storage.run()
