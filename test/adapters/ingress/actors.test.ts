import { once } from 'node:events'
import { connect } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import type { ActorRequest, IngressActors } from '../../../adapters/ingress/actor-target.ts'
import { unpackAnswer } from '../../../adapters/ingress/actor-target.ts'
import { RouteInput } from '../../../adapters/ingress/route-settings.ts'
import { packError, packValue } from '../../../runtime/environments/call-payload.ts'
import { FLAG } from '../../../runtime/environments/frames.ts'
import {
  packSocketData,
  readOpenSockets,
  readSocketData,
  readSocketRequest,
  SOCKET_LIMITS,
} from '../../../runtime/environments/socket-messages.ts'
import { EngineError } from '../../../runtime/errors.ts'
import { encode } from '../../../runtime/sdk/codec/encode.ts'
import type { ActorAddress } from '../../../runtime/store/actors.ts'
import { until } from '../../support/until.ts'
import { echoing, startIngress, type HarnessOptions, type IngressHarness } from './harness.ts'

const actors = suite('clients of actors on ingress')

type Host = Parameters<IngressActors['serveSockets']>[0]

/** The engine's actors by script: what was called waits for the test, or is answered at once. */
class ScriptedActors implements IngressActors {
  readonly calls: (ActorRequest & { address: ActorAddress; cancelled: boolean; taken: number })[] = []
  host: Host | undefined
  answers = (request: ActorRequest): void => request.sink.answered(0, Buffer.alloc(0))

  call(address: ActorAddress, request: ActorRequest): ReturnType<IngressActors['call']> {
    const call = { ...request, address, cancelled: false, taken: 0 }
    this.calls.push(call)
    this.answers(request)
    return {
      cancel: () => (call.cancelled = true),
      taken: (count) => (call.taken += count),
    }
  }

  serveSockets(host: Host): void {
    this.host = host
  }

  of(kind: string): (ActorRequest & { address: ActorAddress; cancelled: boolean; taken: number })[] {
    return this.calls.filter((call) => call.kind === kind)
  }
}

const ROOMS = { route: 'GET /rooms/{key}', actor: 'Room' }
const WATCH = { route: 'GET /rooms/{key}/events', actor: 'Room.watch' }

async function start(
  more: HarnessOptions = {},
): Promise<AsyncDisposable & { scripted: ScriptedActors; ingress: IngressHarness; url: string }> {
  const scripted = new ScriptedActors()
  const ingress = await startIngress(echoing, {}, { routes: [ROOMS, WATCH], actors: scripted, ...more })
  return {
    scripted,
    ingress,
    url: `127.0.0.1:${ingress.port}`,
    [Symbol.asyncDispose]: () => ingress[Symbol.asyncDispose](),
  }
}

const value = (of: unknown): Buffer => packValue([], encode(of).head)

actors('a client connects to the actor that its path names', async () => {
  await using world = await start()
  const client = new WebSocket(`ws://${world.url}/rooms/the%20blue%20one?name=ann`)
  await once(client, 'open')

  client.send('hello')
  client.send(Buffer.from([1, 2]))
  const [connect] = world.scripted.of('connect')
  const [first, second] = await until('both came', () => {
    const messages = world.scripted.of('message')
    return messages.length === 2 && messages
  })

  assert.equal(connect?.address, {
    scope: { account: '000000000000', region: 'us-east-1' },
    functionName: 'hello',
    className: 'Room',
    key: 'the blue one',
  })
  assert.equal(readSocketRequest(connect?.args ?? Buffer.alloc(0)), { query: { name: 'ann' } })
  assert.is(first?.name, connect?.name)
  assert.is(readSocketData(first?.args ?? Buffer.alloc(0)), 'hello')
  assert.equal(readSocketData(second?.args ?? Buffer.alloc(0)), new Uint8Array([1, 2]))
  client.terminate()
  await until('its end is told', () => world.scripted.of('disconnect')[0]?.name === connect?.name)
})

