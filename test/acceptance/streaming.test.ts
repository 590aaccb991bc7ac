// time limit: 200 s
import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { request, type IncomingMessage } from 'node:http'
import {
  InvokeWithResponseStreamCommand,
  LambdaClient,
  PutFunctionConcurrencyCommand,
  ResourceNotFoundException,
  TooManyRequestsException,
  type InvokeWithResponseStreamCommandInput,
} from '@aws-sdk/client-lambda'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseAnswer, readUntil } from '../adapters/raw-client.ts'
import { rejects } from '../support/assert.ts'
import { deploy, startLambent, zipOf, type RunningLambent } from '../support/lambent.ts'
import { until } from '../support/until.ts'

/** InvokeWithResponseStream with the official client, and function URLs that stream. */
const streaming = suite('response streams')

const streamed = (body: string): string =>
  `exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {\n${body}\n})`

const HANDLERS: Readonly<Record<string, string>> = {
  plain: `exports.handler = async (event) => ({ got: event })`,
  fails: `exports.handler = async () => { throw new TypeError('boom') }`,
  large: `exports.handler = async () => 'x'.repeat(5_000_000)`,
  words: streamed(`
    for (const word of ['first', 'second']) {
      stream.write(word)
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
    stream.end('third')`),
  'throws-first': streamed(`throw new RangeError('too early')`),
  'throws-later': streamed(`
    stream.write('some')
    await new Promise((resolve) => setTimeout(resolve, 50))
    throw new RangeError('too late')`),
  dies: streamed(`
    stream.write('some')
    await new Promise((resolve) => setTimeout(resolve, 50))
    process.exit(3)`),
  'times-out': streamed(`
    stream.write('some')
    await new Promise(() => setInterval(() => {}, 1000))`),
  bytes: streamed(`
    const { randomBytes, createHash } = require('node:crypto')
    const hash = createHash('sha256')
    for (let part = 0; part < 20; part++) {
      const bytes = randomBytes(1_000_000)
      hash.update(bytes)
      if (!stream.write(bytes)) await new Promise((resolve) => stream.once('drain', resolve))
    }
    console.log('sha256 ' + hash.digest('hex'))
    stream.end()`),
  floods: streamed(`
    const part = Buffer.alloc(256 * 1024)
    for (let sent = 0; sent < 200 * 1024 * 1024; sent += part.length) {
      if (stream.write(part)) continue
      console.log('held at ' + (sent + part.length))
      await new Promise((resolve) => stream.once('drain', resolve))
    }
    stream.end()`),
  page: streamed(`
    const page = awslambda.HttpResponseStream.from(stream, {
      statusCode: 201,
      headers: { 'content-type': 'text/plain', 'x-a': '1' },
      cookies: ['a=1', 'b=2; Path=/'],
    })
    page.write('one ')
    if (event.rawPath === '/breaks') throw new Error('later')
    page.end('two')`),
}

let started: Promise<RunningLambent> | undefined

async function engine(): Promise<RunningLambent> {
  started ??= (async () => {
    const lambent = await startLambent()
    for (const [name, code] of Object.entries(HANDLERS)) {
      const timeoutSeconds = name === 'times-out' ? 1 : 60
      await deploy(lambent.url, name, await zipOf({ 'index.js': code }), { timeoutSeconds })
    }
    return lambent
  })()
  return await started
}

async function client(): Promise<LambdaClient> {
  const { url } = await engine()
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
  return new LambdaClient({ endpoint: url, region: 'us-east-1', credentials, maxAttempts: 1 })
}

interface Seen {
  readonly output: { ExecutedVersion?: string | undefined; ResponseStreamContentType?: string | undefined }
  readonly chunks: { readonly bytes: Buffer; readonly atMs: number }[]
  readonly complete: { ErrorCode?: string; ErrorDetails?: string; LogResult?: string } | undefined
}

/** Everything that one streaming invocation gives the client. */
async function invoke(
  FunctionName: string,
  input: Partial<InvokeWithResponseStreamCommandInput> = {},
): Promise<Seen> {
  const lambda = await client()
  const output = await lambda.send(new InvokeWithResponseStreamCommand({ FunctionName, ...input }))
  const chunks: Seen['chunks'] = []
  let complete: Seen['complete']
  for await (const event of output.EventStream ?? []) {
    assert.is(complete, undefined, 'nothing follows InvokeComplete')
    if (event.PayloadChunk)
      chunks.push({ bytes: Buffer.from(event.PayloadChunk.Payload ?? []), atMs: performance.now() })
    if (event.InvokeComplete) complete = event.InvokeComplete as Seen['complete'] // its members are optional
  }
  return { output, chunks, complete }
}

