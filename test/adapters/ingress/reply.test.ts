import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { preflightHeaders, withCors } from '../../../adapters/ingress/cors.ts'
import { MAX_PRELUDE_BYTES, PreludeReader, type PreludeStep } from '../../../adapters/ingress/prelude.ts'
import { headOf, PRELUDE_TYPE, replyOf, replyOfCollected } from '../../../adapters/ingress/reply.ts'

const shown = (value: unknown) => {
  const reply = replyOf(Buffer.from(JSON.stringify(value)))
  return reply && [reply.status, reply.headers.join(' '), reply.body.toString('utf8')]
}

const replies = suite('url reply')

replies('a value without statusCode is a 200 with its JSON, a string goes without quotes', () => {
  const type = 'content-type application/json'

  assert.equal(shown({ hello: 'world' }), [200, type, '{"hello":"world"}'])
  assert.equal(shown(['hello', 3, true]), [200, type, '["hello",3,true]'])
  assert.equal(shown('hello'), [200, type, 'hello'])
  assert.equal(shown('<p>"grüße"</p>'), [200, type, '<p>"grüße"</p>'])
  assert.equal(shown(3), [200, type, '3'])
  assert.equal(shown(3.1), [200, type, '3.1'])
  assert.equal(shown(true), [200, type, 'true'])
  assert.equal(shown(null), [200, type, 'null'])
})

replies('an object with statusCode says all of it', () => {
  const reply = shown({
    statusCode: 201,
    headers: { 'Content-Type': 'text/plain', 'X-Number': 7, 'X-Flag': false },
    cookies: ['a=1; Path=/', 'b=2'],
    body: 'grüße',
  })

  const headers = 'Content-Type text/plain X-Number 7 X-Flag false set-cookie a=1; Path=/ set-cookie b=2'
  assert.equal(reply, [201, headers, 'grüße'])
  assert.equal(shown({ statusCode: 200, body: 'body123' }), [200, 'content-type application/json', 'body123'])
  assert.equal(shown({ statusCode: 204 }), [204, 'content-type application/json', ''])
  assert.equal(shown({ statusCode: 200, body: 'AAECAw==', isBase64Encoded: true })?.[2], '\x00\x01\x02\x03')
})

replies('headers of a connection and those the platform sets are not the handler’s', () => {
  const headers = {
    'Content-Length': 99,
    connection: 'close',
    'Transfer-Encoding': 'x',
    'X-Amzn-RequestId': 'a',
  }

  assert.equal(shown({ statusCode: 200, headers })?.[1], 'content-type application/json')
})

replies('a wrong shape is no reply', () => {
  const wrong = [
    { statusCode: '200' },
    { statusCode: 200.5 },
    { statusCode: 99 },
    { statusCode: 101 },
    { statusCode: 600 },
    { statusCode: null },
    { statusCode: 200, body: { a: 1 } },
    { statusCode: 200, body: 3 },
    { statusCode: 200, headers: [] },
    { statusCode: 200, headers: 'a' },
    { statusCode: 200, headers: { a: {} } },
    { statusCode: 200, headers: { 'b c': '1' } },
    { statusCode: 200, headers: { a: 'x\r\nSet-Cookie: y' } },
    { statusCode: 200, cookies: 'a=1' },
    { statusCode: 200, cookies: [1] },
    { statusCode: 200, cookies: ['a\n'] },
  ]
  for (const value of wrong) assert.is(shown(value), undefined, JSON.stringify(value))
  assert.is(replyOf(Buffer.from('not JSON')), undefined)
  assert.is(replyOf(Buffer.alloc(0)), undefined)
})

replies('a collected stream keeps its bytes, and its prelude is honoured', () => {
  const prelude = Buffer.from('{"statusCode":418,"headers":{"content-type":"text/plain"},"cookies":["a=1"]}')
  const body = Buffer.from([0, 0, 1, 2])

  const plain = replyOfCollected(body, 'application/octet-stream')
  const headed = replyOfCollected(Buffer.concat([prelude, Buffer.alloc(8), body]), PRELUDE_TYPE)

  assert.equal(plain, { status: 200, headers: ['content-type', 'application/octet-stream'], body })
  assert.equal(headed, {
    status: 418,
    headers: ['content-type', 'text/plain', 'set-cookie', 'a=1'],
    body,
  })
  assert.is(replyOfCollected(prelude, PRELUDE_TYPE), undefined)
  assert.is(replyOfCollected(Buffer.from('{\0\0\0\0\0\0\0\0'), PRELUDE_TYPE), undefined)
})

replies('no handler can make a reply that Node refuses to send', () => {
  const result = fc.record(
    {
      statusCode: fc.oneof(fc.integer({ min: -1, max: 1000 }), fc.string(), fc.double()),
      headers: fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue()),
      cookies: fc.oneof(fc.array(fc.string()), fc.jsonValue()),
      body: fc.oneof(fc.string(), fc.jsonValue()),
      isBase64Encoded: fc.oneof(fc.boolean(), fc.jsonValue()),
    },
    { requiredKeys: [] },
  )

  fc.assert(
    fc.property(result, (value) => {
      const reply = replyOf(Buffer.from(JSON.stringify(value)))
      if (reply === undefined) return
      assert.ok(reply.status >= 200 && reply.status <= 599)
      assert.is(reply.headers.length % 2, 0)
      for (const text of reply.headers) assert.not.match(text, /[\r\n\0]/)
    }),
    { numRuns: 2000 },
  )
})

