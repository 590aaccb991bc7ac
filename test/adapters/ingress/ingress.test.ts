import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { EngineError } from '../../../runtime/errors.ts'
import { requestText, sendRaw, type RawAnswer } from '../raw-client.ts'
import {
  answering,
  echoing,
  refusing,
  startIngress,
  success,
  URL_ID,
  type IngressHarness,
} from './harness.ts'

const PATH = `/lambda-url/${URL_ID}/`
const ask = (
  ingress: IngressHarness,
  method = 'GET',
  headers: readonly string[] = [],
  body = '',
): Promise<RawAnswer> =>
  sendRaw(ingress.port, requestText(method, PATH, [`Host: localhost:${ingress.port}`, ...headers], body))

const ingressSuite = suite('ingress')

ingressSuite('a result becomes the answer, with the invocation’s id', async () => {
  await using ingress = await startIngress(
    answering({ statusCode: 201, headers: { 'X-A': 'b' }, cookies: ['c=1', 'd=2'], body: 'made' }),
  )

  const answer = await ask(ingress, 'POST', [], 'in')

  assert.is(answer.status, 201)
  assert.is(answer.body, 'made')
  assert.is(answer.headers['x-a'], 'b')
  assert.is(answer.headers['content-length'], '4')
  assert.equal(
    answer.lines.filter((line) => line.startsWith('set-cookie')),
    ['set-cookie: c=1', 'set-cookie: d=2'],
  )
  const [invoked] = ingress.invoked
  assert.is(answer.headers['x-amzn-requestid'], invoked?.requestId)
  assert.is(answer.headers['x-amzn-trace-id'], invoked?.traceId)
  assert.match(invoked?.traceId ?? '', /^Root=1-[0-9a-f]{8}-[0-9a-f]{24}(;|$)/)
  assert.is(invoked?.trigger, 'url')
  assert.is(invoked?.streaming, false)
})

ingressSuite('every method reaches the handler', async () => {
  await using ingress = await startIngress(echoing)

  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    const answer = await ask(ingress, method, ['Origin: http://anywhere.test'])
    assert.is(answer.status, 200, method)
    assert.match(answer.body, `"method":"${method}"`)
  }
})

ingressSuite('a failed handler is a 502 that tells nothing', async () => {
  const error = Buffer.from('{"errorType":"Error","errorMessage":"the password is 123"}')
  await using failing = await startIngress((_request, sink) =>
    sink.result({ ...success(error), kind: 'function-error' }),
  )
  await using malformed = await startIngress(answering({ statusCode: 'nonsense' }))

  for (const ingress of [failing, malformed]) {
    const answer = await ask(ingress)
    assert.is(answer.status, 502)
    assert.is(answer.body, 'Internal Server Error')
    assert.ok(answer.headers['x-amzn-requestid'])
  }
})

ingressSuite('what did not run is told by status and type', async () => {
  const throttle = (detail: string) => new EngineError('throttled', 'full', { detail })
  const cases: readonly [EngineError, number, string, string][] = [
    [throttle('reserved-concurrency'), 429, 'TooManyRequestsException', 'ReservedFunctionConcurrent'],
    [throttle('environment-cap'), 429, 'TooManyRequestsException', '"ConcurrentInvocationLimitExceeded"'],
    [new EngineError('infeasible', 'needs gpu 2 of 1'), 429, 'TooManyRequestsException', 'needs gpu 2 of 1'],
    [
      new EngineError('not-found', 'no alias'),
      403,
      'AccessDeniedException',
      'Forbidden. For troubleshooting',
    ],
    [new EngineError('too-large', 'big'), 413, 'RequestTooLargeException', 'big'],
    [new EngineError('conflict', 'Failed'), 409, 'ResourceConflictException', 'Failed'],
    [new EngineError('unavailable', 'stopping'), 503, 'ServiceException', 'stopping'],
  ]
  for (const [error, status, type, text] of cases) {
    await using ingress = await startIngress(refusing(error))
    const answer = await ask(ingress)
    assert.is(answer.status, status, error.code)
    assert.is(answer.headers['x-amzn-errortype'], type)
    assert.match(answer.body, text)
  }
})

