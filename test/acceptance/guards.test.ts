import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseAnswer, readUntil, sendRaw, type RawAnswer } from '../adapters/raw-client.ts'
import { deploy, invoke, invokeUrl, startLambent, zipOf, type RunningLambent } from '../support/lambent.ts'
import { unlessMissing } from '../support/skip.ts'
import { until, within } from '../support/until.ts'

/** Counts its own calls: a refused request must not have run it. */
const COUNTING = `let calls = 0
exports.handler = async (event) => {
  if (event.reset) calls = 0
  else calls += 1
  return { calls, method: event.requestContext?.http?.method }
}`
const INVOKE = '/2015-03-31/functions/counting/invocations'
/** CONNECT has no path; the last is no method that Node knows. */
const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'CONNECT',
  'BREW',
]
/** With a path and an answer of their own. */
const PLAIN_METHODS = METHODS.slice(0, -2)

interface Ports {
  readonly lambent: RunningLambent
  readonly api: number
  readonly ingress: number
  /** Hosts of the function's two URLs, with and without CORS. */
  readonly corsHost: string
  readonly plainHost: string
}

let started: Promise<Ports> | undefined

/** One engine for this file, with a function and two URLs to it. */
const setUp = (): Promise<Ports> =>
  (started ??= (async () => {
    const lambent = await startLambent()
    const zip = await zipOf({ 'index.js': COUNTING })
    await deploy(lambent.url, 'counting', zip, { tags: { 'lambent:max-environments': '1' } })
    await deploy(lambent.url, 'plain', zip, { tags: { 'lambent:max-environments': '1' } })
    const corsHost = await createUrl(lambent.url, 'counting', {
      AllowOrigins: ['https://app.example'],
      AllowMethods: ['POST'],
      AllowHeaders: ['x-a'],
    })
    const plainHost = await createUrl(lambent.url, 'plain', undefined)
    const [api = 0, ingress = 0] = [lambent.url, lambent.httpUrl].map((url) => Number(new URL(url).port))
    return { lambent, api, ingress, corsHost, plainHost }
  })())

async function createUrl(url: string, name: string, cors: object | undefined): Promise<string> {
  const response = await fetch(`${url}/2021-10-31/functions/${name}/url`, {
    method: 'POST',
    body: JSON.stringify({ AuthType: 'NONE', ...(cors === undefined ? {} : { Cors: cors }) }),
  })
  assert.is(response.status, 201)
  const answer = (await response.json()) as { FunctionUrl: string }
  return new URL(answer.FunctionUrl).host
}

const send = (
  port: number,
  method: string,
  target: string,
  headers: readonly string[],
  body = '{}',
): Promise<RawAnswer> => {
  const bodyLess = ['GET', 'HEAD', 'TRACE', 'CONNECT'].includes(method)
  const sent = bodyLess ? '' : body
  const lines = [...headers, 'Connection: close', ...(sent === '' ? [] : [`Content-Length: ${sent.length}`])]
  const text = `${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${sent}`
  return within(text, sendRaw(port, text), 5000)
}

/** Fails unless the function ran exactly `count` times since this was asked last. */
async function assertCalls(url: string, count: number): Promise<void> {
  const { body } = await invoke(url, 'counting')
  assert.equal(body, { calls: count + 1 })
  await invoke(url, 'counting', { reset: true })
}

/** Node closes on CONNECT without a word; everything else is told why. */
const assertRefused = (
  answer: RawAnswer,
  method: string,
  statuses: readonly number[],
  what: string,
): void => {
  if (method === 'CONNECT' && Number.isNaN(answer.status)) return
  assert.ok(statuses.includes(answer.status), `${method} ${what}: ${answer.status} ${answer.body}`)
}

const guards = suite('the guards')

guards('a foreign Host, two Hosts, none, and an absolute target reach nothing on either port', async () => {
  const { lambent, api, ingress, corsHost } = await setUp()
  await assertCalls(lambent.url, 0)
  const targets = [
    { port: api, host: `localhost:${api}`, path: INVOKE },
    { port: ingress, host: corsHost, path: '/' },
  ]
  for (const { port, host, path } of targets) {
    for (const method of METHODS) {
      const foreign = [
        'evil.test',
        `evil.test:${port}`,
        `localhost.evil.test:${port}`,
        '0.0.0.0',
        '192.168.1.1',
      ]
      for (const name of foreign) {
        assertRefused(await send(port, method, path, [`Host: ${name}`]), method, [421, 400], name)
      }
      const twice = [`Host: ${host}`, 'Host: evil.test']
      assertRefused(await send(port, method, path, twice), method, [400], 'with two Hosts')
      assertRefused(await send(port, method, path, twice.toReversed()), method, [400], 'with two Hosts')
      assertRefused(await send(port, method, path, ['Accept: */*']), method, [400], 'without a Host')
      for (const absolute of [`http://evil.test${path}`, `http://${host}${path}`]) {
        const answer = await send(port, method, absolute, [`Host: ${host}`])
        assertRefused(answer, method, [400], absolute)
      }
    }
  }
  await assertCalls(lambent.url, 0)
})

