import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { answeringEngine } from '../support/answering-engine.ts'
import { runCli } from '../support/cli.ts'
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

work('actor call sends words as JSON or text, and prints the reply', async () => {
  await using engine = await answeringEngine(() => ({ body: { total: 3 } }))
  const call = ['actor', 'call', 'word-count/Tally/a/b', 'add', '3', 'three', '{"by":1}']

  const result = await runCli([...call, '--idempotency-key', 'k1', '--endpoint', engine.url])

  assert.is(result.code, 0, result.stderr)
  assert.is(result.stdout, '{"total":3}\n')
  const [request] = engine.seen
  assert.is(request?.url, '/lambent/v1/actors/word-count/Tally/a%2Fb/add')
  assert.is(request?.body, '[3,"three",{"by":1}]')
  assert.is(request?.headers['idempotency-key'], 'k1')
})

work('actor call shows the remote error and its stack, and exits 1', async () => {
  const error = {
    ...{ code: 'FunctionError', message: 'too far', type: 'RangeError' },
    stack: 'RangeError: too far\n    at Tally.add (index.ts:3:9)',
  }
  await using engine = await answeringEngine(() => ({ status: 500, body: { error } }))

  const result = await runCli(['actor', 'call', 'f/Tally/k', 'add', '--endpoint', engine.url])

  assert.is(result.code, 1)
  assert.is(result.stdout, '')
  assert.is(result.stderr, 'error: RangeError: too far\n    at Tally.add (index.ts:3:9)\n')
})

work('actor kill and destroy ask for what they say', async () => {
  await using engine = await answeringEngine(() => ({ status: 204 }))
  const run = (verb: string) => runCli(['actor', verb, 'f/Tally/k', '--json', '--endpoint', engine.url])

  const killed = await run('kill')
  const destroyed = await run('destroy')

  assert.equal(JSON.parse(killed.stdout), { actor: 'f/Tally/k', killed: true })
  assert.equal(JSON.parse(destroyed.stdout), { actor: 'f/Tally/k', destroyed: true })
  assert.equal(
    engine.seen.map(({ method, url }) => `${method} ${url}`),
    ['POST /lambent/v1/actors/f/Tally/k/kill', 'DELETE /lambent/v1/actors/f/Tally/k'],
  )
})

work('a name that is no actor exits 2 and says how to write one', async () => {
  const { code, stderr } = await runCli(['actor', 'get', 'Tally/k'])

  assert.is(code, 2)
  assert.match(stderr, '"Tally/k" names no actor.')
  assert.match(stderr, 'FUNCTION/CLASS/KEY')
})

work.run()