ingressSuite('AuthType AWS_IAM is refused, and says why', async () => {
  await using ingress = await startIngress(echoing, { auth: 'iam' })

  const answer = await ask(ingress)

  assert.is(answer.status, 403)
  assert.is(answer.headers['x-amzn-errortype'], 'AccessDeniedException')
  const message =
    'Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html'
  assert.equal(JSON.parse(answer.body), { Message: message })
  assert.match(answer.headers['x-lambent-hint'] ?? '', 'AWS_IAM')
  assert.is(ingress.invoked.length, 0)
})

ingressSuite('a body over the limit is refused, announced or not', async () => {
  await using ingress = await startIngress(echoing, {}, { payloadLimitBytes: 5000 })
  const host = `Host: localhost:${ingress.port}`
  const chunk = `400\r\n${'x'.repeat(0x400)}\r\n`

  const fits = await ask(ingress, 'POST', [], 'x'.repeat(2000))
  const asEvent = await ask(ingress, 'POST', [], 'x'.repeat(4900))
  const announced = await sendRaw(
    ingress.port,
    requestText('POST', PATH, [host, 'Content-Length: 99999999999']),
  )
  const chunked = await sendRaw(
    ingress.port,
    `${requestText('POST', PATH, [host, 'Transfer-Encoding: chunked'])}${chunk.repeat(6)}0\r\n\r\n`,
  )

  assert.is(fits.status, 200)
  for (const answer of [asEvent, announced, chunked]) {
    assert.is(answer.status, 413)
    assert.match(answer.body, 'Request must be smaller than 5000 bytes')
  }
  assert.is(ingress.invoked.length, 1)
})

ingressSuite('a preflight is answered without the function, other OPTIONS are not', async () => {
  const cors = { allowOrigins: ['http://a.test'], allowMethods: ['PUT'] }
  await using ingress = await startIngress(
    answering({ statusCode: 200, headers: { 'Access-Control-Allow-Origin': 'http://own.test' } }),
    { cors, auth: 'iam' },
  )
  await using open = await startIngress(echoing)
  const preflight = ['Origin: http://a.test', 'Access-Control-Request-Method: PUT']

  const answered = await ask(ingress, 'OPTIONS', preflight)
  const foreign = await ask(ingress, 'OPTIONS', [
    'Origin: http://b.test',
    'Access-Control-Request-Method: PUT',
  ])
  const withoutCors = await ask(open, 'OPTIONS', preflight)

  assert.is(answered.status, 200)
  assert.is(answered.headers['access-control-allow-origin'], 'http://a.test')
  assert.is(answered.headers['access-control-allow-methods'], 'PUT')
  assert.is(foreign.headers['access-control-allow-origin'], undefined)
  assert.is(ingress.invoked.length, 0)
  assert.is(open.invoked.length, 1)
  assert.is(withoutCors.status, 200)
})

ingressSuite('the URL’s CORS replaces the handler’s', async () => {
  await using ingress = await startIngress(
    answering({ statusCode: 200, headers: { 'Access-Control-Allow-Origin': 'http://own.test', 'X-A': '1' } }),
    { cors: { allowOrigins: ['http://a.test'] } },
  )

  const allowed = await ask(ingress, 'GET', ['Origin: http://a.test'])
  const other = await ask(ingress, 'GET', ['Origin: http://b.test'])

  assert.is(allowed.headers['access-control-allow-origin'], 'http://a.test')
  assert.is(other.headers['access-control-allow-origin'], undefined)
  assert.is(other.status, 200)
  assert.is(other.headers['x-a'], '1')
})

ingressSuite('HEAD has a length and no body; 204 has neither', async () => {
  await using ingress = await startIngress(answering({ statusCode: 200, body: 'four' }))
  await using empty = await startIngress(answering({ statusCode: 204, body: 'dropped' }))

  // Close, because without a body the end of a HEAD answer shows in the connection alone.
  const head = await ask(ingress, 'HEAD', ['Connection: close'])
  const none = await ask(empty, 'GET', ['Connection: close'])

  assert.is(head.headers['content-length'], '4')
  assert.is(head.body, '')
  assert.is(none.status, 204)
  assert.is(none.headers['content-length'], undefined)
  assert.is(none.body, '')
})

ingressSuite.run()
