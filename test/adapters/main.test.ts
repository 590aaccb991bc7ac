import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startLambent, type RunningLambent } from '../../adapters/main.ts'
import { systemClock } from '../../runtime/clock.ts'
import { readConfig, type ConfigInput } from '../../runtime/config.ts'
import { createLog } from '../../runtime/log.ts'
import { zipOf } from '../registry/zip-bytes.ts'
import { rejectsWith } from '../support/assert.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'
import { until, within } from '../support/until.ts'
import { requestText, sendRaw } from './raw-client.ts'

const settings = (folder: TemporaryDirectory, more: ConfigInput = {}) =>
  readConfig({ port: '0', 'http-port': '0', data: folder.join('data'), spares: '0', ...more })
const log = createLog({ level: 'silent', clock: systemClock, sink: () => {} })

interface Running extends AsyncDisposable {
  readonly lambent: RunningLambent
  readonly api: string
  readonly ingressPort: number
}

async function start(more: ConfigInput = {}): Promise<Running> {
  const folder = temporaryDirectory()
  const lambent = await startLambent(settings(folder, more), { log })
  return {
    lambent,
    api: lambent.urls.api,
    ingressPort: Number(new URL(lambent.urls.ingress).port),
    [Symbol.asyncDispose]: async () => {
      await lambent.stop()
      folder[Symbol.dispose]()
    },
  }
}

/** Creates a function whose handler is `text` and gives its URL's id. */
async function deploy(api: string, name: string, text: string, url: object = {}): Promise<string> {
  const code = zipOf([{ name: 'index.js', content: text }]).toString('base64')
  await post(`${api}/2015-03-31/functions`, {
    FunctionName: name,
    Role: 'arn:aws:iam::000000000000:role/any',
    Runtime: 'nodejs20.x',
    Handler: 'index.handler',
    Timeout: 30,
    Code: { ZipFile: code },
  })
  const config = await post(`${api}/2021-10-31/functions/${name}/url`, { AuthType: 'NONE', ...url })
  return /^http:\/\/([a-z0-9]+)\./.exec(config.FunctionUrl ?? '')?.[1] ?? ''
}

async function post(url: string, body: object): Promise<{ FunctionUrl?: string }> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) })
  assert.ok(response.ok, `${url}: ${response.status}`)
  return (await response.json()) as { FunctionUrl?: string } // of the Lambda API
}

