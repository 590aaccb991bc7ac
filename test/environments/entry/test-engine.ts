import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { entryPath } from '../../../runtime/entries.ts'
import {
  encodeInvokeMeta,
  FLAG,
  FRAME,
  frame,
  FrameReader,
  readResultMeta,
  RESULT_META_BYTES,
  type Hello,
  type Initialized,
  type InvokeMeta,
  type ResultMeta,
  type Specialization,
} from '../../../runtime/environments/frames.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temporary.ts'
import { until, within } from '../../support/until.ts'

/** The Node.js binaries to test with: this one, or those in LAMBENT_TEST_NODES, separated by commas. */
export const NODES: readonly string[] = (process.env['LAMBENT_TEST_NODES'] ?? process.execPath)
  .split(',')
  .filter((path) => path !== '')

/** Both handler contracts, by a runtime that has each. */
export const RUNTIMES = ['nodejs22.x', 'nodejs24.x'] as const

export interface ReceivedFrame {
  readonly type: number
  readonly flags: number
  readonly id: number
  readonly extra: number
  readonly body: Buffer
}

/** How one invocation ended. */
export interface Answer {
  readonly type: number
  readonly isError: boolean
  readonly isFatal: boolean
  readonly meta: ResultMeta
  readonly text: string
}

export interface EnvironmentOptions {
  node?: string
  /** Path to content, relative to the task root. */
  files: Record<string, string>
  specialization?: Partial<Specialization>
  nodeArguments?: string[]
}

/** The engine's side of one real environment process, frame by frame. */
export class TestEnvironment implements AsyncDisposable {
  readonly folder: TemporaryDirectory
  readonly taskRoot: string
  readonly frames: ReceivedFrame[] = []
  readonly exited: Promise<{ code: number | null; signal: string | null }>
  /** Told of each frame as it comes. */
  onFrame: ((received: ReceivedFrame) => void) | undefined
  #server: Server
  #socket: Socket | undefined
  #child: ChildProcess
  #log = ''
  #nextId = 1
  #gone = false

