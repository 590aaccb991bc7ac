import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ActorWorld } from '../support/actor-world.ts'
import { until } from '../support/until.ts'

/** How actors wake, sleep, ring, move to new code, and end. */
const life = suite('the life of actors')

const code = (version: string): string => `import { Actor, actor, type Alarm } from 'lambent'

export class Sleeper extends Actor {
  static options = { idle: '300ms' }
  calls = 0

  async start(): Promise<void> {
    await this.storage.put('starts', ((await this.storage.get<number>('starts')) ?? 0) + 1)
  }
  async stop(): Promise<void> {
    await this.storage.put('stops', ((await this.storage.get<number>('stops')) ?? 0) + 1)
  }
  async alarm({ name, payload, attempt }: Alarm): Promise<void> {
    if (name === 'flaky' && attempt < 2) throw new Error('not yet')
    const rang = (await this.storage.get<unknown[]>('rang')) ?? []
    await this.storage.put('rang', [...rang, [name, payload, attempt]])
  }
  async set(name: string, delayMs: number, payload: unknown): Promise<void> {
    await this.alarms.set(name, delayMs, payload)
  }
  async set2(name: string, when: string): Promise<unknown> {
    await this.alarms.set(name, when)
    return (await this.alarms.list()).map((alarm) => [alarm.name, alarm.schedule])
  }
  async clear(name: string): Promise<unknown> {
    return [await this.alarms.clear(name), (await this.alarms.list()).length]
  }
  async facts(): Promise<unknown> {
    this.calls++
    const stored = Object.fromEntries(await this.storage.list())
    return { ...stored, calls: this.calls, version: ${JSON.stringify(version)} }
  }
  async put(key: string, value: unknown): Promise<void> {
    await this.storage.put(key, value)
  }
  async leave(): Promise<string> {
    this.exit()
    return 'bye'
  }
  die(): void {
    process.exit(7)
  }
  async gate(): Promise<string> {
    while (!(await actor(Sleeper, 'gate keeper').isOpen())) await new Promise((resolve) => setTimeout(resolve, 20))
    return ${JSON.stringify(version)}
  }
  async isOpen(): Promise<boolean> {
    return (await this.storage.get('open')) === true
  }
}
export class Own extends Actor {
  static options = { shared: false, memoryMb: 256 }
  facts(): string {
    return this.key
  }
}
export const handler = async (): Promise<string> => ${JSON.stringify(version)}
`

interface Facts {
  readonly starts: number
  readonly stops?: number
  readonly calls: number
  readonly version: string
  readonly rang?: unknown[]
}

let running: Promise<ActorWorld> | undefined
const world = (): Promise<ActorWorld> => (running ??= ActorWorld.start({ life: code('one') }))
const at = (key: string): string => `life/Sleeper/${key}`

async function factsOf(key: string): Promise<Facts> {
  return (await (await world()).value(`${at(key)}/facts`)) as Facts // what the method returns
}

async function isAsleep(key: string): Promise<boolean> {
  const { body } = await (await world()).ask('GET', at(key))
  return (body as { state?: string }).state === 'asleep'
}

life('start runs once before the first call', async () => {
  const first = await factsOf('once')
  const second = await factsOf('once')

  assert.is(`${first.starts} ${first.calls} ${second.starts} ${second.calls}`, '1 1 1 2')
})

life(
  'an idle actor sleeps, with stop run and its fields forgotten, and wakes with what it stored',
  async () => {
    await factsOf('sleeps')
    await until('it sleeps', () => isAsleep('sleeps'))

    const { starts, stops, calls } = await factsOf('sleeps')

    assert.is(`${starts} ${stops} ${calls}`, '2 1 1')
  },
)

life('exit puts it to sleep at once', async () => {
  const one = await world()

  assert.is(await one.value(`${at('exits')}/leave`), 'bye')
  const { starts, calls } = await factsOf('exits')

  assert.is(`${starts} ${calls}`, '2 1')
})

