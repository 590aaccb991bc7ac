import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ActorWorld } from '../support/actor-world.ts'
import { until } from '../support/until.ts'

/** Actors through the built program: called by handlers, each other, other functions, over HTTP. */
const actors = suite('actors')

const TALLY = `import { Actor, actor, get, ObjectRef, type Handler } from 'lambent'

export class Tally extends Actor {
  static concurrent = ['peek', 'sneak', 'release']
  readonly order: string[] = []

  async add(n: number): Promise<number> {
    const total = ((await this.storage.get<number>('total')) ?? 0) + n
    await this.storage.put('total', total)
    return total
  }
  async peek(): Promise<number> {
    return (await this.storage.get<number>('total')) ?? 0
  }
  async sneak(): Promise<void> {
    await this.storage.put('total', -1)
  }
  async fails(n: number): Promise<void> {
    await this.add(n)
    throw new RangeError('too much', { cause: new TypeError('inside') })
  }
  async slow(name: string, turns: number): Promise<string[]> {
    this.order.push(name + ' begins')
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
    this.order.push(name + ' ends')
    return this.order
  }
  async hold(): Promise<number> {
    while (!released) await new Promise((resolve) => setImmediate(resolve))
    return this.peek()
  }
  release(): void {
    released = true
  }
  async patient(): Promise<void> {
    const { signal } = this.context
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    await this.storage.put('gaveUp', signal.aborted)
  }
  async gaveUp(): Promise<unknown> {
    return this.storage.get('gaveUp')
  }
  async itself(n: number): Promise<unknown> {
    await this.storage.put('total', n)
    const own = actor(Tally, this.key)
    const refused = own.sneak().catch((error: Error) => error.name)
    const seen = [await own.add(1), await own.peek(), await refused]
    await own.fails(10).catch(() => undefined)
    return [...seen, await this.storage.get('total')]
  }
  async types(value: unknown): Promise<unknown> {
    await this.storage.put('value', value)
    return this.storage.get('value')
  }
  async around(depth: number): Promise<string> {
    await this.add(1)
    if (depth === 0) return this.key + ' ' + (await this.peek())
    const other = this.key === 'a' ? 'b' : 'a'
    return actor(Tally, other).around(depth - 1)
  }
  async keepsRef(ref: unknown): Promise<void> {
    await this.storage.put('ref', ref)
  }
  areRefs(value: unknown, inside: unknown[]): unknown[] {
    return [value instanceof ObjectRef ? 'ref' : value, inside[0] instanceof ObjectRef]
  }
  async *count(to: number): AsyncGenerator<number> {
    for (let n = 0; n < to; n++) yield n
  }
  async early(): Promise<void> {
    await this.storage.transaction(async () => {
      await this.storage.put('total', 70)
      await this.storage.put('early', true)
    })
    await this.storage.put('total', 71)
    process.exit(3)
  }
  _secret(): number {
    return 1
  }
}

let released = false
const kindOf = (error: unknown): unknown => {
  const { name, message, cause, stack } = error as Error
  return {
    name, message,
    isRange: error instanceof RangeError,
    cause: (cause as Error | undefined)?.constructor.name,
    stack: stack?.includes('fails') === true,
  }
}

export const handler: Handler<{ what: string }> = async ({ what }) => {
  const all = actor(Tally, 'handler')
  switch (what) {
    case 'parallel':
      return Promise.all(Array.from({ length: 50 }, (_, n) => all.add(n)))
    case 'refs': {
      const refs = [1, 2, 3].map((n) => actor.remote(actor(Tally, 'refs')).add(n))
      return [refs.every((ref) => ref instanceof ObjectRef), await get(refs)]
    }
    case 'order': {
      const one = actor(Tally, 'order')
      const results = await Promise.all([one.slow('x', 20), one.slow('y', 1), one.slow('z', 1)])
      return results[2]
    }
    case 'fails': {
      const error = await actor(Tally, 'fails').fails(5).catch(kindOf)
      return [error, await actor(Tally, 'fails').peek()]
    }
    case 'refused': {
      const one = actor(Tally, 'refused') as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
      const named = actor('tally/Tally', 'refused') as unknown as typeof one
      const nameOf = (call: Promise<unknown>): Promise<unknown> => call.catch((error: Error) => error.name)
      const ref = actor.remote(actor(Tally, 'refused')).peek()
      return [
        await nameOf(one.sneak()), typeof one._secret, await nameOf(named.nothing()),
        await nameOf(one.keepsRef([ref])), await nameOf(actor('tally/Nobody', 'a').anything()),
        await nameOf(actor('nowhere/Tally', 'a').anything()),
      ]
    }
    case 'types': {
      const value = { when: new Date(5), map: new Map([['a', 1n]]), set: new Set([1]), bytes: new Uint8Array([1, 2]) }
      const back = (await actor(Tally, 'types').types(value)) as typeof value
      return [back.when instanceof Date, back.map.get('a') === 1n, back.set.has(1), back.bytes instanceof Uint8Array]
    }
    case 'passed': {
      const [source, one] = [actor(Tally, 'source'), actor(Tally, 'passed')]
      const order: string[] = []
      const done = <T>(name: string) => (value: T): T => (order.push(name), value)
      const slow = actor.remote(source).slow('x', 200)
      const first = one.types(slow).then(done('first'))
      const second = one.add(actor.remote(source).add(4)).then(done('second'))
      const failing = actor.remote(source).fails(1)
      const [seen, sum, error] = [await first, await second, await one.add(failing).catch(kindOf)]
      const ref = actor.remote(source).peek()
      const again = [await one.areRefs(ref, [ref]), await one.areRefs(ref, [ref])]
      return [seen, sum, order, (error as { name: string }).name, again, await get(ref), await one.peek()]
    }
    case 'around':
      return actor(Tally, 'a').around(5)
    case 'stream': {
      const items: number[] = []
      for await (const item of actor(Tally, 'stream').count(100)) items.push(item)
      const some: number[] = []
      for await (const item of actor<Tally>('tally/Tally', 'stream').count(1000)) if (some.push(item) === 3) break
      return [items.length, items.at(-1), some, await actor(Tally, 'stream').peek()]
    }
    case 'timeout': {
      const one = actor(Tally, 'timeout')
      const late = await actor.with(one, { timeout: '50ms' }).patient().catch((error: Error) => error.name)
      const leaving = new AbortController()
      const left = actor.with(one, { signal: leaving.signal }).patient().catch((error: Error) => error.name)
      leaving.abort()
      return [late, await one.gaveUp(), await left]
    }
    case 'idempotent': {
      const once = actor.with(actor(Tally, 'once'), { idempotencyKey: 'k1' })
      return [await once.add(1), await once.add(1), await actor(Tally, 'once').peek()]
    }
    default:
      throw new Error('what?')
  }
}
`
const OTHER = `import { actor, type Handler } from 'lambent'
import type { Tally } from '../tally/index.ts'
export const handler: Handler<{ n: number }> = async ({ n }) => actor<Tally>('tally/Tally', 'shared').add(n)
`

