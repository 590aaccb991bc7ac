import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ActorWorld } from '../support/actor-world.ts'
import { until } from '../support/until.ts'

/** Counters while their processes and the engine are killed: what was acknowledged counts once. */
const kills = suite('actors under kills')

const COUNTER = `import { Actor } from 'lambent'
export class Counter extends Actor {
  async add(n: number): Promise<number> {
    const total = ((await this.storage.get<number>('total')) ?? 0) + n
    await this.storage.put('total', total)
    return total
  }
  async total(): Promise<number> {
    return (await this.storage.get<number>('total')) ?? 0
  }
  die(): void {
    process.kill(process.pid, 'SIGKILL')
  }
}
`
const KEYS = ['a', 'b', 'c', 'd']
const CALLERS = 8
const ENGINE_KILLS = 3
const PROCESS_KILLS = 6

kills('every increment with a key counts exactly once', async () => {
  await using world = await ActorWorld.start({ counters: COUNTER })
  const counted = new Map(KEYS.map((key) => [key, 0]))
  const repeats = { refused: 0, unreachable: 0 }
  let isOver = false

  /** Makes one increment, as often as it takes. */
  const increment = async (key: string, name: string): Promise<void> => {
    for (;;) {
      try {
        const { status } = await world.call(`counters/Counter/${key}/add`, [1], { 'idempotency-key': name })
        if (status === 200) break
        repeats.refused++
      } catch {
        repeats.unreachable++
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    counted.set(key, (counted.get(key) ?? 0) + 1)
  }
  const caller = async (number: number): Promise<void> => {
    for (let n = 0; !isOver; n++) await increment(KEYS[(number + n) % KEYS.length] ?? '', `${number}-${n}`)
  }
  const callers = Array.from({ length: CALLERS }, (_, number) => caller(number))
  const sum = (): number => [...counted.values()].reduce((left, right) => left + right)
  const goOn = async (): Promise<void> => {
    const before = sum()
    await until('it goes on', () => sum() >= before + 40, 30_000)
  }
  for (let round = 0; round < ENGINE_KILLS; round++) {
    for (let one = 0; one < PROCESS_KILLS / ENGINE_KILLS; one++) {
      await goOn()
      const { status } = await world.call(`counters/Counter/${KEYS[one % KEYS.length] ?? ''}/die`)
      assert.is(status, 502)
    }
    await goOn()
    await world.restart()
  }
  await goOn()
  isOver = true
  await Promise.all(callers)

  for (const [key, count] of counted)
    assert.is(await world.value(`counters/Counter/${key}/total`), count, `${key}: ${JSON.stringify(repeats)}`)
})

kills.run()
