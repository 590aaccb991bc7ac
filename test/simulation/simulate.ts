import { Chance, Trace } from './chance.ts'

/** A part of the engine over faked surroundings, that random things happen to. */
export interface SimulatedWorld {
  /** Lets one thing happen. */
  step(): Promise<void>
  /** Throws a `Violation` when something is as it must never be. */
  check(): void
  /**
   * No more faults: whatever waits must come to its end. Throws a `Violation` when it does not; answers how
   * many steps it took.
   */
  settle(): Promise<number>
}

/** Makes a world; `planted` names a bug that is built into its surroundings. */
export type WorldFactory = (chance: Chance, trace: Trace, planted?: string) => SimulatedWorld

/** Something that must never be, and is. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

/** How a simulation of one seed went. */
export interface Simulated {
  readonly steps: number
  /** Of everything that happened. */
  readonly hash: string
  /** What went wrong; undefined: nothing. */
  readonly violation: string | undefined
}

/** A world lives for so many steps, then it is settled and the next seed begins. */
const STEPS_OF_A_WORLD = 500

/** Runs the world of one seed. The same seed goes the same way. */
export async function simulateSeed(
  make: WorldFactory,
  seed: number,
  planted?: string,
  steps: number = STEPS_OF_A_WORLD,
): Promise<Simulated> {
  const trace = new Trace()
  const world = make(new Chance(seed), trace, planted)
  let done = 0
  let stray: unknown
  const onStray = (error: unknown): void => void (stray ??= error)
  process.on('unhandledRejection', onStray) // what is thrown where nobody waits for it
  try {
    for (; done < steps; done++) {
      await world.step()
      if (stray !== undefined) throw stray
      world.check()
    }
    done += await world.settle()
    if (stray !== undefined) throw stray
    return { steps: done, hash: trace.hash, violation: undefined }
  } catch (error) {
    // an assertion of the engine's own counts as much as one of ours
    return { steps: done, hash: trace.hash, violation: `step ${done}: ${String(stray ?? error)}` }
  } finally {
    process.off('unhandledRejection', onStray)
  }
}

/** How a simulation of many seeds went. */
export interface Campaign {
  readonly steps: number
  readonly seeds: number
  readonly failures: readonly { readonly seed: number; readonly violation: string }[]
}

/** Runs seed after seed from `firstSeed` on, until there were `steps` steps or too many seeds failed. */
export async function simulate(
  make: WorldFactory,
  options: { firstSeed: number; steps: number; planted?: string; maxFailures?: number },
): Promise<Campaign> {
  const { firstSeed, steps, planted, maxFailures = 1 } = options
  const failures: { seed: number; violation: string }[] = []
  let done = 0
  let seeds = 0
  while (done < steps && failures.length < maxFailures) {
    const seed = firstSeed + seeds
    const run = await simulateSeed(make, seed, planted)
    done += run.steps
    seeds += 1
    if (run.violation !== undefined) failures.push({ seed, violation: run.violation })
  }
  return { steps: done, seeds, failures }
}