let running: Promise<ActorWorld> | undefined
const world = (): Promise<ActorWorld> => (running ??= ActorWorld.start({ tally: TALLY, other: OTHER }))

actors('a counter counts every call of a handler, in their order', async () => {
  const sums = (await (await world()).invoke('tally', { what: 'parallel' })) as number[]

  let total = 0
  assert.equal(
    sums,
    Array.from({ length: 50 }, (_, n) => (total += n)),
  )
})

actors('remote gives refs, and get their values', async () => {
  assert.equal(await (await world()).invoke('tally', { what: 'refs' }), [true, [1, 3, 6]])
})

actors('a ref as an argument is its value, and calls stay in order while it is waited for', async () => {
  assert.equal(await (await world()).invoke('tally', { what: 'passed' }), [
    ['x begins', 'x ends'],
    4,
    ['first', 'second'],
    'RangeError',
    [
      [4, true],
      [4, true],
    ],
    4,
    4,
  ])
})

actors('one call runs at a time, in the order of the caller', async () => {
  assert.equal(
    await (await world()).invoke('tally', { what: 'order' }),
    ['x', 'y', 'z'].flatMap((name) => [`${name} begins`, `${name} ends`]),
  )
})

actors('an error comes back with its class, cause and stack, and what the call wrote is gone', async () => {
  assert.equal(await (await world()).invoke('tally', { what: 'fails' }), [
    { name: 'RangeError', message: 'too much', isRange: true, cause: 'TypeError', stack: true },
    0,
  ])
})

actors('what cannot be called or stored is refused by name', async () => {
  assert.equal(await (await world()).invoke('tally', { what: 'refused' }), [
    'ReadOnlyCall',
    'undefined',
    'NoSuchMethod',
    'NotStorable',
    'Infeasible',
    'Infeasible',
  ])
})

actors('values keep their types through a call and through storage', async () => {
  assert.equal(await (await world()).invoke('tally', { what: 'types' }), [true, true, true, true])
})

actors('calls that come back into an actor run inside the one that waits', async () => {
  assert.is(await (await world()).invoke('tally', { what: 'around' }), 'b 3')
})

