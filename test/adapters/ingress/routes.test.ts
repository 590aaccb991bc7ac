import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { EngineError } from '../../../runtime/errors.ts'
import { createFakeClock } from '../../support/clock.ts'
import { requestText, sendRaw, type RawAnswer } from '../raw-client.ts'
import {
  answering,
  echoing,
  refusing,
  startIngress,
  success,
  type IngressHarness,
  type Script,
} from './harness.ts'

const routes = suite('routes')

const ask = (
  ingress: IngressHarness,
  method: string,
  path: string,
  headers: readonly string[] = [],
  body = '',
): Promise<RawAnswer> =>
  sendRaw(ingress.port, requestText(method, path, [`Host: api.localhost:${ingress.port}`, ...headers], body))

const PAYLOADS = ['2.0', '1.0', 'rest', 'alb'] as const
const everyPayload = PAYLOADS.map((payload) => ({ route: `ANY /${payload}`, payload }))

routes('answer a structured result, each format with its own repeated headers', async () => {
  await using ingress = await startIngress(
    answering({
      statusCode: 201,
      headers: { 'x-a': 'one', 'Content-Type': 'text/plain', 'Content-Length': '99' },
      multiValueHeaders: { 'X-A': ['two', 'three'], 'set-cookie': ['c=1', 'd=2'] },
      cookies: ['e=3'],
      body: 'made',
    }),
    {},
    { routes: [...everyPayload, { route: 'ANY /many', payload: 'alb', multiValue: true }] },
  )
  const seen = async (path: string): Promise<string[]> => {
    const answer = await ask(ingress, 'GET', path)
    assert.is(answer.status, 201)
    assert.is(answer.body, 'made')
    return answer.lines.filter((line) => /^(x-a|set-cookie|content-type):/i.test(line))
  }

  const v1 = ['Content-Type: text/plain', 'X-A: two', 'X-A: three', 'set-cookie: c=1', 'set-cookie: d=2']
  assert.equal(await seen('/2.0'), ['x-a: one', 'Content-Type: text/plain', 'set-cookie: e=3'])
  assert.equal(await seen('/1.0'), v1)
  assert.equal(await seen('/rest'), v1)
  assert.equal(await seen('/alb'), ['x-a: one', 'Content-Type: text/plain'])
  assert.equal(await seen('/many'), [...v1.slice(1), 'content-type: application/octet-stream'])
})

const MALFORMED = {
  '2.0': [500, '{"message":"Internal Server Error"}'],
  '1.0': [500, '{"message":"Internal Server Error"}'],
  rest: [502, '{"message":"Internal server error"}'],
} as const

const failures: readonly (readonly [string, Script])[] = [
  [
    'fails',
    (_request, sink) => sink.result({ ...success('{"errorMessage":"secret"}'), kind: 'function-error' }),
  ],
  ['answers no status', answering({ statusCode: 'nonsense', body: '' })],
  ['answers a body that is no text', answering({ statusCode: 200, body: { a: 1 } })],
]
for (const [name, script] of failures)
  routes(`say no more than that a handler failed when it ${name}`, async () => {
    await using ingress = await startIngress(script, {}, { routes: everyPayload })

    for (const [payload, [status, body]] of Object.entries(MALFORMED)) {
      const answer = await ask(ingress, 'GET', `/${payload}`)
      assert.equal([answer.status, answer.body], [status, body], payload)
    }
    const page = await ask(ingress, 'GET', '/alb')
    assert.is(page.status, 502)
    assert.is(page.headers['content-type'], 'text/html')
    assert.match(page.body, '<center><h1>502 Bad Gateway</h1></center>')
  })

routes('infer a response from any JSON with format 2.0 alone', async () => {
  await using ingress = await startIngress(answering({ hello: 'world' }), {}, { routes: everyPayload })

  const inferred = await ask(ingress, 'GET', '/2.0')

  assert.equal([inferred.status, inferred.body], [200, '{"hello":"world"}'])
  assert.is(inferred.headers['content-type'], 'application/json')
  assert.is((await ask(ingress, 'GET', '/1.0')).status, 500)
  assert.is((await ask(ingress, 'GET', '/rest')).status, 502)
  assert.is((await ask(ingress, 'GET', '/alb')).status, 502)
})

routes('send bytes, and a status’s own words behind a load balancer', async () => {
  const result = {
    statusCode: 200,
    statusDescription: '200 Fine',
    isBase64Encoded: true,
    body: 'aGk=',
    headers: {},
  }
  await using ingress = await startIngress(answering(result), {}, { routes: everyPayload })

  for (const payload of PAYLOADS) assert.is((await ask(ingress, 'GET', `/${payload}`)).body, 'hi', payload)
  const raw = await fetch(`http://127.0.0.1:${ingress.port}/alb`)
  assert.is(raw.statusText, 'Fine')
})

routes('tell what did not run in their own words', async () => {
  const refusals = [
    ['throttled', 429, 429, 502],
    ['not-found', 500, 500, 502],
    ['unavailable', 503, 503, 503],
  ] as const
  for (const [code, http, rest, alb] of refusals) {
    await using ingress = await startIngress(
      refusing(new EngineError(code, 'secret')),
      {},
      { routes: everyPayload },
    )
    const answers = await Promise.all(PAYLOADS.map((payload) => ask(ingress, 'GET', `/${payload}`)))
    assert.equal(
      answers.map(({ status }) => status),
      [http, http, rest, alb],
      code,
    )
    for (const { body } of answers) assert.not.match(body, 'secret')
  }
})

