import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request, type IncomingHttpHeaders } from 'node:http'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startLambent, type RunningLambent } from '../support/lambent.ts'

/** Frameworks and handlers behind function URLs of a real engine; recordings say what AWS answers. */
const urls = suite('function URLs')

const here = dirname(fileURLToPath(import.meta.url))
const root = join(here, '..', '..')

let started: Promise<Deployed> | undefined

interface Deployed {
  readonly lambent: RunningLambent
  /** By function name: the address by path, without a slash at its end. */
  readonly addresses: ReadonlyMap<string, string>
}

const deployed = (): Promise<Deployed> => (started ??= start())

async function start(): Promise<Deployed> {
  const own = ['hono-app.ts', 'hono-stream.ts', 'plain.mjs', 'stream.ts'].map((file) =>
    join(here, 'urls', file),
  )
  const paths = [...own, join(root, 'functions', 'middleware')]
  const lambent = await startLambent({ argv: paths.flatMap((path) => ['--deploy', path]) })
  const response = await fetch(`${lambent.url}/lambent/v1/functions`)
  const { functions } = (await response.json()) as {
    functions: { name: string; urls: { urlByPath: string }[] }[]
  }
  const addresses = functions.map(
    ({ name, urls: [url] }) => [name, url?.urlByPath.replace(/\/$/, '') ?? ''] as const,
  )
  return { lambent, addresses: new Map(addresses) }
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** Between the first byte of the body and its last. */
  readonly spreadMs: number
}

/** One request with nothing added to it and nothing undone in its answer. */
async function call(
  name: string,
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<Answer> {
  const { addresses } = await deployed()
  const { method = options.body === undefined ? 'GET' : 'POST', headers = {}, body } = options
  const address = addresses.get(name)
  if (address === undefined) throw new Error(`${name} has no URL`)
  const { hostname, port, pathname } = new URL(address)
  return await new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path: `${pathname}${path}`, method, headers }, (response) => {
      const chunks: { readonly bytes: Buffer; readonly atMs: number }[] = []
      response.on('data', (bytes: Buffer) => chunks.push({ bytes, atMs: performance.now() }))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks.map((chunk) => chunk.bytes)),
          spreadMs: (chunks.at(-1)?.atMs ?? 0) - (chunks[0]?.atMs ?? 0),
        }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const json = (answer: Answer): unknown => JSON.parse(answer.body.toString('utf8'))

/** One recorded case of the real service. */
function recorded(name: string): Record<string, unknown> {
  const path = join(here, '..', 'conformance', 'recordings', 'lambda.json')
  const all = JSON.parse(readFileSync(path, 'utf8')) as Record<string, Record<string, unknown>> // our own copy
  const content = all[`test_lambda.py::TestLambdaURL::${name}`]?.['recorded-content']
  if (content === undefined) throw new Error(`No recording of ${name}.`)
  return content as Record<string, unknown>
}

urls('serve a Hono app: routes, queries, cookies, redirects, errors', async () => {
  const pet = await call('hono-app', '/pets/caf%C3%A9?tag=a&tag=b%20c')
  const cookies = await call('hono-app', '/cookies')
  const missing = await call('hono-app', '/nothing')
  const failed = await call('hono-app', '/fails')

  assert.equal(json(pet), { id: 'café', tags: ['a', 'b c'] })
  assert.is(pet.headers['content-type'], 'application/json')
  assert.is(cookies.status, 303)
  assert.is(cookies.headers.location, '/elsewhere')
  assert.equal(cookies.headers['set-cookie'], ['first=1; Path=/', 'second=2; Path=/'])
  assert.is(missing.status, 404)
  assert.is(failed.status, 500)
  assert.equal(json(failed), { failed: 'no' })
})

urls('carry bytes both ways', async () => {
  const bytes = randomBytes(100_000)

  const answer = await call('hono-app', '/bytes', { body: bytes, headers: { 'content-type': 'image/png' } })

  assert.is(answer.headers['x-sha256'], createHash('sha256').update(bytes).digest('hex'))
  assert.is(answer.headers['content-type'], 'image/png')
  assert.ok(answer.body.equals(bytes))
})

urls('stream a Hono app: the first word is there before the last is written', async () => {
  const words = await call('hono-stream', '/words')
  const missing = await call('hono-stream', '/missing')

  assert.is(words.body.toString(), 'firstlast')
  assert.is(words.headers['transfer-encoding'], 'chunked')
  assert.ok(words.spreadMs > 300, `both came within ${words.spreadMs} ms`)
  assert.is(missing.status, 404)
  assert.equal(json(missing), { found: false })
})

urls('run middy with its body parser, validation and error handling', async () => {
  const headers = { 'content-type': 'application/json' }
  const order = await call('middleware', '/', { headers, body: '{"item":"tea","quantity":2}' })
  const invalid = await call('middleware', '/', { headers, body: '{"item":"tea","quantity":0}' })
  const broken = await call('middleware', '/', { headers, body: '{"item"' })

  assert.is(order.status, 201)
  assert.equal(json(order), { ordered: 'tea', quantity: 2, total: 10 })
  assert.is(invalid.status, 422)
  assert.match(invalid.body.toString(), /quantity/)
  assert.is(broken.status, 415)
})