actors('an actor may call itself: the call sees and joins what the first one has written', async () => {
  const one = await world()

  assert.equal(await one.value('tally/Tally/itself/itself', 40), [41, 41, 'ReadOnlyCall', 41])
  assert.is(await one.value('tally/Tally/itself/peek'), 41)
})

actors('a concurrent method is answered while a call runs', async () => {
  const one = await world()
  await one.value('tally/Tally/beside/add', 3)
  const held = one.value('tally/Tally/beside/hold')
  await until('it runs', async () => {
    const { body } = await one.ask('GET', 'tally/Tally/beside')
    return (body as { running?: number }).running === 1
  })

  assert.is(await one.value('tally/Tally/beside/peek'), 3)
  await one.value('tally/Tally/beside/release')
  assert.is(await held, 3)
})

actors('a generator streams its items, also past a bound, and ends when nobody reads', async () => {
  assert.equal(await (await world()).invoke('tally', { what: 'stream' }), [100, 99, [0, 1, 2], 0])
})

actors('a call with a timeout fails when it is over; a repeated key gets the first reply', async () => {
  const one = await world()

  assert.equal(await one.invoke('tally', { what: 'timeout' }), ['TimeoutError', true, 'AbortError'])
  assert.equal(await one.invoke('tally', { what: 'idempotent' }), [1, 1, 1])
})

actors('another function calls by name', async () => {
  const one = await world()

  assert.is(await one.invoke('other', { n: 2 }), 2)
  assert.is(await one.invoke('other', { n: 3 }), 5)
  assert.is(await one.value('tally/Tally/shared/peek'), 5)
})

actors('over HTTP: bare values, errors with type and stack, keys', async () => {
  const one = await world()
  const key = encodeURIComponent('a key/with ü')

  assert.is(await one.value(`tally/Tally/${key}/add`, 4), 4)
  const failed = await one.call(`tally/Tally/${key}/fails`, [1])
  const hook = await one.call(`tally/Tally/${key}/start`)
  const first = await one.call(`tally/Tally/${key}/add`, [1], { 'idempotency-key': 'once' })
  const again = await one.call(`tally/Tally/${key}/add`, [1], { 'idempotency-key': 'once' })

  assert.is(failed.status, 500)
  const { error } = failed.body as { error: Record<string, string> }
  assert.is(`${error['code']} ${error['type']} ${error['message']}`, 'FunctionError RangeError too much')
  assert.match(error['stack'] ?? '', 'fails')
  assert.is(hook.status, 404, JSON.stringify(hook))
  assert.match(JSON.stringify(hook.body), 'NotFound')
  assert.equal(
    [first, again],
    [
      { status: 200, body: 5 },
      { status: 200, body: 5 },
    ],
  )
})

actors('what a transaction has committed is there after a crash, and nothing else', async () => {
  const one = await world()
  await one.value('tally/Tally/crash/add', 1)

  const crashed = await one.call('tally/Tally/crash/early')

  assert.is(crashed.status, 502, JSON.stringify(crashed))
  assert.match(JSON.stringify(crashed.body), 'ActorCrashed')
  assert.is(await one.value('tally/Tally/crash/peek'), 70)
})

actors('calls are runs, and bars of the timeline', async () => {
  const one = await world()
  await one.value('tally/Tally/run/add', 1)
  await one.call('tally/Tally/run/fails', [1])
  const { api } = one.lambent

  const found = await until('both are written down', async () => {
    const response = await fetch(`${api}/lambent/v1/runs?kind=actor&limit=1000`)
    const { runs } = (await response.json()) as { runs: Record<string, unknown>[] }
    const own = runs.filter((run) => String(run['qualifier']).startsWith('Tally/run/'))
    return own.length === 2 ? own : undefined
  })
  const timeline = await fetch(`${api}/lambent/v1/timeline?function=tally`)
  const { traceEvents } = (await timeline.json()) as { traceEvents: Record<string, unknown>[] }

  assert.equal(
    found.map((run) => [run['qualifier'], run['status'], run['errorType'], run['trigger']]).toSorted(),
    [
      ['Tally/run/add', 'succeeded', null, 'actor'],
      ['Tally/run/fails', 'failed', 'RangeError', 'actor'],
    ],
  )
  assert.ok(found.every((run) => run['functionName'] === 'tally' && run['environmentId'] !== ''))
  assert.ok(
    traceEvents.some(({ name, cat, ph }) => name === 'tally/Tally/run/add' && cat === 'actor' && ph === 'X'),
  )
})

actors('end', async () => {
  await (await world())[Symbol.asyncDispose]()
})

actors.run()
