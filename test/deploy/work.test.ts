import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startLambentProcess } from '../support/lambent-process.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { until } from '../support/until.ts'
import { writeFiles } from '../support/write-files.ts'

const work = suite('the command line and work')

const SLEEPS = `export const handler = async ({ ms }) => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return ms
}
`

interface Trace {
  readonly traceEvents: { name: string; ph: string; dur?: number; args?: Record<string, unknown> }[]
}

work('timeline writes what ran and what still runs into a file', async () => {
  using folder = temporaryDirectory()
  writeFiles(folder, { 'functions/sleeps/index.mjs': SLEEPS })
  await using lambent = await startLambentProcess(['--deploy', folder.join('functions')])
  await lambent.run(['invoke', 'sleeps', '-p', '{"ms":20}'])
  const still = lambent.run(['invoke', 'sleeps', '-p', '{"ms":60000}'])
  const file = folder.join('trace.json')

  const bars = await until('both are in the trace', async () => {
    const { code, stderr } = await lambent.run(['timeline', '-o', file, '--since', '1h'])
    assert.is(code, 0, stderr)
    assert.match(stderr, /trace\.json: \d+ bars\. Open it at https:\/\/ui\.perfetto\.dev/)
    const { traceEvents } = JSON.parse(readFileSync(file, 'utf8')) as Trace // what the engine answers
    const runs = traceEvents.filter(({ ph, name }) => ph === 'X' && name === 'sleeps')
    return runs.length === 2 && runs
  })

  assert.equal(
    bars.map(({ args }) => args?.['status']),
    ['succeeded', 'running'],
  )
  assert.ok((bars[0]?.dur ?? 0) >= 20_000, `took ${bars[0]?.dur} us`)
  const printed = await lambent.run(['timeline', '--function', 'nobody'])
  assert.equal((JSON.parse(printed.stdout) as Trace).traceEvents, [])
  const nowhere = await lambent.run(['timeline', '-o', folder.join('no/such/folder/t.json')])
  assert.is(nowhere.code, 2)
  assert.match(nowhere.stderr, 'cannot be written')
  await lambent.end('SIGKILL')
  await still
})

work.run()
