import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:http'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { FRAME, frame } from '../../../runtime/environments/frames.ts'
import { unlessMissing } from '../../support/skip.ts'
import { until } from '../../support/until.ts'
import { RuntimeClient, type RuntimeAnswer } from './runtime-client.ts'

/** The Runtime API as a runtime sees it, and what the engine is told: a real process between both. */
const api = suite('runtime api')

const LIMIT_BYTES = 6_291_556
const json = (answer: RuntimeAnswer): unknown => JSON.parse(answer.body.toString('utf8'))
const refusal = (errorType: string, errorMessage: string) => ({ errorMessage, errorType })
const idOf = (answer: RuntimeAnswer): string => String(answer.headers['lambda-runtime-aws-request-id'])

/** Has the runtime ask for work, and the engine send some. */
async function handOver(
  runtime: RuntimeClient,
  event: unknown = {},
): Promise<{ id: number; requestId: string }> {
  const polled = runtime.next()
  const id = runtime.environment.post(event)
  return { id, requestId: idOf(await polled) }
}

api('the first poll says that the code is loaded; an invocation answers it', async () => {
  await using runtime = await RuntimeClient.start()
  const { environment } = runtime

  const polled = runtime.next()
  const initialized = JSON.parse(String((await environment.next(FRAME.initialized)).body)) as object
  const clientContext = Buffer.from('{\n"custom": {"name": "ä"}}').toString('base64')
  const deadlineMs = 1_790_000_000_123
  environment.post(
    { a: 'ä' },
    { requestId: 'r-1', deadlineMs, traceId: 'Root=1-a', clientContext, tenantId: 't1' },
  )
  const { status, headers, body } = await polled

  assert.not.ok('error' in initialized)
  assert.is(status, 200)
  assert.is(body.toString('utf8'), '{"a":"ä"}')
  const named = Object.entries(headers).filter(([name]) => /^(lambda-|content-)/.test(name))
  assert.equal(Object.fromEntries(named), {
    'content-type': 'application/json',
    'content-length': '10',
    'lambda-runtime-aws-request-id': 'r-1',
    'lambda-runtime-deadline-ms': String(deadlineMs),
    'lambda-runtime-invoked-function-arn': 'arn:aws:lambda:eu-west-1:000000000000:function:orders',
    'lambda-runtime-trace-id': 'Root=1-a',
    'lambda-runtime-client-context': Buffer.from('{"custom":{"name":"ä"}}').toString('latin1'),
    'lambda-runtime-aws-tenant-id': 't1',
  })
})

api('headers that nothing was given for are absent, and nothing at all is an empty object', async () => {
  await using runtime = await RuntimeClient.start()

  const polled = runtime.next()
  runtime.environment.post(Buffer.alloc(0))
  const { headers, body } = await polled

  assert.is(body.toString(), '{}')
  for (const name of ['trace-id', 'client-context', 'cognito-identity', 'aws-tenant-id'])
    assert.not.ok(`lambda-runtime-${name}` in headers, name)
  assert.ok(Number(headers['lambda-runtime-deadline-ms']) > Date.now(), 'there always is a deadline')
})

api('a response is passed on byte by byte, sized or in chunks', async () => {
  await using runtime = await RuntimeClient.start()

  const first = await handOver(runtime)
  const accepted = await runtime.answer(first.requestId, 'response', { body: 'no json \u0000' })
  const second = await handOver(runtime)
  await runtime.answer(second.requestId, 'response', { chunks: ['{"in":', '"parts"}'] })

  assert.is(accepted.status, 202)
  assert.equal(json(accepted), { status: 'OK' })
  const answer = await runtime.environment.answer(first.id)
  assert.is(answer.text, 'no json \u0000')
  assert.not.ok(answer.isError)
  assert.is((await runtime.environment.answer(second.id)).text, '{"in":"parts"}')
})

api('an error is passed on as it is', async () => {
  await using runtime = await RuntimeClient.start()
  const error = '{"errorType":"Mine","errorMessage":"","more":[1]}'

  const { id, requestId } = await handOver(runtime)
  const accepted = await runtime.answer(requestId, 'error', { body: error })
  const next = await handOver(runtime)

  const answer = await runtime.environment.answer(id)
  assert.is(accepted.status, 202)
  assert.ok(answer.isError)
  assert.not.ok(answer.isFatal)
  assert.is(answer.text, error)
  assert.ok(next.requestId !== requestId, 'and the runtime goes on')
})