guards('the same behind an invocation that was let in, on its connection', async () => {
  const { lambent, api } = await setUp()
  await assertCalls(lambent.url, 0)
  const request = (target: string, ...headers: string[]): string =>
    `POST ${target} HTTP/1.1\r\n${headers.join('\r\n')}\r\nContent-Length: 2\r\n\r\n{}`
  const good = request(INVOKE, `Host: localhost:${api}`)
  const bad: [text: string, status: number][] = [
    [request(INVOKE, 'Host: evil.test'), 421],
    [request(INVOKE, `Host: localhost:${api}`, 'Host: evil.test'), 400],
    [request(`http://localhost:${api}${INVOKE}`, `Host: localhost:${api}`), 400],
    [request(INVOKE, `Host: localhost:${api}`, 'Origin: http://evil.test'), 403],
    [request(INVOKE, `Host: localhost:${api}`, 'Sec-Fetch-Site: cross-site'), 403],
  ]
  for (const [text, status] of bad) {
    for (const pipelined of [true, false]) {
      const socket = connect(api, '127.0.0.1')
      socket.write(pipelined ? good + text + good : good)
      if (!pipelined) {
        await within(
          'an answer',
          readUntil(socket, (heard) => heard.includes('"calls"')),
        )
        socket.write(text + good)
      }
      const heard = await within(
        'the connection to close',
        readUntil(socket, () => false),
      )
      const last = parseAnswer(heard.slice(heard.lastIndexOf('HTTP/1.1 ')))
      assert.is(last.status, status, text)
    }
  }
  // The good one in front of each; what stands behind a refusal does not run.
  await assertCalls(lambent.url, bad.length * 2)
})

guards('a page from elsewhere may use no method of the api port', async () => {
  const { lambent, api } = await setUp()
  await assertCalls(lambent.url, 0)
  const signs = [
    ['Origin: http://evil.test'],
    ['Origin: null'],
    [`Origin: http://localhost:${api + 1}`],
    ['Sec-Fetch-Site: cross-site'],
    ['Sec-Fetch-Site: same-site'],
    [`Origin: http://localhost:${api}`, 'Sec-Fetch-Site: cross-site'],
    ['Sec-Fetch-Site: same-origin', 'Sec-Fetch-Site: cross-site'],
  ]
  for (const method of METHODS) {
    for (const path of [INVOKE, '/2015-03-31/functions', '/metrics', '/lambent/v1/health']) {
      for (const sign of signs) {
        const answer = await send(api, method, path, [`Host: localhost:${api}`, ...sign])
        const statuses = method === 'BREW' ? [400] : [403]
        assertRefused(answer, method, statuses, `${path} ${sign.join()}`)
        assert.not('access-control-allow-origin' in answer.headers)
      }
    }
  }
  await assertCalls(lambent.url, 0)
})

guards('what is no browser, and our own pages, use both ports', async () => {
  const { lambent, api, ingress, corsHost, plainHost } = await setUp()
  await assertCalls(lambent.url, 0)
  for (const host of [`localhost:${api}`, `127.0.0.1:${api}`, `[::1]:${api}`, 'a.localhost']) {
    const own = [`Origin: http://${host}`, 'Sec-Fetch-Site: same-origin']
    for (const headers of [[], own, ['Sec-Fetch-Site: none'], ['User-Agent: curl/8', 'Accept: */*']]) {
      const answer = await send(api, 'POST', INVOKE, [`Host: ${host}`, ...headers])
      assert.is(answer.status, 200, `${host} ${headers.join()} ${answer.body}`)
    }
  }
  await assertCalls(lambent.url, 16)
  for (const host of [corsHost, plainHost]) {
    for (const method of PLAIN_METHODS) {
      const answer = await send(ingress, method, '/', [`Host: ${host}`])
      assert.is(answer.status, 200, method)
      if (method !== 'HEAD') assert.match(answer.body, `"method":"${method}"`)
    }
  }
  assert.is((await fetch(`${lambent.url}/metrics`)).status, 200)
  assert.is((await fetch(invokeUrl(lambent.url, 'plain'), { method: 'POST', body: '{}' })).status, 200)
  await invoke(lambent.url, 'counting', { reset: true })
})