const text = ({ chunks }: Seen): string => Buffer.concat(chunks.map(({ bytes }) => bytes)).toString('utf8')
const details = ({ complete }: Seen): Record<string, unknown> =>
  JSON.parse(complete?.ErrorDetails ?? '{}') as Record<string, unknown> // Lambda's error JSON

streaming('an ordinary function’s answer comes in chunks, then InvokeComplete', async () => {
  const seen = await invoke('plain', { Payload: Buffer.from('{"a":1}') })
  const large = await invoke('large')

  assert.is(text(seen), '{"got":{"a":1}}')
  assert.is(seen.output.ExecutedVersion, '$LATEST')
  assert.is(seen.output.ResponseStreamContentType, 'application/vnd.amazon.eventstream')
  assert.equal(seen.complete, {})
  assert.is(text(large).length, 5_000_002)
})

streaming('an ordinary function’s error comes in InvokeComplete alone', async () => {
  const seen = await invoke('fails')

  assert.is(seen.chunks.length, 0)
  assert.is(seen.complete?.ErrorCode, 'Unhandled')
  const { errorType, errorMessage, trace } = details(seen)
  assert.equal([errorType, errorMessage], ['TypeError', 'boom'])
  assert.ok(Array.isArray(trace))
})

streaming('a stream’s parts come as they are written', async () => {
  const seen = await invoke('words')

  assert.is(text(seen), 'firstsecondthird')
  assert.ok(seen.chunks.length >= 3)
  const spreadMs = (seen.chunks.at(-1)?.atMs ?? 0) - (seen.chunks[0]?.atMs ?? 0)
  assert.ok(spreadMs > 400, `all came within ${spreadMs} ms`)
})

streaming('an error before the first byte is the same as an ordinary function’s', async () => {
  const seen = await invoke('throws-first')

  assert.is(seen.chunks.length, 0)
  assert.is(seen.complete?.ErrorCode, 'Unhandled')
  assert.is(details(seen).errorType, 'RangeError')
})

streaming('an error, an exit and a timeout in the middle end what was sent', async () => {
  const thrown = await invoke('throws-later')
  const died = await invoke('dies')
  const late = await invoke('times-out')

  for (const seen of [thrown, died, late]) {
    assert.is(text(seen), 'some')
    assert.is(seen.complete?.ErrorCode, 'Unhandled')
  }
  assert.equal([details(thrown).errorType, details(thrown).errorMessage], ['RangeError', 'too late'])
  assert.is(details(died).errorType, 'Runtime.ExitError')
  assert.match(String(details(died).errorMessage), /Error: Runtime exited with error: exit status 3$/)
  assert.is(details(late).errorType, 'Sandbox.Timedout')
  assert.match(String(details(late).errorMessage), /Task timed out after 1\.00 seconds$/)
})

streaming('the log comes with InvokeComplete when it is asked for', async () => {
  const logOf = async (name: string): Promise<string> => {
    const { complete } = await invoke(name, { LogType: 'Tail' })
    return Buffer.from(complete?.LogResult ?? '', 'base64').toString('utf8')
  }

  for (const name of ['plain', 'words', 'throws-later']) {
    const log = await logOf(name)
    assert.match(log, /^START RequestId: /m, name)
    assert.match(log, /^REPORT RequestId: /m, name)
  }
  assert.is((await invoke('words')).complete?.LogResult, undefined)
})

streaming('refusals are ordinary errors, a dry run runs nothing, an event cannot be streamed', async () => {
  const lambda = await client()
  await lambda.send(
    new PutFunctionConcurrencyCommand({ FunctionName: 'large', ReservedConcurrentExecutions: 0 }),
  )

  const unknown = await rejects(invoke('nobody'))
  const throttled = await rejects(invoke('large'))
  const event = await rejects(invoke('plain', { InvocationType: 'Event' as never }))
  const dry = await lambda.send(
    new InvokeWithResponseStreamCommand({ FunctionName: 'fails', InvocationType: 'DryRun' }),
  )

  assert.instance(unknown, ResourceNotFoundException)
  assert.instance(throttled, TooManyRequestsException)
  assert.is(event.name, 'ValidationException')
  assert.match(
    event.message,
    /Value 'Event' at 'invocationType'.*enum value set: \[RequestResponse, DryRun\]/,
  )
  assert.is(dry.$metadata.httpStatusCode, 204)
})

