import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { systemClock } from '../../../runtime/clock.ts'
import {
  encodeInvokeMeta,
  FLAG,
  FRAME,
  frame,
  FrameReader,
  RESULT_META_BYTES,
  type Hello,
  type Specialization,
} from '../../../runtime/environments/frames.ts'
import type {
  LaunchedProcess,
  Launcher,
  LaunchRequest,
  ProcessExit,
} from '../../../runtime/environments/launcher.ts'
import { createLocalLauncher } from '../../../runtime/environments/local-launcher.ts'
import type { LocalLauncherOptions } from '../../../runtime/environments/local-launcher-options.ts'
import { createLog } from '../../../runtime/log.ts'
import { systemRng } from '../../../runtime/rng.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temporary.ts'
import { within } from '../../support/until.ts'

/** The arrangements to test, by name: every one that this machine may have. */
export const ARRANGEMENTS = {
  none: { isolation: 'none' },
  'standard by bubblewrap': { isolation: 'standard', means: 'bubblewrap' },
  'standard by unshare': { isolation: 'standard', useBubblewrap: false, means: 'setpriv + unshare' },
  hardened: { isolation: 'hardened', means: 'bubblewrap' },
} as const
export type ArrangementName = keyof typeof ARRANGEMENTS

/** What a handler that runs whatever JavaScript it is sent looks like. */
const HANDLER = `exports.handler = async (event) => {
  const run = Object.getPrototypeOf(async () => {}).constructor
  return await new run('require', event.code)(require)
}`

/** A launcher with the engine's two sockets, and real environments behind them. */
export class Harness implements AsyncDisposable {
  readonly launcher: Launcher
  readonly folder: TemporaryDirectory
  readonly #servers: Server[]
  readonly #running: Map<string, Running>
  #count = 0

  private constructor(parts: {
    launcher: Launcher
    folder: TemporaryDirectory
    servers: Server[]
    running: Map<string, Running>
  }) {
    this.launcher = parts.launcher
    this.folder = parts.folder
    this.#servers = parts.servers
    this.#running = parts.running
  }

  static async open(
    options: Partial<LocalLauncherOptions>,
    folder: TemporaryDirectory = temporaryDirectory(),
  ): Promise<Harness> {
    const socketDirectory = folder.join('s')
    const dataDirectory = folder.join('data')
    mkdirSync(socketDirectory, { recursive: true })
    chmodSync(socketDirectory, 0o711)
    mkdirSync(dataDirectory, { recursive: true, mode: 0o700 })
    const running = new Map<string, Running>()
    const servers = await Promise.all([
      listen(join(socketDirectory, 'engine.sock'), (socket) => acceptFrames(socket, running)),
      listen(join(socketDirectory, 'log.sock'), (socket) => acceptLog(socket, running)),
    ])
    try {
      const launcher = await createLocalLauncher({
        dataDirectory,
        socketDirectory,
        isolation: 'auto',
        clock: systemClock,
        rng: systemRng(),
        log: createLog({
          level: process.env['TEST_LOG'] === undefined ? 'silent' : 'debug',
          clock: systemClock,
          sink: (line) => process.stderr.write(`${line}\n`),
        }),
        ...options,
      })
      return new Harness({ launcher, folder, servers, running })
    } catch (error) {
      for (const server of servers) server.close()
      folder[Symbol.dispose]()
      throw error
    }
  }

  /** A booted environment with our handler loaded. */
  async start(request: Partial<LaunchRequest> = {}): Promise<Running> {
    const environmentId = `${process.pid.toString(16)}e${(++this.#count).toString(16)}`.padStart(32, '0')
    const running = new Running(environmentId)
    this.#running.set(environmentId, running)
    running.process = await this.launcher.launch({
      environmentId,
      token: 'a-token',
      nodePath: process.execPath,
      nodeArguments: [],
      environment: {},
      layerDirectories: [],
      network: 'full',
      ephemeralMb: 64,
      gpuIndices: [],
      ...request,
    })
    const early = running.process.exited.then((exit) => {
      throw new Error(`It ended with ${JSON.stringify(exit)} and wrote: ${running.log}`)
    })
    // It ends later than this watches, mostly.
    early.catch(() => {})
    await within('environment to boot', Promise.race([running.ready, early]))
    // After the process has started, as the engine does it.
    writeFileSync(join(running.process.taskDirectory, 'index.js'), HANDLER, { mode: 0o444 })
    await running.load()
    return running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.launcher.close()
    for (const server of this.#servers) server.close()
    this.folder[Symbol.dispose]()
  }
}

/** One environment under test. */
export class Running {
  readonly environmentId: string
  /** Bytes of its log so far, and the newest of them as text. */
  logBytes = 0
  log = ''
  hello: Hello | undefined
  readonly ready: Promise<void>
  readonly closed: Promise<void>
  #process: LaunchedProcess | undefined
  #socket: Socket | undefined
  #onReady: () => void = () => {}
  #onClosed: () => void = () => {}
  #onInitialized: () => void = () => {}
  readonly #answers = new Map<number, (body: { error: boolean; value: unknown }) => void>()
  #nextId = 1

