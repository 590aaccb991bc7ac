import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runCli, startCli } from '../support/cli.ts'
import { startLambentProcess } from '../support/lambent-process.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'
import { until } from '../support/until.ts'

const engine = suite('the command line and a running engine')

const ECHO = `export const handler = async (event) => {
  console.log('asked for', event.want)
  if (event.want === 'failure') throw new RangeError('out of ideas')
  return { echo: event }
}
`
const STREAM = `export const handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.write('one ')
  stream.write('two')
  stream.end()
})
`

function write(folder: TemporaryDirectory, files: Record<string, string>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(folder.join(path)), { recursive: true })
    writeFileSync(folder.join(path), content)
  }
}

engine('start deploys, prints one line on stdout, serves every command, and drains at SIGTERM', async () => {
  using folder = temporaryDirectory()
  write(folder, { 'functions/echo/index.mjs': ECHO, 'functions/words/index.mjs': STREAM })
  await using lambent = await startLambentProcess(['--deploy', folder.join('functions')])

  assert.match(
    lambent.stdout,
    /^lambent ready api=http:\/\/127\.0\.0\.1:\d+ http=http:\/\/127\.0\.0\.1:\d+\n$/,
  )
  for (const line of lambent.stderr.trim().split('\n').filter(Boolean))
    assert.type(JSON.parse(line).event, 'string')

  const invoked = await lambent.run(['invoke', 'echo', '-p', '{"want":"this"}'])
  assert.equal(JSON.parse(invoked.stdout), { echo: { want: 'this' } })
  assert.is(invoked.code, 0)

  const tailed = await lambent.run(['invoke', 'echo:$LATEST', '-p', '{"want":"a log"}', '--tail'])
  assert.match(tailed.stderr, 'asked for a log')
  assert.match(tailed.stderr, 'REPORT RequestId:')

  const failed = await lambent.run(['invoke', 'echo', '-p', '{"want":"failure"}'])
  assert.is(failed.code, 1)
  assert.is(failed.stdout, '')
  assert.match(failed.stderr, /^RangeError: out of ideas\n\s+at /)

  const streamed = await lambent.run(['invoke', 'words', '--stream'])
  assert.is(streamed.stdout, 'one two')
  assert.is(streamed.code, 0)

  const missing = await lambent.run(['invoke', 'nobody'])
  assert.is(missing.code, 3)
  assert.match(missing.stderr, 'ResourceNotFoundException')

  const invalid = await lambent.run(['invoke', 'echo', '-p', '{not json'])
  assert.is(invalid.code, 2)

  const queued = await lambent.run(['invoke', 'echo', '-p', '{"want":"later"}', '--async', '--json'])
  const { requestId } = JSON.parse(queued.stdout)
  const run = await until('the queued run is recorded', async () => {
    const result = await lambent.run(['runs', 'get', requestId, '--json'])
    return result.code === 0 && JSON.parse(result.stdout)
  })
  assert.is(run.status, 'succeeded')
  assert.is(run.trigger, 'event')

  const log = await lambent.run(['logs', 'echo', '--since', '10m', '--request-id', requestId])
  const firstWords = log.stdout
    .trim()
    .split('\n')
    .map((line) => line.split(/[ \t]/)[0])
  assert.equal([firstWords[0], ...firstWords.slice(-2)], ['START', 'END', 'REPORT'])
  assert.match(log.stdout, 'asked for later')
  assert.not.match(log.stdout, 'asked for this')
  assert.match((await lambent.run(['logs', 'echo', '--grep', 'a log'])).stdout, 'asked for a log')

  for (const what of ['functions', 'environments', 'nodes', 'runs']) {
    const listed = JSON.parse((await lambent.run(['ls', what, '--json'])).stdout)
    assert.ok(Array.isArray(listed) && listed.length > 0, what)
    assert.is((await lambent.run(['ls', what])).code, 0)
  }
  assert.match((await lambent.run(['ls', 'functions'])).stdout, /^echo .*active/m)
  assert.match((await lambent.run(['runs', 'ls', '--function', 'echo'])).stdout, 'succeeded')
  const status = await lambent.run(['status'])
  assert.match(status.stdout, 'engine        ok')
  assert.match(status.stdout, 'work          0 running, 0 waiting, 0 queued')
  assert.is((await lambent.run(['doctor'])).code, 0)

  assert.equal(await lambent.end('SIGTERM'), { code: 0, signal: null })
})

