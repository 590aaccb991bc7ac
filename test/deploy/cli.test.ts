import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runCli } from '../support/cli.ts'
import { unlessMissing } from '../support/skip.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const cli = suite('the command line')

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const TYPES = `${ROOT}dist/types/runtime/sdk/index.d.ts`
const TSC = `${ROOT}node_modules/typescript/bin/tsc`
const ANSI = '\u001B['

/** A port that answers as an engine would, to see what a command makes of each answer. */
async function answering(handle: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(handle)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // it listens on TCP
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

cli('an unknown option exits 2 and suggests the right one', async () => {
  const result = await runCli(['invoke', 'hello', '--asnyc'])

  assert.is(result.code, 2)
  assert.match(result.stderr, "unknown option '--asnyc'")
  assert.match(result.stderr, '--async')
  assert.is(result.stdout, '')
})

cli('an unknown command exits 2 and suggests the right one', async () => {
  const result = await runCli(['invok'])

  assert.is(result.code, 2)
  assert.match(result.stderr, 'invoke')
})

cli('no command at all prints the help on stderr and exits 2', async () => {
  const result = await runCli([])

  assert.is(result.code, 2)
  assert.is(result.stdout, '')
  assert.match(result.stderr, 'Usage: lambent')
})

cli('--help goes to stdout and exits 0', async () => {
  const result = await runCli(['invoke', '--help'])

  assert.is(result.code, 0)
  assert.match(result.stdout, '--payload')
  assert.match(result.stdout, '--endpoint')
})

for (const words of ['job submit x --gpus 2', 'cron ls', 'ls jobs']) {
  cli(`"${words}" exits 2 and says that it is not built yet`, async () => {
    const result = await runCli(words.split(' '))

    assert.is(result.code, 2)
    assert.match(result.stderr, 'is not built yet')
    assert.is(result.stdout, '')
  })
}

cli('importers that are missing say so', async () => {
  using folder = temporaryDirectory()

  const result = await runCli(['init', folder.join('new'), '--from', 'template.yaml'])

  assert.is(result.code, 2)
  assert.match(result.stderr, 'not built yet')
})

cli('without an engine a command exits 5 and says how to start one', async () => {
  const { code, stderr } = await runCli(['ls', 'functions', '--endpoint', 'http://127.0.0.1:1'])

  assert.is(code, 5)
  assert.match(stderr, 'No engine answers at http://127.0.0.1:1')
  assert.match(stderr, 'npx lambent start')
})

cli('LAMBENT_ENDPOINT names the engine, --endpoint wins', async () => {
  const env = { LAMBENT_ENDPOINT: 'http://127.0.0.1:2' }

  const fromVariable = await runCli(['status'], { env })
  const fromFlag = await runCli(['status', '--endpoint', 'http://127.0.0.1:1'], { env })

  assert.match(fromVariable.stderr, 'http://127.0.0.1:2')
  assert.match(fromFlag.stderr, 'http://127.0.0.1:1')
})

cli('an endpoint that is no URL exits 2', async () => {
  const { code, stderr } = await runCli(['status', '--endpoint', 'localhost'])

  assert.is(code, 2)
  assert.match(stderr, '"localhost" is not a URL')
})

cli('refusals of the engine become exit codes, with its message and hint', async () => {
  const statuses: Record<string, [status: number, code: number]> = {
    missing: [404, 3],
    throttled: [429, 4],
    late: [504, 124],
    invalid: [400, 2],
    broken: [500, 1],
  }
  await using engine = await answering((request, response) => {
    const name = /functions\/(\w+)\//.exec(request.url ?? '')?.[1] ?? ''
    response.writeHead(statuses[name]?.[0] ?? 200, { 'x-amzn-errortype': 'SomeException:http' })
    response.end(JSON.stringify({ Type: 'User', Message: `about ${name}` }))
  })

  for (const [name, [, expected]] of Object.entries(statuses)) {
    const { code, stderr } = await runCli(['invoke', name, '--endpoint', engine.endpoint])

    assert.is(code, expected, name)
    assert.match(stderr, `SomeException: about ${name}`)
  }
})

cli('a failure of the function exits 1, readable on stderr, and nothing on stdout', async () => {
  await using engine = await answering((_request, response) => {
    response.writeHead(200, { 'x-amz-function-error': 'Unhandled' })
    const trace = ['TypeError: boom', '    at handler (/var/task/index.js:3:9)']
    response.end(JSON.stringify({ errorType: 'TypeError', errorMessage: 'boom', trace }))
  })

  const { code, stdout, stderr } = await runCli(['invoke', 'f', '--endpoint', engine.endpoint])

  assert.is(code, 1)
  assert.is(stdout, '')
  assert.is(stderr, 'TypeError: boom\n    at handler (/var/task/index.js:3:9)\n')
})

cli('a function that ran out of time exits 124', async () => {
  await using engine = await answering((_request, response) => {
    response.writeHead(200, { 'x-amz-function-error': 'Unhandled' })
    response.end('{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: x Error: Task timed out"}')
  })

  const { code, stderr } = await runCli(['invoke', 'f', '--endpoint', engine.endpoint])

  assert.is(code, 124)
  assert.match(stderr, 'Sandbox.Timedout: RequestId: x Error: Task timed out')
})

cli('the payload comes from the command line, a file, stdin or a sample', async () => {
  using folder = temporaryDirectory()
  writeFileSync(folder.join('payload.json'), '{"from":"file"}')
  await using engine = await answering((request, response) => void request.pipe(response))
  const send = async (...words: string[]) =>
    (await runCli(['invoke', 'f', '--endpoint', engine.endpoint, ...words], { stdin: '{"from":"stdin"}' }))
      .stdout

  assert.is(await send('-p', '{"from":"words"}'), '{"from":"words"}\n')
  assert.is(await send('-p', `@${folder.join('payload.json')}`), '{"from":"file"}\n')
  assert.is(await send('-p', '-'), '{"from":"stdin"}\n')
  assert.match(await send('--event', 'sqs:receive'), '"eventSource":"aws:sqs"')
})

cli('the qualifier, the log and the way of calling reach the engine', async () => {
  await using engine = await answering((request, response) => {
    const { url, headers } = request
    const seen = { url, type: headers['x-amz-invocation-type'], log: headers['x-amz-log-type'] }
    response.setHeader('x-amzn-requestid', 'request-1')
    response.setHeader('x-amz-log-result', Buffer.from('a log line\n').toString('base64'))
    if (seen.type === 'Event') response.writeHead(202).end()
    else response.end(JSON.stringify(seen))
  })
  const at = ['--endpoint', engine.endpoint]

  const sync = await runCli(['invoke', 'f:live', '--tail', ...at])
  const queued = await runCli(['invoke', 'f', '--async', ...at])
  const arn = await runCli(['invoke', 'arn:aws:lambda:us-east-1:000000000000:function:f:3', ...at])

  const seen = { url: '/2015-03-31/functions/f/invocations?Qualifier=live', log: 'Tail' }
  assert.equal(JSON.parse(sync.stdout), seen)
  assert.match(sync.stderr, 'a log line')
  assert.is(queued.stdout, 'request-1\n')
  assert.match(arn.stdout, '/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af%3A3/')
})

cli('contradictions of invoke exit 2', async () => {
  for (const words of [
    ['--async', '--stream'],
    ['--async', '--tail'],
    ['-p', '{}', '--event', 's3:put'],
    ['--event', 's3:nothing'],
    ['-p', '@no-such-file.json'],
  ]) {
    assert.is((await runCli(['invoke', 'f', ...words])).code, 2, words.join(' '))
  }
})

cli('an interrupted command exits 130', async () => {
  let interrupt = (): void => {}
  await using engine = await answering(() => interrupt())
  const { startCli } = await import('../support/cli.ts')
  const child = startCli(['invoke', 'f', '--endpoint', engine.endpoint])
  interrupt = () => void child.kill('SIGINT')

  const code = await new Promise((resolve) => child.on('close', resolve))

  assert.is(code, 130)
})

cli('output that is piped has no colour and parses with --json', async () => {
  using folder = temporaryDirectory()

  const doctor = await runCli(['doctor', '--json', '--endpoint', 'http://127.0.0.1:1'], { cwd: folder.path })
  const plain = await runCli(['doctor', '--endpoint', 'http://127.0.0.1:1'], { cwd: folder.path })
  const version = await runCli(['version', '--json'])

  assert.ok(Array.isArray(JSON.parse(doctor.stdout).checks))
  assert.match(JSON.parse(version.stdout).lambent, /^\d+\.\d+\.\d+$/)
  assert.not.ok((plain.stdout + plain.stderr).includes(ANSI))
})

cli('env prints what a shell can evaluate', async () => {
  const { stdout } = await runCli(['env', '--endpoint', 'http://127.0.0.1:4999/base'])

  assert.match(stdout, 'export AWS_ENDPOINT_URL_LAMBDA=http://127.0.0.1:4999/base\n')
  for (const line of stdout.trimEnd().split('\n')) assert.match(line, /^(export \w+=\S+|unset [\w ]+)$/)
})

cli('event generate lists the kinds and prints each as JSON', async () => {
  const kinds = (await runCli(['event', 'generate'])).stdout.trim().split('\n')

  assert.ok(kinds.includes('s3:put') && kinds.includes('apigateway:rest'))
  assert.ok(JSON.parse((await runCli(['event', 'generate', 'kinesis:put'])).stdout).Records[0].kinesis)
  assert.is((await runCli(['event', 'generate', 'nothing'])).code, 2)
})

unlessMissing(cli, existsSync(TYPES) ? undefined : 'no dist/types: npm run build makes them')(
  'what init makes type-checks against the SDK, with no registry',
  async () => {
    using folder = temporaryDirectory()
    await runCli(['init', folder.path])

    assert.is(spawnSync(process.execPath, [TSC, '-p', folder.path], { encoding: 'utf8' }).stdout, '')
    writeFileSync(
      folder.join('functions', 'hello', 'index.ts'),
      `import type { Handler } from 'lambent'\nexport const handler: Handler = 'no function'\n`,
    )
    assert.match(spawnSync(process.execPath, [TSC, '-p', folder.path], { encoding: 'utf8' }).stdout, 'TS2322')
  },
)

cli('init makes a project and overwrites nothing', async () => {
  using folder = temporaryDirectory()
  mkdirSync(folder.join('taken'))
  writeFileSync(folder.join('taken', 'package.json'), '{}')

  const made = await runCli(['init', folder.join('My Project'), '--json'])
  const refused = await runCli(['init', folder.join('taken')])

  assert.is(made.code, 0)
  assert.ok(JSON.parse(made.stdout).files.includes('functions/hello/index.ts'))
  assert.is(refused.code, 2)
  assert.match(refused.stderr, 'already has package.json')
})

cli.run()
