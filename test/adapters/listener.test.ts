import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { connectionLimit } from '../../adapters/connection-limit.ts'
import { createGuardPolicy } from '../../adapters/guard.ts'
import { openListener, type Listener, type RequestHandler } from '../../adapters/listener.ts'
import { systemClock } from '../../runtime/clock.ts'
import { createLog } from '../../runtime/log.ts'
import { rejectsWith } from '../support/assert.ts'
import { until, within } from '../support/until.ts'
import { isComplete, parseAnswer, readUntil, requestText, sendRaw } from './raw-client.ts'

const open = (face: 'api' | 'ingress', port = 0): Promise<Listener> =>
  openListener({
    host: '127.0.0.1',
    port,
    policy: createGuardPolicy({ face, listenHost: '127.0.0.1', allowHosts: [] }),
    maxConnections: 100,
    clock: systemClock,
    log: createLog({ level: 'silent', clock: systemClock, sink: () => {} }),
    requestId: () => 'an-id',
  })
const hello: RequestHandler = (_request, response) => response.end('hello')

/** A listener of each face that answers hello, and what counts the requests that came through. */
async function openBoth(): Promise<{ listeners: Listener[]; served: () => number } & AsyncDisposable> {
  let count = 0
  const listeners = [await open('api'), await open('ingress')]
  for (const listener of listeners) {
    listener.serve({
      handle: (request, response) => {
        count += 1
        hello(request, response)
      },
    })
  }
  return {
    listeners,
    served: () => count,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(listeners.map((listener) => listener.close(0)))
    },
  }
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND']
const refusals = suite('listener refusals')

refusals('two Hosts, none, and an absolute target never reach a handler, whatever the method', async () => {
  await using both = await openBoth()
  for (const { port } of both.listeners) {
    const host = `Host: localhost:${port}`
    for (const method of METHODS) {
      const end = 'Connection: close' // what has no body ends with its connection
      const requests = [
        requestText(method, '/', [host, 'Host: evil.test', end]),
        requestText(method, '/', [host, host, end]),
        requestText(method, 'http://evil.test/', [host, end]),
        `${method} / HTTP/1.0\r\n\r\n`,
      ]
      for (const text of requests) {
        const answer = await sendRaw(port, text)
        assert.is(answer.status, 400, text)
        if (method !== 'HEAD') assert.ok(JSON.parse(answer.body), text)
      }
    }
  }
  assert.is(both.served(), 0)
})

refusals('a rebound name is refused by both listeners, in JSON that SDKs read', async () => {
  await using both = await openBoth()
  for (const { port } of both.listeners) {
    const answer = await sendRaw(port, requestText('POST', '/', [`Host: evil.test:${port}`], '{}'))
    assert.is(answer.status, 421)
    assert.is(answer.headers['x-amzn-errortype'], 'MisdirectedRequestException')
    assert.is(answer.headers['x-amzn-requestid'], 'an-id')
    assert.match(answer.body, '--allow-host')
  }
  assert.is(both.served(), 0)
})

refusals('a foreign page is refused on the api port alone', async () => {
  await using both = await openBoth()
  const statuses: number[] = []
  for (const { port } of both.listeners) {
    const headers = [`Host: localhost:${port}`, 'Sec-Fetch-Site: cross-site']
    statuses.push((await sendRaw(port, requestText('GET', '/', headers))).status)
  }
  assert.equal(statuses, [403, 200])
})

refusals('too many header lines, too large ones, and nonsense get JSON and a status', async () => {
  await using both = await openBoth()
  const [{ port } = { port: 0 }] = both.listeners
  const host = `Host: localhost:${port}`
  const many = Array.from({ length: 300 }, (_, index) => `x-${index}: 1`)

  const lines = await sendRaw(port, requestText('GET', '/', [host, ...many]))
  const large = await sendRaw(port, requestText('GET', '/', [host, `x-a: ${'a'.repeat(20_000)}`]))
  const nonsense = await sendRaw(port, 'nonsense\r\n\r\n')

  assert.equal([lines.status, large.status, nonsense.status], [431, 431, 400])
  for (const answer of [lines, large, nonsense]) assert.ok(JSON.parse(answer.body))
  assert.is(both.served(), 0)
})

refusals.run()

const life = suite('listener life')

