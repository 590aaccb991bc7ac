import fs from 'node:fs'
import { FRAME, frame, type Initialized, type Specialization } from '../frames.ts'
import { contextOf } from '../../sdk/context.ts'
import * as sdk from '../../sdk/index.ts'
import { SDK_SYMBOL } from '../../sdk/installed.ts'
import { installAwsGlobal } from './aws-global.ts'
import { CallScope } from './call-scope.ts'
import { callingOf } from './calling.ts'
import { monotonicMs } from './clock.ts'
import { CodeCache } from './code-cache.ts'
import { CommonJsLoader, readNodePath } from './commonjs.ts'
import { Computing } from './computing/computing.ts'
import type { Connection } from './connection.ts'
import { patchConsole, type ErrorLogger } from './console.ts'
import { contractOf, type HandlerContract } from './contract.ts'
import { RuntimeError, toErrorJson } from './errors.ts'
import { Executor } from './executor.ts'
import { isModuleHandler, loadCode, type LoadedCode } from './loader.ts'
import type { LogOutput } from './log-output.ts'
import { importThroughNodePath } from './node-path-imports.ts'
import { installSourceMaps } from './source-maps.ts'

/** Node's own code for a program that ends while a top-level await is pending. */
const UNSETTLED_AWAIT_EXIT = 13
const UNCAUGHT_EXCEPTION_EXIT = 129
const UNHANDLED_REJECTION_EXIT = 128

type State =
  | { kind: 'loading'; startedAtMs: number }
  | { kind: 'ready'; executor: Executor }
  /** The engine has been told why and will end this process. */
  | { kind: 'failed' }

/** The process once it knows which function it is: loads the code and answers for it. */
export class Specialized {
  readonly #connection: Connection
  readonly #specialization: Specialization
  readonly #exit: (code: number) => void
  readonly #contract: HandlerContract
  readonly #scope: CallScope
  readonly #output: LogOutput
  #commonJs: CommonJsLoader | undefined
  #cache: CodeCache | undefined
  #state: State = { kind: 'loading', startedAtMs: monotonicMs() }

  constructor(
    connection: Connection,
    specialization: Specialization,
    output: LogOutput,
    exit: (code: number) => void,
  ) {
    this.#connection = connection
    this.#specialization = specialization
    this.#exit = exit
    this.#contract = contractOf(specialization.runtime)
    this.#scope = new CallScope(specialization.concurrency)
    this.#output = output
  }

  /** Request id of the invocation that is writing; '' outside of any. */
  get writer(): string {
    return this.#scope.logged()?.meta.requestId ?? ''
  }

  /** What runs invocations; undefined while the code loads and when it could not be loaded. */
  get executor(): Executor | undefined {
    return this.#state.kind === 'ready' ? this.#state.executor : undefined
  }

  /** Takes what the engine tells the code that runs, or that loads. */
  told(type: number, flags: number, id: number, extra: number, body: Buffer): void {
    if (type === FRAME.answer) this.#work.made?.calls.receive(id, flags, body)
    else this.executor?.message(id, extra, body)
  }

