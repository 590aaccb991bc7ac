// time limit: 1800 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GONE_LIMIT_MS, runCampaign, type CampaignReport } from './campaign.ts'

/** LAMBENT_CHAOS_CYCLES: kills (10); LAMBENT_CHAOS_SEED: repeats the plan of an earlier run. */
const cycles = Number(process.env['LAMBENT_CHAOS_CYCLES'] ?? 10)
const seed = Number(process.env['LAMBENT_CHAOS_SEED'] ?? Math.floor(Math.random() * 1_000_000))
/**
 * With 100,000 waiting events too, a restarted engine serves within this. What it waits for a processor that
 * other programs have is not counted, but told.
 */
const READY_LIMIT_MS = 2000
const SUCCESS_SHARE = 0.95

let running: Promise<CampaignReport> | undefined
const campaign = (): Promise<CampaignReport> => {
  if (running === undefined) process.stdout.write(`seed ${seed}, ${cycles} kills\n`)
  return (running ??= runCampaign(cycles, seed))
}

const quantile = (samples: readonly number[], share: number): number =>
  samples.toSorted((one, other) => one - other)[Math.ceil(share * samples.length) - 1] ?? Number.NaN

const listed = (problems: readonly string[]): string => problems.slice(0, 20).join('\n')

const killing = suite('killing the engine under load')

killing('every acknowledged event runs and ends in one recorded outcome', async () => {
  const { eventProblems, accepted } = await campaign()

  assert.is(listed(eventProblems), '')
  assert.ok(accepted >= cycles, `only ${accepted} events were accepted`)
})

killing(`a restarted engine is ready within ${READY_LIMIT_MS} ms`, async () => {
  const { servedReadyMs } = await campaign()

  const p99 = quantile(servedReadyMs, 0.99)
  assert.ok(p99 < READY_LIMIT_MS, `p99 is ${Math.round(p99)} ms`)
})

killing(`no process is left ${GONE_LIMIT_MS} ms after a kill`, async () => {
  const { leftBehind, marked } = await campaign()

  assert.is(listed(leftBehind), '')
  assert.ok(marked > 0, 'no grandchild ran at any kill')
})

killing(
  'functions, versions and aliases are as they were acknowledged, and answer with their code',
  async () => {
    const { catalogueProblems, catalogueChecks, tally } = await campaign()

    assert.is(listed(catalogueProblems), '')
    assert.ok(catalogueChecks > 0, 'no check got to its end')
    assert.ok(tally.of('deploy').succeeded > 0, 'nothing was deployed')
  },
)

killing('a caller gets its own answer or a closed connection', async () => {
  const { tally } = await campaign()

  assert.is(listed(tally.wrong), '')
})

killing('the engine dies by a kill alone, and its data directory is sound in the end', async () => {
  const { engineProblems, dataProblems } = await campaign()

  assert.is(listed(engineProblems), '')
  assert.is(listed(dataProblems), '')
})

killing('operations succeed while nobody kills', async () => {
  const { tally } = await campaign()

  const { succeeded, failed } = tally.total
  assert.ok(succeeded / (succeeded + failed) >= SUCCESS_SHARE, listed(tally.failures))
  for (const kind of ['sync', 'event', 'family'])
    assert.ok(tally.of(kind).succeeded >= cycles / 2, String(tally))
})

killing.after(async () => {
  const report = await campaign()
  const ms = (samples: readonly number[], share: number): string =>
    `${Math.round(quantile(samples, share))} ms`
  const { readyMs, servedReadyMs, goneMs, kills, earlyKills, plainKills } = report
  process.stdout.write(
    [
      `\nchecked: seed ${seed}: ${kills} kills (${earlyKills} before it was ready, ${plainKills} without isolation)`,
      `ready p50 ${ms(readyMs, 0.5)} p99 ${ms(readyMs, 0.99)} max ${ms(readyMs, 1)}`,
      `with a processor at hand p50 ${ms(servedReadyMs, 0.5)} p99 ${ms(servedReadyMs, 0.99)}`,
      `all processes gone p50 ${ms(goneMs, 0.5)} p99 ${ms(goneMs, 0.99)} max ${ms(goneMs, 1)} (${report.marked} grandchildren)`,
      `${report.accepted} events accepted, ${report.eventProblems.length} problems with them (${report.repeated} ran again after a kill)`,
      `functions compared ${report.catalogueChecks} times, ${report.catalogueProblems.length} problems`,
      `${report.tally.wrong.length} wrong answers`,
      `operations: ${String(report.tally)}\n`,
    ].join('; '),
  )
})

killing.run()