api('calls that make no sense are refused in the words of the service', async () => {
  await using runtime = await RuntimeClient.start()
  const transition = (from: string, to: string): object => {
    const message = `State transition from ${from} to ${to} failed for runtime. Error: State transition is not allowed`
    return refusal('InvalidStateTransition', message)
  }

  const early = await runtime.answer('nobody', 'response', { body: '1' })
  const { requestId } = await handOver(runtime)
  const again = await runtime.next()
  const init = await runtime.call('POST', '/2018-06-01/runtime/init/error', { body: '{}' })
  const wrong = await runtime.answer('other', 'error', { body: '{}' })
  await runtime.answer(requestId, 'response', { body: '1' })
  const twice = await runtime.answer(requestId, 'response', { body: '2' })
  const unknown = await runtime.call('GET', '/2018-06-01/runtime/nothing')
  const ping = await runtime.call('GET', '/2018-06-01/ping')

  assert.equal([early.status, json(early)], [400, refusal('InvalidRequestID', 'Invalid request ID')])
  assert.equal([again.status, json(again)], [403, transition('Running', 'Ready')])
  assert.equal([init.status, json(init)], [403, transition('Running', 'InitError')])
  assert.equal([wrong.status, json(wrong)], [400, refusal('InvalidRequestID', 'Invalid request ID')])
  assert.equal([twice.status, json(twice)], [403, transition('ResponseSent', 'InvocationResponse')])
  assert.is(unknown.status, 404)
  assert.is(ping.body.toString(), 'pong')
})

api('a response over the limit is refused, and its caller told so', async () => {
  await using runtime = await RuntimeClient.start()

  const most = await handOver(runtime)
  const fits = await runtime.answer(most.requestId, 'response', { body: Buffer.alloc(LIMIT_BYTES, 49) })
  const more = await handOver(runtime)
  const refused = await runtime.answer(more.requestId, 'response', {
    body: Buffer.alloc(LIMIT_BYTES + 1, 49),
  })

  assert.is(fits.status, 202)
  assert.is((await runtime.environment.answer(most.id)).text.length, LIMIT_BYTES)
  const message = 'Exceeded maximum allowed payload size (6291556 bytes).'
  assert.equal([refused.status, json(refused)], [413, refusal('RequestEntityTooLarge', message)])
  const answer = await runtime.environment.answer(more.id)
  assert.ok(answer.isError)
  assert.equal(JSON.parse(answer.text), {
    errorMessage: 'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
    errorType: 'Function.ResponseSizeTooLarge',
  })
})

api('an error at start is what the engine is told of loading', async () => {
  await using runtime = await RuntimeClient.start()
  const error = '{"errorMessage":"no","errorType":"Runtime.Mine","stackTrace":[]}'

  const accepted = await runtime.call('POST', '/2018-06-01/runtime/init/error', { body: error })
  const poll = await runtime.next()

  const initialized: unknown = JSON.parse(String((await runtime.environment.next(FRAME.initialized)).body))
  assert.is(accepted.status, 202)
  assert.is(poll.status, 403)
  const { errorJson, error: told } = initialized as { errorJson: string; error: { errorType: string } }
  assert.is(errorJson, error)
  assert.is(told.errorType, 'Runtime.Mine')
})

api('a streamed response leaves as it is written; trailers carry an error', async () => {
  await using runtime = await RuntimeClient.start()
  const headers = {
    'Lambda-Runtime-Function-Response-Mode': 'streaming',
    'Transfer-Encoding': 'chunked',
    'Content-Type': 'text/html',
    Trailer: 'Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body',
  }
  const error = '{"errorType":"Late","errorMessage":"ä"}'

  const good = await handOver(runtime)
  const accepted = await runtime.answer(good.requestId, 'response', { headers, chunks: ['a', 'b'] })
  const bad = await handOver(runtime)
  const trailers = {
    'Lambda-Runtime-Function-Error-Type': 'Late',
    'Lambda-Runtime-Function-Error-Body': Buffer.from(error).toString('base64'),
  }
  await runtime.answer(bad.requestId, 'response', { headers, chunks: ['begun'], trailers })

  const { environment } = runtime
  assert.is(accepted.status, 202)
  assert.is(String((await environment.next(FRAME.streamStart, good.id)).body), 'text/html')
  const ended = await environment.answer(good.id)
  assert.equal([ended.type, ended.isError, ended.text], [FRAME.streamEnd, false, ''])
  assert.is(String(environment.streamed(good.id)), 'ab')
  const failed = await environment.answer(bad.id)
  assert.equal([failed.type, failed.isError, failed.text], [FRAME.streamEnd, true, error])
  assert.is(String(environment.streamed(bad.id)), 'begun')
})

api('a stream waits for its reader, and one that is cut off is an error', async () => {
  await using runtime = await RuntimeClient.start()
  const { environment } = runtime
  const headers = { 'Lambda-Runtime-Function-Response-Mode': 'streaming', 'Transfer-Encoding': 'chunked' }
  const { id, requestId } = await handOver(runtime)
  const [host, port] = runtime.address.split(':')
  const path = `/2018-06-01/runtime/invocation/${requestId}/response`
  const writing = request({ host, port, path, method: 'POST', headers })
  writing.on('error', () => {}) // it is cut off below
  writing.write(Buffer.alloc(32 * 1024 * 1024))

  await until('the window is full', () => environment.streamed(id).length >= 1_048_576)
  const before = environment.streamed(id).length
  assert.ok(before < 8 * 1024 * 1024, `${before} bytes are on their way`)
  environment.credit(id, before)
  await until('more has come', () => environment.streamed(id).length > before)
  writing.destroy()
  // Whoever waits for its reader does not look at its writer.
  await until('the rest was read', () => {
    environment.credit(id, 64 * 1024 * 1024)
    return environment.frames.some((received) => received.type === FRAME.streamEnd)
  })

  const answer = await environment.answer(id)
  assert.ok(answer.isError)
  assert.is((JSON.parse(answer.text) as { errorType: string }).errorType, 'Runtime.TruncatedResponse')
})

