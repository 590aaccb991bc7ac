import { Actor, type ActorSocket, type FunctionConfig } from 'lambent'
import { page } from './page.ts'

/** A chat: every room is an actor that holds its people's connections and remembers what was said last. */
export const config = {
  routes: ['GET /chat/{room}', { route: 'GET /rooms/{key}', actor: 'Room' }],
} satisfies FunctionConfig

const KEPT = 100
const MAX_TEXT = 1000

interface Said {
  readonly from: string
  readonly text: string
  readonly timeMs: number
}

/** One room. It sleeps while nobody talks; its connections stay open, and a message wakes it. */
export class Room extends Actor {
  async connect(socket: ActorSocket): Promise<void> {
    const name = (socket.query['name'] ?? '').slice(0, 40) || 'guest'
    socket.attachment = { name }
    for (const said of await this.said()) socket.send({ kind: 'said', ...said })
    this.#tell({ kind: 'news', text: `${name} came in` })
    this.#tellWhoIsHere()
  }

  async message(socket: ActorSocket, data: string | Uint8Array): Promise<void> {
    const text = textOf(data)
    if (text !== undefined) await this.say(nameOf(socket), text)
  }

  disconnect(socket: ActorSocket): void {
    this.#tell({ kind: 'news', text: `${nameOf(socket)} left` })
    this.#tellWhoIsHere()
  }

  /** Says something in the room: its people see it. */
  async say(from: string, text: string): Promise<void> {
    const said = { from, text: text.slice(0, MAX_TEXT), timeMs: Date.now() }
    await this.storage.put('said', [...(await this.said()), said].slice(-KEPT))
    this.#tell({ kind: 'said', ...said })
  }

  /** What was said last, oldest first. */
  async said(): Promise<Said[]> {
    return (await this.storage.get<Said[]>('said')) ?? []
  }

  #tellWhoIsHere(): void {
    this.#tell({ kind: 'people', names: this.sockets.map(nameOf) })
  }

  #tell(message: object): void {
    for (const socket of this.sockets) socket.send(message)
  }
}

const nameOf = (socket: ActorSocket): string =>
  (socket.attachment as { name?: string } | undefined)?.name ?? 'guest' // what `connect` put there

/** A message is `{"text":"…"}`; anything else says nothing. */
function textOf(data: string | Uint8Array): string | undefined {
  try {
    const message = JSON.parse(String(data)) as { text?: unknown } | null // from a browser: looked at below
    return typeof message?.text === 'string' && message.text !== '' ? message.text : undefined
  } catch {
    return undefined
  }
}

/** Of a request for the page. */
interface PageEvent {
  readonly pathParameters?: { readonly room?: string }
}

export const handler = async (event: PageEvent) => ({
  statusCode: 200,
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body: page(event.pathParameters?.room ?? 'lobby'),
})