actors('an actor sends, attaches and closes; another actor cannot', async () => {
  await using world = await start()
  const client = new WebSocket(`ws://${world.url}/rooms/a`)
  const got: string[] = []
  client.on('message', (data: Buffer, isBinary) =>
    got.push(`${isBinary ? 'bytes' : 'text'} ${data.toString()}`),
  )
  await once(client, 'open')
  const connect = await until('it came', () => world.scripted.of('connect')[0])
  const { address, name: id } = connect
  const { host } = world.scripted
  await until('it is known', () => host?.socketsOf(address) !== '')

  host?.said({ ...address, key: 'b' }, id, 'send', packSocketData('not mine'))
  host?.said(address, id, 'send', packSocketData('hi'))
  host?.said(address, id, 'send', packSocketData(Buffer.from('raw')))
  host?.said(address, id, 'send', packSocketData({ n: 1 }))
  host?.said(address, id, 'attach', Buffer.from('{"name":"ann"}'))
  const open = readOpenSockets(host?.socketsOf(address) ?? '')
  host?.said(address, id, 'close', Buffer.from('4001\nenough'))
  const [code, reason] = (await once(client, 'close')) as [number, Buffer]

  assert.equal(got, ['text hi', 'bytes raw', 'text {"n":1}'])
  assert.equal(open, [{ id, query: {}, attachment: { name: 'ann' } }])
  assert.is(`${code} ${reason.toString()}`, '4001 enough')
  await until('its end is noticed', () => host?.socketsOf(address) === '')
})

actors('a connect hook that throws turns the client away', async () => {
  await using world = await start()
  world.scripted.answers = ({ sink }) =>
    sink.answered(FLAG.error, packError('Error', encode(new Error('no')).head))
  const client = new WebSocket(`ws://${world.url}/rooms/a`)

  const [code] = (await once(client, 'close')) as [number]

  assert.is(code, 1008)
  assert.equal(world.scripted.of('disconnect'), [])
})

actors('what a client sends ahead of the actor is bounded, and kept in order', async () => {
  await using world = await start()
  const client = new WebSocket(`ws://${world.url}/rooms/a`)
  await once(client, 'open')
  await until('it is let in', () => world.scripted.of('connect').length === 1)
  const held: ActorRequest[] = []
  world.scripted.answers = (request) => void held.push(request)

  for (let n = 0; n < 200; n++) client.send(`${n}`)
  await until('some came', () => held.length >= SOCKET_LIMITS.waiting)
  const ahead = held.length
  let answered = 0
  while (answered < 200) {
    const next = await until('the next came', () => held[answered])
    answered++
    next.sink.answered(0, Buffer.alloc(0))
  }

  assert.ok(ahead === SOCKET_LIMITS.waiting, `${ahead} came at once`)
  assert.equal(
    world.scripted.of('message').map(({ args }) => readSocketData(args)),
    [...Array(200).keys()].map(String),
  )
  client.terminate()
})

actors('a message that is too large ends its connection', async () => {
  await using world = await start()
  const client = new WebSocket(`ws://${world.url}/rooms/a`)
  await once(client, 'open')

  client.send('x'.repeat(SOCKET_LIMITS.messageBytes + 1))
  const [code] = (await once(client, 'close')) as [number]

  assert.is(code, 1009)
  assert.equal(world.scripted.of('message'), [])
})

actors('an actor that cannot be reached closes the connection with the reason', async () => {
  await using world = await start()
  world.scripted.answers = ({ sink }) => sink.failed(new EngineError('throttled', 'Its mailbox is full.'))
  const client = new WebSocket(`ws://${world.url}/rooms/a`)

  const [code, reason] = (await once(client, 'close')) as [number, Buffer]

  assert.is(`${code} ${reason.toString()}`, '1013 Its mailbox is full.')
})

actors('pages of other origins may connect only where the route says so', async () => {
  await using world = await start({
    routes: [
      ROOMS,
      { route: 'GET /open/{key}', actor: 'Room', cors: { allowOrigins: ['https://*.example.com'] } },
    ],
  })
  const statusOf = async (path: string, origin: string): Promise<number> => {
    const client = new WebSocket(`ws://${world.url}${path}`, { origin })
    return new Promise((resolve) => {
      client.on('open', () => resolve(101))
      client.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0))
      client.on('error', () => undefined)
    })
  }

  assert.is(await statusOf('/rooms/a', 'https://evil.example'), 403)
  assert.is(await statusOf('/rooms/a', `http://${world.url}`), 101)
  assert.is(await statusOf('/open/a', 'https://a.example.com'), 101)
  assert.is(await statusOf('/open/a', 'https://evil.example'), 403)
})

