import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { requestTime, urlEvent, type UrlRequest } from '../../../adapters/ingress/event.ts'
import { requestText, sendRaw } from '../raw-client.ts'
import { echoing, startIngress, URL_ID } from './harness.ts'

const REQUEST: UrlRequest = {
  method: 'POST',
  rawPath: '/pa2%Fth/1',
  rawQueryString: 'q=query&multiQuery=foo&multiQuery=%2Fbar',
  rawHeaders: [
    'Host',
    'ignored.test',
    'User-Agent',
    'test/echo',
    'Accept',
    '*/*',
    'Extra-Headers',
    'With WeiRd CapS',
    'Content-Type',
    'application/json',
    'Content-Length',
    '14',
    'Connection',
    'keep-alive, X-Hop',
    'X-Hop',
    'gone',
    'X-Two',
    'a',
    'x-two',
    'b',
    'Cookie',
    'a=1; b=2',
    'X-Forwarded-For',
    '6.6.6.6',
  ],
  protocol: 'HTTP/1.1',
  urlId: 'abc',
  host: 'abc.lambda-url.us-east-1.localhost:4701',
  sourceIp: '127.0.0.1',
  forwardedFor: '127.0.0.1',
  forwardedPort: '4701',
  forwardedProtocol: 'http',
  requestId: '0f9b1c2e-0000-4000-8000-000000000000',
  traceId: 'Root=1-65937000-0123456789abcdef01234567',
  timeMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  body: Buffer.from('{"foo": "bar"}'),
}
// The event is the handler's JSON: its shape is what these tests are about.
const eventOf = (change: Partial<UrlRequest> = {}): Record<string, unknown> =>
  JSON.parse(urlEvent({ ...REQUEST, ...change }).toString('utf8')) as Record<string, unknown>

const events = suite('url event')

events('has every field of payload format 2.0', () => {
  assert.equal(eventOf(), {
    version: '2.0',
    routeKey: '$default',
    rawPath: '/pa2%Fth/1',
    rawQueryString: 'q=query&multiQuery=foo&multiQuery=%2Fbar',
    cookies: ['a=1', 'b=2'],
    headers: {
      host: 'abc.lambda-url.us-east-1.localhost:4701',
      'user-agent': 'test/echo',
      accept: '*/*',
      'extra-headers': 'With WeiRd CapS',
      'content-type': 'application/json',
      'content-length': '14',
      'x-two': 'a,b',
      cookie: 'a=1; b=2',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-port': '4701',
      'x-forwarded-proto': 'http',
      'x-amzn-trace-id': 'Root=1-65937000-0123456789abcdef01234567',
    },
    queryStringParameters: { q: 'query', multiQuery: 'foo,/bar' },
    requestContext: {
      accountId: 'anonymous',
      apiId: 'abc',
      authentication: null,
      domainName: 'abc.lambda-url.us-east-1.localhost',
      domainPrefix: 'abc',
      http: {
        method: 'POST',
        path: '/pa2%Fth/1',
        protocol: 'HTTP/1.1',
        sourceIp: '127.0.0.1',
        userAgent: 'test/echo',
      },
      requestId: '0f9b1c2e-0000-4000-8000-000000000000',
      routeKey: '$default',
      stage: '$default',
      time: '02/Jan/2026:03:04:05 +0000',
      timeEpoch: 1767323045678,
    },
    body: '{"foo": "bar"}',
    isBase64Encoded: false,
  })
})

events('leaves out what the request does not have', () => {
  const event = eventOf({ rawHeaders: [], rawQueryString: '', body: Buffer.alloc(0) })

  for (const name of ['cookies', 'queryStringParameters', 'body', 'pathParameters', 'stageVariables']) {
    assert.not.ok(name in event, name)
  }
  assert.is(event['rawQueryString'], '')
  assert.is(event['isBase64Encoded'], false)
})

events('a body is text or base64 by its content type, and never damaged', () => {
  const encoded = (contentType: string | undefined, body: string | Buffer, more: string[] = []) => {
    const headers = contentType === undefined ? [] : ['content-type', contentType]
    const event = eventOf({ rawHeaders: [...headers, ...more], body: Buffer.from(body) })
    const back = Buffer.from(String(event['body']), event['isBase64Encoded'] === true ? 'base64' : 'utf8')
    assert.equal(back, Buffer.from(body))
    return event['isBase64Encoded']
  }
  const text = ['text/plain', 'TEXT/HTML; charset=utf-8', 'application/json', 'application/xml']
  const alsoText = ['application/javascript', 'application/x-www-form-urlencoded', 'application/ld+json;a=b']
  const binary = [
    'application/octet-stream',
    'image/png',
    'multipart/form-data; boundary=x',
    'application/zip',
  ]

  for (const type of [...text, ...alsoText]) assert.is(encoded(type, 'grüße'), false, type)
  for (const type of binary) assert.is(encoded(type, 'plain'), true, type)
  assert.is(encoded(undefined, 'plain'), false)
  assert.is(encoded(undefined, Buffer.from([0xff, 0xfe])), true)
  assert.is(encoded('text/plain', Buffer.from([0xc3, 0x28])), true)
  assert.is(encoded('text/plain', 'zipped', ['content-encoding', 'gzip']), true)
})