api('a mode of responding that there is not is refused', async () => {
  await using runtime = await RuntimeClient.start()
  const headers = { 'Lambda-Runtime-Function-Response-Mode': 'sideways' }

  const { id, requestId } = await handOver(runtime)
  const refused = await runtime.answer(requestId, 'response', { headers, body: '1' })

  assert.is(refused.status, 400)
  assert.is((json(refused) as { errorType: string }).errorType, 'InvalidFunctionResponseMode')
  assert.match(
    (await runtime.environment.answer(id)).text,
    /^{"errorType":"Runtime\.InvalidResponseModeHeader"/,
  )
})

api('what is no JSON never reaches the runtime', async () => {
  await using runtime = await RuntimeClient.start()
  const polled = runtime.next()

  const bad = runtime.environment.post(Buffer.from('{"a":'))
  const good = runtime.environment.post({ b: 1 })

  assert.is((await polled).body.toString(), '{"b":1}')
  assert.ok(good > bad)
  await runtime.environment.next(FRAME.notJson, bad)
})

api('one at a time: what waits comes back when it is asked for, and a timeout is proof of life', async () => {
  await using runtime = await RuntimeClient.start()
  const { environment } = runtime

  const { id, requestId } = await handOver(runtime)
  const held = environment.post({ held: true })
  environment.send(frame(FRAME.recall, '', held))
  environment.send(frame(FRAME.recall, '', id))
  environment.send(frame(FRAME.abort, '', id))

  await environment.next(FRAME.recalled, held)
  await environment.next(FRAME.aborted, id)
  await runtime.answer(requestId, 'response', { body: '1' })
  assert.is((await environment.answer(id)).text, '1')
  assert.not.ok(environment.frames.some(({ type, id: of }) => type === FRAME.recalled && of === id))
})

api('several at once: as many as there are polls, answered in any order', async () => {
  await using runtime = await RuntimeClient.start({ concurrency: 3 })
  const { environment } = runtime

  const polls = [runtime.next(), runtime.next(), runtime.next()]
  const ids = [1, 2, 3, 4].map((n) => environment.post({ n }))
  const events = await Promise.all(polls)
  const requestIds = events.map(idOf)
  await runtime.answer(requestIds[2] ?? '', 'response', { body: '"third"' })
  const fourth = await runtime.next()
  await runtime.answer(requestIds[0] ?? '', 'response', { body: '"first"' })
  await runtime.answer(idOf(fourth), 'response', { body: '"fourth"' })
  await runtime.answer(requestIds[1] ?? '', 'error', { body: '"second"' })

  assert.is(new Set(requestIds).size, 3)
  const answers = await Promise.all(ids.map((id) => environment.answer(id)))
  const texts = answers.map(({ text, isError }) => `${text}${isError ? '!' : ''}`)
  assert.equal(texts, ['"first"', '"second"!', '"third"', '"fourth"'])
})

api('a poll that was given up gets no invocation', async () => {
  await using runtime = await RuntimeClient.start()
  const gone = new AbortController()

  const given = runtime.next(gone.signal).catch(() => 'given up')
  await runtime.environment.next(FRAME.initialized)
  gone.abort()
  assert.is(await given, 'given up')
  const ping = await runtime.call('GET', '/2018-06-01/ping') // by now the other side has seen it
  const { requestId } = await handOver(runtime)

  assert.is(ping.status, 200)
  assert.match(requestId, /^request-/)
})

api('what the runtime prints is in the log, under the invocation it belongs to', async () => {
  await using runtime = await RuntimeClient.start()

  const { id, requestId } = await handOver(runtime)
  await runtime.answer(requestId, 'response', { body: '1' })

  const { meta } = await runtime.environment.answer(id)
  assert.equal(runtime.environment.logLines, ['starting'])
  assert.is(meta.logBytes, 'starting\n'.length)
})

const asAnother = unlessMissing(api, process.getuid?.() === 0 ? undefined : 'only root can be somebody else')

asAnother('another user of the machine is not let in', async () => {
  await using runtime = await RuntimeClient.start()
  const script = `fetch('http://${runtime.address}/2018-06-01/ping').then(() => process.exit(0), () => process.exit(9))`

  const stranger = spawn(process.execPath, ['-e', script], { uid: 12_345, gid: 12_345, cwd: '/' })
  const [code] = (await once(stranger, 'exit')) as [number | null] // as documented

  assert.is(code, 9)
  assert.is((await runtime.call('GET', '/2018-06-01/ping')).status, 200)
})

api.run()
