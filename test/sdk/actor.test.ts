import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Actor, isActorClass, manifestOf, methodNames } from '../../runtime/sdk/actor.ts'
import {
  actorFunction,
  ActorHandles,
  type ActorAddress,
  type ActorCalls,
} from '../../runtime/sdk/actor-handle.ts'
import { ObjectRef } from '../../runtime/sdk/object-ref.ts'

const actors = suite('handles of actors')

class Base extends Actor {
  ping(): string {
    return 'pong'
  }
}
class Tally extends Base {
  static options = { idle: '60s' }
  static concurrent = ['peek']
  field = 1
  async add(n: number, more?: { by: number }): Promise<number> {
    return n + (more?.by ?? 0)
  }
  peek(): number {
    return 1
  }
  async *watch(): AsyncGenerator<number> {
    yield 1
  }
  async start(): Promise<void> {}
  _private(): void {}
}

/** Notes calls and answers them with a text that says what they were. */
function recorder(): { calls: [ActorAddress, string, unknown[]][]; face: ReturnType<typeof actorFunction> } {
  const calls: [ActorAddress, string, unknown[]][] = []
  const note = (...call: [ActorAddress, string, unknown[]]): string => {
    calls.push(call)
    return `${call[0].functionName}/${call[0].className}/${call[0].key}.${call[1]}(${call[2].join()})`
  }
  const carrier: ActorCalls = {
    call: (...call) => Promise.resolve(note(...call)),
    open(...call) {
      const result = Promise.resolve(note(...call))
      async function* items(): AsyncGenerator<unknown> {
        yield 'first'
        yield await result
      }
      return { result, items: items() }
    },
    remote: (...call) => new ObjectRef({ id: note(...call), release() {} }),
    exportOf: (Class) => (Class === Tally ? 'Counter' : undefined),
  }
  return { calls, face: actorFunction(new ActorHandles(carrier)) }
}

actors('a class gives a handle whose methods are promises of what they return', async () => {
  const { face, calls } = recorder()
  const handle = face(Tally, 'all')

  const total: Promise<number> = handle.add(2, { by: 1 })

  assert.is(String(await total), '/Counter/all.add(2,[object Object])')
  assert.is(String(await handle.ping()), '/Counter/all.ping()')
  assert.equal({ ...calls[0]?.[0] }, { functionName: '', className: 'Counter', key: 'all', options: {} })
  // @ts-expect-error hooks are not on a handle
  assert.is(handle.start, undefined)
  // @ts-expect-error nor what begins with an underscore
  assert.is(handle._private, undefined)
  // @ts-expect-error nor fields
  assert.is(handle.field, undefined)
})

actors('a handle can be returned from an async function and printed', async () => {
  const { face, calls } = recorder()

  const known = await Promise.resolve(face(Tally, 'a'))
  const named = await Promise.resolve(face<Tally>('word-count/Tally', 'a'))

  assert.is(JSON.stringify([known, named]), '[{},{}]')
  assert.is(`${String(known)} ${String(named)}`, '[object Object] [object Object]')
  assert.equal(calls, [])
})

actors('a name gives a handle for a class that is not here', async () => {
  const { face } = recorder()
  const handle = face<Tally>('word-count:live/Tally', 'k', { timeout: '1s' })

  assert.is(String(await handle.add(1)), 'word-count:live/Tally/k.add(1)')
  const { add } = handle
  assert.is(String(await add(2)), 'word-count:live/Tally/k.add(2)')
})

actors('options of calls are those of the handle; with makes another', async () => {
  const { face, calls } = recorder()
  const handle = face(Tally, 'a', { timeout: '1s', retries: 1 })

  await face.with(handle, { retries: 2, idempotencyKey: 'x' }).add(1)
  await handle.add(1)

  assert.equal(
    calls.map(([{ options }]) => options),
    [
      { timeout: '1s', retries: 2, idempotencyKey: 'x' },
      { timeout: '1s', retries: 1 },
    ],
  )
})

actors('remote gives refs at once', () => {
  const { face } = recorder()

  const ref: ObjectRef<number> = face.remote(face(Tally, 'a')).add(4)
  const named: ObjectRef<number> = face.remote(face<Tally>('f/T', 'a')).add(5)

  assert.instance(ref, ObjectRef)
  assert.is(ref.id, '/Counter/a.add(4)')
  assert.is(named.id, 'f/T/a.add(5)')
})

actors('a generator method is iterated, whether its class is known or not', async () => {
  const { face } = recorder()
  const items: unknown[] = []

  for await (const item of face(Tally, 'a').watch()) items.push(item)
  for await (const item of face<Tally>('f/T', 'a').watch()) items.push(item)

  assert.equal(items, ['first', '/Counter/a.watch()', 'first', 'f/T/a.watch()'])
})

actors('what cannot be a handle is refused', () => {
  const { face } = recorder()

  assert.throws(() => face(Base, 'a').ping(), /"Base" is not exported/)
  assert.throws(() => face('Tally', 'a'), /word-count\/Tally/)
  assert.throws(() => face(Tally, ''), /1 to 2048 bytes/)
  assert.throws(() => face(Tally, 'k'.repeat(3000)), /1 to 2048 bytes/)
  assert.throws(() => face.with({}, {}), /actor\(…\)/)
})

actors('a class says what it has', () => {
  assert.ok(isActorClass(Tally))
  assert.not.ok(isActorClass(Map))
  assert.not.ok(isActorClass({}))
  assert.equal(methodNames(Tally).sort(), ['add', 'peek', 'ping', 'watch'])
  assert.equal(manifestOf(Tally), { idle: '60s', concurrent: ['peek'] })
  assert.equal(manifestOf(Base), {})
  assert.equal(
    manifestOf(Object.assign(class extends Base {}, { options: { placementGroup: { name: 'gang' } } })),
    {
      placementGroup: 'gang',
    },
  )
  assert.throws(
    () => manifestOf(Object.assign(class extends Tally {}, { concurrent: ['nothing'] })),
    /names "nothing"/,
  )
})

actors.run()