  /** Becomes the function's environment and tells the engine how that went. Never rejects. */
  async load(): Promise<void> {
    replaceEnvironment(this.#specialization.environment)
    const { concurrency, functionName, functionVersion, memoryMb, logGroup, logStream } = this.#specialization
    const logError = patchConsole({
      specialization: this.#specialization,
      contract: this.#contract,
      output: this.#output,
      scope: this.#scope,
    })
    this.#watchFailures(logError)
    // Only the code's own work keeps the process alive now: an await that nothing can settle is seen, not
    // waited for.
    this.#connection.hold(false)
    try {
      const loaded = await this.#loadCode()
      if (this.#state.kind !== 'loading') return
      const { handler } = loaded
      const isHandler = (this.#specialization.role ?? 'handler') === 'handler'
      if (handler instanceof RuntimeError && isHandler) throw handler
      const manifest = this.#work.made?.scan(loaded.exports)
      const facts = { functionName, functionVersion, memoryMb, logGroup, logStream }
      const executor = new Executor({
        connection: this.#connection,
        scope: this.#scope,
        output: this.#output,
        contract: this.#contract,
        concurrency,
        calling:
          handler instanceof RuntimeError
            ? (one, invocation) => one.fail(invocation, handler)
            : callingOf(handler, this.#contract, facts, this.#connection),
        logError,
        work: this.#work,
      })
      const streaming = !(handler instanceof RuntimeError) && handler.streaming
      const initialized = this.#initialized(this.#state.startedAtMs, streaming)
      if (manifest !== undefined) initialized.manifest = manifest
      this.#state = { kind: 'ready', executor }
      this.#connection.hold(true)
      this.#connection.send(frame(FRAME.initialized, initialized))
    } catch (error) {
      logError(this.#contract === 'promises' ? 'Init Error' : 'Uncaught Exception', error)
      this.#failInit(error)
    }
  }

  /** The code cache of what has been loaded; empty when there is nothing to cache. */
  packCodeCache(): Buffer {
    return this.#commonJs?.pack() ?? Buffer.alloc(0)
  }

  async #loadCode(): Promise<LoadedCode> {
    const { handler, codeCachePath, environment, optRoot, importsLibraries = false } = this.#specialization
    const taskRoot = enterTaskRoot(this.#specialization.taskRoot)
    readNodePath()
    if (optRoot !== undefined || (importsLibraries && isModuleHandler(taskRoot, handler)))
      importThroughNodePath()
    const hidden = environment['AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA'] ?? ''
    if (!['1', 'true'].includes(hidden)) installAwsGlobal(this.#scope)
    this.#installSdk()
    installSourceMaps(taskRoot, __filename)
    if (codeCachePath !== undefined) this.#cache = new CodeCache(codeCachePath, taskRoot)
    this.#commonJs = new CommonJsLoader(taskRoot, this.#cache)
    this.#commonJs.install()
    return loadCode({ taskRoot, handler, contract: this.#contract, commonJs: this.#commonJs })
  }

  /**
   * Offers the SDK to the code. Only a package that uses it asks for the symbol: then each invocation is
   * known behind its awaits, too.
   */
  #installSdk(): void {
    // Made by context.ts.
    const context = contextOf(() => this.#scope.current()?.context as sdk.Context | undefined)
    let installed: object | undefined
    Object.defineProperty(globalThis, SDK_SYMBOL, {
      configurable: true,
      get: () => {
        this.#scope.trackAsync()
        installed ??= { ...sdk, ...this.#work.make().installed(context) }
        return installed
      },
    })
  }

  readonly #work = {
    made: undefined as Computing | undefined,
    make: (): Computing => {
      this.#work.made ??= this.#makeComputing()
      return this.#work.made
    },
  }

  #makeComputing(): Computing {
    const { functionName, functionVersion, memoryMb, logGroup, logStream } = this.#specialization
    const { refPrefix, lendsCpu = false, objects } = this.#specialization
    const computing = new Computing({
      connection: this.#connection,
      scope: this.#scope,
      facts: { functionName, functionVersion, memoryMb, logGroup, logStream },
      refPrefix,
      lendsCpu,
      objects,
    })
    computing.calls.onWaiting = (isWaiting) => {
      if (this.#state.kind === 'ready') this.#state.executor.updateHold()
      else this.#connection.hold(isWaiting)
    }
    if (computing.lending !== undefined) computing.lending.onPlaceFreed = () => this.executor?.startWaiting()
    return computing
  }

  #watchFailures(logError: ErrorLogger): void {
    process.on('beforeExit', () => {
      if (this.#state.kind !== 'loading') return
      this.#output.write('Warning: Detected unsettled top-level await\n', 2)
      this.#exit(UNSETTLED_AWAIT_EXIT)
    })
    if (this.#contract === 'promises') {
      // Node.js prints the error and exits with 1 by itself; the print must stand under its invocation's
      // marker.
      process.on('uncaughtExceptionMonitor', () => this.#output.mark())
      return
    }
    process.on('uncaughtException', (error) => {
      logError('Uncaught Exception', error)
      this.#breakDown(error, UNCAUGHT_EXCEPTION_EXIT)
    })
    process.on('unhandledRejection', (reason, promise) => {
      const error = new RuntimeError('UnhandledPromiseRejection', String(reason))
      Object.assign(error, { reason, promise })
      logError('Unhandled Promise Rejection', error)
      this.#breakDown(error, UNHANDLED_REJECTION_EXIT)
    })
  }

  #breakDown(error: unknown, code: number): void {
    if (this.#state.kind === 'ready') this.#state.executor.failFatally(error, () => this.#exit(code))
    else this.#failInit(error)
  }

  #failInit(error: unknown): void {
    if (this.#state.kind !== 'loading') return
    const initialized = this.#initialized(this.#state.startedAtMs, false)
    const { errorType = '', errorMessage = '', trace = [] } = toErrorJson(error, this.#contract)
    initialized.error = { errorType, errorMessage, trace }
    this.#state = { kind: 'failed' }
    this.#connection.hold(true)
    this.#connection.send(frame(FRAME.initialized, initialized))
  }

  #initialized(startedAtMs: number, streaming: boolean): Initialized {
    return {
      durationMs: monotonicMs() - startedAtMs,
      logBytes: this.#output.writtenBytes,
      codeCache: this.#cache?.outcome ?? 'none',
      streaming,
    }
  }
}

/** Nothing of what this process was started with may show. */
function replaceEnvironment(environment: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(process.env)) delete process.env[name]
  Object.assign(process.env, environment)
}

/** Makes the task root the working directory; its real path is what modules will be named by. */
function enterTaskRoot(taskRoot: string): string {
  try {
    process.chdir(taskRoot)
    return fs.realpathSync(taskRoot)
  } catch (error) {
    throw new RuntimeError('InvalidWorkingDir', String(error))
  }
}
