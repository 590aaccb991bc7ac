import type { Test } from 'uvu'
import * as assert from 'uvu/assert'
import { simulate, simulateSeed, type WorldFactory } from './simulate.ts'

/** Seeds for a failure that a planted bug makes; any seed at which the first bug shows will do. */
const SAME_SEED = 7
const OTHER_SEED = 8

/**
 * Adds the short form of a world's simulation to a suite: nothing goes wrong, a seed goes the same way each
 * time, and each of `bugs` is found.
 */
export function addShortForm(
  simulation: Test,
  world: { make: WorldFactory; promise: string; firstSeed: number; bugs: readonly string[] },
): void {
  const { make, promise, firstSeed, bugs } = world

  simulation(promise, async () => {
    const { failures, steps } = await simulate(make, { firstSeed, steps: 20_000 })

    assert.equal(failures, [])
    assert.ok(steps >= 20_000)
  })

  simulation('the same seed goes the same way, also when it fails', async () => {
    const [first, second, other] = [
      await simulateSeed(make, SAME_SEED),
      await simulateSeed(make, SAME_SEED),
      await simulateSeed(make, OTHER_SEED),
    ]
    const [bug] = bugs
    const failures = [await simulateSeed(make, SAME_SEED, bug), await simulateSeed(make, SAME_SEED, bug)]

    assert.equal(first, second)
    assert.is.not(first?.hash, other?.hash)
    assert.type(failures[0]?.violation, 'string')
    assert.equal(failures[0], failures[1])
  })

  for (const bug of bugs) {
    simulation(`a planted bug is found: ${bug}`, async () => {
      const { failures } = await simulate(make, { firstSeed: 1, steps: 50_000, planted: bug })

      assert.is(failures.length, 1)
    })
  }
}
