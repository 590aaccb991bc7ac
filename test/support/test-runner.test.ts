import { writeFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { selectTestFiles } from './test-files.ts'
import { runTests, totalsLine, type RunTotals } from './test-runner.ts'
import { temporaryDirectory } from './temporary.ts'

const runner = suite('the test runner')

const UVU = import.meta.resolve('uvu')
const HEADER = `import { suite } from '${UVU}'\nconst tests = suite('tests')\n`

async function runFile(body: string, limitMs = 20_000): Promise<RunTotals & { printed: string }> {
  using folder = temporaryDirectory()
  writeFileSync(folder.join('one.test.ts'), HEADER + body)
  let printed = ''
  const totals = await runTests({
    root: folder.path,
    filters: [],
    jobs: 1,
    limitMs,
    lingerMs: 300,
    print: (text) => (printed += text),
    signal: new AbortController().signal,
  })
  return { ...totals, printed }
}

runner('passed, failed and skipped tests are counted', async () => {
  const totals = await runFile(`
    tests('passes', () => {})
    tests('fails', () => { throw new Error('on purpose') })
    tests.skip('is skipped')
    tests.run()`)

  assert.is(totalsLine(totals), '1 passed, 1 failed, 1 skipped')
  assert.match(totals.printed, 'on purpose')
})

runner('what failed beside others is run once more alone, but never what takes a seed', async () => {
  using folder = temporaryDirectory()
  const failsOnce = (marker: string): string => `${HEADER}
    import { existsSync, writeFileSync } from 'node:fs'
    tests('fails once', () => {
      if (existsSync('${folder.join(marker)}')) return
      writeFileSync('${folder.join(marker)}', '')
      throw new Error('a busy machine')
    })
    tests.run()`
  writeFileSync(folder.join('once.test.ts'), failsOnce('once'))
  writeFileSync(folder.join('seeded.test.ts'), `// SEED\n${failsOnce('seeded')}`)
  let printed = ''
  const again = { again: true, jobs: 2, limitMs: 20_000, signal: new AbortController().signal }
  const totals = await runTests({
    root: folder.path,
    filters: [],
    print: (text) => (printed += text),
    ...again,
  })

  assert.is(totalsLine(totals), '1 passed, 1 failed, 0 skipped')
  assert.match(printed, 'once.test.ts failed beside other files')
  assert.match(printed, /Failed: seeded.test.ts/)
  assert.match(printed, 'a busy machine')
})

runner('a suite that was never run fails', async () => {
  const totals = await runFile(`tests('is forgotten', () => {})`)

  assert.is(totalsLine(totals), '0 passed, 1 failed, 0 skipped')
  assert.match(totals.printed, 'ran no tests')
})

runner('a hang is killed at the limit and fails', async () => {
  const totals = await runFile(
    `tests('hangs', () => new Promise((resolve) => setTimeout(resolve, 60_000)))\ntests.run()`,
    2000,
  )

  assert.is(totals.failed, 1)
  assert.match(totals.printed, 'was killed at its limit of 2 s')
})

runner('a crash fails, also after tests that passed', async () => {
  const totals = await runFile(
    `tests('passes', () => {})\ntests.run()\nprocess.on('exit', () => process.exit(7))`,
  )

  assert.is(totalsLine(totals), '1 passed, 1 failed, 0 skipped')
  assert.match(totals.printed, 'exited with 7')
})

runner('a file that leaves something open fails', async () => {
  const totals = await runFile(`tests('leaks', () => { setInterval(() => {}, 1000) })\ntests.run()`)

  assert.is(totals.failed, 1)
  assert.match(totals.printed, 'something is still open')
})

runner('a process left behind fails', async () => {
  const totals = await runFile(`
    import { spawn } from 'node:child_process'
    tests('leaves a child', () => { spawn('sleep', ['30'], { stdio: 'ignore' }).unref() })
    tests.run()`)

  assert.is(totals.failed, 1)
  assert.match(totals.printed, 'left processes behind')
})

runner('suites of their own run only by name', () => {
  const files = ['chaos/kill.test.ts', 'store/chaos-log.test.ts', 'store/journal.test.ts']

  assert.equal(selectTestFiles(files, []), ['store/chaos-log.test.ts', 'store/journal.test.ts'])
  assert.equal(selectTestFiles(files, ['chaos']), ['chaos/kill.test.ts'])
  assert.equal(selectTestFiles(files, ['test/store/journal']), ['store/journal.test.ts'])
  assert.throws(() => selectTestFiles(files, ['jurnal']), /No test file matches "jurnal"/)
})

runner.run()
