import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { albEvent } from '../../adapters/ingress/event-alb.ts'
import { eventV1 } from '../../adapters/ingress/event-v1.ts'
import { eventV2, urlEvent, type HttpRequest } from '../../adapters/ingress/event.ts'
import { HTTP_EVENT_SAMPLES } from '../../deploy/http-event-samples.ts'

/** A sample is what the ingress makes of such a request, but for TLS, which the ingress does not end. */
const samples = suite('http event samples')

type Event = Record<string, unknown>
const sample = (name: string): Event =>
  // a sample is an object
  JSON.parse(JSON.stringify(HTTP_EVENT_SAMPLES[name] ?? {})) as Event
const plain = (event: object): Event => JSON.parse(JSON.stringify(event)) as Event // as above

/** The request that a sample came of. */
function requestOf(event: Event, change: Partial<HttpRequest> = {}): HttpRequest {
  const headers = (event.headers ?? {}) as Record<string, string>
  const added = /^(host|x-amzn-|x-forwarded-)/i
  const sent = Object.entries(headers).filter(([name]) => !added.test(name))
  const header = (name: string): string =>
    Object.entries(headers).find(([given]) => given.toLowerCase() === name)?.[1] ?? ''
  return {
    method: 'POST',
    rawPath: '/pets/7',
    rawQueryString: '',
    rawHeaders: sent.flat(),
    protocol: 'HTTP/1.1',
    host: header('host'),
    sourceIp: '127.0.0.1',
    forwardedFor: header('x-forwarded-for'),
    forwardedPort: header('x-forwarded-port'),
    forwardedProtocol: header('x-forwarded-proto'),
    requestId: '0f7c1e9a-5b1d-4c55-8f0e-7a1b2c3d4e5f',
    traceId: header('x-amzn-trace-id'),
    timeMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    body: Buffer.from((event.body as string | null | undefined) ?? ''),
    ...change,
  }
}

for (const name of ['url:get', 'url:post'])
  samples(`${name} is a function URL's`, () => {
    const event = sample(name)
    const { apiId, http } = event.requestContext as { apiId: string; http: { method: string; path: string } }
    const headers = event.headers as Event
    for (const tls of Object.keys(headers).filter((one) => one.startsWith('x-amzn-tls-'))) delete headers[tls]
    const asked = { method: http.method, rawPath: http.path, rawQueryString: String(event.rawQueryString) }

    const made = urlEvent({ ...requestOf(event, asked), urlId: apiId })

    assert.equal(JSON.parse(made.toString('utf8')), event)
  })

samples('apigateway:http is an HTTP API’s of format 2.0', () => {
  const event = sample('apigateway:http')
  const { authorizer } = event.requestContext as { authorizer: object }

  const made = eventV2(
    requestOf(event, { rawQueryString: 'colour=red&colour=blue', requestId: 'JKJaXmPLvHcESHA=' }),
    {
      routeKey: 'POST /pets/{id}',
      accountId: '000000000000',
      apiId: 'a1b2c3d4e5',
      domainPrefix: 'a1b2c3d4e5',
      authentication: undefined,
      authorizer,
      pathParameters: { id: '7' },
      stageVariables: { tier: 'test' },
    },
  )

  assert.equal(plain(made), event)
})

for (const [name, style, resourceId] of [
  ['apigateway:http-v1', 'http-api', 'POST /pets/{id}'],
  ['apigateway:rest', 'rest', 'x1y2z3'],
] as const)
  samples(`${name} is of format 1.0`, () => {
    const event = sample(name)

    const made = plain(
      eventV1(requestOf(event, { rawQueryString: 'colour=red&colour=blue' }), {
        style,
        accountId: '000000000000',
        apiId: 'a1b2c3d4e5',
        extendedRequestId: 'JKJaXmPLvHcESHA=',
        resourcePath: '/pets/{id}',
        resourceId,
        authorizer: undefined,
        iam: undefined,
        pathParameters: { id: '7' },
        stageVariables: undefined,
      }),
    )

    // Routes have no stage of a name; a REST API always has.
    const stage = style === 'rest' ? { path: '/test/pets/7', stage: 'test' } : {}
    assert.equal({ ...made, requestContext: { ...(made.requestContext as Event), ...stage } }, event)
  })

for (const [name, multiValue, rawQueryString] of [
  ['alb:request', false, 'colour=red&colour=sky%20blue'],
  ['alb:multi-value', true, 'colour=red&colour=sky%20blue'],
] as const)
  samples(`${name} is a load balancer's`, () => {
    const event = sample(name)
    const { elb } = event.requestContext as { elb: { targetGroupArn: string } }
    const single = { ...event, headers: sample('alb:request').headers }

    const made = albEvent(requestOf(single, { rawQueryString }), { ...elb, multiValue })

    assert.equal(plain(made), event)
  })

samples.run()
