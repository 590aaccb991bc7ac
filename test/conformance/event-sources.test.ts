// time limit: 400 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { motoMissing } from '../support/moto.ts'
import { unlessMissing } from '../support/skip.ts'
import { QUEUE_SOURCE_CASES, type SourceCase } from './cases/queue-sources.ts'
import { STREAM_SOURCE_CASES } from './cases/stream-sources.ts'
import { TABLE_SOURCE_CASES } from './cases/table-sources.ts'
import { KNOWN_SOURCE_DIFFERENCES } from './known-source-differences.ts'
import { readRecordings, SOURCE_FILES } from './recordings.ts'
import { isElsewhere, SourceRun, SourceService } from './source-run.ts'

/** Recorded cases that lead through sources, which a mock of AWS keeps here. */
const conformance = suite('conformance of event sources')
const test = unlessMissing(conformance, motoMissing())

const CASES: readonly SourceCase[] = [...QUEUE_SOURCE_CASES, ...STREAM_SOURCE_CASES, ...TABLE_SOURCE_CASES]

const recordings = readRecordings(SOURCE_FILES)
let compared = 0
let exact = 0
const lines: string[] = []

/** Cases wait most of their time: several run beside each other. */
const AT_ONCE = 6
let started: Promise<SourceService> | undefined
let next = 0
const runs = new Map<SourceCase, { run: Promise<SourceRun>; settle: (run: Promise<SourceRun>) => void }>()
for (const one of CASES) {
  let settle: (run: Promise<SourceRun>) => void = () => undefined
  const run = new Promise<SourceRun>((resolve) => (settle = resolve))
  run.catch(() => undefined) // its test is told
  runs.set(one, { run, settle })
}

async function runCases(): Promise<void> {
  for (let index = next++; index < CASES.length; index = next++) {
    const one = CASES[index]
    if (one === undefined) return
    const running = runCase(one, `source-${index}`)
    runs.get(one)?.settle(running)
    await running.catch(() => undefined) // its test is told
  }
}

async function runCase({ recording, script }: SourceCase, name: string): Promise<SourceRun> {
  const recorded = recordings.get(recording)
  if (recorded === undefined) throw new Error(`There is no recording of "${recording}".`)
  const run = new SourceRun(await (started ??= SourceService.start()), recorded, name)
  try {
    await script(run)
  } finally {
    await run.end()
  }
  return run
}

test('all cases are started', () => {
  for (let worker = 0; worker < AT_ONCE; worker++) void runCases()
})

for (const one of CASES) {
  const { recording } = one
  test(recording, async () => {
    const run = await runs.get(one)?.run
    assert.ok(run)

    const unknown: string[] = []
    for (const { entry, differences } of run.outcomes) {
      compared += 1
      if (differences.length === 0) exact += 1
      for (const difference of differences) {
        const known = KNOWN_SOURCE_DIFFERENCES.find(({ expression }) => expression.test(difference))
        if (known === undefined) unknown.push(`${entry}${difference}`)
        else lines.push(`differs: ${known.reason}`)
      }
    }
    for (const entry of run.missed()) if (!isElsewhere(entry)) unknown.push(`${entry} was not compared`)
    assert.equal(unknown, [])
  })
}

test('says how much is exact', async () => {
  const scope = `${CASES.length} of ${recordings.size} recorded cases`
  const checked = [`exact ${exact} of ${compared} (${scope})`, ...new Set(lines)]
  process.stdout.write(`\n${checked.map((line) => `checked: ${line}\n`).join('')}`)

  assert.ok(compared > 0)
})

test('stops cleanly in the end', async () => {
  const sources = await started
  const code = await sources?.service.lambent.stop()
  await sources?.[Symbol.asyncDispose]()

  assert.is(code, 0)
})

conformance.run()
