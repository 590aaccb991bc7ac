import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { AuthError } from '../../../adapters/auth/auth-error.ts'
import { Authenticator } from '../../../adapters/auth/authenticator.ts'
import { canonicalPath, canonicalQuery, type SignedRequest } from '../../../adapters/auth/canonical.ts'
import { openTestKeys } from './key-ring.ts'
import { sign } from './signing.ts'

const fuzz = suite('signatures under fuzzing')

interface Sent extends SignedRequest {
  readonly body: Buffer
}

const segment = fc
  .string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
  .filter((text) => !/^\.+$/.test(text))
const requests = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
  path: fc
    .array(segment, { minLength: 1, maxLength: 5 })
    .map((parts) => `/${parts.map((part) => encodeURIComponent(part)).join('/')}`),
  query: fc.dictionary(
    fc
      .string({ minLength: 1, maxLength: 6, unit: 'grapheme' })
      .filter((name) => !/^x-amz-|^__proto__$/i.test(name)),
    fc.oneof(
      fc.string({ maxLength: 8, unit: 'grapheme' }),
      fc.array(fc.string({ maxLength: 3 }), { minLength: 1, maxLength: 3 }),
    ),
    { maxKeys: 4 },
  ),
  headers: fc.dictionary(
    fc.stringMatching(/^x-amz-meta-[a-z]{1,4}$/),
    fc.stringMatching(/^[!-~]([ -~]{0,10}[!-~])?$/),
    { maxKeys: 3 },
  ),
  body: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  presigned: fc.boolean(),
})

/** What a change must not leave as it was: everything that means something to who answers the request. */
const meaning = ({ method, url, rawHeaders, body }: Sent): string => {
  const [path = '', query = ''] = [url.split('?')[0], url.slice((url.split('?')[0] ?? '').length + 1)]
  const headers = rawHeaders.map((text, index) =>
    index % 2 === 0 ? text.toLowerCase() : text.trim().replaceAll(/ +/g, ' '),
  )
  return JSON.stringify([method, canonicalPath(path), canonicalQuery(query), headers, body.toString('hex')])
}

const changed = (text: string, at: number, to: number): string => {
  const place = at % text.length
  const character = String.fromCharCode(0x21 + ((text.charCodeAt(place) - 0x21 + 1 + (to % 93)) % 94))
  return text.slice(0, place) + character + text.slice(place + 1)
}

/** One character of a request changed, somewhere. */
function mutate(sent: Sent, part: number, at: number, to: number): Sent {
  const { method, url, rawHeaders, body } = sent
  const lines = rawHeaders.length / 2
  const choice = part % (lines + 3)
  if (choice === 0) return { ...sent, url: `/${changed(url.slice(1), at, to)}` }
  if (choice === 1) return { ...sent, method: method === 'GET' ? 'POST' : 'GET' }
  if (choice === 2) {
    const other = Buffer.from(body)
    if (other.length === 0) return { ...sent, body: Buffer.from('x') }
    other[at % other.length] = ((other[at % other.length] ?? 0) + 1 + (to % 255)) % 256
    return { ...sent, body: other }
  }
  const index = (choice - 3) * 2 + 1
  const value = rawHeaders[index] ?? ''
  if (value === '') return { ...sent, rawHeaders: rawHeaders.with(index, 'x') }
  return { ...sent, rawHeaders: rawHeaders.with(index, changed(value, at, to)) }
}

fuzz('every request that AWS’s SDK signs is believed; with one character changed, none is', async () => {
  await using opened = await openTestKeys()
  const key = await opened.keys.create({ name: 'ci', account: '000000000000', scopes: ['admin'] })
  const other = await opened.keys.create({ name: 'other', account: '000000000000', scopes: ['admin'] })
  const authenticator = new Authenticator(opened)
  const believed = (sent: Sent): boolean => {
    try {
      const claim = authenticator.identify(sent, ['lambda'], { isPrivate: false })
      claim?.checkBody?.(sent.body)
      return claim !== undefined
    } catch (error) {
      if (error instanceof AuthError) return false
      throw error // a request must never break the verifier
    }
  }
  let changes = 0
  await fc.assert(
    fc.asyncProperty(
      requests,
      fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat()), { minLength: 20, maxLength: 20 }),
      async ({ presigned, ...wanted }, mutations) => {
        const { keyId, secret } = key
        const atMs = opened.clock.nowMs()
        const sent = await sign({
          ...wanted,
          keyId,
          secret,
          atMs,
          ...(presigned ? { expiresSeconds: 60 } : {}),
        })
        assert.ok(believed(sent), JSON.stringify(sent))
        for (const [part, at, to] of mutations) {
          const mutant = mutate(sent, part, at, to)
          if (meaning(mutant) === meaning(sent)) continue
          changes += 1
          assert.not.ok(believed(mutant), JSON.stringify({ sent, mutant }))
        }
        const swapped = sent.rawHeaders.map((text) => text.replace(keyId, other.keyId))
        assert.not.ok(believed({ ...sent, rawHeaders: swapped, url: sent.url.replace(keyId, other.keyId) }))
      },
    ),
    { numRuns: 500 },
  )
  assert.ok(changes > 5000, `${changes} changes were tried`)
})

fuzz('whatever stands where a signature should is answered, never believed and never a crash', async () => {
  await using opened = await openTestKeys()
  const { keyId } = await opened.keys.create({ name: 'ci', account: '000000000000', scopes: ['admin'] })
  const authenticator = new Authenticator(opened)
  const text = fc.string({ maxLength: 80 })
  const header = fc.oneof(
    text,
    text.map((rest) => `AWS4-HMAC-SHA256 ${rest}`),
    fc
      .tuple(text, text, text)
      .map(
        ([scope, names, signature]) =>
          `AWS4-HMAC-SHA256 Credential=${keyId}/20260102/us-east-1/lambda/aws4_request${scope}, SignedHeaders=host;x-amz-date${names}, Signature=${signature}`,
      ),
    text.map((rest) => `Bearer ${rest}`),
  )
  fc.assert(
    fc.property(header, text, text, (authorization, date, query) => {
      const request = {
        method: 'GET',
        url: `/2015-03-31/functions?X-Amz-${query}`,
        rawHeaders: ['Host', 'localhost', 'Authorization', authorization, 'X-Amz-Date', date],
      }
      authenticator.isOurs(request)
      try {
        const claim = authenticator.identify(request, ['lambda'], { isPrivate: true })
        if (claim === undefined) return
        claim.checkBody?.(Buffer.alloc(0))
      } catch (error) {
        if (error instanceof AuthError) return
        throw error
      }
      throw new Error('It was believed.')
    }),
    { numRuns: 3000 },
  )
})

fuzz.run()