  constructor(environmentId: string) {
    this.environmentId = environmentId
    this.ready = new Promise((resolve) => (this.#onReady = resolve))
    this.closed = new Promise((resolve) => (this.#onClosed = resolve))
  }

  get process(): LaunchedProcess {
    if (this.#process === undefined) throw new Error('It was not launched.')
    return this.#process
  }

  set process(process: LaunchedProcess) {
    this.#process = process
  }

  async load(): Promise<void> {
    const specialization: Specialization = {
      functionName: 'probe',
      functionVersion: '$LATEST',
      memoryMb: 128,
      handler: 'index.handler',
      runtime: 'nodejs22.x',
      taskRoot: this.process.taskRoot,
      environment: { PATH: '/usr/local/bin:/usr/bin:/bin' },
      logFormat: 'Text',
      logLevel: 'INFO',
      logGroup: '/aws/lambda/probe',
      logStream: 'stream',
      concurrency: 1,
      refPrefix: 'o1',
    }
    const loaded = new Promise<void>((resolve) => (this.#onInitialized = resolve))
    this.#socket?.write(frame(FRAME.specialize, specialization))
    await within(`code to load; it wrote: ${this.log}`, loaded)
  }

  /** Sends code to run and does not wait for it. */
  send(code: string): number {
    const id = this.#nextId++
    const meta = Buffer.from(
      encodeInvokeMeta({
        requestId: `00000000-0000-4000-8000-${id.toString().padStart(12, '0')}`,
        deadlineMs: Date.now() + 60_000,
        invokedArn: 'arn:aws:lambda:us-east-1:000000000000:function:probe',
        traceId: '',
        clientContext: '',
        tenantId: '',
      }),
    )
    const body = Buffer.concat([meta, Buffer.from(JSON.stringify({ code }))])
    this.#socket?.write(frame(FRAME.invoke, body, id, 0, meta.length))
    return id
  }

  /**
   * The value of JavaScript run inside; its last statement is a `return`. Rejects with the error it threw.
   */
  async run<T>(code: string): Promise<T> {
    const answered = new Promise<{ error: boolean; value: unknown }>((resolve) =>
      this.#answers.set(this.send(code), resolve),
    )
    const ended = this.process.exited.then((exit) => {
      throw new Error(`It ended with ${JSON.stringify(exit)}.`)
    })
    // It ends later than this watches, mostly.
    ended.catch(() => {})
    const answer = await within(`an answer to ${code}`, Promise.race([answered, ended]), 20_000)
    if (answer.error) throw new Error(JSON.stringify(answer.value))
    return answer.value as T // the caller knows what its code returns
  }

  connected(socket: Socket, hello: Hello): void {
    this.#socket = socket
    this.hello = hello
    socket.once('close', () => this.#onClosed())
  }

  frame(type: number, flags: number, id: number, body: Buffer): void {
    if (type === FRAME.ready) this.#onReady()
    else if (type === FRAME.initialized) this.#onInitialized()
    else if (type === FRAME.result) {
      const text = body.toString('utf8', RESULT_META_BYTES)
      const value: unknown = text === '' ? undefined : JSON.parse(text)
      this.#answers.get(id)?.({ error: (flags & FLAG.error) !== 0, value })
    }
  }

  logged(chunk: Buffer): void {
    this.logBytes += chunk.length
    this.log = (this.log + chunk.toString('utf8')).slice(-10_000)
  }
}

/** An exit without how much memory was used, which differs from run to run. */
export const howItEnded = ({ code, signal, outOfMemory, means }: ProcessExit) => ({
  code,
  signal,
  outOfMemory,
  means,
})

async function listen(path: string, onConnection: (socket: Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    onConnection(socket)
  })
  rmSync(path, { force: true })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  chmodSync(path, 0o666)
  return server
}

function acceptFrames(socket: Socket, running: ReadonlyMap<string, Running>): void {
  let member: Running | undefined
  const reader = new FrameReader((type, flags, id, _extra, body) => {
    if (member !== undefined) return member.frame(type, flags, id, body)
    const hello = JSON.parse(body.toString('utf8')) as Hello // the first frame, by the protocol
    member = running.get(hello.environmentId)
    member?.connected(socket, hello)
  })
  socket.on('data', (chunk: Buffer) => reader.push(chunk))
}

function acceptLog(socket: Socket, running: ReadonlyMap<string, Running>): void {
  let member: Running | undefined
  socket.on('data', (chunk: Buffer) => {
    if (member !== undefined) return member.logged(chunk)
    const end = chunk.indexOf(10)
    member = running.get(chunk.toString('latin1', 0, end).split(' ')[1] ?? '')
    member?.logged(chunk.subarray(end + 1))
  })
}

const missing = new Map<ArrangementName, Promise<string | undefined>>()

/** Why an arrangement cannot be tested on this machine; undefined when it works here. */
export function whyMissing(name: ArrangementName): Promise<string | undefined> {
  let reason = missing.get(name)
  if (reason === undefined) {
    reason = find(name)
    missing.set(name, reason)
  }
  return reason
}

async function find(name: ArrangementName): Promise<string | undefined> {
  const wanted = ARRANGEMENTS[name]
  await using harness = await Harness.open(wanted)
  const { effective, means, missing: lacks } = harness.launcher.isolation
  const works = effective === wanted.isolation && (!('means' in wanted) || wanted.means === means)
  return works ? undefined : `${name}: ${lacks.map((lack) => `${lack.name}: ${lack.reason}`).join('; ')}`
}
