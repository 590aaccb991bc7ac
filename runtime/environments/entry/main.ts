import fs from 'node:fs'
import { resolve } from 'node:path'
import { FRAME, frame, type Hello, type Shutdown, type Specialization } from '../frames.ts'
import { Bridge } from './bridge/bridge.ts'
import { touchBuiltins } from './builtins.ts'
import { after } from './clock.ts'
import { CommonJsLoader } from './commonjs.ts'
import { Connection } from './connection.ts'
import { commonJsFileOf } from './loader.ts'
import { LogOutput } from './log-output.ts'
import { rehearse } from './rehearsal.ts'
import { Specialized } from './specialized.ts'

/**
 * The program inside an execution environment. It dials the engine, waits until it is told which function it
 * is, loads the code and runs invocations until its connection closes.
 *
 *     environment.cjs    with LAMBENT_SOCKET, LAMBENT_ENVIRONMENT_ID and LAMBENT_TOKEN set
 *     environment.cjs --make-code-cache <taskRoot> <handler> <out> [<shownRoot>]
 *                        compiles without running, for code that will lie in shownRoot, and ends
 */
const SHUTDOWN_MS = 2000
/** Frames that may come in before the code is loaded. */
const MAX_EARLY_FRAMES = 1024

/** Taken before user code can replace it. */
const exit = process.exit.bind(process)

/** One frame that waits for the code to be loaded. */
type Early = [type: number, id: number, extra: number, body: Buffer]

/** Routes the engine's frames. */
class Program {
  readonly #connection: Connection
  #specialized: Specialized | Bridge | undefined
  #early: Early[] = []
  /**
   * Everything that is written goes through it from the start: taking the streams over later would cost a
   * cold start.
   */
  readonly #output = new LogOutput(() => this.#specialized?.writer ?? '')

  constructor(socketPath: string) {
    this.#connection = new Connection(
      socketPath,
      (type, flags, id, extra, body) => this.#receive(type, flags, id, extra, body),
      disconnected,
    )
  }

  /** Introduces this process, and reports ready once it is worth being used. */
  async start(hello: Hello): Promise<void> {
    this.#connection.send(frame(FRAME.hello, hello))
    await touchBuiltins()
    await rehearse()
    this.#output.capture()
    this.#connection.send(frame(FRAME.ready))
  }

  #receive(type: number, flags: number, id: number, extra: number, body: Buffer): void {
    if (type === FRAME.answer || type === FRAME.message)
      return this.#specialized?.told(type, flags, id, extra, body)
    if (type === FRAME.specialize) void this.#specialize(body)
    else if (type === FRAME.shutdown) this.#shutDown(body)
    else if (type === FRAME.makeCodeCache) this.#sendCodeCache()
    else if (this.#specialized?.executor === undefined) this.#keepEarly([type, id, extra, body])
    else this.#route(type, id, extra, body)
  }

  #shutDown(body: Buffer): void {
    if (!(this.#specialized instanceof Bridge)) return shutDown(this.#connection)
    // Written by the engine that brought this program along.
    const { reason } = JSON.parse(body.toString()) as Shutdown
    this.#specialized.shutDown(reason)
  }

  #route(type: number, id: number, extra: number, body: Buffer): void {
    const executor = this.#specialized?.executor
    if (type === FRAME.invoke) executor?.accept(id, extra, body)
    else if (type === FRAME.recall) executor?.recall(id)
    else if (type === FRAME.abort) executor?.abort(id)
    else if (type === FRAME.credit) executor?.credit(id, extra)
    else throw new RangeError(`The engine sent a frame of the unknown type ${type}.`)
  }

  async #specialize(body: Buffer): Promise<void> {
    if (this.#specialized !== undefined) throw new Error('This environment is a function already.')
    // Written by the engine that brought this program along.
    const specialization = inherited(JSON.parse(body.toString()) as Specialization)
    const Role = specialization.runtimeProcess === undefined ? Specialized : Bridge
    this.#specialized = new Role(this.#connection, specialization, this.#output, exit)
    await this.#specialized.load()
    const early = this.#early
    this.#early = []
    if (this.#specialized.executor !== undefined) for (const waiting of early) this.#route(...waiting)
  }

  #keepEarly(waiting: Early): void {
    if (this.#early.length >= MAX_EARLY_FRAMES)
      throw new RangeError(`More than ${MAX_EARLY_FRAMES} frames came before the code was loaded.`)
    this.#early.push(waiting)
  }

  #sendCodeCache(): void {
    const send = (): void => {
      this.#connection.sendBody(FRAME.codeCache, 0, this.#specialized?.packCodeCache() ?? Buffer.alloc(0))
    }
    const executor = this.#specialized?.executor
    if (executor === undefined) send()
    else executor.whenIdle(send)
  }
}

