import { FRAME, frame, type Initialized, type RuntimeEnded, type Specialization } from '../../frames.ts'
import { monotonicMs } from '../clock.ts'
import type { Connection } from '../connection.ts'
import type { LogOutput } from '../log-output.ts'
import { Answers } from './answers.ts'
import { ApiServer } from './api-server.ts'
import type { HeldInvocation } from './held-invocation.ts'
import { RuntimeApi } from './runtime-api.ts'
import { RuntimeOutput } from './runtime-output.ts'
import { RuntimeProcess, type RuntimeExit } from './runtime-process.ts'
import { SessionMemory } from './session-memory.ts'

/** Where the code lies in a sandbox; elsewhere there is none. */
const SANDBOXED_ROOT = '/var/task'
const KILLED_EXIT = 128 + 9

/**
 * The process once it knows that its function runs in a process of its own: serves the Runtime API to it, and
 * passes invocations and answers between it and the engine.
 */
export class Bridge {
  readonly #connection: Connection
  readonly #specialization: Specialization
  readonly #log: LogOutput
  readonly #exit: (code: number) => void
  readonly #api: RuntimeApi
  readonly #startedAtMs = monotonicMs()
  #output: RuntimeOutput | undefined
  #process: RuntimeProcess | undefined
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
    const answers = new Answers(connection, {
      logBytes: () => log.writtenBytes,
      maxRssKb: () => this.#memory?.sampleKb(monotonicMs()) ?? 0,
    })
    const { concurrency } = specialization
    this.#api = new RuntimeApi({
      connection,
      answers,
      concurrency,
      events: {
        ready: () => this.#ready(),
        initFailed: (body, errorType) => this.#initFailed(body, errorType),
        started: (invocation) => this.#started(invocation),
        answering: () => this.#output?.drain(),
        ended: () => {},
      },
    })
  }

  /** Request id of the invocation that is writing; '' outside of any. */
  get writer(): string {
    return this.#writer
  }

  /** What takes invocations. */
  get executor(): RuntimeApi {
    return this.#api
  }

  /** Starts the runtime; the engine is told of its readiness when it polls for work. Never rejects. */
  async load(): Promise<void> {
    const { runtimeProcess, taskRoot, environment, sharesUser } = this.#specialization
    try {
      if (runtimeProcess === undefined) throw new Error('There is nothing to start.')
      process.chdir('/')
      this.#output = new RuntimeOutput(this.#log)
      const server = new ApiServer({ sharesUser: sharesUser === true })
      server.add(this.#api.routes)
      const address = await server.listen()
      this.#process = new RuntimeProcess({
        settings: runtimeProcess,
        workingDirectory: taskRoot,
        environment: { ...environment, AWS_LAMBDA_RUNTIME_API: address },
        log: this.#output.descriptor,
        say: (line) => this.#log.write(`${line}\n`),
        onExit: (exit) => this.#ended(exit),
      })
      if (this.#process.pid !== undefined) this.#memory = new SessionMemory(this.#process.pid)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.#ended({ code: null, signal: null, failure: { errorType: 'Sandbox.Failure', message } })
    }
  }

  /** There is no code of this process's own. */
  packCodeCache(): Buffer {
    return Buffer.alloc(0)
  }

  #ready(): void {
    this.#output?.drain()
    this.#connection.send(frame(FRAME.initialized, this.#initialized()))
    this.#api.open()
  }

  #initFailed(body: Buffer, errorType: string): void {
    const error = { errorType, errorMessage: '', trace: [] }
    this.#connection.send(
      frame(FRAME.initialized, { ...this.#initialized(), error, errorJson: body.toString('utf8') }),
    )
  }

  #initialized(): Initialized {
    return {
      durationMs: monotonicMs() - this.#startedAtMs,
      logBytes: this.#log.writtenBytes,
      codeCache: 'none',
      streaming: false,
    }
  }

  #started(invocation: HeldInvocation): void {
    this.#output?.drain()
    this.#writer = this.#specialization.concurrency === 1 ? invocation.meta.requestId : ''
  }

  /** The runtime is gone: so is this environment. */
  #ended({ code, signal, failure }: RuntimeExit): void {
    this.#output?.drain()
    if (signal === 'SIGKILL') return this.#endAsKilled()
    const ended: RuntimeEnded = { code, signal, logBytes: this.#log.writtenBytes }
    if (failure !== undefined) ended.failure = failure
    this.#connection.send(frame(FRAME.runtimeEnded, ended))
    this.#connection.whenFlushed(() => this.#exit(0))
  }

  /** Whether memory was the reason can be told from outside only: by this process's end, the same one. */
  #endAsKilled(): void {
    // Around a sandbox is a shell, which speaks of real ones and takes the code of one for one.
    if (this.#specialization.taskRoot === SANDBOXED_ROOT) this.#exit(KILLED_EXIT)
    else process.kill(process.pid, 'SIGKILL')
  }
}
