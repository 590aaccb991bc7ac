import { randomUUID } from 'node:crypto'
import { systemClock } from '../../../clock.ts'
import {
  FLAG,
  FRAME,
  frame,
  RESULT_META_BYTES,
  writeResultMeta,
  type RuntimeEnded,
  type Specialization,
} from '../../frames.ts'
import { runtimeVersionArnOf, runtimeVersionOf } from '../../runtime-version.ts'
import { monotonicMs } from '../clock.ts'
import type { Connection } from '../connection.ts'
import { ExtensionHost } from '../extensions/extension-host.ts'
import type { ShutdownReason } from '../extensions/extensions.ts'
import type { LogOutput } from '../log-output.ts'
import { Answers, type Measures } from './answers.ts'
import { ApiServer } from './api-server.ts'
import type { HeldInvocation } from './held-invocation.ts'
import { NodeRelay } from './node-relay.ts'
import { RuntimeApi } from './runtime-api.ts'
import type { LoadOutcome, RuntimeEvents } from './runtime-events.ts'
import { RuntimeOutput } from './runtime-output.ts'
import { RuntimeProcess, type RuntimeExit } from './runtime-process.ts'
import { SessionMemory } from './session-memory.ts'
import { SharedOutput } from './shared-output.ts'

/** Where the code lies in a sandbox; elsewhere there is none. */
const SANDBOXED_ROOT = '/var/task'
/** Signals that a process without memory ends by, with their numbers: the kernel's, and its own aborts. */
const MEMORY_SIGNALS: Readonly<Record<string, number>> = { SIGKILL: 9, SIGABRT: 6, SIGTRAP: 5, SIGILL: 4 }

/**
 * The process once it knows that its function runs in a process of its own: serves the Runtime API to it and
 * the Extensions API to those beside it, and passes invocations and answers between them and the engine.
 */
