import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  encodeInvokeMeta,
  FLAG,
  FRAME,
  frame,
  FrameReader,
  readInitialized,
  RESULT_META_BYTES,
  type Hello,
  type Initialized,
  type Specialization,
} from '../../frames.ts'
import { after } from '../clock.ts'
import type { Connection } from '../connection.ts'
import { parsePayload } from '../payload.ts'
import type { Measures } from './answers.ts'
import { Desk } from './desk.ts'
import type { RuntimeEvents } from './runtime-events.ts'

/** Where a ResultMeta has the size of the log; see frames.ts. */
const LOG_BYTES_OFFSET = 8
/** What a child that has ended left in its socket is taken within this. */
const LAST_WORDS_MS = 500

/**
 * A Node.js runtime of our own in a child process, because something stands between: a wrapper program, or
 * extensions beside it. It speaks frames with us as it would with the engine, and most of them go through
 * as they are.
 */
export class NodeRelay {
  readonly #connection: Connection
  readonly #specialization: Specialization
  readonly #events: RuntimeEvents
  readonly #measures: Pick<Measures, 'logBytes' | 'flags'>
  readonly #desk: Desk
  readonly #token = randomBytes(24).toString('hex')
  readonly #folder = fs.mkdtempSync(join(tmpdir(), '.lambent-'))
  #server: Server | undefined
  #child: Socket | undefined

  /** `specialization` is what the child becomes. */
  constructor(options: {
    connection: Connection
    specialization: Specialization
    events: RuntimeEvents
    measures: Pick<Measures, 'logBytes' | 'flags'>
  }) {
    this.#connection = options.connection
    this.#specialization = options.specialization
    this.#events = options.events
    this.#measures = options.measures
    const { concurrency } = options.specialization
    this.#desk = new Desk({ connection: options.connection, concurrency, onWork: () => this.#serve() })
  }

  /** Waits for the child to dial; resolves with the variables by which it does. */
  listen(): Promise<Record<string, string>> {
    const path = join(this.#folder, 's')
    const server = createServer((socket) => this.#greet(socket))
    this.#server = server
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, () =>
        resolve({
          LAMBENT_SOCKET: path,
          LAMBENT_TOKEN: this.#token,
          // Where it is set already, a sweep finds this environment's processes by it.
          LAMBENT_ENVIRONMENT_ID: this.#specialization.environment['LAMBENT_ENVIRONMENT_ID'] ?? 'runtime',
        }),
      )
    })
  }

  open(): void {
    this.#desk.open()
  }

  /** Hands nothing to the child until it is opened again. */
  pause(): void {
    this.#desk.pause()
  }

  accept(id: number, metaBytes: number, body: Buffer): void {
    this.#desk.accept(id, metaBytes, body)
  }

  recall(id: number): void {
    this.#desk.recall(id)
  }

  abort(id: number): void {
    this.#child?.write(frame(FRAME.abort, '', id))
  }

  credit(id: number, bytes: number): void {
    this.#child?.write(frame(FRAME.credit, '', id, 0, bytes))
  }

  /** Passes on what is meant for the child's code. */
  relay(type: number, flags: number, id: number, extra: number, body: Buffer): void {
    this.#child?.write(frame(type, body, id, flags, extra))
  }

  whenIdle(callback: () => void): void {
    this.#desk.whenIdle(callback)
  }

  /** The child has ended: calls back once everything that it had said before was taken. */
  whenHeard(then: () => void): void {
    this.#stopListening()
    if (this.#child === undefined || this.#child.destroyed) return then()
    let done = false
    const once = (): void => {
      if (!done) then()
      done = true
    }
    this.#child.once('close', once)
    after(LAST_WORDS_MS, once)
  }

  /** Every connection says who it is first. */
  #greet(socket: Socket): void {
    let known = false
    socket.on('error', () => {}) // its process ends, which is seen otherwise
    const reader = new FrameReader((type, flags, id, extra, body) => {
      if (known) return this.#receive(type, flags, id, extra, body)
      const hello = JSON.parse(body.toString('utf8')) as Hello // the program that sends it is this one
      if (type !== FRAME.hello || hello.token !== this.#token) return void socket.destroy()
      known = true
      this.#child = socket
      this.#stopListening()
    })
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk)
      } catch {
        socket.destroy() // not of our program: the child ends without its connection
      }
    })
  }

  /** The socket's file is gone before user code can see it. */
  #stopListening(): void {
    this.#server?.close()
    this.#server = undefined
    fs.rmSync(this.#folder, { recursive: true, force: true })
  }

  #receive(type: number, flags: number, id: number, extra: number, body: Buffer): void {
    switch (type) {
      case FRAME.ready:
        return void this.#child?.write(frame(FRAME.specialize, this.#specialization))
      case FRAME.initialized:
        return this.#initialized(readInitialized(body))
      case FRAME.result:
      case FRAME.streamEnd:
        return this.#answered(type, flags, id, extra, body)
      case FRAME.streamStart:
        this.#responding(id)
        return this.#pass(type, flags, id, extra, body)
      case FRAME.streamData:
        this.#count(id, body.length)
        return this.#pass(type, flags, id, extra, body)
      default:
        this.#pass(type, flags, id, extra, body)
    }
  }

  #pass(type: number, flags: number, id: number, extra: number, body: Buffer): void {
    this.#connection.send(frame(type, body, id, flags, extra))
  }

  #responding(id: number): void {
    const invocation = this.#desk.running.get(id)
    if (invocation !== undefined) this.#events.responding(invocation)
  }

  #count(id: number, bytes: number): void {
    const invocation = this.#desk.running.get(id)
    if (invocation !== undefined) invocation.producedBytes += bytes
  }

  #answered(type: number, flags: number, id: number, extra: number, body: Buffer): void {
    this.#events.answering()
    body.writeDoubleLE(this.#measures.logBytes(), LOG_BYTES_OFFSET)
    const invocation = this.#desk.running.get(id)
    if (invocation !== undefined) {
      const payload = body.subarray(RESULT_META_BYTES)
      invocation.producedBytes += payload.length
      if (flags & FLAG.error) invocation.error = payload
    }
    this.#pass(type, flags | this.#measures.flags(), id, extra, body)
    this.#finish(id)
  }

  #initialized(initialized: Initialized): void {
    this.#events.answering()
    if (initialized.error === undefined) return this.#events.ready(initialized)
    this.#events.initFailed(initialized)
  }

  #finish(id: number): void {
    const invocation = this.#desk.running.get(id)
    if (invocation === undefined) return
    this.#events.ended(invocation)
    this.#events.waiting()
    this.#desk.finish(invocation)
  }

  #serve(): void {
    for (let next = this.#desk.take(); next !== undefined; next = this.#desk.take()) {
      const parsed = next.meta.target === undefined ? parsePayload(next.payload) : undefined
      if (parsed?.ok === false) {
        this.#connection.send(frame(FRAME.notJson, parsed.reason, next.id))
        this.#desk.finish(next)
        continue
      }
      this.#events.started(next)
      const meta = Buffer.from(encodeInvokeMeta(next.meta))
      this.#child?.write(frame(FRAME.invoke, Buffer.concat([meta, next.payload]), next.id, 0, meta.length))
    }
  }
}