events('hostile names are names like any other', () => {
  const event = eventOf({
    rawQueryString: '__proto__=a&constructor=b&__proto__=c&%=d&e=%zz+1',
    rawHeaders: ['__proto__', 'x', 'constructor', 'y'],
  })
  const shown = JSON.stringify(event)

  assert.match(shown, '"queryStringParameters":{"__proto__":"a,c","constructor":"b","%":"d","e":"%zz 1"}')
  assert.match(shown, '"headers":{"__proto__":"x","constructor":"y",')
})

events('times have AWS’s form', () => {
  assert.is(requestTime(Date.UTC(2025, 11, 31, 23, 59, 59)), '31/Dec/2025:23:59:59 +0000')
})

events.run()

const forms = suite('url forms')

/** The event as the handler saw it, without what differs from call to call. */
async function eventBy(port: number, host: string, path: string): Promise<Record<string, unknown>> {
  const trace = 'X-Amzn-Trace-Id: Root=1-65937000-0123456789abcdef01234567'
  const answer = await sendRaw(port, requestText('PUT', path, [`Host: ${host}`, trace, 'X-A: 1'], '{}'))
  assert.is(answer.status, 200)
  const event = JSON.parse(answer.body) as { requestContext: Record<string, unknown> } // our own event
  assert.is(event.requestContext['requestId'], answer.headers['x-amzn-requestid'])
  for (const name of ['requestId', 'time', 'timeEpoch']) delete event.requestContext[name]
  return { ...event }
}

forms('by host and by path give the handler the same event', async () => {
  await using ingress = await startIngress(echoing)
  const { port } = ingress
  const host = `${URL_ID}.lambda-url.us-east-1.localhost:${port}`

  const byHost = await eventBy(port, host, '/a%2Fb//c?x=1&x=2')
  const byPath = await eventBy(port, `127.0.0.1:${port}`, `/lambda-url/${URL_ID}/a%2Fb//c?x=1&x=2`)

  assert.equal(byPath, byHost)
  assert.is(byHost['rawPath'], '/a%2Fb//c')
})

forms('without a path the handler sees the root', async () => {
  await using ingress = await startIngress(echoing)
  const { port } = ingress

  const bare = await eventBy(port, `localhost:${port}`, `/lambda-url/${URL_ID}?q`)
  const slash = await eventBy(port, `${URL_ID}.lambda-url.us-east-1.localhost:${port}`, '/?q')

  assert.is(bare['rawPath'], '/')
  assert.equal(bare, slash)
})

forms('an unknown id, another region and no URL at all are 404 in JSON', async () => {
  await using ingress = await startIngress(echoing)
  const { port } = ingress
  const get = (host: string, path: string) => sendRaw(port, requestText('GET', path, [`Host: ${host}`]))

  const unknown = await get(`nobody.lambda-url.us-east-1.localhost:${port}`, '/')
  const elsewhere = await get(`${URL_ID}.lambda-url.eu-west-1.localhost:${port}`, '/')
  const nothing = await get(`localhost:${port}`, '/')

  for (const answer of [unknown, elsewhere, nothing]) {
    assert.is(answer.status, 404)
    assert.is(answer.headers['content-type'], 'application/json')
    assert.ok(answer.headers['x-amzn-requestid'])
  }
  assert.is(unknown.body, '{"Message":null}')
  assert.match(nothing.body, '/lambda-url/<id>/')
  assert.is(ingress.invoked.length, 0)
})

forms('behind a proxy its word on the caller is taken, else not', async () => {
  await using direct = await startIngress(echoing)
  await using proxied = await startIngress(echoing, {}, { publicUrl: 'https://fn.example' })
  const ask = async (port: number, host: string, path: string) => {
    const headers = [`Host: ${host}`, 'X-Forwarded-For: 6.6.6.6, 9.9.9.9', 'X-Forwarded-Proto: gopher']
    const answer = await sendRaw(port, requestText('GET', path, headers))
    return JSON.parse(answer.body) as UrlEventParts // our own event
  }

  const plain = await ask(direct.port, `localhost:${direct.port}`, `/lambda-url/${URL_ID}/`)
  const behind = await ask(proxied.port, `${URL_ID}.lambda-url.us-east-1.fn.example`, '/')

  assert.is(plain.headers['x-forwarded-for'], '127.0.0.1')
  assert.is(plain.headers['x-forwarded-proto'], 'http')
  assert.is(plain.requestContext.http.sourceIp, '127.0.0.1')
  assert.is(behind.headers['x-forwarded-for'], '6.6.6.6, 9.9.9.9')
  assert.is(behind.headers['x-forwarded-proto'], 'https')
  assert.is(behind.headers['x-forwarded-port'], '443')
  assert.is(behind.requestContext.http.sourceIp, '9.9.9.9')
  assert.is(behind.requestContext.domainName, `${URL_ID}.lambda-url.us-east-1.fn.example`)
})

interface UrlEventParts {
  headers: Record<string, string>
  requestContext: { domainName: string; http: { sourceIp: string } }
}

forms.run()