replies.run()

const preludes = suite('url prelude')
const PRELUDE = '{"statusCode":201,"headers":{"x":"é"}}'
const WHOLE = Buffer.concat([Buffer.from(PRELUDE), Buffer.alloc(8), Buffer.from('body \0\0\0\0\0\0\0\0!')])

function readInPieces(cuts: readonly number[]): { head: PreludeStep | undefined; body: string } {
  const reader = new PreludeReader()
  const body: Buffer[] = []
  let head: PreludeStep | undefined
  let start = 0
  for (const cut of [...cuts, WHOLE.length]) {
    const chunk = WHOLE.subarray(start, cut)
    start = cut
    if (head !== undefined) {
      body.push(chunk)
      continue
    }
    const step = reader.push(chunk)
    if (step.kind === 'head') {
      head = step
      body.push(step.rest)
    } else {
      assert.is(step.kind, 'more')
    }
  }
  return { head, body: Buffer.concat(body).toString('latin1') }
}

preludes('is read the same wherever its chunks are cut', () => {
  const cuts = fc.array(fc.integer({ min: 0, max: WHOLE.length }), { maxLength: 12 })

  fc.assert(
    fc.property(cuts, (given) => {
      const { head, body } = readInPieces(given.toSorted((left, right) => left - right))
      assert.is(head?.kind, 'head')
      assert.equal(head?.kind === 'head' && head.head, headOf(Buffer.from(PRELUDE)))
      assert.is(body, 'body \0\0\0\0\0\0\0\0!')
    }),
  )
  readInPieces(Array.from(WHOLE.keys()))
})

preludes('without an end is broken once it is over the bound', () => {
  const reader = new PreludeReader()

  assert.is(reader.push(Buffer.alloc(MAX_PRELUDE_BYTES, 'a')).kind, 'more')
  assert.is(reader.push(Buffer.from('a')).kind, 'broken')
})

preludes('that is not an object, or has a bad status, is broken', () => {
  for (const text of ['[]', '3', '{', '{"statusCode":"x"}', '{"headers":3}']) {
    assert.is(new PreludeReader().push(Buffer.from(`${text}\0\0\0\0\0\0\0\0`)).kind, 'broken', text)
  }
  assert.equal(headOf(Buffer.from('{}')), {
    status: 200,
    headers: ['content-type', 'application/octet-stream'],
  })
})

preludes.run()

const cors = suite('url cors')
const request = (origin: string | undefined) => ({
  origin,
  wantedMethod: 'PUT',
  wantedHeaders: 'x-a,x-b',
})

cors('a preflight says what the URL allows', () => {
  const settings = {
    allowOrigins: ['http://localhost:3000', 'https://*.example.com'],
    allowMethods: ['GET', 'PUT'],
    allowHeaders: ['x-a'],
    exposeHeaders: ['x-e', 'x-f'],
    maxAgeSeconds: 600,
  }

  assert.equal(preflightHeaders(settings, request('http://localhost:3000')), [
    'access-control-allow-origin',
    'http://localhost:3000',
    'vary',
    'Origin',
    'access-control-expose-headers',
    'x-e,x-f',
    'access-control-allow-methods',
    'GET,PUT',
    'access-control-allow-headers',
    'x-a',
    'access-control-max-age',
    '600',
  ])
  assert.is(preflightHeaders(settings, request('https://a.example.com'))[1], 'https://a.example.com')
  for (const origin of [
    'http://evil.test',
    'https://example.com',
    'https://.example.co',
    'null',
    undefined,
  ]) {
    assert.equal(preflightHeaders(settings, request(origin)), [], origin)
  }
})

cors('with credentials stars are spelled out, because browsers take them literally', () => {
  const settings = { allowOrigins: ['*'], allowMethods: ['*'], allowHeaders: ['*'] }

  assert.equal(preflightHeaders(settings, request('http://a.test')), [
    'access-control-allow-origin',
    '*',
    'access-control-allow-methods',
    '*',
    'access-control-allow-headers',
    '*',
  ])
  assert.equal(preflightHeaders({ ...settings, allowCredentials: true }, request('http://a.test')), [
    'access-control-allow-origin',
    'http://a.test',
    'vary',
    'Origin',
    'access-control-allow-credentials',
    'true',
    'access-control-allow-methods',
    'PUT',
    'access-control-allow-headers',
    'x-a,x-b',
  ])
})

cors('the handler’s own CORS headers give way, allowed or not', () => {
  const own = ['Access-Control-Allow-Origin', 'http://own.test', 'x-a', '1', 'access-control-max-age', '5']
  const settings = { allowOrigins: ['http://a.test'] }

  assert.equal(withCors(own, settings, 'http://a.test'), [
    'x-a',
    '1',
    'access-control-allow-origin',
    'http://a.test',
    'vary',
    'Origin',
  ])
  assert.equal(withCors(own, settings, 'http://b.test'), ['x-a', '1'])
})

cors.run()
