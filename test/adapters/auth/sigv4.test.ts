import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { AuthError, type AuthErrorName } from '../../../adapters/auth/auth-error.ts'
import { Authenticator } from '../../../adapters/auth/authenticator.ts'
import type { SignedRequest } from '../../../adapters/auth/canonical.ts'
import { openTestKeys } from './key-ring.ts'
import { HOST, sign, type Wanted } from './signing.ts'

const sigv4 = suite('signatures of version 4')

const PATH = '/2015-03-31/functions/orders/invocations'
const LOOPBACK = { isPrivate: true }
const WISH = { name: 'ci', account: '000000000000', scopes: ['admin'] }

/** A ring with one key, and ways to sign with it and to ask who has signed. */
async function open() {
  const opened = await openTestKeys()
  const key = await opened.keys.create(WISH)
  const authenticator = new Authenticator(opened)
  const { keyId, secret } = key
  const signed = (wanted: Partial<Wanted> = {}) =>
    sign({ path: PATH, keyId, secret, atMs: opened.clock.nowMs(), ...wanted })
  const who = (request: SignedRequest, body: Buffer, transport = LOOPBACK): string | undefined => {
    const claim = authenticator.identify(request, ['lambda'], transport)
    claim?.checkBody?.(body)
    return claim?.principal.keyId
  }
  const refused = (
    request: SignedRequest,
    body: Buffer = Buffer.alloc(0),
    transport = LOOPBACK,
  ): AuthError => {
    try {
      who(request, body, transport)
    } catch (error) {
      if (error instanceof AuthError) return error
      throw error
    }
    throw new Error('It was let in.')
  }
  return {
    ...opened,
    key,
    authenticator,
    signed,
    who,
    refused,
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  }
}

