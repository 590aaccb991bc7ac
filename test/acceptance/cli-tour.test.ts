// time limit: 240 s
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CLI_PATH, runCli, startCli, type CliResult } from '../support/cli.ts'
import { startLambentProcess, type LambentProcess } from '../support/lambent-process.ts'
import { unlessMissing } from '../support/skip.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'
import { until } from '../support/until.ts'
import { isInstalled, runProgram } from './programs.ts'

/** Every command of the public face against a running engine, as a person or a script meets it. */
const tour = suite('a tour of the command line')

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

const FUNCTIONS: Readonly<Record<string, string>> = {
  echo: `export const handler = async (event) => { console.log('heard', JSON.stringify(event)); return event }`,
  fails: `export const handler = async () => { throw new TypeError('on purpose') }`,
  slow: `export const config = { timeout: '1s' }
    export const handler = () => new Promise((resolve) => setTimeout(resolve, 30_000))`,
  patient: `export const handler = async () => {
    console.log('began'); await new Promise((resolve) => setTimeout(resolve, 1500)); return 'done' }`,
  stream: `export const handler = awslambda.streamifyResponse(async (event, stream) => {
    stream.write('one '); stream.end('two') })`,
}

let started: Promise<{ lambent: LambentProcess; folder: TemporaryDirectory }> | undefined

/** One engine for all tests that do not end it. */
const serving = (): Promise<{ lambent: LambentProcess; folder: TemporaryDirectory }> => (started ??= start())

async function start(): Promise<{ lambent: LambentProcess; folder: TemporaryDirectory }> {
  const folder = temporaryDirectory()
  for (const [name, source] of Object.entries(FUNCTIONS)) {
    mkdirSync(folder.join('functions', name), { recursive: true })
    writeFileSync(folder.join('functions', name, 'index.mjs'), source)
  }
  return { folder, lambent: await startLambentProcess(['--deploy', folder.join('functions')]) }
}

const ESCAPE = '\u001B'

tour('exit codes say what happened', async () => {
  const { lambent } = await serving()
  await fetch(`${lambent.api}/2017-10-31/functions/stream/concurrency`, {
    method: 'PUT',
    body: '{"ReservedConcurrentExecutions":0}',
  })
  const cases: readonly (readonly [code: number, words: readonly string[], says: RegExp])[] = [
    [0, ['invoke', 'echo', '-p', '{"a":1}'], /^$/],
    [1, ['invoke', 'fails'], /^TypeError: on purpose\n\s+at /],
    [2, ['invoke', 'echo', '--no-such-option'], /unknown option/],
    [2, ['job', 'submit', 'echo'], /is not built yet/],
    [3, ['invoke', 'nobody'], /ResourceNotFoundException: Function not found/],
    [3, ['runs', 'get', '01a206c0-0000-4000-8000-000000000000'], /./],
    [4, ['invoke', 'stream'], /TooManyRequestsException/],
    [124, ['invoke', 'slow'], /Task timed out after 1\.00 seconds/],
  ]

  const results = await Promise.all(cases.map(([, words]) => lambent.run(words)))
  const alone = await runCli(['status', '--endpoint', 'http://127.0.0.1:9'])

  for (const [index, [code, words, says]] of cases.entries()) {
    assert.is(results[index]?.code, code, `${words.join(' ')}: ${results[index]?.stderr}`)
    assert.match(results[index]?.stderr ?? '', says)
    if (code !== 0) assert.is(results[index]?.stdout, '', words.join(' '))
  }
  assert.is(alone.code, 5)
  assert.match(alone.stderr, /^error: No engine answers at http:\/\/127\.0\.0\.1:9/)
  await fetch(`${lambent.api}/2017-10-31/functions/stream/concurrency`, { method: 'DELETE' })
})

const QUESTIONS: readonly (readonly string[])[] = [
  ['ls', 'functions'],
  ['ls', 'environments'],
  ['ls', 'nodes'],
  ['ls', 'runs'],
  ['runs', 'ls', '--function', 'echo'],
  ['status'],
  ['doctor'],
  ['env'],
  ['version'],
  ['logs', 'echo', '--since', '10m'],
  ['invoke', 'echo', '-p', '{"a":1}', '--tail'],
  ['event', 'generate'],
  ['event', 'generate', 'sqs:receive'],
]

tour('every answer parses with --json, goes to stdout and has no colour in a pipe', async () => {
  const { lambent } = await serving()
  await lambent.run(['invoke', 'echo', '-p', '{}'])

  for (const words of QUESTIONS) {
    const [plain, json] = await Promise.all([lambent.run(words), lambent.run([...words, '--json'])])
    const said = words.join(' ')
    assert.is(plain.code, 0, `${said}: ${plain.stderr}`)
    assert.is(json.code, 0, `${said} --json: ${json.stderr}`)
    assert.ok(plain.stdout.endsWith('\n') && plain.stdout.trim() !== '', said)
    assert.not.match(plain.stdout + plain.stderr + json.stdout + json.stderr, ESCAPE)
    const value: unknown = JSON.parse(json.stdout)
    assert.ok(typeof value === 'object' && value !== null, said)
  }
})

tour('a sample event is an event, and a stream is printed as it is written', async () => {
  const { lambent } = await serving()

  const sample = await lambent.run(['invoke', 'echo', '--event', 's3:put'])
  const stream = await lambent.run(['invoke', 'stream', '--stream'])
  const odd = await lambent.run(['invoke', 'echo', '--event', 's3:putt'])

  const { Records } = JSON.parse(sample.stdout) as { Records: { eventSource: string }[] }
  assert.is(Records[0]?.eventSource, 'aws:s3')
  assert.is(stream.stdout, 'one two')
  assert.is(odd.code, 2)
  assert.match(odd.stderr, /s3:put/)
})

