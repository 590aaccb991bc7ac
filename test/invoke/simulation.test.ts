// time limit: 120 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { EVENT_BUGS } from '../simulation/event-bugs.ts'
import { QueueWorld } from '../simulation/queue-world.ts'
import { simulate, simulateSeed, type WorldFactory } from '../simulation/simulate.ts'

/** The short form of `npm run test:simulation -- --only queue`. */
const simulation = suite('a simulated queue of events')

const make: WorldFactory = (...parts) => new QueueWorld(...parts)

simulation(
  'whatever happens, each accepted event has one outcome, in order and after its retries',
  async () => {
    const { failures, steps } = await simulate(make, { firstSeed: 30_001, steps: 20_000 })

    assert.equal(failures, [])
    assert.ok(steps >= 20_000)
  },
)

simulation('the same seed goes the same way, also when it fails', async () => {
  const [first, second, other] = [
    await simulateSeed(make, 7),
    await simulateSeed(make, 7),
    await simulateSeed(make, 8),
  ]
  const [bug] = EVENT_BUGS
  const failures = [await simulateSeed(make, 7, bug), await simulateSeed(make, 7, bug)]

  assert.equal(first, second)
  assert.is.not(first?.hash, other?.hash)
  assert.type(failures[0]?.violation, 'string')
  assert.equal(failures[0], failures[1])
})

for (const bug of EVENT_BUGS) {
  simulation(`a planted bug is found: ${bug}`, async () => {
    const { failures } = await simulate(make, { firstSeed: 1, steps: 50_000, planted: bug })

    assert.is(failures.length, 1)
  })
}

simulation.run()