/** What a wrapper program has changed on the way counts. */
function inherited(specialization: Specialization): Specialization {
  if (specialization.inheritsVariables !== true) return specialization
  // Marks by which a sweep finds this process's children were taken out by `take`.
  const marks = Object.entries(specialization.environment).filter(([name]) => name.startsWith('LAMBENT_'))
  // None of its members is undefined, whatever its type says.
  const environment = { ...process.env, ...Object.fromEntries(marks) } as Record<string, string>
  return { ...specialization, environment, handler: environment['_HANDLER'] ?? specialization.handler }
}

/** The engine is gone, or this process does not understand it: there is nothing to live for. */
function disconnected(reason: Error | undefined): void {
  if (reason === undefined) exit(0)
  fs.writeSync(2, `lambent environment: the connection to the engine broke: ${String(reason)}\n`)
  exit((reason as NodeJS.ErrnoException).code === 'ECONNRESET' ? 0 : 1)
}

/**
 * Lets the code's SIGTERM handlers run, then ends: when they have nothing left to do, or after `SHUTDOWN_MS`.
 */
function shutDown(connection: Connection): void {
  if (process.listenerCount('SIGTERM') === 0) exit(0)
  process.once('beforeExit', () => exit(0))
  after(SHUTDOWN_MS, () => exit(0))
  process.emit('SIGTERM', 'SIGTERM')
  connection.hold(false)
}

/** Compiles the handler's file without running it, so that even the first start finds a code cache. */
function makeCodeCache(taskRoot: string, handler: string, outFile: string, shownRoot?: string): void {
  const root = fs.realpathSync(resolve(taskRoot))
  const loader = new CommonJsLoader(root, undefined, shownRoot)
  const file = commonJsFileOf(root, handler)
  if (file !== undefined) loader.compiles(fs.realpathSync(file))
  fs.writeFileSync(outFile, loader.pack())
}

function take(name: string): string {
  const value = process.env[name]
  if (value === undefined) {
    fs.writeSync(
      2,
      `lambent environment: the variable ${name} is not set; only the engine starts this program.\n`,
    )
    return exit(2)
  }
  delete process.env[name]
  return value
}

function main(): void {
  const [, , mode, taskRoot, handler, outFile, shownRoot] = process.argv
  if (mode === '--make-code-cache') {
    if (taskRoot === undefined || handler === undefined || outFile === undefined) {
      fs.writeSync(
        2,
        'Usage: environment.cjs --make-code-cache <taskRoot> <handler> <outFile> [<shownRoot>]\n',
      )
      exit(2)
    } else makeCodeCache(taskRoot, handler, outFile, shownRoot)
    return
  }
  // Without a listener, SIGUSR1 from any process of the same user would open a debugger.
  process.on('SIGUSR1', () => {})
  const socketPath = take('LAMBENT_SOCKET')
  const hello = {
    environmentId: take('LAMBENT_ENVIRONMENT_ID'),
    token: take('LAMBENT_TOKEN'),
    pid: process.pid,
    nodeVersion: process.version,
  }
  // Nothing is the main module, as on AWS, where the entry point is an ES module.
  process.mainModule = undefined
  void new Program(socketPath).start(hello)
}

main()