streaming('20 MB come byte for byte', async () => {
  const seen = await invoke('bytes', { LogType: 'Tail' })

  const log = Buffer.from(seen.complete?.LogResult ?? '', 'base64').toString('utf8')
  const bytes = Buffer.concat(seen.chunks.map(({ bytes }) => bytes))
  assert.is(bytes.length, 20_000_000)
  assert.match(log, `sha256 ${createHash('sha256').update(bytes).digest('hex')}`)
})

streaming('a reader that stops reading holds the function, not the engine’s memory', async () => {
  const { url } = await engine()
  const asked = request(`${url}/2021-11-15/functions/floods/response-streaming-invocations`, {
    method: 'POST',
  })
  asked.end('{}')
  const response = await new Promise<IncomingMessage>((resolve, reject) =>
    asked.on('response', resolve).on('error', reject),
  )
  response.pause()
  const heldAt = async (): Promise<number> => {
    const logs = await fetch(`${url}/lambent/v1/functions/floods/logs?grep=held`)
    const { lines } = (await logs.json()) as { lines: { message: string }[] }
    return Number(/held at (\d+)/.exec(lines.at(-1)?.message ?? '')?.[1] ?? 0)
  }

  let before = -1
  let same = 0
  const settled = await until('the function is held', async () => {
    const now = await heldAt()
    same = now === before && now > 0 ? same + 1 : 0
    before = now
    return same >= 20 && now
  })
  asked.destroy()

  assert.ok(settled < 24 * 1024 * 1024, `it had written ${settled} bytes when it was held`)
})

async function urlOf(name: string, InvokeMode = 'RESPONSE_STREAM'): Promise<string> {
  const { url, httpUrl } = await engine()
  const made = await fetch(`${url}/2021-10-31/functions/${name}/url`, {
    method: 'POST',
    body: JSON.stringify({ AuthType: 'NONE', InvokeMode }),
  })
  const { FunctionUrl } = (await made.json()) as { FunctionUrl: string }
  return `${httpUrl}/lambda-url/${new URL(FunctionUrl).hostname.split('.')[0]}`
}

/** One request in an older protocol, read to the end of its connection. */
async function askOld(address: string, path: string): Promise<string> {
  const { hostname, port, pathname } = new URL(address)
  const socket = connect(Number(port), hostname)
  socket.write(`GET ${pathname}${path} HTTP/1.0\r\nHost: localhost:${port}\r\n\r\n`)
  return await readUntil(socket, () => false)
}

streaming('a URL streams with status, headers and cookies, to HTTP/1.0 too', async () => {
  const address = await urlOf('page')

  const now = await fetch(`${address}/`)
  const old = parseAnswer(await askOld(address, '/'))

  assert.is(now.status, 201)
  assert.is(now.headers.get('x-a'), '1')
  assert.equal(now.headers.getSetCookie(), ['a=1', 'b=2; Path=/'])
  assert.is(now.headers.get('transfer-encoding'), 'chunked')
  assert.is(await now.text(), 'one two')
  assert.is(old.status, 201)
  assert.is(old.headers['transfer-encoding'], undefined)
  assert.is(old.body, 'one two')
  assert.is(old.lines.filter((line) => line.toLowerCase().startsWith('set-cookie')).length, 2)
})

streaming('a URL cuts a stream that fails in the middle', async () => {
  const address = await urlOf('throws-later')

  const response = await fetch(`${address}/`)
  const failure = await rejects(response.text())
  const early = await fetch(`${await urlOf('throws-first')}/`)

  assert.is(response.status, 200)
  assert.is(response.headers.get('content-type'), 'application/octet-stream')
  assert.match(String(failure.cause ?? failure), /terminated|other side closed|aborted|ECONNRESET/)
  assert.is(early.status, 502)
})

streaming('stops cleanly in the end', async () => {
  assert.is(await (await engine()).stop(), 0)
})

streaming.run()
