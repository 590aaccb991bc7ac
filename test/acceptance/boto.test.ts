import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { deploy, startLambent, zipOf, type RunningLambent } from '../support/lambent.ts'
import { unlessMissing } from '../support/skip.ts'
import { until } from '../support/until.ts'
import { CLIENT_ENVIRONMENT, isInstalled, runProgram } from './programs.ts'

/** What a Python program does with boto3; and, where there is none, requests in the shapes that it sends. */
const boto = suite('boto3')

const tour = join(dirname(fileURLToPath(import.meta.url)), 'boto-tour.py')

async function missingPython(): Promise<string | undefined> {
  if (!isInstalled('python3')) return 'python3 is not installed'
  const { code } = await runProgram('python3', ['-c', 'import boto3'])
  return code === 0 ? undefined : 'boto3 is not installed'
}

const test = unlessMissing(boto, await missingPython())

let started: Promise<RunningLambent> | undefined
const lambent = (): Promise<RunningLambent> => (started ??= startLambent())

/** What one refusal looks like to botocore when all is well. */
const raised = (name: string, status: number, message: RegExp): Refusal => ({ name, status, message })

interface Refusal {
  readonly name: string
  readonly status: number
  readonly message: RegExp
}

const REFUSALS: Readonly<Record<string, Refusal>> = {
  'not found': raised('ResourceNotFoundException', 404, /^Function not found: arn:aws:lambda:.*:nobody$/),
  conflict: raised('ResourceConflictException', 409, /^Function already exist: py$/),
  'bad value': raised('InvalidParameterValueException', 400, /^Value cobol at 'runtime' failed to satisfy/),
  // ValidationException is not in the model of this service: a plain ClientError on AWS too.
  'bad shape': raised('ClientError', 400, /^1 validation error detected: Value 'nobody' at 'role' failed/),
  revision: raised('PreconditionFailedException', 412, /^The Revision Id provided does not match/),
  'not json': raised('InvalidRequestContentException', 400, /^Could not parse request body into json: /),
  throttled: raised('TooManyRequestsException', 429, /^Rate Exceeded\.$/),
  deleted: raised('ResourceNotFoundException', 404, /^Function not found: /),
}

test('deploys, invokes, manages and gets errors as the classes that the client declares', async () => {
  const { url } = await lambent()

  const { code, stdout, stderr } = await runProgram('python3', [tour, url], {
    env: CLIENT_ENVIRONMENT,
    limitMs: 60_000,
  })

  assert.is(code, 0, stderr)
  const lines = stdout.trim().split('\n')
  const found = Object.fromEntries(
    lines.map((line) => {
      const { name, value } = JSON.parse(line) as { name: string; value: unknown }
      return [name, value] as const
    }),
  )
  const errors = Object.entries(found).filter(([name]) => name in REFUSALS)
  assert.equal(Object.fromEntries(Object.entries(found).filter(([name]) => !(name in REFUSALS))), {
    created: ['Pending', 'arn:aws:lambda:us-east-1:000000000000:function:py', 201],
    tail: ['INFO', 'seen één'],
    invoked: [200, '$LATEST', { a: 'één', version: '$LATEST' }],
    failed: ['Unhandled', 'TypeError', 'no'],
    large: 3_000_000,
    event: [202, ''],
    dry: 204,
    streamed: [{ a: 1, version: '$LATEST' }, true],
    alias: { version: '1' },
    'by label': { version: '1' },
    versions: ['$LATEST', '1'],
    tags: { team: 'red' },
    untagged: {},
    'event config': [0, 'tzlocal()'],
    url: ['NONE', { AllowOrigins: ['*'] }],
    left: [],
  })
  assert.is(errors.length, Object.keys(REFUSALS).length)
  for (const [name, value] of errors) {
    const error = value as { class: string; modelled: boolean; status: number; message: string }
    assert.equal([name, error.class, error.modelled], [name, REFUSALS[name]?.name, true])
    assert.is(error.status, REFUSALS[name]?.status)
    assert.match(error.message, REFUSALS[name]?.message ?? '')
  }
})

/** A connection of its own; the parts of a request are written one by one, each a segment. */
async function rawInvoke(
  label: string,
  headers: readonly string[],
  write: (socket: Socket, seen: () => string) => Promise<void>,
): Promise<string> {
  const { url } = await lambent()
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname).setNoDelay(true)
  let seen = ''
  socket.on('data', (chunk: Buffer) => (seen += chunk.toString('utf8')))
  await once(socket, 'connect')
  const head = [
    `POST /2015-03-31/functions/${label}/invocations HTTP/1.1`,
    `Host: ${hostname}:${port}`,
    'Accept-Encoding: identity',
    'User-Agent: Boto3/1.43.11 md/Botocore#1.43.11 ua/2.1 os/linux md/arch#x86_64 lang/python#3.11.7',
    'X-Amz-Date: 20260102T030405Z',
    'Authorization: AWS4-HMAC-SHA256 Credential=test/20260102/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=00',
    ...headers,
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n`)
  await write(socket, () => seen)
  await until('the whole answer is there', () =>
    /\r\n\r\n[^]*\}$/.test(seen.replace(/^HTTP\/1\.1 100.*\r\n\r\n/, '')),
  )
  socket.destroy()
  return seen
}

async function echoing(): Promise<void> {
  const { url } = await lambent()
  const source = 'exports.handler = async (event) => ({ size: event.text.length })'
  await deploy(url, 'echo', await zipOf({ 'index.js': source }))
}

boto('an ARN with plain colons as label, headers and body in separate segments', async () => {
  await echoing()

  const seen = await rawInvoke(
    'arn:aws:lambda:us-east-1:000000000000:function:echo',
    ['Content-Length: 16'],
    async (socket) => {
      // The engine has the headers once another connection that came later is served.
      const { url } = await lambent()
      await fetch(`${url}/lambent/v1/health`)
      socket.write('{"text":')
      await fetch(`${url}/lambent/v1/health`)
      socket.write('"12345"}')
    },
  )

  assert.match(seen, /^HTTP\/1\.1 200 OK\r\n/)
  assert.match(seen, /\r\n\r\n\{"size":5\}$/)
})

boto('a client that asks before it sends a large body is told to go on', async () => {
  const body = JSON.stringify({ text: 'x'.repeat(2_000_000) })

  const headers = [`Content-Length: ${body.length}`, 'Expect: 100-continue']
  const seen = await rawInvoke('echo', headers, async (socket, before) => {
    await until('100 Continue arrives', () => before().startsWith('HTTP/1.1 100 Continue\r\n\r\n'))
    socket.write(body)
  })

  assert.match(seen, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
  assert.match(seen, /\{"size":2000000\}$/)
})

boto('a client that leaves while it sends its code is no failure of the engine', async () => {
  const { url, stop, stderr } = await startLambent()
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  const head = `POST /2015-03-31/functions HTTP/1.1\r\nHost: ${hostname}:${port}\r\nContent-Length: 1000\r\n`
  socket.write(`${head}\r\n{"FunctionName":`)
  // Answered after the first one was read: both are on this engine's loop.
  await fetch(`${url}/2015-03-31/functions`)

  socket.destroy()

  assert.is(await stop(), 0)
  assert.not.match(stderr(), /request failed/)
})

boto('stops cleanly in the end', async () => {
  assert.is(await (await lambent()).stop(), 0)
})

boto.run()