sigv4('are believed as AWS’s SDK makes them', async () => {
  await using test = await open()
  const requests: Partial<Wanted>[] = [
    {},
    { body: '{"ä":1}', headers: { 'content-type': 'application/json', 'x-amz-log-type': 'Tail' } },
    { method: 'GET', path: '/2015-03-31/functions', query: { Marker: 'a+b/c=&d e', MaxItems: '3' } },
    { method: 'GET', path: '/2015-03-31/functions', query: { s: ['B', 'A', 'ä'], empty: '' } },
    {
      path: '/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Aorders/invocations',
    },
    { path: "/2015-03-31/functions/!'()*~-_.%20/invocations" },
    { path: '/base/2015-03-31/functions/orders/invocations/' },
    { region: 'eu-west-1', body: Buffer.from([0, 1, 2, 255]) },
    {
      headers: { 'x-amz-meta': '  many   spaces ', 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
      body: 'any',
    },
    { expiresSeconds: 60 },
    { method: 'GET', path: '/2015-03-31/functions', query: { Marker: 'ü=' }, expiresSeconds: 604_800 },
  ]

  for (const wanted of requests) {
    const request = await test.signed(wanted)
    assert.is(test.who(request, request.body), test.key.keyId, JSON.stringify(wanted))
  }
})

sigv4('of a presigned URL end when it says, in AWS’s words', async () => {
  await using test = await open()
  const request = await test.signed({ expiresSeconds: 120 })

  await test.clock.advance(120_000)
  assert.is(test.who(request, request.body), test.key.keyId)
  await test.clock.advance(2000)

  const error = test.refused(request, request.body)
  assert.is(error.kind, 'InvalidSignatureException')
  assert.match(
    error.message,
    /^Signature expired: \S+T030405Z is now earlier than \S+T030407Z \(20260102T030607Z - 2 min\.\)$/,
  )
})

sigv4('of a clock that is off by more than 15 minutes are refused, in AWS’s words', async () => {
  await using test = await open()
  const at = (minutes: number) => test.signed({ atMs: test.clock.nowMs() + minutes * 60_000 })
  for (const minutes of [-14.9, 14.9]) {
    const request = await at(minutes)
    assert.is(test.who(request, request.body), test.key.keyId)
  }

  const [late, early] = [await at(-15.1), await at(15.1)]

  assert.match(
    test.refused(late).message,
    /^Signature expired: \d{8}T\d{6}Z is now earlier than \S+ \(\S+ - 15 min\.\)$/,
  )
  assert.match(
    test.refused(early).message,
    /^Signature not yet current: \d{8}T\d{6}Z is still later than \S+ \(\S+ \+ 15 min\.\)$/,
  )
})

const replaced = (request: SignedRequest, from: string | RegExp, to: string): SignedRequest => ({
  ...request,
  url: request.url.replace(from, to),
  rawHeaders: request.rawHeaders.map((text) => text.replace(from, to)),
})

sigv4('that are not in order are refused by AWS’s names and words', async () => {
  await using test = await open()
  const request = await test.signed({ body: '{}' })
  const expired = await test.keys.create({ ...WISH, expiresAtMs: test.clock.nowMs() })
  const cases: [SignedRequest, AuthErrorName, RegExp][] = [
    [
      await test.signed({ keyId: 'AKIAIOSFODNN7EXAMPLE' }),
      'UnrecognizedClientException',
      /^The security token included in the request is invalid\.$/,
    ],
    [
      await test.signed({ secret: 'wrong' }),
      'InvalidSignatureException',
      /^The request signature we calculated does not match/,
    ],
    [await test.signed({ sessionToken: 'made-up' }), 'UnrecognizedClientException', /security token/],
    [
      await test.signed({ keyId: expired.keyId, secret: expired.secret }),
      'ExpiredTokenException',
      /is expired$/,
    ],
    [
      await test.signed({ service: 's3' }),
      'InvalidSignatureException',
      /^Credential should be scoped to correct service: 'lambda'\. $/,
    ],
    [
      replaced(request, /\/\d{8}\//, '/20250102/'),
      'InvalidSignatureException',
      /^Date in Credential scope does not match YYYYMMDD/,
    ],
    [
      replaced(request, 'aws4_request', 'aws5_request'),
      'InvalidSignatureException',
      /valid terminator: 'aws4_request', not 'aws5_request'/,
    ],
    [
      replaced(request, /, Signature=.*/, ''),
      'IncompleteSignatureException',
      /^Authorization header requires 'Signature' parameter\. Authorization=/,
    ],
    [
      replaced(request, /SignedHeaders=[^,]*, /, ''),
      'IncompleteSignatureException',
      /requires 'SignedHeaders' parameter/,
    ],
    [
      replaced(request, /^AWS4-HMAC-SHA256 .*/, 'AWS4-HMAC-SHA256 x'),
      'IncompleteSignatureException',
      /missing equal-sign/,
    ],
    [
      replaced(request, 'AWS4-HMAC-SHA256', 'AWS4-ECDSA-P256-SHA256'),
      'IncompleteSignatureException',
      /Unsupported AWS 'algorithm'/,
    ],
    [replaced(request, 'host;', ''), 'InvalidSignatureException', /must be a 'SignedHeader'/],
    [
      replaced(request, /^\d{8}T\d{6}Z$/, 'today'),
      'IncompleteSignatureException',
      /^Date must be in ISO-8601/,
    ],
    [
      { ...request, rawHeaders: [...request.rawHeaders, 'X-Amz-Invocation-Type', 'Event'] },
      'InvalidSignatureException',
      /'x-amz-invocation-type' must be a 'SignedHeader'/,
    ],
    [
      { ...request, rawHeaders: [...request.rawHeaders, 'Authorization', 'x'] },
      'InvalidSignatureException',
      /does not match/,
    ],
    [
      { ...request, url: `${request.url}?X-Amz-Algorithm=AWS4-HMAC-SHA256` },
      'InvalidSignatureException',
      /does not match/,
    ],
    [
      await test
        .signed({ expiresSeconds: 60 })
        .then((one) => replaced(one, 'X-Amz-Expires=60', 'X-Amz-Expires=604801')),
      'IncompleteSignatureException',
      /less than a week/,
    ],
    [
      await test.signed({ expiresSeconds: 60 }).then((one) => replaced(one, /&X-Amz-Date=[^&]*/, '')),
      'IncompleteSignatureException',
      /must include 'X-Amz-Date'/,
    ],
  ]

  for (const [one, kind, message] of cases) {
    const error = test.refused(one, Buffer.from('{}'))
    assert.is(error.kind, kind, error.message)
    assert.match(error.message, message)
  }
})

sigv4('cover the body: another one is refused, whether the sender gave its hash or not', async () => {
  await using test = await open()
  const declared = await test.signed({ body: '{"a":1}' })
  const hash = declared.rawHeaders[declared.rawHeaders.indexOf('x-amz-content-sha256') + 1] ?? ''
  assert.is(hash.length, 64)

  assert.match(test.refused(declared, Buffer.from('{"a":2}')).message, 'does not match')
  const lied = replaced(declared, hash, '0'.repeat(64))
  assert.match(test.refused(lied, Buffer.from('{"a":1}')).message, 'does not match')
})

sigv4('that leave the body out are for private connections', async () => {
  await using test = await open()
  const headers = { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }
  const request = await test.signed({ headers, body: 'any' })

  assert.is(test.who(request, Buffer.from('other')), test.key.keyId)
  assert.match(test.refused(request, request.body, { isPrivate: false }).message, 'does not match')
})

sigv4('of a session need its token, and end with it', async () => {
  await using test = await open()
  const { keyId, secret, sessionToken } = test.keys.openSession('e-1', '000000000000', 'orders')
  const whole = await test.signed({ keyId, secret, sessionToken })
  const presigned = await test.signed({ keyId, secret, sessionToken, expiresSeconds: 60 })
  const without = await test.signed({ keyId, secret })
  const other = await test.signed({ keyId, secret, sessionToken: `${sessionToken}x` })

  assert.is(test.who(whole, whole.body), keyId)
  assert.is(test.who(presigned, presigned.body), keyId)
  assert.is(test.refused(without).kind, 'UnrecognizedClientException')
  assert.is(test.refused(other).kind, 'UnrecognizedClientException')
  test.keys.closeSession('e-1')
  assert.is(test.refused(whole).kind, 'UnrecognizedClientException')
})

sigv4('bearer tokens name their key; others name nobody', async () => {
  await using test = await open()
  const bearing = (token: string): SignedRequest => ({
    method: 'GET',
    url: '/lambent/v1/health',
    rawHeaders: ['Host', HOST, 'Authorization', `Bearer ${token}`],
  })

  assert.is(test.who(bearing(test.key.token), Buffer.alloc(0)), test.key.keyId)
  assert.is(test.refused(bearing(`${test.key.token}x`)).kind, 'UnrecognizedClientException')
  assert.is(test.who({ ...bearing(''), rawHeaders: ['Host', HOST] }, Buffer.alloc(0)), undefined)
  assert.is(test.authenticator.isOurs(bearing(test.key.token)), true)
  assert.is(test.authenticator.isOurs(bearing('x')), false)
})

sigv4.run()