urls('give a streaming handler its prelude: status, headers, cookies', async () => {
  const bytes = randomBytes(64)
  const type = { 'content-type': 'application/octet-stream' }
  const answer = await call('stream', '/', { body: bytes, headers: type })
  const plain = await call('stream', '/plain')

  assert.is(answer.status, 418)
  assert.is(answer.headers['x-bytes'], '64')
  assert.equal(answer.headers['set-cookie'], ['a=1; Path=/', 'b=2'])
  assert.ok(answer.body.equals(Buffer.concat([bytes, Buffer.from('last')])))
  assert.ok(answer.spreadMs > 300, `all came within ${answer.spreadMs} ms`)
  assert.is(plain.status, 200)
  assert.is(plain.body.toString(), 'no prelude')
})

const RETURNS: readonly (readonly [recording: string, returned: unknown])[] = [
  ['dict', { hello: 'world' }],
  ['http-response', { statusCode: 200, body: 'body123' }],
  ['list-mixed', ['hello', 3, true]],
  ['string', 'hello'],
  ['integer', 3],
  ['float', 3.1],
]

for (const [name, returned] of RETURNS) {
  urls(`answer as recorded when a handler returns: ${name}`, async () => {
    const { content, headers, statuscode } = recorded(`test_lambda_url_invocation[${name}]`)
      .lambda_url_invocation as { content: unknown; headers: Record<string, string>; statuscode: number }

    const answer = await call('plain', '/answer', { body: JSON.stringify({ answer: returned }) })

    const text = answer.body.toString()
    assert.equal(typeof content === 'string' ? text : JSON.parse(text), content)
    assert.is(answer.status, statuscode)
    assert.is(answer.headers['content-type'], headers['Content-Type'])
    assert.is(answer.headers['content-length'], headers['Content-Length'])
  })
}

urls('hand over method, path, query, headers and body as recorded', async () => {
  const { url_response } = recorded('test_lambda_url_echo_http_fixture_default')
  const { headers: theirs, ...expected } = url_response as { headers: Record<string, string> }

  const answer = await call('plain', '/pa2%Fth/1?q=query&multiQuery=foo&multiQuery=%2Fbar', {
    body: '{"foo": "bar"}',
    headers: {
      accept: '*/*',
      'accept-encoding': 'gzip, deflate',
      'content-type': 'application/json',
      'ExTrA-HeadErs': 'With WeiRd CapS',
      'user-agent': 'test/echo',
    },
  })

  const { headers: ours, ...seen } = json(answer) as { headers: Record<string, string>; domain: string }
  const replaced = { ...expected, domain: seen.domain, origin: '127.0.0.1' }
  assert.equal(seen, replaced)
  // Values in angle brackets differ from request to request; the two about TLS cannot exist here.
  const fixed = Object.entries(theirs).filter(([, value]) => !value.startsWith('<'))
  assert.equal(
    fixed.filter(([name, value]) => ours[name] !== value),
    [],
  )
  const names = Object.keys(theirs).filter((name) => !name.startsWith('x-amzn-tls-'))
  assert.equal(Object.keys(ours).toSorted(), names.toSorted())
  assert.is(ours.host?.replace(/:\d+$/, ''), seen.domain)
})

urls('answer 502 when the handler throws', async () => {
  const thrown = await call('plain', '/throws')

  assert.is(thrown.status, 502)
  assert.is(thrown.body.toString(), 'Internal Server Error')
})

urls('are forbidden as recorded once their alias is deleted', async () => {
  const { lambent } = await deployed()
  const api = async (method: string, path: string, body?: unknown): Promise<Record<string, unknown>> => {
    const response = await fetch(`${lambent.url}${path}`, { method, body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    const text = await response.text()
    return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
  }
  const functions = '/2015-03-31/functions/plain'
  const { Version } = await api('POST', `${functions}/versions`, {})
  await api('POST', `${functions}/aliases`, { Name: 'live', FunctionVersion: Version })
  const made = await api('POST', '/2021-10-31/functions/plain/url?Qualifier=live', { AuthType: 'NONE' })
  const [id] = new URL(String(made['FunctionUrl'])).hostname.split('.')
  const url = `${lambent.httpUrl}/lambda-url/${id}/`

  const before = await fetch(url)
  await api('DELETE', `${functions}/aliases/live`)
  const after = await fetch(url)

  const gone = recorded('test_lambda_url_persists_after_alias_delete')
    .invoke_deleted_alias_url_response_delayed as { content: unknown; status_code: number }
  assert.is(before.status, 200)
  assert.is(after.status, gone.status_code)
  assert.equal(await after.json(), gone.content)
  assert.is(after.headers.get('x-amzn-errortype'), 'AccessDeniedException')
})

urls('stop cleanly in the end', async () => {
  assert.is(await (await deployed()).lambent.stop(), 0)
})

urls.run()
