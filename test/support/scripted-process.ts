import { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import type { Clock } from '../../runtime/clock.ts'
import { Environment } from '../../runtime/environments/environment.ts'
import {
  decodeInvokeMeta,
  FLAG,
  FRAME,
  FrameReader,
  RESULT_META_BYTES,
  writeResultMeta,
  type Shutdown,
} from '../../runtime/environments/frames.ts'
import type { LaunchedProcess, ProcessExit } from '../../runtime/environments/launcher.ts'
import type { EnvironmentStarter, StartOptions } from '../../runtime/environments/starter.ts'
import type { Journal } from '../../runtime/store/journal.ts'

/** What a scripted process was sent and has not answered. */
export interface Held {
  readonly id: number
  readonly requestId: string
  readonly target: string | undefined
  readonly payload: Buffer
}

/** What came back for a request. */
export interface Answer {
  readonly id: number
  readonly flags: number
  readonly body: Buffer
}

/**
 * A process that is not there: it speaks the frames of an execution environment and does what a test says,
 * when it
 * says so. Real processes have tests of their own; this one makes order and time exact.
 */
export class ScriptedProcess {
  readonly environment: Environment
  /** In the order they came; at concurrency 1 only the first counts as running. */
  readonly held: Held[] = []
  readonly recalls: number[] = []
  readonly aborts: number[] = []
  /** Why it was asked to end, each time. */
  readonly shutdowns: string[] = []
  /** What its requests were answered, in order. */
  readonly answers: Answer[] = []
  /** What its invocations were told: number and text. */
  readonly messages: { id: number; meta: string }[] = []
  #requests = 0
  killed = false
  /** It has ended: nothing of it is left. */
  gone = false
  /** A kill is noted; the end comes with \`exit\`. */
  slowToDie = false
  #exit: (exit: ProcessExit) => void = () => {}

  constructor(environment: Environment) {
    this.environment = environment
    const reader = new FrameReader((type, flags, id, extra, body) => {
      if (type === FRAME.invoke) {
        const { requestId, target } = decodeInvokeMeta(body.toString('utf8', 0, extra))
        this.held.push({ id, requestId, target, payload: body.subarray(extra) })
      } else if (type === FRAME.answer) this.answers.push({ id, flags, body })
      else if (type === FRAME.message) this.messages.push({ id, meta: body.toString('utf8', 0, extra) })
      else if (type === FRAME.recall) this.recalls.push(id)
      else if (type === FRAME.abort) this.aborts.push(id)
      else if (type === FRAME.shutdown)
        this.shutdowns.push((JSON.parse(body.toString('utf8')) as Shutdown).reason)
    })
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        reader.push(chunk)
        done()
      },
    })
    const exited = new Promise<ProcessExit>((resolve) => {
      this.#exit = (exit) => {
        this.gone = true
        resolve(exit)
      }
    })
    const process: LaunchedProcess = {
      environmentId: environment.id,
      pid: null,
      taskDirectory: '',
      taskRoot: '/var/task',
      optRoot: '/opt',
      librariesRoot: '/var/runtime/node_modules',
      sharesUser: false,
      sandboxAddress: '',
      temporaryDirectory: '',
      temporaryFor: undefined,
      inheritTemporary: () => Promise.resolve(),
      cacheDirectory: '',
      cacheRoot: '',
      variables: {},
      exited,
      limit: () => Promise.resolve(),
      kill: () => {
        if (this.killed) return
        this.killed = true
        if (this.slowToDie) return
        environment.disconnected()
        this.#exit({ code: null, signal: 'SIGKILL', outOfMemory: false, means: '' })
      },
      terminate: () => this.#exit({ code: 0, signal: null, outOfMemory: false, means: '' }),
    }
    // All that a connection uses of a socket is a Duplex and setNoDelay.
    const socket = Object.assign(wire, { setNoDelay: () => wire }) as unknown as Socket
    environment.adopt(process)
    environment.connected(socket, { environmentId: environment.id, token: '', pid: 0, nodeVersion: '' })
  }

  boot(): void {
    this.#send(FRAME.ready)
  }

  initialize(error?: { errorType: string; errorMessage: string; trace: string[] }): void {
    const answer = {
      durationMs: 1,
      logBytes: 0,
      codeCache: 'none',
      streaming: false,
      ...(error ? { error } : {}),
    }
    this.#send(FRAME.initialized, Buffer.from(JSON.stringify(answer)))
  }

  /** Answers the oldest invocation it holds, or the one named. */
  answer(requestId = this.held[0]?.requestId): void {
    this.#take(requestId, FRAME.result, 0)
  }

  /** Answers an invocation with these bytes; `flags` as in the frame. */
  result(id: number, payload: Buffer, flags = 0): void {
    const index = this.held.findIndex((one) => one.id === id)
    if (index < 0) throw new Error(`${id} is not held here`)
    this.held.splice(index, 1)
    this.#send(FRAME.result, Buffer.concat([measured(1), payload]), id, flags)
  }

  /** Its code asks the engine; the number of the request. */
  ask(meta: string, payload: Buffer = Buffer.alloc(0), wantsAnswer = true): number {
    const id = wantsAnswer ? ++this.#requests : 0
    const head = Buffer.from(meta)
    this.environment.frame(FRAME.request, 0, id, head.length, Buffer.concat([head, payload]))
    return id
  }

  /** One of its invocations says something. */
  say(id: number, meta: string, payload: Buffer): void {
    const head = Buffer.from(meta)
    this.environment.frame(FRAME.said, 0, id, head.length, Buffer.concat([head, payload]))
  }

  /** What request `id` was answered, items left out. */
  answerTo(id: number): Answer | undefined {
    return this.answers.find((one) => one.id === id && (one.flags & FLAG.streaming) === 0)
  }

  /** The same, while extensions go on with it; the result ends that. */
  answerUnsettled(): () => void {
    const id = this.#take(this.held[0]?.requestId, FRAME.result, FLAG.unsettled)
    return () => this.#send(FRAME.settled, measured(250), id)
  }

  /** Says that it needs time to end. */
  needs(budgetMs: number): void {
    this.environment.frame(FRAME.shutdownBudget, 0, 0, budgetMs, Buffer.alloc(0))
  }

  #take(requestId: string | undefined, type: number, flags: number): number {
    const index = this.held.findIndex((one) => one.requestId === requestId)
    const [held] = this.held.splice(index, 1)
    if (held === undefined) throw new Error(`${requestId} is not held here`)
    this.#send(type, Buffer.concat([measured(1), Buffer.from('{}')]), held.id, flags)
    return held.id
  }

  /** Gives back what it was asked to give back and has not started. */
  giveBack(): void {
    for (const id of this.recalls.splice(0)) {
      const index = this.held.findIndex((one) => one.id === id)
      if (index > 0) this.held.splice(index, 1)
      this.#send(FRAME.recalled, Buffer.alloc(0), id)
    }
  }

  crash(code = 1): void {
    this.environment.disconnected()
    this.exit(code)
  }

  /** Its end alone: the connection broke before. */
  exit(code: number): void {
    this.#exit({ code, signal: null, outOfMemory: false, means: '' })
  }

  #send(type: number, body: Buffer = Buffer.alloc(0), id = 0, flags = 0): void {
    this.environment.frame(type, flags, id, 0, body)
  }
}

