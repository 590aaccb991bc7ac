import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createGuardPolicy, guard, MAX_HEADER_LINES } from '../../adapters/guard.ts'

const policyOf = (face: 'api' | 'ingress', allowHosts: string[] = [], listenHost = '127.0.0.1') =>
  createGuardPolicy({ face, listenHost, allowHosts })
const status = (headers: string[], face: 'api' | 'ingress' = 'api', url = '/', method = 'GET') =>
  guard(headers, url, method, policyOf(face))?.status

const hosts = suite('guard: hosts')

hosts('loopback in all its spellings is let in', () => {
  const spellings = ['localhost', 'LOCALHOST', '127.0.0.1', '127.200.3.4', '[::1]', 'a.b.localhost']
  for (const host of spellings) {
    assert.is(status(['Host', host]), undefined, host)
    assert.is(status(['host', `${host}:4700`]), undefined, `${host}:4700`)
  }
})

hosts('any other host is refused with 421', () => {
  const others = [
    'evil.test',
    'evil.test:4700',
    '0.0.0.0',
    '10.0.0.1',
    '127.0.0.1.evil.test',
    '127.0.0.999',
    'localhost.evil.test',
    'xlocalhost',
    '[::2]',
    '[::1',
    '',
    ':4700',
    'localhost:',
    'localhost:abc',
    'localhost, evil.test',
    'localhost evil',
    '.localhost',
    'evil.test/.localhost',
    'user@localhost',
  ]
  for (const host of others) {
    assert.is(status(['Host', host]), 421, host)
    assert.is(status(['Host', host], 'ingress'), 421, host)
  }
})

hosts('exactly one Host line is needed', () => {
  assert.is(status([]), 400)
  assert.is(status(['Host', 'localhost', 'hOsT', 'localhost']), 400)
  assert.is(status(['Host', 'localhost', 'Accept', '*/*', 'Host', 'evil.test']), 400)
})

hosts('names of --allow-host are let in, with a star also the names below', () => {
  const policy = policyOf('api', ['Box.lan', '*.functions.example'], '10.0.0.5')
  const check = (host: string) => guard(['Host', host], '/', 'GET', policy)?.status

  assert.is(check('box.lan:80'), undefined)
  assert.is(check('a.b.functions.example'), undefined)
  assert.is(check('10.0.0.5:4701'), undefined)
  assert.is(check('functions.example'), 421)
  assert.is(check('x.box.lan'), 421)
})

hosts('ingress also serves function URLs below its names, never below an address', () => {
  const policy = policyOf('ingress', ['box.lan'], '10.0.0.5')
  const check = (host: string) => guard(['Host', host], '/', 'GET', policy)?.status

  assert.is(check('abc.lambda-url.us-east-1.box.lan:4701'), undefined)
  assert.is(check('abc.lambda-url.us-east-1.10.0.0.5:4701'), 421)
  assert.is(check('evilbox.lan'), 421)
})

hosts('binding to every address adds no name', () => {
  for (const listenHost of ['0.0.0.0', '::']) {
    const policy = policyOf('api', [], listenHost)
    assert.is(guard(['Host', '0.0.0.0:4700'], '/', 'GET', policy)?.status, 421)
    assert.is(guard(['Host', '[::]:4700'], '/', 'GET', policy)?.status, 421)
  }
})

hosts('the host let in last is remembered, a refused one is not', () => {
  const policy = policyOf('api')

  assert.is(guard(['Host', 'evil.test'], '/', 'GET', policy)?.status, 421)
  assert.is(guard(['Host', 'localhost:1'], '/', 'GET', policy), undefined)
  assert.is(policy.lastHost, 'localhost:1')
  assert.is(guard(['Host', 'evil.test'], '/', 'GET', policy)?.status, 421)
  assert.is(policy.lastHost, 'localhost:1')
})

hosts('a target with a host of its own is refused', () => {
  for (const url of ['http://evil.test/', 'HTTP://localhost/', '*', '', 'evil.test:443', '@evil']) {
    assert.is(status(['Host', 'localhost'], 'api', url), 400, url)
    assert.is(status(['Host', 'localhost'], 'ingress', url), 400, url)
  }
})

hosts('more header lines than the bound are refused, not cut', () => {
  const lines = (count: number) => [
    'Host',
    'localhost',
    ...Array.from({ length: count - 1 }, () => ['x-a', '1']).flat(),
  ]

  assert.is(status(lines(MAX_HEADER_LINES)), undefined)
  assert.is(status(lines(MAX_HEADER_LINES + 1)), 431)
})

hosts.run()

