import { once } from 'node:events'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { WebSocket } from 'ws'
import { ActorWorld } from '../support/actor-world.ts'
import { until } from '../support/until.ts'

/** Clients that are connected to actors through ingress: a chat, and events. */
const clients = suite('clients of actors')

const CHAT = `import { Actor, type ActorSocket, type FunctionConfig } from 'lambent'

export const config = {
  routes: [
    { route: 'GET /rooms/{key}', actor: 'Room' },
    { route: 'GET /rooms/{key}/events', actor: 'Room.events' },
  ],
} satisfies FunctionConfig

export class Room extends Actor {
  static options = { idle: '300ms' }
  woken = 0

  async start(): Promise<void> {
    await this.storage.put('starts', ((await this.storage.get<number>('starts')) ?? 0) + 1)
  }
  async connect(socket: ActorSocket): Promise<void> {
    const { name } = socket.query
    if (name === undefined) throw new Error('who are you?')
    socket.attachment = { name }
    this.tell(name + ' came')
  }
  async message(socket: ActorSocket, data: string | Uint8Array): Promise<void> {
    const { name } = socket.attachment as { name: string }
    if (data === 'leave') return socket.close(4000, 'as you wish')
    if (data === 'starts') return socket.send({ starts: await this.storage.get('starts') })
    await this.storage.put('last', data)
    this.tell(name + ': ' + (typeof data === 'string' ? data : data.length + ' bytes'))
  }
  async disconnect(socket: ActorSocket): Promise<void> {
    this.tell((socket.attachment as { name: string }).name + ' left')
  }
  tell(text: string): void {
    for (const socket of this.sockets) socket.send(text)
  }
  async *events({ to = '3' }: { to?: string }): AsyncGenerator<unknown> {
    for (let n = 1; n <= Number(to); n++) yield { n, room: this.key }
  }
}
export const handler = async (): Promise<string> => 'hi'
`

let running: Promise<ActorWorld> | undefined
const world = (): Promise<ActorWorld> => (running ??= ActorWorld.start({ chat: CHAT }))

class Guest {
  readonly heard: string[] = []
  readonly socket: WebSocket

  constructor(http: string, room: string, query: string) {
    this.socket = new WebSocket(`${http.replace('http', 'ws')}/rooms/${room}${query}`)
    this.socket.on('message', (data: Buffer) => this.heard.push(data.toString()))
  }

  async hears(text: string): Promise<void> {
    await until(`somebody says "${text}"; it was ${this.heard.join(', ')}`, () => this.heard.includes(text))
  }
}

async function enter(room: string, name: string): Promise<Guest> {
  const guest = new Guest((await world()).lambent.http, room, `?name=${name}`)
  await once(guest.socket, 'open')
  await guest.hears(`${name} came`)
  return guest
}

clients('what one says, all in the room hear, and nobody in another', async () => {
  const [ann, bob] = [await enter('blue', 'ann'), await enter('blue', 'bob')]
  const carl = await enter('red', 'carl')

  ann.socket.send('hello')
  bob.socket.send(Buffer.from([1, 2, 3]))

  for (const guest of [ann, bob]) {
    await guest.hears('ann: hello')
    await guest.hears('bob: 3 bytes')
  }
  assert.equal(carl.heard, ['carl came'])
  ann.socket.send('leave')
  const [code, reason] = (await once(ann.socket, 'close')) as [number, Buffer]
  assert.is(`${code} ${reason.toString()}`, '4000 as you wish')
  await bob.hears('ann left')
  bob.socket.terminate()
  carl.socket.terminate()
})

clients('a connection stays open while its actor sleeps, and wakes it', async () => {
  const one = await world()
  const dora = await enter('green', 'dora')
  await until('it sleeps', async () => {
    const { body } = await one.ask('GET', 'chat/Room/green')
    return (body as { state?: string }).state === 'asleep'
  })

  dora.socket.send('starts')
  await dora.hears('{"starts":2}')
  dora.socket.send('still me')

  await dora.hears('dora: still me')
  dora.socket.terminate()
})

clients('a connection outlives a crash of its actor', async () => {
  const one = await world()
  const emil = await enter('grey', 'emil')
  assert.is((await one.ask('POST', 'chat/Room/grey/kill')).status, 204)

  emil.socket.send('back')

  await emil.hears('emil: back')
  emil.socket.terminate()
})

clients('who is not let in is turned away', async () => {
  const guest = new Guest((await world()).lambent.http, 'blue', '')

  const [code] = (await once(guest.socket, 'close')) as [number]

  assert.is(code, 1008)
})

clients('pages of elsewhere may not connect', async () => {
  const { http } = (await world()).lambent
  const socket = new WebSocket(`${http.replace('http', 'ws')}/rooms/blue?name=eve`, {
    origin: 'https://evil.example',
  })
  socket.on('error', () => undefined)

  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode?: number }]

  assert.is(response.statusCode, 403)
})

clients('a generator is a stream of events', async () => {
  const { http } = (await world()).lambent

  const response = await fetch(`${http}/rooms/blue/events?to=2`)

  assert.is(response.headers.get('content-type'), 'text/event-stream')
  assert.is(await response.text(), 'data: {"n":1,"room":"blue"}\n\ndata: {"n":2,"room":"blue"}\n\n')
})

clients('a client is told when the server stops', async () => {
  const one = await world()
  const fred = await enter('last', 'fred')

  const closed = new Promise<number>((resolve) => fred.socket.on('close', resolve))
  fred.socket.on('error', () => undefined) // the process may be gone before it has read the client's goodbye
  await one.lambent.end('SIGTERM')

  assert.is(await closed, 1001)
  await one[Symbol.asyncDispose]()
})

clients.run()
