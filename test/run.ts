import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runTests, totalsLine } from './support/test-runner.ts'

/**
 * `tsx test/run.ts [suite or part of a path …]`: the runner behind `npm test`. uvu by itself exits 0 when a
 * file registers nothing and never times out; here each file is a process with a limit, and zero tests fail.
 * TEST_JOBS: files at once (2). TEST_LIMIT_MS: time limit of a file (120000). TEST_AGAIN=1: the few that fail
 * beside others are run once more alone.
 */
const stopping = new AbortController()
process.on('SIGINT', () => stopping.abort())
process.on('SIGTERM', () => stopping.abort())

const totals = await runTests({
  root: join(fileURLToPath(import.meta.url), '..'),
  filters: process.argv.slice(2),
  jobs: Number(process.env.TEST_JOBS ?? 2),
  limitMs: Number(process.env.TEST_LIMIT_MS ?? 120_000),
  again: process.env.TEST_AGAIN === '1',
  print: (text) => process.stdout.write(text),
  signal: stopping.signal,
})
process.stdout.write(`${totalsLine(totals)}\n`)
process.exitCode = totals.failed > 0 ? 1 : 0