function measured(durationMs: number): Buffer {
  const meta = Buffer.alloc(RESULT_META_BYTES)
  writeResultMeta(meta, 0, { durationMs, logBytes: 0, maxRssKb: 1024 })
  return meta
}

/** A starter of scripted processes, in the order they were asked for. */
export function scriptedStarter(
  clock: Clock,
  journal: Journal,
): EnvironmentStarter & { readonly processes: ScriptedProcess[] } {
  const processes: ScriptedProcess[] = []
  return {
    processes,
    engineUrl: undefined,
    start({ binary, owner }: StartOptions) {
      const id = `environment-${processes.length + 1}`
      const epoch = processes.length + 1
      const identity = { id, token: '', nodePath: binary.nodePath, nodeVersion: binary.version, epoch }
      const environment = new Environment({ identity, owner, clock, journal })
      processes.push(new ScriptedProcess(environment))
      return environment
    },
    specialize(environment, version) {
      environment.load(version, {
        functionName: version.functionName,
        functionVersion: version.version,
        memoryMb: version.memoryMb,
        handler: version.handler,
        runtime: version.runtime,
        taskRoot: '/var/task',
        environment: {},
        logFormat: 'Text',
        logLevel: 'INFO',
        logGroup: '',
        logStream: '',
        concurrency: version.execution.concurrency,
        refPrefix: 'o1',
      })
      return Promise.resolve()
    },
  }
}