engine('logs -f prints lines as they are written', async () => {
  using folder = temporaryDirectory()
  write(folder, { 'echo/index.mjs': ECHO })
  await using lambent = await startLambentProcess(['--deploy', folder.join('echo')])
  const following = startCli(['logs', 'echo', '-f', '--endpoint', lambent.api])
  let seen = ''
  following.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString('utf8')))

  await until('the followed log shows a new line', async () => {
    await lambent.run(['invoke', 'echo', '-p', '{"want":"to be seen"}'])
    return seen.includes('asked for to be seen')
  })
  following.kill('SIGINT')

  assert.is(await new Promise((resolve) => following.on('close', resolve)), 130)
})

engine('deploy creates, updates and leaves alone what has not changed', async () => {
  using folder = temporaryDirectory()
  write(folder, { 'echo/index.mjs': ECHO })
  await using lambent = await startLambentProcess()
  const deploy = async () => JSON.parse((await lambent.run(['deploy', folder.join('echo'), '--json'])).stdout)

  assert.is((await deploy())[0].outcome, 'created')
  assert.is((await deploy())[0].outcome, 'unchanged')
  write(folder, { 'echo/index.mjs': 'export const handler = async () => "new code"\n' })
  assert.is((await deploy())[0].outcome, 'updated')

  assert.is((await lambent.run(['invoke', 'echo'])).stdout, '"new code"\n')
})

engine('deploying what is no function, or another tool’s project, exits 2 and says why', async () => {
  using folder = temporaryDirectory()
  write(folder, {
    'empty/README.md': '',
    'sam/template.yaml': '',
    'broken/index.ts': 'export const handler = (',
  })

  const empty = await runCli(['deploy', folder.join('empty')])
  const sam = await runCli(['deploy', folder.join('sam')])
  const broken = await runCli(['deploy', folder.join('broken'), '--endpoint', 'http://127.0.0.1:1'])
  const offline = await runCli(['deploy', folder.join('sam', 'nothing'), '--endpoint', 'http://127.0.0.1:1'])

  assert.is(empty.code, 2)
  assert.match(empty.stderr, 'no function here')
  assert.is(sam.code, 2)
  assert.match(sam.stderr, 'Deploying template.yaml is not built yet')
  assert.is(broken.code, 2)
  assert.match(broken.stderr, 'index.ts')
  assert.is(offline.code, 2)
})

engine('start names a function that cannot be deployed, stops, and exits 1', async () => {
  using folder = temporaryDirectory()
  write(folder, {
    'bad/index.mjs': `throw new Error('no init')\nexport const handler = 1\nimport './missing.mjs'\n`,
  })
  const places = ['--port', '0', '--http-port', '0', '--data', folder.join('data')]

  const result = await runCli(['start', ...places, '--deploy', folder.join('bad')], { limitMs: 60_000 })

  assert.is(result.code, 1)
  assert.is(result.stdout, '')
  assert.match(result.stderr, 'bad')
  assert.match(result.stderr, 'missing.mjs')
})

engine('start reports all problems of its configuration together and exits 2', async () => {
  const env = { LAMBENT_NODES: '0' }

  const { code, stderr } = await runCli(['start', '--port', 'many', '--isolation', 'total'], { env })

  assert.is(code, 2)
  for (const part of ['--port', '--isolation', 'LAMBENT_NODES']) assert.match(stderr, part)
})

engine('start refuses what is not built yet', async () => {
  assert.is((await runCli(['start', '--cluster', 'ray'])).code, 2)
})

engine('a busy port is an error that names its holder', async () => {
  using folder = temporaryDirectory()
  await using lambent = await startLambentProcess()
  const { port } = new URL(lambent.api)

  const result = await runCli(['start', '--port', port, '--http-port', '0', '--data', folder.join('data')])

  assert.is(result.code, 1)
  assert.match(result.stderr, `Port ${port}`)
  assert.match(result.stderr, `process ${lambent.pid}`)
})

engine('dev deploys again when a file changes', async () => {
  using folder = temporaryDirectory()
  write(folder, { 'functions/echo/index.mjs': ECHO })
  await using lambent = await startLambentProcess([folder.path], { command: ['dev'] })
  assert.is((await lambent.run(['invoke', 'echo', '-p', '{"want":"1"}'])).code, 0)

  write(folder, { 'functions/echo/index.mjs': 'export const handler = async () => "second"\n' })

  await until(
    'the new code answers',
    async () => (await lambent.run(['invoke', 'echo'])).stdout === '"second"\n',
  )
  assert.match(lambent.stdout, 'asked for 1')
})

engine.run()