const browsers = suite('guard: browsers')
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

browsers('on the api port a page from elsewhere is refused, whatever the method', () => {
  const foreign = [
    ['Origin', 'http://evil.test'],
    ['ORIGIN', 'null'],
    ['Origin', 'http://localhost:4701'],
    ['Origin', 'https://localhost:4700'],
    ['Sec-Fetch-Site', 'cross-site'],
    ['sec-fetch-site', 'same-site'],
    ['Origin', 'http://localhost:4700', 'Sec-Fetch-Site', 'cross-site'],
    ['Origin', 'http://localhost:4700', 'Origin', 'http://evil.test'],
  ]
  for (const method of METHODS) {
    for (const headers of foreign) {
      const given = ['Host', 'localhost:4700', ...headers]
      assert.is(status(given, 'api', '/', method), 403, `${method} ${headers.join(' ')}`)
    }
  }
})

browsers('our own pages, a typed address and programs are let in', () => {
  const own = [
    [],
    ['Origin', 'http://localhost:4700'],
    ['Origin', 'http://LOCALHOST:4700', 'Sec-Fetch-Site', 'same-origin'],
    ['Sec-Fetch-Site', 'none'],
    ['Referer', 'http://evil.test/'],
  ]
  for (const method of METHODS) {
    for (const headers of own) {
      assert.is(status(['Host', 'localhost:4700', ...headers], 'api', '/', method), undefined)
    }
  }
})

browsers('on ingress the origin is left to the Cors of each URL', () => {
  assert.is(status(['Host', 'localhost', 'Origin', 'http://evil.test'], 'ingress'), undefined)
})

browsers('behind a proxy its origin is ours', () => {
  const policy = createGuardPolicy({
    face: 'api',
    listenHost: '127.0.0.1',
    allowHosts: [],
    publicUrl: 'https://lambent.example',
  })
  const check = (origin: string) =>
    guard(['Host', 'lambent.example', 'Origin', origin], '/', 'POST', policy)?.status

  assert.is(check('https://lambent.example'), undefined)
  assert.is(check('https://evil.example'), 403)
})

browsers.run()

const fuzz = suite('guard: fuzz')

const headerName = fc.oneof(
  fc.constantFrom('Host', 'host', 'Origin', 'Sec-Fetch-Site', 'Accept', 'Cookie', 'X'),
  fc.string({ maxLength: 16 }),
)
const headerValue = fc.oneof(
  fc.constantFrom('localhost', 'localhost:4700', '127.0.0.1', '[::1]', 'evil.test', 'http://localhost:4700'),
  fc.string({ maxLength: 40 }),
)

fuzz('whatever is let in has one allowed host, a path, and no foreign origin', () => {
  const policy = policyOf('api')
  const request = fc.record({
    headers: fc.array(fc.tuple(headerName, headerValue), { maxLength: 8 }),
    url: fc.oneof(
      fc.constant('/'),
      fc.string(),
      fc.string().map((text) => `/${text}`),
    ),
    method: fc.constantFrom(...METHODS),
  })

  fc.assert(
    fc.property(request, ({ headers, url, method }) => {
      const refusal = guard(headers.flat(), url, method, policy)

      const named = (name: string) => headers.filter(([given]) => given.toLowerCase() === name)
      const [host] = named('host')
      const facts = {
        oneHost: named('host').length === 1,
        allowed: host !== undefined && isLoopbackByUrl(host[1]),
        path: url.startsWith('/'),
        own: named('origin').every(
          ([, value]) => value.toLowerCase() === `http://${host?.[1].toLowerCase()}`,
        ),
        sameSite: named('sec-fetch-site').every(([, value]) => ['same-origin', 'none'].includes(value)),
      }
      const expected = Object.values(facts).every(Boolean)
      assert.is(refusal === undefined, expected, JSON.stringify({ headers, url, refusal, facts }))
    }),
    { numRuns: 5000 },
  )
})

/** Judges a host by the platform's URL parser instead of the guard's own reading. */
function isLoopbackByUrl(host: string): boolean {
  if (!/^[a-z0-9.:[\]-]+$/i.test(host) || host.endsWith(':')) return false
  let name: string
  try {
    name = new URL(`http://${host}/`).hostname
  } catch {
    return false
  }
  const spelled = host.toLowerCase().replace(/:\d+$/, '')
  if (spelled !== name) return false // shorthand such as 127.1 is not a spelling we take
  return (
    name === 'localhost' || name === '[::1]' || name.endsWith('.localhost') || /^127(\.\d+){3}$/.test(name)
  )
}

fuzz.run()