guards('on the ingress port a URL’s Cors decides what a page from elsewhere may read', async () => {
  const { lambent, ingress, corsHost, plainHost } = await setUp()
  const fromPage = (host: string, method: string, origin: string, ...headers: string[]): Promise<RawAnswer> =>
    send(ingress, method, '/', [
      `Host: ${host}`,
      `Origin: ${origin}`,
      'Sec-Fetch-Site: cross-site',
      ...headers,
    ])
  const asks = ['Access-Control-Request-Method: POST', 'Access-Control-Request-Headers: x-a']

  const preflight = await fromPage(corsHost, 'OPTIONS', 'https://app.example', ...asks)
  assert.is(preflight.headers['access-control-allow-origin'], 'https://app.example')
  assert.is(preflight.headers['access-control-allow-methods'], 'POST')
  const refused = await fromPage(corsHost, 'OPTIONS', 'http://evil.test', ...asks)
  assert.not('access-control-allow-origin' in refused.headers)
  await assertCalls(lambent.url, 0)

  const allowed = await fromPage(corsHost, 'POST', 'https://app.example')
  assert.is(allowed.headers['access-control-allow-origin'], 'https://app.example')
  const foreign = await fromPage(corsHost, 'POST', 'http://evil.test')
  assert.is(foreign.status, 200)
  assert.not('access-control-allow-origin' in foreign.headers)
  for (const method of PLAIN_METHODS) {
    const answer = await fromPage(plainHost, method, 'http://evil.test')
    assert.is(answer.status, 200, method)
    assert.not('access-control-allow-origin' in answer.headers)
  }
  await invoke(lambent.url, 'counting', { reset: true })
})

const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const chromium = [
  process.env.CHROMIUM_PATH ?? '',
  ...(process.env.PATH ?? '').split(delimiter).flatMap((path) => CHROMIUM.map((name) => join(path, name))),
].find((path) => path !== '' && existsSync(path))
const withBrowser = unlessMissing(
  guards,
  chromium === undefined ? 'no Chromium in PATH or CHROMIUM_PATH: rebinding in a real browser' : undefined,
)

withBrowser('a page whose name was bound to this machine reads nothing and runs nothing', async () => {
  const { lambent, api } = await setUp()
  await assertCalls(lambent.url, 0)
  const attacker = createServer((_request, response) =>
    response.setHeader('content-type', 'text/html').end('<h1>evil</h1>'),
  ).listen(0, '127.0.0.1')
  await until('the attacker listens', () => attacker.listening)
  const { chromium: engine } = await import('playwright-core')
  const browser = await engine.launch({
    executablePath: chromium ?? '',
    args: ['--no-sandbox', '--host-resolver-rules=MAP evil.test 127.0.0.1'],
  })
  try {
    const page = await browser.newPage()
    /** Runs in the page: what a script there sees of one request. */
    const attempt = (request: { url: string; method: string; mode: 'cors' | 'no-cors' }): Promise<string> =>
      page.evaluate(
        ({ url, method, mode }) =>
          fetch(url, { method, mode, ...(method === 'GET' ? {} : { body: '{}' }) }).then(
            (response) => `${response.type} ${response.status}`,
            () => 'failed',
          ),
        request,
      )
    await page.goto(`http://evil.test:${api}/`)
    for (const method of ['GET', 'POST', 'DELETE']) {
      assert.is(await attempt({ url: INVOKE, method, mode: 'cors' }), 'basic 421')
    }
    // the cast: a listening TCP server has an address with a port
    await page.goto(`http://evil.test:${(attacker.address() as AddressInfo).port}/`)
    for (const host of ['localhost', '127.0.0.1', '0.0.0.0']) {
      const url = `http://${host}:${api}${INVOKE}`
      assert.is(await attempt({ url, method: 'POST', mode: 'cors' }), 'failed')
      assert.match(await attempt({ url, method: 'POST', mode: 'no-cors' }), /^(opaque 0|failed)$/)
    }
  } finally {
    await browser.close()
    attacker.close()
  }
  await assertCalls(lambent.url, 0)
})

guards.after(async () => {
  await (await started)?.lambent[Symbol.asyncDispose]()
})

guards.run()
