import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { StartOptions } from '../../runtime/environments/starter.ts'
import { seededFractions } from '../chaos/seeded-rng.ts'
import { turn, version, world } from '../support/scheduler-world.ts'
import type { ScriptedProcess } from '../support/scripted-process.ts'

const exclusive = suite('exclusive GPUs')

const PAIRS = 10_000

/** A world that notes which process was given which GPUs, and whoever had them and was not gone. */
async function watched(resources: Record<string, number>) {
  const at = await world({ resources, maxEnvironments: 100 })
  const holders = new Map<ScriptedProcess, readonly number[]>()
  const overlaps: string[] = []
  const { start } = at.starter
  at.starter.start = (options: StartOptions) => {
    const environment = start(options)
    const started = at.processes.at(-1)
    const indices = options.gpuIndices ?? []
    for (const [other, held] of holders) {
      if (other.gone) holders.delete(other)
      else if (held.some((index) => indices.includes(index)))
        overlaps.push(`${environment.id} was given what ${other.environment.id} has`)
    }
    if (started !== undefined) holders.set(started, indices)
    return environment
  }
  return { ...at, overlaps, holders }
}

exclusive(`${PAIRS} pairs want the only GPU, and whatever dies when, no two ever have it`, async () => {
  const at = await watched({ gpu: 1, cpu: 8 })
  const fraction = seededFractions(20_261_124)
  const below = (most: number): number => Math.floor(fraction() * most)
  const functions = ['left', 'right'].map((name) =>
    version(name, { resources: { gpu: 1000 } }, { timeoutMs: null }),
  )
  let ended = 0

  for (let pair = 0; pair < PAIRS; pair++) {
    for (const [side, of] of functions.entries()) at.submit(`${pair}-${side}`, of, true)
    const goal = (pair + 1) * 2
    for (let step = 0; at.events.length < goal; step++) {
      assert.ok(step < 10_000, `pair ${pair} does not get on: ${JSON.stringify(at.scheduler.reasons())}`)
      const live = at.processes.slice(ended)
      while (at.processes[ended]?.gone === true) ended += 1
      const one = live[below(live.length)]
      if (one === undefined || one.gone) {
        await at.clock.advance(5)
        continue
      }
      const { state } = one.environment
      if (one.killed) one.exit(137)
      else if (below(12) === 0) one.slowToDie = true
      else if (below(10) === 0) one.crash(1)
      else if (below(20) === 0) one.environment.kill()
      else if (state === 'starting') one.boot()
      else if (state === 'loading') one.initialize()
      else if (one.held.length > 0) one.answer()
      else await at.clock.advance(1 + below(20))
      await turn()
    }
  }

  assert.equal(at.overlaps, [])
  const answered = at.events.filter((event) => event.endsWith('answered')).length
  assert.ok(answered > PAIRS / 2, `${answered} were answered: enough lived to hold it`)
  assert.ok(at.processes.length > 1000, 'it changed hands')
})

exclusive('a GPU is not given on before its holder is gone, however it was told to end', async () => {
  const at = await watched({ gpu: 1, cpu: 8 })
  const take = (name: string): void =>
    void at.submit(name, version(name, { resources: { gpu: 1000 } }, { timeoutMs: null }), true)
  take('first')
  await at.ready()
  take('second')
  const [first] = at.processes
  if (first === undefined) throw new Error('nothing was started')
  first.slowToDie = true

  first.environment.kill()
  await at.clock.advance(5000)
  assert.is(at.processes.length, 1)

  first.crash(137)
  await turn()
  assert.is(at.processes.length, 2)
  assert.equal(at.overlaps, [])
})

exclusive(
  'a process whose connection breaks before it has its code holds its GPU until it is gone',
  async () => {
    const at = await watched({ gpu: 1, cpu: 8 })
    at.starter.specialize = () => new Promise(() => {}) // it takes for ever
    const take = (name: string): void =>
      void at.submit(name, version(name, { resources: { gpu: 1000 } }, { timeoutMs: null }), true)
    take('first')
    const [first] = at.processes
    if (first === undefined) throw new Error('nothing was started')
    first.slowToDie = true
    first.boot()
    take('second')

    first.environment.disconnected()
    await at.clock.advance(5000)
    assert.is(at.processes.length, 1)

    first.exit(137)
    await turn()
    assert.ok(at.processes.length > 1)
    assert.equal(at.overlaps, [])
  },
)

exclusive('four quarters share one GPU', async () => {
  const at = await watched({ gpu: 2, cpu: 8 })
  for (let index = 0; index < 4; index++)
    at.submit(`${index}`, version(`f${index}`, { resources: { gpu: 250 } }), true)

  assert.equal([...at.holders.values()], [[0], [0], [0], [0]])
})

exclusive.run()
