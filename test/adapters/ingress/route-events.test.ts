import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createFakeClock } from '../../support/clock.ts'
import { requestText, sendRaw, type RawAnswer } from '../raw-client.ts'
import { answering, echoing, startIngress, type IngressHarness } from './harness.ts'

const routes = suite('route events')

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

routes.run()