  private constructor(folder: TemporaryDirectory, server: Server, child: ChildProcess) {
    this.folder = folder
    this.taskRoot = folder.join('task')
    this.#server = server
    this.#child = child
    this.exited = once(child, 'close').then(([code, signal]) => {
      this.#gone = true
      return { code: code as number | null, signal: signal as string | null } // as documented
    })
    child.stdout?.on('data', (chunk: Buffer) => (this.#log += chunk.toString()))
  }

  /** Starts the process and waits until it reports ready; nothing is loaded yet. */
  static async spare(options: EnvironmentOptions): Promise<TestEnvironment> {
    const program = entryPath('environment.cjs')
    const folder = temporaryDirectory()
    mkdirSync(folder.join('task'))
    for (const [path, content] of Object.entries(options.files)) {
      const file = folder.join('task', path)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, content)
    }
    const server = createServer()
    server.listen(folder.join('s'))
    await once(server, 'listening')
    const connected = once(server, 'connection')
    // One pipe for both descriptors, as the engine has it.
    const command = [options.node ?? process.execPath, ...(options.nodeArguments ?? []), program]
    const child = spawn('/bin/sh', ['-c', 'exec "$@" 2>&1', 'sh', ...command], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        PATH: '/usr/bin:/bin',
        STARTED_WITH: 'must not be seen',
        LAMBENT_SOCKET: folder.join('s'),
        LAMBENT_ENVIRONMENT_ID: 'environment-1',
        LAMBENT_TOKEN: 'token-1',
      },
    })
    const environment = new TestEnvironment(folder, server, child)
    try {
      const died = environment.exited.then(() => {
        throw new Error(`The process ended before it dialled: ${environment.rawLog}`)
      })
      const dialled = within('the environment to dial', Promise.race([connected, died]))
      const [socket] = (await dialled) as [Socket] // argument of 'connection'
      environment.#listen(socket)
      await environment.next(FRAME.ready)
    } catch (error) {
      // What is left open here would keep the test's own process alive.
      await environment[Symbol.asyncDispose]()
      throw error
    }
    return environment
  }

  /** Starts a process, gives it the code and waits until it has been loaded. */
  static async start(options: EnvironmentOptions): Promise<TestEnvironment & { initialized: Initialized }> {
    const environment = await TestEnvironment.spare(options)
    try {
      const initialized = await environment.specialize(options.specialization)
      return Object.assign(environment, { initialized })
    } catch (error) {
      await environment[Symbol.asyncDispose]()
      throw error
    }
  }

  get hello(): Hello {
    return JSON.parse(String(this.frames[0]?.body)) as Hello // the first frame, checked by a test of its own
  }

  /** Everything written to the log so far, markers included. */
  get rawLog(): string {
    return this.#log
  }

  /** Lines of the log without markers. */
  get logLines(): string[] {
    return this.#log.split('\n').filter((line) => line !== '' && !line.startsWith('\u0000S'))
  }

  async specialize(specialization: Partial<Specialization> = {}): Promise<Initialized> {
    this.tellFunction(specialization)
    return JSON.parse(String((await this.next(FRAME.initialized)).body)) as Initialized // of our own protocol
  }

  /** Tells the process which function it is, without waiting for the code. */
  tellFunction(specialization: Partial<Specialization>): void {
    const { environment = {}, ...rest } = specialization
    this.send(
      frame(FRAME.specialize, {
        functionName: 'orders',
        functionVersion: '$LATEST',
        memoryMb: 128,
        handler: 'index.handler',
        runtime: 'nodejs24.x',
        taskRoot: this.taskRoot,
        environment: { AWS_REGION: 'eu-west-1', ...environment },
        logFormat: 'Text',
        logLevel: 'INFO',
        logGroup: '/aws/lambda/orders',
        logStream: '2026/01/02/[$LATEST]0123',
        concurrency: 1,
        refPrefix: 'o1',
        ...rest,
      }),
    )
  }

  /** Sends one invocation without waiting; the result is its id. */
  post(event: unknown, meta: Partial<InvokeMeta> = {}, flags = 0): number {
    const id = this.#nextId++
    const payload = Buffer.isBuffer(event) ? event : Buffer.from(JSON.stringify(event))
    const head = Buffer.from(
      encodeInvokeMeta({
        requestId: `request-${id}`,
        deadlineMs: 0,
        invokedArn: 'arn:aws:lambda:eu-west-1:000000000000:function:orders',
        traceId: '',
        clientContext: '',
        tenantId: '',
        ...meta,
      }),
    )
    this.send(frame(FRAME.invoke, Buffer.concat([head, payload]), id, flags, head.length))
    return id
  }

  /** Runs one invocation to its end. */
  async invoke(event: unknown = {}, meta: Partial<InvokeMeta> = {}): Promise<Answer> {
    return this.answer(this.post(event, meta))
  }

  /** The answer of invocation `id`. */
  async answer(id: number): Promise<Answer> {
    const isAnswer = (received: ReceivedFrame): boolean =>
      received.id === id && (received.type === FRAME.result || received.type === FRAME.streamEnd)
    const found = await this.#find(`the answer of invocation ${id}`, isAnswer)
    return {
      type: found.type,
      isError: (found.flags & FLAG.error) !== 0,
      isFatal: (found.flags & FLAG.fatal) !== 0,
      meta: readResultMeta(found.body),
      text: found.body.toString('utf8', RESULT_META_BYTES),
    }
  }

  /** The first frame of this type, waiting for it. */
  next(type: number, id?: number): Promise<ReceivedFrame> {
    const isIt = (received: ReceivedFrame): boolean =>
      received.type === type && (id === undefined || received.id === id)
    return this.#find(`a frame of type ${type}`, isIt)
  }

  /** All bytes of a response stream so far. */
  streamed(id: number): Buffer {
    const isData = (received: ReceivedFrame): boolean =>
      received.type === FRAME.streamData && received.id === id
    return Buffer.concat(this.frames.filter(isData).map((received) => received.body))
  }

  credit(id: number, bytes: number): void {
    this.send(frame(FRAME.credit, '', id, 0, bytes))
  }

  send(bytes: Buffer): void {
    if (this.#socket === undefined) throw new Error('The environment has not dialled yet.')
    this.#socket.write(bytes)
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Ends the connection as an engine that is gone does. */
  hangUp(): void {
    this.#socket?.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket?.destroy()
    this.#server.close()
    if (!this.#gone) this.#child.kill('SIGKILL')
    await this.exited
    this.folder[Symbol.dispose]()
  }

  #listen(socket: Socket): void {
    this.#socket = socket
    const reader = new FrameReader((type, flags, id, extra, body) => {
      const received = { type, flags, id, extra, body }
      this.frames.push(received)
      this.onFrame?.(received)
    })
    socket.on('data', (chunk: Buffer) => reader.push(chunk))
    socket.on('error', () => {}) // a killed process resets its connection
  }

  async #find(what: string, matches: (received: ReceivedFrame) => boolean): Promise<ReceivedFrame> {
    const find = (): ReceivedFrame | undefined => this.frames.find(matches)
    // A poll that throws would be tried again until the deadline, so the end of the process is a value here.
    const found = await until(`there is ${what}`, () => find() ?? (this.#gone ? 'gone' : undefined))
    if (found !== 'gone') return found
    throw new Error(`The process ended without ${what}. Its log: ${this.#log.slice(-2000)}`)
  }
}

/** A handler's file for both contracts: `body` is the function's expression. */
export const commonJs = (body: string): Record<string, string> => ({
  'index.js': `exports.handler = ${body}\n`,
})

/** Where `path` lies in a test's task root. */
export const inTask = (environment: TestEnvironment, path: string): string => join(environment.taskRoot, path)
