// time limit: 1800 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runAsyncCampaign, type AsyncReport } from './async-campaign.ts'

/** LAMBENT_CHAOS_CYCLES: kills (6); LAMBENT_CHAOS_SEED: repeats the plan of an earlier run. */
const cycles = Number(process.env['LAMBENT_CHAOS_CYCLES'] ?? 6)
const seed = Number(process.env['LAMBENT_CHAOS_SEED'] ?? Math.floor(Math.random() * 1_000_000))

let running: Promise<AsyncReport> | undefined
const campaign = (): Promise<AsyncReport> => {
  if (running === undefined) process.stdout.write(`seed ${seed}, ${cycles} kills\n`)
  return (running ??= runAsyncCampaign(cycles, seed))
}

const listed = (problems: readonly string[]): string => problems.slice(0, 20).join('\n')

const killing = suite('killing the engine while events are retried and told of')

killing(
  'each accepted event ends in exactly one recorded outcome, the one that it was planned to have',
  async () => {
    const { outcomeProblems, accepted } = await campaign()

    assert.is(listed(outcomeProblems), '')
    assert.ok(accepted >= cycles * 3, `only ${accepted} events were accepted`)
  },
)

killing('every outcome is told to its destination at least once, and always in the same words', async () => {
  const { deliveryProblems } = await campaign()

  assert.is(listed(deliveryProblems), '')
})

killing('attempts are counted as they failed, however often a kill repeats one', async () => {
  const { attemptProblems } = await campaign()

  assert.is(listed(attemptProblems), '')
})

killing('nothing is owed in the end, and the data directory is sound', async () => {
  const { leftovers, dataProblems } = await campaign()

  assert.is(listed(leftovers), '')
  assert.is(listed(dataProblems), '')
})

killing('the kills met what they were meant for', async () => {
  const { killedWithWaiting, killedWithOwed, kinds } = await campaign()

  assert.ok(killedWithWaiting > 0, 'no retry waited at any kill')
  assert.ok(killedWithOwed > 0, 'no delivery was owed at any kill')
  for (const plan of ['always', 'once', 'never'] as const)
    assert.ok(kinds[plan] > 0, `no event was to fail ${plan}`)
})

killing.after(async () => {
  const report = await campaign()
  process.stdout.write(
    [
      `\nchecked: seed ${seed}: ${cycles} kills, ${report.killedWithWaiting} with retries waiting, ${report.killedWithOwed} with deliveries owed`,
      `${report.accepted} events accepted (${Object.entries(report.kinds)
        .map(([plan, amount]) => `${amount} fail ${plan}`)
        .join(
          ', ',
        )}), ${report.runs} runs; all at rest ${Math.round(report.restMs / 1000)} s after the last kill`,
      `${report.outcomeProblems.length} problems with outcomes, ${report.deliveryProblems.length} with deliveries, ${report.attemptProblems.length} with attempts`,
      `${report.records} records and ${report.deadLetters} dead letters taken, ${report.repeated} of them more than once\n`,
    ].join('; '),
  )
})

killing.run()