life('until there is something to serve it answers 503', async () => {
  const listener = await open('api')
  const text = requestText('GET', '/', [`Host: localhost:${listener.port}`])

  const early = await sendRaw(listener.port, text)
  listener.serve({ handle: hello })
  const later = await sendRaw(listener.port, `${text.trimEnd()}\r\nConnection: close\r\n\r\n`)

  assert.is(early.status, 503)
  assert.match(early.body, 'starting')
  assert.is(later.status, 200)
  await listener.close(0)
})

life('closing lets a running request finish, refuses the next, and cuts idle connections', async () => {
  const listener = await open('api')
  let finish: (() => void) | undefined
  listener.serve({ handle: (_request, response) => (finish = () => response.end('done')) })
  const text = requestText('GET', '/', [`Host: localhost:${listener.port}`])
  const busy = connect(listener.port, '127.0.0.1')
  busy.write(text)
  const idle = connect(listener.port, '127.0.0.1')
  await once(idle, 'connect')
  await until('the request runs', () => finish !== undefined)

  const closed = listener.close(10_000)
  busy.write(text) // pipelined behind the running one
  finish?.()
  const received = await within(
    'both answers',
    readUntil(busy, (all) => all.includes('takes no new work')),
  )
  await within('the end of all connections', closed)

  assert.match(received, 'done')
  assert.match(received, 'HTTP/1.1 503')
})

life('what does not finish in time is cut', async () => {
  const listener = await open('api')
  let running = false
  listener.serve({ handle: () => (running = true) })
  const socket = connect(listener.port, '127.0.0.1')
  socket.write(requestText('GET', '/', [`Host: localhost:${listener.port}`]))
  await until('the request runs', () => running)
  const cut = readUntil(socket, () => false)

  await within('the end', listener.close(20))

  assert.is(await within('the cut', cut), '')
})

life('a front that takes all connections over does not keep the listener from closing', async () => {
  const listener = await open('api')
  let taken = 0
  let disposed = false
  listener.serve({
    handle: hello,
    front: (server) => {
      server.removeAllListeners('connection')
      server.on('connection', () => (taken += 1))
      return { [Symbol.dispose]: () => (disposed = true) }
    },
  })
  const socket = connect(listener.port, '127.0.0.1')
  await until('the front has it', () => taken === 1)

  await within('the end', listener.close(20))

  assert.ok(disposed)
  socket.destroy()
})

life('pipelined requests are answered in order', async () => {
  const listener = await open('api')
  listener.serve({ handle: (request, response) => response.end(request.url) })
  const socket = connect(listener.port, '127.0.0.1')
  const ask = (path: string, more: string[] = []) =>
    requestText('GET', path, [`Host: localhost:${listener.port}`, ...more])

  socket.write(ask('/a') + ask('/b') + ask('/c', ['Connection: close']))
  const text = await within(
    'all answers',
    readUntil(socket, (all) => isComplete(all) && all.includes('/c')),
  )

  assert.ok(text.indexOf('/a') < text.indexOf('/b') && text.indexOf('/b') < text.indexOf('/c'))
  assert.is(parseAnswer(text).status, 200)
  await listener.close(0)
})

life.run()

const ports = suite('listener ports')

ports('a taken port names who has it', async () => {
  const holder = createServer()
  holder.listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const { port } = holder.address() as AddressInfo // it listens on TCP

  const error = await rejectsWith(open('api', port), 'conflict')

  assert.match(error.message, `Port ${port} on 127.0.0.1 is taken by `)
  if (process.platform === 'linux') assert.match(error.message, `process ${process.pid} (`)
  assert.match(error.hint ?? '', '--port')
  holder.close()
})

ports('another process that has the port is named with its command', async () => {
  const script = `require('net').createServer().listen(0,'127.0.0.1',function(){console.log(this.address().port)})`
  const child = spawn(process.execPath, ['-e', script, 'marker-argument'])
  const [printed] = (await once(child.stdout, 'data')) as [Buffer] // no encoding is set

  const error = await rejectsWith(open('api', Number(printed.toString())), 'conflict')

  if (process.platform === 'linux') {
    assert.match(error.message, `process ${child.pid} (`)
    assert.match(error.message, 'marker-argument')
  }
  child.kill()
  await once(child, 'exit')
})

ports('connections are bounded by open files', () => {
  assert.is(connectionLimit(16, 1024), 352)
  assert.is(connectionLimit(16, 256), 64)
  assert.is(connectionLimit(16, Number.MAX_SAFE_INTEGER), 16_384)
  assert.ok(connectionLimit(16) >= 64)
})

ports.run()