routes('that nobody has are not found; without any, the answer says what there is', async () => {
  await using some = await startIngress(echoing, {}, { routes: [{ route: 'GET /a' }] })
  await using none = await startIngress(echoing)

  const missing = await ask(some, 'GET', '/b')
  const otherMethod = await ask(some, 'POST', '/a')
  const nothing = await ask(none, 'GET', '/b')

  assert.equal([missing.status, missing.body], [404, '{"message":"Not Found"}'])
  assert.equal([otherMethod.status, otherMethod.body], [404, '{"message":"Not Found"}'])
  assert.is(nothing.status, 404)
  assert.match(nothing.body, 'Function URLs are at')
})

routes('give way to function URLs, by path and by host', async () => {
  await using ingress = await startIngress(echoing, {}, { routes: [{ route: '$default' }] })

  const url = await ask(ingress, 'GET', '/lambda-url/nobody/')
  const route = await ask(ingress, 'GET', '/lambda-urls/')

  assert.is(url.status, 404)
  assert.is(url.headers['x-amzn-errortype'], 'ResourceNotFoundException')
  assert.is(route.status, 200)
})

routes('answer a preflight themselves and replace the handler’s CORS headers', async () => {
  const script = answering({ statusCode: 200, headers: { 'Access-Control-Allow-Origin': 'http://own.test' } })
  const cors = {
    allowOrigins: ['http://a.test'],
    allowMethods: ['POST'],
    allowHeaders: ['x-a'],
    maxAgeSeconds: 5,
  }
  await using ingress = await startIngress(
    script,
    {},
    {
      routes: [{ route: 'POST /open', cors }, { route: 'ANY /closed' }],
    },
  )
  const preflight = ['Origin: http://a.test', 'Access-Control-Request-Method: POST']

  const asked = await ask(ingress, 'OPTIONS', '/open', preflight)
  const sent = await ask(ingress, 'POST', '/open', ['Origin: http://a.test'])
  const stranger = await ask(ingress, 'OPTIONS', '/open', ['Origin: http://b.test', preflight[1] ?? ''])
  const without = await ask(ingress, 'OPTIONS', '/closed', preflight)

  assert.is(asked.status, 204)
  assert.is(asked.headers['access-control-allow-origin'], 'http://a.test')
  assert.is(asked.headers['access-control-allow-methods'], 'POST')
  assert.is(asked.headers['access-control-max-age'], '5')
  assert.is(sent.headers['access-control-allow-origin'], 'http://a.test')
  assert.is(stranger.status, 204)
  assert.is(stranger.headers['access-control-allow-origin'], undefined)
  assert.is(without.headers['access-control-allow-origin'], 'http://own.test')
  assert.is(ingress.invoked.length, 2)
})

routes(
  'give up on a function after 30, 29 or as many seconds as they say, only with strict limits',
  async () => {
    const clock = createFakeClock()
    const never: Script = () => undefined
    const given = [
      { route: 'GET /http' },
      { route: 'GET /rest', payload: 'rest' },
      { route: 'GET /own', timeoutMs: 1000 },
    ]
    await using ingress = await startIngress(never, {}, { clock, routes: given, strict: true })
    await using patient = await startIngress(never, {}, { clock, routes: given })
    const waiting = async (from: IngressHarness, path: string): Promise<Promise<RawAnswer>[]> => {
      const before = from.invoked.length
      const answer = ask(from, 'GET', path)
      while (from.invoked.length === before) await new Promise((resolve) => setImmediate(resolve))
      return [answer]
    }
    const [http] = await waiting(ingress, '/http')
    const [rest] = await waiting(ingress, '/rest')
    const [own] = await waiting(patient, '/own')
    await waiting(patient, '/http')

    await clock.advance(1000)
    const ownAnswer = await own
    await clock.advance(28_000)
    const restAnswer = await rest
    await clock.advance(1000)
    const httpAnswer = await http

    assert.equal([ownAnswer?.status, ownAnswer?.body], [503, '{"message":"Service Unavailable"}'])
    assert.equal([restAnswer?.status, restAnswer?.body], [504, '{"message":"Endpoint request timed out"}'])
    assert.equal([httpAnswer?.status, httpAnswer?.body], [503, '{"message":"Service Unavailable"}'])
    assert.is(clock.pending, 0)
  },
)

routes(
  'refuse what is too large in their own words; a load balancer takes 1 MB with strict limits',
  async () => {
    const large = 'x'.repeat(1024 * 1024 + 1)
    const whole: Script = (_request, sink) =>
      sink.result(success(JSON.stringify({ statusCode: 200, body: large })))
    await using ingress = await startIngress(whole, {}, { routes: everyPayload, strict: true })
    await using small = await startIngress(whole, {}, { routes: everyPayload, payloadLimitBytes: 2000 })
    await using extended = await startIngress(whole, {}, { routes: everyPayload })
    const post = async (from: IngressHarness, path: string, body: string): Promise<[number, string]> => {
      const response = await fetch(`http://127.0.0.1:${from.port}${path}`, { method: 'POST', body })
      return [response.status, await response.text()]
    }

    assert.equal(await post(small, '/2.0', 'x'.repeat(2001)), [413, '{"message":"Request Entity Too Large"}'])
    assert.equal(await post(small, '/rest', 'x'.repeat(2001)), [413, '{"message":"Request Too Long"}'])
    assert.is((await post(ingress, '/alb', large))[0], 413)
    assert.is((await post(ingress, '/alb', 'small'))[0], 502)
    assert.is((await post(extended, '/alb', large))[0], 200)
  },
)

routes.run()