life('an alarm wakes its actor, with its payload; one that fails is tried again', async () => {
  const one = await world()
  await one.value(`${at('alarms')}/set`, 'soon', 50, { n: 1 })
  await one.value(`${at('alarms')}/set`, 'flaky', 20, null)

  const rang = await until('both rang', async () => {
    const facts = await factsOf('alarms')
    return facts.rang?.length === 2 && facts.rang
  })

  assert.equal(rang.toSorted(), [
    ['flaky', null, 2],
    ['soon', { n: 1 }, 1],
  ])
})

life('alarms are listed, replaced by name and cleared', async () => {
  const one = await world()
  await one.value(`${at('list')}/set`, 'later', 3_600_000, 1)

  const listed = (await one.value(`${at('list')}/set2`, 'cron', '0 9 * * 1-5')) as unknown[]

  assert.equal(listed.toSorted(), [
    ['cron', '0 9 * * 1-5'],
    ['later', null],
  ])
  assert.equal(await one.value(`${at('list')}/clear`, 'later'), [true, 1])
  assert.equal(await one.value(`${at('list')}/clear`, 'later'), [false, 1])
  const wrong = await one.call(`${at('list')}/set2`, ['cron', 'whenever'])
  assert.match(JSON.stringify(wrong.body), 'TypeError')
})

life('an alarm that was set before the engine was killed rings after it is back', async () => {
  const one = await world()
  await one.value(`${at('survivor')}/set`, 'later', 1500, 'x')
  await one.value(`${at('survivor')}/put`, 'acknowledged', true)

  await one.restart()
  const rang = await until('it rang', async () => (await factsOf('survivor')).rang)

  assert.equal(rang, [['later', 'x', 1]])
  assert.is(((await factsOf('survivor')) as unknown as { acknowledged: boolean }).acknowledged, true)
})

life('a crash ends the call that ran, and the next one wakes the actor with its storage', async () => {
  const one = await world()
  await one.value(`${at('crashes')}/put`, 'kept', 1)

  const crashed = await one.call(`${at('crashes')}/die`)
  const facts = (await factsOf('crashes')) as Facts & { kept: number }

  assert.is(crashed.status, 502)
  assert.is(`${facts.starts} ${facts.kept} ${facts.calls}`, '2 1 1')
})

life('light actors share a process; one that asks for its own has it', async () => {
  const one = await world()

  const placeOf = async (path: string): Promise<string> => {
    await one.value(`${path}/facts`)
    const { body } = await one.ask('GET', path)
    return (body as { environmentId: string }).environmentId
  }
  const light = await Promise.all(['p1', 'p2', 'p3'].map((key) => placeOf(at(key))))
  const own = await Promise.all(['p1', 'p2'].map((key) => placeOf(`life/Own/${key}`)))

  assert.is(new Set(light).size, 1)
  assert.is(new Set([...light, ...own]).size, 3)
})

life('kill ends its process, not its storage; destroy leaves nothing', async () => {
  const one = await world()
  await one.value(`${at('ends')}/put`, 'kept', 1)

  const killed = await one.ask('POST', `${at('ends')}/kill`)
  const afterKill = (await factsOf('ends')) as Facts & { kept?: number }
  const destroyed = await one.ask('DELETE', at('ends'))
  const afterDestroy = (await factsOf('ends')) as Facts & { kept?: number }

  assert.is(killed.status, 204, JSON.stringify(killed))
  assert.is(`${afterKill.starts} ${afterKill.kept} ${afterKill.calls}`, '2 1 1')
  assert.is(destroyed.status, 204)
  assert.is(`${afterDestroy.starts} ${String(afterDestroy.kept)}`, '1 undefined')
})

life('new code: what runs ends with the old, what comes next runs the new, storage stays', async () => {
  const one = await world()
  await one.value(`${at('moves')}/put`, 'kept', 1)
  const held = one.value(`${at('moves')}/gate`)
  await until('it runs', async () => {
    const { body } = await one.ask('GET', at('moves'))
    return (body as { running?: number }).running === 1
  })

  await one.deploy({ life: code('two') })
  await one.value(`${at('gate%20keeper')}/put`, 'open', true)
  const old = await held
  const facts = (await factsOf('moves')) as Facts & { kept: number }

  assert.is(old, 'one')
  assert.is(`${facts.version} ${facts.kept}`, 'two 1')
})

life('end', async () => {
  await (await world())[Symbol.asyncDispose]()
})

life.run()
