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

type Event = Record<string, unknown>

const ask = (
  ingress: IngressHarness,
  method: string,
  path: string,
  headers: readonly string[] = [],
  body = '',
): Promise<RawAnswer> =>
  sendRaw(ingress.port, requestText(method, path, [`Host: api.localhost:${ingress.port}`, ...headers], body))

const eventOf = (ingress: IngressHarness, index = 0): Event =>
  JSON.parse(ingress.invoked[index]?.payload.toString('utf8') ?? '') as Event // an event is an object

const REQUEST = [
  'User-Agent: test/1',
  'X-Two: a',
  'x-two: b',
  'Cookie: a=1; b=2',
  'Content-Type: application/json',
  'X-Amzn-Trace-Id: Root=1-5',
  'Connection: keep-alive',
]

routes('hand over payload format 2.0 by default', async () => {
  const clock = createFakeClock()
  await using ingress = await startIngress(
    echoing,
    {},
    {
      clock,
      routes: [{ route: 'POST /pets/{id}', stageVariables: { tier: 'test' } }],
    },
  )

  const answer = await ask(ingress, 'POST', '/pets/caf%C3%A9?q=1&q=a%20b', REQUEST, '{"a":1}')

  const event = eventOf(ingress)
  const { requestId } = event.requestContext as { requestId: string }
  const host = `api.localhost:${ingress.port}`
  assert.match(requestId, /^[\w-]{15}=$/)
  assert.is(answer.headers['apigw-requestid'], requestId)
  assert.equal(event, {
    version: '2.0',
    routeKey: 'POST /pets/{id}',
    rawPath: '/pets/caf%C3%A9',
    rawQueryString: 'q=1&q=a%20b',
    cookies: ['a=1', 'b=2'],
    headers: {
      'content-length': '7',
      'content-type': 'application/json',
      cookie: 'a=1; b=2',
      host,
      'user-agent': 'test/1',
      'x-amzn-trace-id': 'Root=1-5',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-port': String(ingress.port),
      'x-forwarded-proto': 'http',
      'x-two': 'a,b',
    },
    queryStringParameters: { q: '1,a b' },
    requestContext: {
      accountId: '000000000000',
      apiId: (event.requestContext as Event).apiId,
      domainName: 'api.localhost',
      domainPrefix: 'api',
      http: {
        method: 'POST',
        path: '/pets/caf%C3%A9',
        protocol: 'HTTP/1.1',
        sourceIp: '127.0.0.1',
        userAgent: 'test/1',
      },
      requestId,
      routeKey: 'POST /pets/{id}',
      stage: '$default',
      time: '02/Jan/2026:03:04:05 +0000',
      timeEpoch: 1767323045678,
    },
    pathParameters: { id: 'café' },
    stageVariables: { tier: 'test' },
    body: '{"a":1}',
    isBase64Encoded: false,
  })
})

routes('hand over payload format 1.0 with nulls and lists', async () => {
  await using ingress = await startIngress(
    answering({ statusCode: 200, body: '' }),
    {},
    {
      routes: [
        { route: 'ANY /pets/{proxy+}', payload: '1.0' },
        { route: '$default', payload: '1.0' },
      ],
    },
  )

  await ask(ingress, 'POST', '/pets/a/b?q=1&q=a%20b', REQUEST, '{"a":1}')
  await ask(ingress, 'GET', '/other')

  const event = eventOf(ingress)
  const context = event.requestContext as Event
  assert.equal(Object.keys(event).toSorted(), [
    ...['body', 'headers', 'httpMethod', 'isBase64Encoded', 'multiValueHeaders'],
    ...['multiValueQueryStringParameters', 'path', 'pathParameters', 'queryStringParameters'],
    ...['requestContext', 'resource', 'stageVariables', 'version'],
  ])
  assert.is(event.version, '1.0')
  assert.is(event.resource, '/pets/{proxy+}')
  assert.is(event.path, '/pets/a/b')
  assert.is(event.httpMethod, 'POST')
  assert.equal(event.pathParameters, { proxy: 'a/b' })
  assert.is(event.stageVariables, null)
  assert.equal(event.queryStringParameters, { q: 'a b' })
  assert.equal(event.multiValueQueryStringParameters, { q: ['1', 'a b'] })
  assert.is((event.headers as Event)['X-Two'], 'b')
  assert.is((event.headers as Event)['User-Agent'], 'test/1')
  assert.equal((event.multiValueHeaders as Event)['X-Two'], ['a', 'b'])
  assert.equal((event.multiValueHeaders as Event)['X-Forwarded-For'], ['127.0.0.1'])
  assert.is((event.headers as Event)['Connection'], undefined)
  assert.is(event.body, '{"a":1}')
  assert.equal(context.authorizer, { claims: null, scopes: null })
  assert.is(context.resourcePath, '/pets/{proxy+}')
  assert.is(context.stage, '$default')
  assert.is((context.identity as Event).sourceIp, '127.0.0.1')
  assert.is((context.identity as Event).userAgent, 'test/1')
  assert.is((context.identity as Event).caller, null)

  const bare = eventOf(ingress, 1)
  assert.is(bare.resource, '$default')
  for (const name of ['body', 'queryStringParameters', 'multiValueQueryStringParameters', 'pathParameters'])
    assert.is(bare[name], null, name)
})

