import { ACTOR_BUGS } from './actor-bugs.ts'
import { ActorsWorld } from './actors-world.ts'
import { EVENT_BUGS } from './event-bugs.ts'
import { QueueWorld } from './queue-world.ts'
import { SCHEDULING_BUGS } from './planted-bugs.ts'
import { SchedulingWorld } from './scheduling-world.ts'
import { simulate, simulateSeed, type WorldFactory } from './simulate.ts'

/**
 * `npm run test:simulation -- [--steps N] [--seed FIRST] [--only WORLD]`: random things happen to parts of
 * the engine, seed after seed, and what must never be is looked for at every step. A seed that fails is
 * printed, and `--seed` replays it. Before that, each planted bug must be found.
 */
const WORLDS: Readonly<Record<string, { make: WorldFactory; bugs: readonly string[]; share: number }>> = {
  scheduling: {
    make: (...parts) => new SchedulingWorld(...parts),
    bugs: SCHEDULING_BUGS,
    share: 0.5,
  },
  actors: {
    make: (...parts) => new ActorsWorld(...parts),
    bugs: ACTOR_BUGS,
    share: 0.3,
  },
  queue: {
    make: (...parts) => new QueueWorld(...parts),
    bugs: EVENT_BUGS,
    share: 0.2,
  },
}

const steps = Number(argument('--steps') ?? 1_000_000)
const seed = argument('--seed')
const only = argument('--only')
let passed = 0
let failed = 0

for (const [name, { make, bugs, share }] of Object.entries(WORLDS)) {
  if (only !== undefined && only !== name) continue
  if (seed !== undefined) {
    const run = await simulateSeed(make, Number(seed))
    print(`${name} seed ${seed}: ${run.violation ?? 'nothing wrong'} (${run.steps} steps, trace ${run.hash})`)
    count(run.violation === undefined)
    continue
  }
  for (const planted of bugs) {
    const { failures, steps: taken } = await simulate(make, { firstSeed: 1, steps: 50_000, planted })
    if (failures.length === 0)
      print(`FAIL  ${name}: a planted bug was not found in ${taken} steps: ${planted}`)
    count(failures.length > 0)
  }
  const firstSeed = 1
  const startedMs = performance.now()
  const campaign = await simulate(make, { firstSeed, steps: steps * share, maxFailures: 5 })
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  for (const failure of campaign.failures) print(`FAIL  ${name} seed ${failure.seed}: ${failure.violation}`)
  print(
    `checked: ${name}: ${campaign.steps} steps of ${campaign.seeds} seeds in ${seconds} s, ` +
      `${campaign.failures.length} violations; ${bugs.length} planted bugs`,
  )
  count(campaign.failures.length === 0)
}
print(`${passed} passed, ${failed} failed, 0 skipped`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0

function count(isRight: boolean): void {
  if (isRight) passed += 1
  else failed += 1
}

function argument(name: string): string | undefined {
  const index = process.argv.indexOf(name)
  return index < 0 ? undefined : process.argv[index + 1]
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