actors('a wish for another protocol elsewhere is left aside, body and all', async () => {
  await using world = await start({ routes: [ROOMS, { route: 'POST /plain' }, { route: 'GET /plain' }] })
  const ask = async (text: string): Promise<string> => {
    const socket = connect(world.ingress.port, '127.0.0.1')
    socket.end(text)
    let answer = ''
    for await (const chunk of socket) answer += String(chunk)
    return answer
  }
  const host = `Host: ${world.url}`
  const wish = 'Connection: Upgrade, close\r\nUpgrade: h2c'
  const text = 'Content-Type: text/plain\r\nContent-Length: 5'
  const socket = 'Connection: upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x'

  const posted = await ask(`POST /plain HTTP/1.1\r\n${host}\r\n${wish}\r\n${text}\r\n\r\nhello`)
  const websocket = await ask(`GET /plain HTTP/1.1\r\n${host}\r\n${socket}\r\n\r\n`)
  const foreign = await ask(
    `GET /rooms/a HTTP/1.1\r\nHost: evil.example\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\r\n`,
  )

  assert.match(posted, /^HTTP\/1\.1 200 /)
  assert.match(posted, '"body":"hello"')
  assert.match(websocket, /^HTTP\/1\.1 200 /)
  assert.match(foreign, /^HTTP\/1\.1 421 /)
})

actors('a plain request to a route of connections is told to upgrade', async () => {
  await using world = await start()

  const response = await fetch(`http://${world.url}/rooms/a`)

  assert.is(response.status, 426)
  await response.text()
})

actors('a generator’s items arrive as events, one by one, and its end ends them', async () => {
  await using world = await start()
  world.scripted.answers = () => undefined
  const asked = fetch(`http://${world.url}/rooms/a/events?since=4`)
  const call = await until('it was called', () => world.scripted.of('method')[0])
  call.sink.item?.(0, 0, value({ n: 1 }))
  const response = await asked
  call.sink.item?.(0, 1, value('two\nlines'))
  call.sink.answered(0, Buffer.alloc(0))

  assert.is(call.name, 'watch')
  assert.equal(unpackAnswer(0, call.args), [{ since: '4' }])
  assert.is(response.headers.get('content-type'), 'text/event-stream')
  assert.is(await response.text(), 'data: {"n":1}\n\ndata: "two\\nlines"\n\n')
  assert.is(call.taken, 2)
})

actors(
  'a generator that throws says so, in front of its items by status, behind them by an event',
  async () => {
    await using world = await start()
    world.scripted.answers = () => undefined
    const error = packError('RangeError', encode(new RangeError('too far')).head)
    const early = fetch(`http://${world.url}/rooms/a/events`)
    const first = await until('it was called', () => world.scripted.of('method')[0])
    first.sink.answered(FLAG.error, error)
    const late = fetch(`http://${world.url}/rooms/a/events`)
    const second = await until('it was called again', () => world.scripted.of('method')[1])
    second.sink.item?.(0, 0, value(1))
    second.sink.answered(FLAG.error, error)

    const refused = await early
    assert.is(refused.status, 500)
    await refused.text()
    assert.is(
      await (await late).text(),
      'data: 1\n\nevent: error\ndata: {"type":"RangeError","message":"too far"}\n\n',
    )
  },
)

actors('a client that leaves ends the generator; an item without JSON ends the events', async () => {
  await using world = await start()
  world.scripted.answers = () => undefined
  const leaving = new AbortController()
  const asked = fetch(`http://${world.url}/rooms/a/events`, { signal: leaving.signal }).catch(() => undefined)
  const first = await until('it was called', () => world.scripted.of('method')[0])
  leaving.abort()
  await asked
  await until('it is cancelled', () => first.cancelled)
  const bad = fetch(`http://${world.url}/rooms/a/events`)
  const second = await until('it was called again', () => world.scripted.of('method')[1])
  second.sink.item?.(0, 0, value(10n))

  assert.match(await (await bad).text(), 'no form in JSON')
  assert.ok(second.cancelled)
})

actors('a route to an actor needs its key', () => {
  for (const route of ['GET /rooms', 'POST /rooms/{key}', '$default']) {
    const { error } = RouteInput.safeParse({ route, function: 'hello', actor: 'Room' })
    assert.match(error?.message ?? '', 'GET /rooms/{key}', route)
  }
})

actors.run()