routes(
  'of a REST API have no version, keep escapes in parameters and forgive a slash at the end',
  async () => {
    await using ingress = await startIngress(
      answering({ statusCode: 200 }),
      {},
      {
        routes: [{ route: 'GET /pets/{id}', payload: 'rest' }],
      },
    )

    const answer = await ask(ingress, 'GET', '/pets/caf%C3%A9/')
    const missing = await ask(ingress, 'GET', '/nothing')

    const event = eventOf(ingress)
    assert.is('version' in event, false)
    assert.equal(event.pathParameters, { id: 'caf%C3%A9' })
    assert.is('authorizer' in (event.requestContext as Event), false)
    assert.is((event.requestContext as Event).requestId, ingress.invoked[0]?.requestId)
    assert.match(answer.headers['x-amz-apigw-id'] ?? '', /=$/)
    assert.is(missing.status, 403)
    assert.is(missing.body, '{"message":"Missing Authentication Token"}')
    assert.is(missing.headers['x-amzn-errortype'], 'MissingAuthenticationTokenException')
  },
)

routes('of a load balancer hand over either single values or lists', async () => {
  await using ingress = await startIngress(
    answering({ statusCode: 200, body: 'x' }),
    {},
    {
      routes: [
        { route: 'ANY /one', payload: 'alb' },
        { route: 'ANY /many', payload: 'alb', multiValue: true },
      ],
    },
  )

  await ask(ingress, 'POST', '/one?q=1&q=a%20b', REQUEST, '{"a":1}')
  await ask(ingress, 'GET', '/many?q=1&q=a%20b', REQUEST)
  await ask(ingress, 'POST', '/one', ['Content-Type: application/x-www-form-urlencoded'], 'a=1')
  await ask(ingress, 'POST', '/one', ['Content-Type: text/plain', 'Content-Encoding: gzip'], 'zipped')

  const one = eventOf(ingress)
  assert.equal(Object.keys(one), [
    ...[
      'requestContext',
      'httpMethod',
      'path',
      'queryStringParameters',
      'headers',
      'body',
      'isBase64Encoded',
    ],
  ])
  assert.match(
    String(((one.requestContext as Event).elb as Event).targetGroupArn),
    /^arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup\/hello\/[0-9a-f]{16}$/,
  )
  assert.equal(one.queryStringParameters, { q: 'a%20b' })
  assert.is((one.headers as Event)['x-two'], 'b')
  assert.equal([one.body, one.isBase64Encoded], ['{"a":1}', false])
  const many = eventOf(ingress, 1)
  assert.equal(many.multiValueQueryStringParameters, { q: ['1', 'a%20b'] })
  assert.equal((many.multiValueHeaders as Event)['x-two'], ['a', 'b'])
  assert.is('headers' in many || 'queryStringParameters' in many, false)
  assert.equal([many.body, many.isBase64Encoded], ['', false])
  assert.equal([eventOf(ingress, 2).body, eventOf(ingress, 2).isBase64Encoded], ['YT0x', true])
  assert.equal([eventOf(ingress, 3).body, eventOf(ingress, 3).isBase64Encoded], ['emlwcGVk', true])
})

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
