import { FRAME, frame, type RuntimeEnded, type Specialization } from '../../frames.ts'
import { monotonicMs } from '../clock.ts'
import type { Connection } from '../connection.ts'
import type { LogOutput } from '../log-output.ts'
import { Answers } from './answers.ts'
import { ApiServer } from './api-server.ts'
import type { HeldInvocation } from './held-invocation.ts'
import { NodeRelay } from './node-relay.ts'
import { RuntimeApi } from './runtime-api.ts'
import type { LoadOutcome, RuntimeEvents } from './runtime-events.ts'
import { RuntimeOutput } from './runtime-output.ts'
import { RuntimeProcess, type RuntimeExit } from './runtime-process.ts'
import { SessionMemory } from './session-memory.ts'

/** Where the code lies in a sandbox; elsewhere there is none. */
const SANDBOXED_ROOT = '/var/task'
/** Signals that a process without memory ends by, with their numbers: the kernel's, and its own aborts. */
const MEMORY_SIGNALS: Readonly<Record<string, number>> = { SIGKILL: 9, SIGABRT: 6, SIGTRAP: 5, SIGILL: 4 }

/**
 * The process once it knows that its function runs in a process of its own: serves the Runtime API to it, and
 * passes invocations and answers between it and the engine.
 */
export class Bridge {
  readonly #connection: Connection
  readonly #specialization: Specialization
  readonly #log: LogOutput
  readonly #exit: (code: number) => void
  /** What takes invocations: calls of the Runtime API, or frames of a Node.js runtime of our own. */
  readonly #runtime: RuntimeApi | NodeRelay
  readonly #startedAtMs = monotonicMs()
  #output: RuntimeOutput | undefined
  #memory: SessionMemory | undefined
  /** Whose lines those are that come now: with one at a time the latest, as on AWS. */
  #writer = ''

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
    this.#runtime = this.#makeRuntime()
  }

  /** Request id of the invocation that is writing; '' outside of any. */
  get writer(): string {
    return this.#writer
  }

  /** What takes invocations. */
  get executor(): RuntimeApi | NodeRelay {
    return this.#runtime
  }

  /** Starts the runtime; the engine is told of its readiness when it asks for work. Never rejects. */
  async load(): Promise<void> {
    try {
      this.#output = new RuntimeOutput(this.#log)
      const server = new ApiServer({ sharesUser: this.#specialization.sharesUser === true })
      if (this.#runtime instanceof RuntimeApi) server.add(this.#runtime.routes)
      await this.#start(await server.listen(), this.#output)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.#ended({ code: null, signal: null, failure: { errorType: 'Sandbox.Failure', message } })
    }
  }

  /** There is no code of this process's own. */
  packCodeCache(): Buffer {
    return Buffer.alloc(0)
  }

  #makeRuntime(): RuntimeApi | NodeRelay {
    const connection = this.#connection
    const logBytes = (): number => this.#log.writtenBytes
    const { runtimeProcess, ...specialization } = this.#specialization
    const events: RuntimeEvents = {
      ready: (outcome) => this.#ready(outcome),
      initFailed: (outcome) => this.#sendInitialized(outcome),
      started: (invocation) => this.#started(invocation),
      answering: () => this.#output?.drain(),
      ended: () => {},
    }
    if (runtimeProcess?.kind === 'node') {
      const inherited = { ...specialization, inheritsVariables: true }
      return new NodeRelay({ connection, specialization: inherited, events, logBytes })
    }
    const maxRssKb = (): number => this.#memory?.sampleKb(monotonicMs()) ?? 0
    const answers = new Answers(connection, { logBytes, maxRssKb })
    return new RuntimeApi({ connection, answers, concurrency: specialization.concurrency, events })
  }

  async #start(address: string, output: RuntimeOutput): Promise<void> {
    const { runtimeProcess, taskRoot, environment } = this.#specialization
    if (runtimeProcess === undefined) throw new Error('There is nothing to start.')
    const dialling = this.#runtime instanceof NodeRelay ? await this.#runtime.listen() : {}
    const process = new RuntimeProcess({
      settings: runtimeProcess,
      workingDirectory: taskRoot,
      environment: { ...environment, AWS_LAMBDA_RUNTIME_API: address, ...dialling },
      log: output.descriptor,
      say: (line) => this.#log.write(`${line}\n`),
      onExit: (exit) => this.#ended(exit),
    })
    if (process.pid !== undefined) this.#memory = new SessionMemory(process.pid)
  }

  #ready(outcome: LoadOutcome): void {
    this.#output?.drain()
    this.#sendInitialized(outcome)
    this.#runtime.open()
  }

  #sendInitialized(outcome: LoadOutcome): void {
    const initialized = {
      streaming: false,
      codeCache: 'none',
      ...outcome,
      durationMs: monotonicMs() - this.#startedAtMs,
      logBytes: this.#log.writtenBytes,
    }
    this.#connection.send(frame(FRAME.initialized, initialized))
  }

  #started(invocation: HeldInvocation): void {
    this.#output?.drain()
    // A Node.js runtime of our own says itself whose lines it writes.
    const says = this.#runtime instanceof NodeRelay || this.#specialization.concurrency > 1
    this.#writer = says ? '' : invocation.meta.requestId
  }

  /** The runtime is gone: so is this environment. */
  #ended({ code, signal, failure }: RuntimeExit): void {
    this.#output?.drain()
    const carried = signal === null ? undefined : MEMORY_SIGNALS[signal]
    if (carried !== undefined) return this.#endLikewise(carried)
    const ended: RuntimeEnded = { code, signal, logBytes: this.#log.writtenBytes }
    if (failure !== undefined) ended.failure = failure
    this.#connection.send(frame(FRAME.runtimeEnded, ended))
    this.#connection.whenFlushed(() => this.#exit(0))
  }

  /** Whether memory was the reason can be told from outside only: by this process's end, the same one. */
  #endLikewise(signal: number): void {
    // Around a sandbox is a shell, which speaks of real ones and takes the code of one for one.
    if (this.#specialization.taskRoot === SANDBOXED_ROOT) this.#exit(128 + signal)
    else process.kill(process.pid, signal)
  }
}