/** A command that goes on until it is interrupted. */
function follow(lambent: LambentProcess, words: readonly string[]) {
  const child = startCli([...words, '--endpoint', lambent.api])
  const closed = once(child, 'close') as Promise<[number | null]> // Node's own signature
  let seen = ''
  child.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString('utf8')))
  return {
    seen: () => seen,
    interrupt: async (): Promise<number | null> => {
      child.kill('SIGINT')
      return (await closed)[0]
    },
  }
}

tour('logs -f shows a line while its function still runs; Ctrl-C ends it with 130', async () => {
  const { lambent } = await serving()
  const following = follow(lambent, ['logs', 'patient', '-f'])
  // Until the follower is connected its function says nothing: a first line shows that it is.
  await until('the log is followed', async () => {
    await lambent.run(['invoke', 'patient', '--async'])
    return following.seen().includes('began')
  })
  const before = following.seen().split('began').length

  let answered = false
  const running = lambent.run(['invoke', 'patient']).then(() => (answered = true))
  await until('the line is there', () => following.seen().split('began').length > before)

  assert.is(answered, false)
  await running
  assert.is(await following.interrupt(), 130)
})

tour('ls --watch prints again when something has changed', async () => {
  const { lambent } = await serving()
  const watching = follow(lambent, ['ls', 'runs', '--watch'])
  await until('the list is there', () => watching.seen().includes('FUNCTION'))
  const invoked = await lambent.run(['invoke', 'echo', '-p', '{"watched":true}', '--json'])
  const { requestId } = JSON.parse(invoked.stdout) as { requestId: string }

  await until('the new run is listed', () => watching.seen().includes(requestId))

  assert.is(await watching.interrupt(), 130)
})

tour('one Ctrl-C lets running work finish', async () => {
  using folder = temporaryDirectory()
  mkdirSync(folder.join('patient'))
  writeFileSync(folder.join('patient', 'index.mjs'), FUNCTIONS['patient'] ?? '')
  await using lambent = await startLambentProcess(['--deploy', folder.join('patient')])
  const running = lambent.run(['invoke', 'patient'])
  await until('it runs', async () => {
    const { stdout } = await lambent.run(['logs', 'patient'])
    return stdout.includes('began')
  })

  const ended = await lambent.end('SIGINT')

  const { code, stdout } = await running
  assert.equal([code, stdout], [0, '"done"\n'])
  assert.equal(ended, { code: 0, signal: null })
})

/** Indented lines of README's tour, without what leaves a trace in the checkout. */
function readmeCommands(folder: TemporaryDirectory, lambent: LambentProcess): string[] {
  const text = readFileSync(join(root, 'README.md'), 'utf8')
  const section = /^## Three minutes\n([^]*?)^## /m.exec(text)?.[1] ?? ''
  return section
    .split('\n')
    .filter((line) => line.startsWith('    ') && !line.startsWith('    lambent ready '))
    .map((line) =>
      line
        .trim()
        .replaceAll('http://127.0.0.1:4700', lambent.api)
        .replaceAll('my-project', folder.join('my-project'))
        .replaceAll(/\b(event|out|trace)\.json/g, folder.join('$1.json')),
    )
}

const bash = unlessMissing(tour, isInstalled('bash') ? undefined : 'bash is not installed')

bash('the three minutes of README run as they are written', async () => {
  using folder = temporaryDirectory()
  await using lambent = await startLambentProcess(['--deploy', 'functions'], { cwd: root })
  const commands = readmeCommands(folder, lambent)
  const run = (command: string): Promise<CliResult> =>
    // npx itself takes a second each time and is tried once below.
    runProgram('bash', ['-c', `npx() { shift; "${process.execPath}" "${CLI_PATH}" "$@"; }\n${command}`], {
      cwd: root,
      env: { LAMBENT_ENDPOINT: lambent.api, AWS_EC2_METADATA_DISABLED: 'true' },
    }).then((result) => ({ ...result, signal: null }))

  assert.ok(commands.length >= 10, `${commands.length} commands`)
  let environment = ''
  for (const command of commands) {
    if (command.startsWith('eval ')) environment = `${command}\n`
    if (command.startsWith('aws ') && !isInstalled('aws')) continue
    const { code, stderr, stdout } = await run(`${environment}${command}`)
    assert.is(code, 0, `${command}: ${stderr}`)
    if (/^(curl .*\bhello\/|npx lambent invoke hello -p)/.test(command))
      assert.match(stdout, /^\{"greeting":"Hello, /)
  }
  if (isInstalled('aws')) {
    assert.match(readFileSync(folder.join('out.json'), 'utf8'), /^\{"greeting":"Hello, \w+!"\}$/)
    const listed = await run(`${environment}aws lambda list-functions --output json`)
    const { Functions } = JSON.parse(listed.stdout) as { Functions: { FunctionName: string }[] }
    assert.ok(Functions.some(({ FunctionName }) => FunctionName === 'hello'))
  }
})

tour('npx finds the program in a checkout', async () => {
  const { code, stdout, stderr } = await runProgram('npx', ['lambent', 'version'], { cwd: root })

  assert.is(code, 0, stderr)
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/)
})

tour('SIGTERM ends the engine of this tour with 0', async () => {
  const { lambent, folder } = await serving()

  assert.equal(await lambent.end('SIGTERM'), { code: 0, signal: null })
  folder[Symbol.dispose]()
})

tour.run()