/** A gate that handlers wait at: what they await is a request that is answered once the test opens it. */
async function startGate(): Promise<{ wait: string; open(): void } & AsyncDisposable> {
  const { promise, resolve } = opening()
  const server = createHttpServer((_request, response) => void promise.then(() => response.end('open')))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  return {
    wait: `await new Promise((resolve) => require('http').get('http://127.0.0.1:${port}/', (r) => r.resume().on('end', resolve)))`,
    open: resolve,
    [Symbol.asyncDispose]: async () => {
      resolve()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function opening(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((given) => (resolve = given))
  return { promise, resolve }
}

/** A response's body as text, in the pieces in which it arrives. */
async function* partsOf(response: Response): AsyncGenerator<string> {
  for await (const part of response.body ?? []) yield Buffer.from(part as Uint8Array).toString('utf8') // bytes
}

const main = suite('main')

main('a function answers by both forms of its URL, and its run and lines can be read', async () => {
  await using running = await start()
  const { api, ingressPort } = running
  const id = await deploy(
    api,
    'echo',
    `exports.handler = async (event) => { console.log('seen', event.rawPath); return event }`,
  )
  const read = async (host: string, path: string) => {
    const answer = await sendRaw(ingressPort, requestText('GET', path, [`Host: ${host}`]))
    assert.is(answer.status, 200)
    // The handler gives its event back.
    const event = JSON.parse(answer.body) as { headers: Record<string, string>; rawPath: string }
    return { event, requestId: answer.headers['x-amzn-requestid'] ?? '' }
  }

  const host = `${id}.lambda-url.us-east-1.localhost:${ingressPort}`
  const byHost = await read(host, '/a/b?c=d')
  const byPath = await read(`127.0.0.1:${ingressPort}`, `/lambda-url/${id}/a/b?c=d`)

  assert.is(byHost.event.rawPath, '/a/b')
  assert.is(byPath.event.rawPath, '/a/b')
  assert.is(byPath.event.headers['host'], byHost.event.headers['host'])
  const run = await until('the run can be read', async () => {
    const response = await fetch(`${api}/lambent/v1/runs/${byPath.requestId}`)
    return response.ok && (await response.json())
  })
  assert.is((run as { trigger: string }).trigger, 'url')
  const lines = await until('the lines can be read', async () => {
    const text = await (
      await fetch(`${api}/lambent/v1/functions/echo/logs?requestId=${byPath.requestId}`)
    ).text()
    return text.includes('REPORT') && text
  })
  assert.match(lines, 'seen /a/b')
  assert.match(await (await fetch(`${api}/metrics`)).text(), 'lambent_invocations_total{function="echo"')
  const listed = await (await fetch(`${api}/lambent/v1/functions`)).text()
  assert.match(listed, `http://${host}/`)
  assert.match(listed, `${running.lambent.urls.ingress}/lambda-url/${id}/`)
})

main('a streaming handler reaches its client part by part', async () => {
  await using gate = await startGate()
  await using running = await start()
  const id = await deploy(
    running.api,
    'parts',
    `exports.handler = awslambda.streamifyResponse(async (event, stream) => {
       const metadata = { statusCode: 202, headers: { 'x-a': 'b' }, cookies: ['c=1'] }
       stream = awslambda.HttpResponseStream.from(stream, metadata)
       stream.write('first')
       ${gate.wait}
       stream.end('last')
     })`,
    { InvokeMode: 'RESPONSE_STREAM' },
  )

  const response = await within('the head', fetch(`${running.lambent.urls.ingress}/lambda-url/${id}/`))
  const parts = partsOf(response)
  const first = await within('the first part', parts.next())
  gate.open()
  const last = await within('the last part', parts.next())

  assert.is(response.status, 202)
  assert.is(response.headers.get('x-a'), 'b')
  assert.is(response.headers.get('set-cookie'), 'c=1')
  assert.is(first.value, 'first')
  assert.is(last.value, 'last')
})

main('a log line reaches a follower while the function still runs', async () => {
  await using gate = await startGate()
  await using running = await start()
  const id = await deploy(
    running.api,
    'slow',
    `exports.handler = async () => { console.log('begun'); ${gate.wait}; return 1 }`,
  )
  const stream = await fetch(`${running.api}/lambent/v1/functions/slow/logs?follow=1`)

  const answer = fetch(`${running.lambent.urls.ingress}/lambda-url/${id}/`)
  let text = ''
  for await (const part of partsOf(stream)) {
    text += part
    if (text.includes('begun')) break
  }
  gate.open()

  assert.is(await (await answer).text(), '1')
  assert.not.match(text, 'REPORT')
})

main('a client that leaves lets the handler run to its end', async () => {
  await using gate = await startGate()
  await using running = await start()
  const id = await deploy(
    running.api,
    'left',
    `exports.handler = async () => { ${gate.wait}; console.log('went on'); return 1 }`,
  )
  const leaving = new AbortController()
  const answer = fetch(`${running.lambent.urls.ingress}/lambda-url/${id}/`, { signal: leaving.signal })
  await until('it runs', () => running.lambent.engine.health().inFlight === 1)

  leaving.abort()
  await answer.catch(() => {})
  gate.open()

  const lines = await until('the line can be read', async () => {
    const all = await (await fetch(`${running.api}/lambent/v1/functions/left/logs`)).text()
    return all.includes('went on') && all
  })
  assert.match(lines, 'went on')
})

main('stopping lets a running request finish and ends streams of events', async () => {
  await using gate = await startGate()
  const running = await start()
  const id = await deploy(
    running.api,
    'last',
    `exports.handler = async () => { ${gate.wait}; return 'finished' }`,
  )
  const events = await fetch(`${running.api}/lambent/v1/events`)
  const answer = fetch(`${running.lambent.urls.ingress}/lambda-url/${id}/`)
  await until('it runs', () => running.lambent.engine.health().inFlight === 1)

  const stopped = running.lambent.stop()
  await within('the end of the events', events.text())
  gate.open()
  const response = await within('the answer', answer)

  assert.is(await response.text(), 'finished')
  await within('the stop', stopped)
  const refused = await fetch(running.api).then(
    () => false,
    () => true,
  )
  assert.ok(refused)
  await running[Symbol.asyncDispose]()
})

main('the api port is closed to foreign pages and hosts, invocations included', async () => {
  await using running = await start()
  const port = Number(new URL(running.api).port)
  await deploy(running.api, 'guarded', `exports.handler = async () => 'ran'`)
  const path = '/2015-03-31/functions/guarded/invocations'
  const invoke = async (headers: string[]) =>
    (await sendRaw(port, requestText('POST', path, headers, '{}'))).status

  assert.is(await invoke([`Host: localhost:${port}`]), 200)
  assert.is(await invoke([`Host: evil.test:${port}`]), 421)
  assert.is(await invoke([`Host: localhost:${port}`, 'Origin: http://evil.test']), 403)
  assert.is(await invoke([`Host: localhost:${port}`, 'Sec-Fetch-Site: cross-site']), 403)
  assert.is(await invoke([`Host: localhost:${port}`, `Host: localhost:${port}`]), 400)
  assert.is(await invoke([`Host: localhost:${port}`, `Origin: http://localhost:${port}`]), 200)
})

main('what is unsafe, not built or taken is refused, and leaves nothing behind', async () => {
  using folder = temporaryDirectory()
  const holder = createServer()
  holder.listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const { port } = holder.address() as AddressInfo // it listens on TCP
  const starting = (more: ConfigInput) => startLambent(settings(folder, more), { log })

  const open = await rejectsWith(starting({ host: '0.0.0.0' }), 'invalid')
  const ray = await rejectsWith(starting({ cluster: 'ray' }), 'unsupported')
  const taken = await rejectsWith(starting({ 'http-port': String(port) }), 'conflict')

  assert.match(open.message, 'may not be bound to 0.0.0.0')
  assert.match(ray.message, 'not built yet')
  assert.match(taken.message, `process ${process.pid}`)
  holder.close()
  const lambent = await startLambent(settings(folder), { log })
  await rejectsWith(starting({}), 'conflict')
  await lambent.stop()
})

main.run()