export class Bridge {
  readonly #connection: Connection
  readonly #specialization: Specialization
  readonly #log: LogOutput
  readonly #exit: (code: number) => void
  readonly #api: RuntimeApi
  /** Where the runtime is a Node.js of our own. */
  readonly #relay: NodeRelay | undefined
  /** What takes invocations: where there are both, the one that is first asked for work. */
  #runtime: RuntimeApi | NodeRelay
  readonly #host: ExtensionHost
  readonly #server: ApiServer
  readonly #startedAtMs = monotonicMs()
  #output: RuntimeOutput | undefined
  #process: RuntimeProcess | undefined
  #runtimeGone: () => void = () => {}
  readonly #gone: Promise<void>
  #memory: SessionMemory | undefined
  /** What the runtime said of loading. */
  #outcome: LoadOutcome = {}
  /** The invocation that extensions may still work on. */
  #held: HeldInvocation | undefined
  #ending: Promise<void> | undefined
  /** Whose lines those are that come now: with one at a time the latest, as on AWS. */
  #writer = ''
  readonly #lines = new SharedOutput({
    running: () => this.#api.running,
    write: (line, requestId) => {
      this.#writer = requestId ?? this.#writer
      this.#log.write(line)
    },
  })

  constructor(
    connection: Connection,
    specialization: Specialization,
    log: LogOutput,
    exit: (code: number) => void,
  ) {
    this.#connection = connection
    this.#specialization = specialization
    this.#log = log
    this.#exit = exit
    this.#gone = new Promise((resolve) => (this.#runtimeGone = resolve))
    this.#host = this.#makeHost()
    this.#server = new ApiServer({ sharesUser: specialization.sharesUser === true })
    const measures: Measures = {
      logBytes: () => log.writtenBytes,
      maxRssKb: () => this.#maxRssKb(),
      flags: () => (this.#host.holdsInvocations ? FLAG.unsettled : 0),
    }
    const { runtimeProcess, ...rest } = specialization
    const events = this.#runtimeEvents()
    this.#api = new RuntimeApi({
      connection,
      answers: new Answers(connection, measures),
      concurrency: specialization.concurrency,
      events: {
        ...events,
        ready: (outcome) => {
          this.#runtime = this.#api
          events.ready(outcome)
        },
      },
    })
    if (runtimeProcess?.kind === 'node') {
      const inherited = { ...rest, inheritsVariables: true }
      this.#relay = new NodeRelay({ connection, specialization: inherited, events, measures })
    }
    this.#runtime = this.#relay ?? this.#api
  }

  /** Whether lines of several invocations come out of one pipe without a word of whose they are. */
  get #shared(): boolean {
    return this.#specialization.concurrency > 1 && this.#runtime === this.#api
  }

  /** Request id of the invocation that is writing; '' outside of any. */
  get writer(): string {
    return this.#writer
  }

  /**
   * Takes what the engine tells the code that runs. Only our own program for Node.js asks it for anything.
   */
  told(type: number, flags: number, id: number, extra: number, body: Buffer): void {
    this.#relay?.relay(type, flags, id, extra, body)
  }

  /** What takes invocations. */
  get executor(): RuntimeApi | NodeRelay {
    return this.#runtime
  }

  /**
   * Starts the extensions and then the runtime; the engine is told of their readiness when all of them ask
   * for work. Never rejects.
   */
  async load(): Promise<void> {
    try {
      const output = new RuntimeOutput({
        write: (bytes) => {
          if (this.#shared) this.#lines.push(bytes)
          else this.#log.write(bytes)
          this.#host.functionPrinted(bytes)
        },
      })
      this.#output = output
      this.#server.add([...this.#api.routes, ...this.#host.routes])
      const address = await this.#server.listen()
      if (await this.#host.start(address)) await this.#start(address, output)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.#ended({ code: null, signal: null, failure: { errorType: 'Sandbox.Failure', message } })
    }
  }

  /** Ends the runtime and the extensions, and then this process. */
  shutDown(reason: ShutdownReason): void {
    void this.#end(reason, undefined).then(() => this.#connection.whenFlushed(() => this.#exit(0)))
  }

  /** There is no code of this process's own. */
  packCodeCache(): Buffer {
    return Buffer.alloc(0)
  }

  #runtimeEvents(): RuntimeEvents {
    return {
      ready: (outcome) => this.#ready(outcome),
      initFailed: (outcome) => this.#initFailed(outcome),
      started: (invocation) => this.#started(invocation),
      answering: () => this.#output?.drain(),
      responding: ({ meta }) => this.#host.responding(meta.requestId),
      ended: ({ meta, producedBytes, error }) =>
        this.#host.answered(meta.requestId, { bytes: producedBytes, error }),
      waiting: () => this.#host.waiting(),
    }
  }

  #makeHost(): ExtensionHost {
    const { runtime, functionName, functionVersion, memoryMb, handler, concurrency, environment } =
      this.#specialization
    const { extensions, logStream, logFormat, sharesUser } = this.#specialization
    const facts = {
      initializationType: environment['AWS_LAMBDA_INITIALIZATION_TYPE'] ?? 'on-demand',
      runtimeVersion: runtimeVersionOf(runtime),
      runtimeVersionArn: runtimeVersionArnOf(environment['AWS_REGION'] ?? '', runtime),
      functionName,
      functionVersion,
      instanceId: logStream.slice(-32),
      memoryMb,
    }
    const options = {
      clock: systemClock,
      identifiers: randomUUID,
      facts,
      handler,
      account: extensions?.account ?? '',
      concurrency,
      directory: extensions?.directory ?? undefined,
      variables: environment,
      structuredLogs: logFormat === 'JSON',
      address: extensions?.address ?? '127.0.0.1',
      sharesUser: sharesUser === true,
      maxRssKb: () => this.#maxRssKb(),
    }
    return new ExtensionHost(options, {
      initialized: (durationMs) => {
        this.#sendInitialized(this.#outcome, durationMs)
        this.#runtime.open()
      },
      settled: (durationMs) => this.#settled(durationMs),
      failed: (failure) => this.#ended({ code: null, signal: null, failure }),
      budget: (ms) => this.#connection.send(frame(FRAME.shutdownBudget, '', 0, 0, ms)),
      tell: ({ timeMs, type, record }) =>
        this.#connection.send(frame(FRAME.platformEvent, { timeMs, type, record })),
      print: (line) => this.#log.writeLine(line),
    })
  }

  async #start(address: string, output: RuntimeOutput): Promise<void> {
    const { runtimeProcess, taskRoot, environment } = this.#specialization
    if (runtimeProcess === undefined) throw new Error('There is nothing to start.')
    const dialling = (await this.#relay?.listen()) ?? {}
    this.#process = new RuntimeProcess({
      settings: runtimeProcess,
      workingDirectory: taskRoot,
      environment: { ...environment, AWS_LAMBDA_RUNTIME_API: address, ...dialling },
      log: output.descriptor,
      say: (line) => this.#log.write(`${line}\n`),
      onExit: (exit) => {
        if (this.#relay === undefined) this.#ended(exit)
        else this.#relay.whenHeard(() => this.#ended(exit))
      },
    })
    const { pid } = this.#process
    if (pid !== undefined) this.#memory = new SessionMemory(pid)
  }

  #ready(outcome: LoadOutcome): void {
    this.#output?.drain()
    this.#outcome = outcome
    this.#host.runtimeReady()
  }

  #initFailed(outcome: LoadOutcome): void {
    this.#host.runtimeFailed(outcome.error?.errorType ?? '')
    this.#sendInitialized(outcome, monotonicMs() - this.#startedAtMs)
  }

  #sendInitialized(outcome: LoadOutcome, durationMs: number): void {
    const initialized = {
      streaming: false,
      codeCache: 'none',
      ...outcome,
      durationMs,
      logBytes: this.#log.writtenBytes,
    }
    this.#connection.send(frame(FRAME.initialized, initialized))
  }

  #started(invocation: HeldInvocation): void {
    this.#output?.drain()
    // A Node.js runtime of our own says itself whose lines it writes.
    if (this.#runtime === this.#relay) this.#writer = ''
    else if (!this.#shared) this.#writer = invocation.meta.requestId
    if (this.#host.holdsInvocations) {
      this.#held = invocation
      this.#runtime.pause()
    }
    this.#host.started(invocation.meta)
  }

  /** Nobody works on the invocation any more that was answered. */
  #settled(durationMs: number): void {
    const invocation = this.#held
    this.#held = undefined
    if (invocation === undefined) return
    const body = Buffer.alloc(RESULT_META_BYTES)
    const logBytes = this.#log.writtenBytes
    writeResultMeta(body, 0, { durationMs, logBytes, maxRssKb: this.#maxRssKb() })
    this.#connection.send(frame(FRAME.settled, body, invocation.id))
    this.#runtime.open()
  }

  #maxRssKb(): number {
    return this.#memory?.sampleKb(monotonicMs()) ?? 0
  }

  /** The runtime is gone, or an extension: so is this environment. */
  #ended({ code, signal, failure }: RuntimeExit): void {
    if (failure === undefined || this.#process?.pid === undefined) this.#runtimeGone()
    if (this.#ending !== undefined) return
    this.#output?.drain()
    this.#lines.flush()
    const carried = signal === null ? undefined : MEMORY_SIGNALS[signal]
    if (carried === undefined) {
      const ended: RuntimeEnded = { code, signal, logBytes: this.#log.writtenBytes }
      if (failure !== undefined) ended.failure = failure
      this.#connection.send(frame(FRAME.runtimeEnded, ended))
    }
    void this.#end('failure', failure?.errorType ?? 'Runtime.ExitError').then(() => {
      if (carried === undefined) this.#connection.whenFlushed(() => this.#exit(0))
      else this.#endLikewise(carried)
    })
  }

  #end(reason: ShutdownReason, errorType: string | undefined): Promise<void> {
    if (this.#process === undefined) this.#runtimeGone()
    const runtime = {
      signal: (name: NodeJS.Signals): void => this.#process?.signal(name),
      gone: this.#gone,
    }
    this.#ending ??= this.#host.shutDown(reason, runtime, errorType).then(() => this.#server.close())
    return this.#ending
  }

  /** Whether memory was the reason can be told from outside only: by this process's end, the same one. */
  #endLikewise(signal: number): void {
    // Around a sandbox is a shell, which speaks of real ones and takes the code of one for one.
    if (this.#specialization.taskRoot === SANDBOXED_ROOT) this.#exit(128 + signal)
    else process.kill(process.pid, signal)
  }
}
