import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ActorWorld } from '../support/actor-world.ts'

/** Actors that nobody calls and that hold what others wait for. */
const yielding = suite('idle actors that hold a GPU')

const CODE = `import { Actor, task } from 'lambent'

export class Model extends Actor {
  static options = { gpu: 1, idle: '1h' }
  async load(): Promise<string> {
    await this.storage.put('loaded', this.key)
    return this.key
  }
  async loaded(): Promise<string | undefined> {
    return this.storage.get<string>('loaded')
  }
}
export class Pinned extends Actor {
  static options = { gpu: 1, idle: 'none' }
  load(): string {
    return this.key
  }
}
export const train = task(async (n: number) => n, { gpu: 1 })
export const handler = async (): Promise<void> => {}
`

const start = (): Promise<ActorWorld> =>
  ActorWorld.start({ models: CODE }, ['--resources', '{"cpu":4,"gpu":1}'])

const train = async ({ lambent }: ActorWorld, wait: string): Promise<[number, string]> => {
  const answer = await fetch(`${lambent.api}/lambent/v1/tasks/models/train?wait=${wait}`, {
    method: 'POST',
    body: '[7]',
  })
  return [answer.status, await answer.text()]
}

yielding('one goes to sleep at once for a task and for another actor of its class', async () => {
  await using world = await start()
  assert.is(await world.value('models/Model/a/load'), 'a')

  assert.equal(await train(world, '20s'), [200, '7'])
  const { body } = await world.ask('GET', 'models/Model/a')
  assert.is((body as { state: string }).state, 'asleep')

  assert.is(await world.value('models/Model/b/load'), 'b')
  assert.is(await world.value('models/Model/a/loaded'), 'a')
})

yielding('one that never sleeps keeps it', async () => {
  await using world = await start()
  assert.is(await world.value('models/Pinned/a/load'), 'a')

  const [status] = await train(world, '2s')

  assert.is(status, 504)
  const { body } = await world.ask('GET', 'models/Pinned/a')
  assert.is((body as { state: string }).state, 'awake')
})

yielding.run()
