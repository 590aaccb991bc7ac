import { errorNameOf, packTask, refsOf, unpackTask, type Attachment } from '../environments/call-payload.ts'
import type { Environment } from '../environments/environment.ts'
import { FLAG, type ResultMeta } from '../environments/frames.ts'
import { Invocation, type InvocationInput, type InvocationObserver } from '../environments/invocation.ts'
import type { ProcessExit } from '../environments/launcher.ts'
import { EngineError } from '../errors.ts'
import type { ObjectEntry, ObjectProducer, ObjectTable, ObjectWaiter } from '../objects/object-table.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import type { RunStatus } from '../store/journal.ts'
import { hand, type CodeHoldings } from './holdings.ts'
import { describeError } from './outcomes.ts'
import {
  cancelledFailure,
  crashFailure,
  lostFailure,
  refusalFailure,
  timeoutFailure,
  type EncodeFailure,
  type Failure,
} from './task-errors.ts'
import type { TaskRecorder } from './task-records.ts'
import type { TaskShape } from './task-shape.ts'
import { TaskStream } from './task-stream.ts'

/** What all task runs share. */
export interface TaskContext {
  readonly objects: ObjectTable
  readonly scheduler: Pick<Scheduler, 'submit' | 'withdraw'>
  readonly encode: EncodeFailure
  readonly recorder: TaskRecorder
  readonly nowMs: () => number
  readonly monotonicMs: () => number
  /** It has ended, well or not. */
  onEnd(run: TaskRun): void
  /** Ends the tasks that the code of `parent` asked for and that have not ended. */
  cancelChildren(parent: Invocation, force: boolean): void
}

/** What a task run is made of. */
export interface TaskRunOptions {
  readonly context: TaskContext
  readonly id: string
  readonly shape: TaskShape
  readonly entry: ObjectEntry
  /** Whose code asked for it. */
  readonly parent: Invocation | undefined
  readonly depth: number
  readonly reader: TaskReader | undefined
}

/** The code that asked for a task: request `id` of a process. */
export interface TaskReader {
  readonly environment: Environment
  readonly id: number
  readonly holdings: CodeHoldings
}

/** Arguments and results that are larger travel as locations. */
const MAX_INLINE_BYTES = 64 * 1024 * 1024
/** A smaller value is copied, lest it keeps the whole chunk that it came in. */
const COPY_BYTES = 16 * 1024

/**
 * One call of a task, from its request to the value of its ref: waits for the refs among its arguments, is
 * an invocation like any other, and again one when its process ended under it.
 */
export class TaskRun implements InvocationObserver, ObjectProducer {
  readonly id: string
  readonly shape: TaskShape
  readonly entry: ObjectEntry
  readonly parent: Invocation | undefined
  readonly depth: number
  readonly acceptedAtMs: number
  attempt = 1
  /** Undefined until its arguments are there. */
  invocation: Invocation | undefined
  /** Its items, once there are any. */
  stream: TaskStream | undefined
  /** Who is told of its items and its end; undefined: whoever asks for the ref. */
  readonly reader: TaskReader | undefined
  readonly #context: TaskContext
  #hasEnded = false
  #payload: Buffer = Buffer.alloc(0)
  /** The engine's name of its arguments, where they are large. */
  #large: Buffer | undefined
  /** A ref among the arguments has a large value. */
  #lends = false
  /** Its arguments' refs: they live as long as it may run again. */
  #pinned: readonly ObjectEntry[] = NONE
  #missing = 0
  #attached: readonly ObjectEntry[] = NONE
  #waiter: ObjectWaiter | undefined

  constructor({ context, id, shape, entry, parent, depth, reader }: TaskRunOptions) {
    this.#context = context
    this.id = id
    this.shape = shape
    this.entry = entry
    this.parent = parent
    this.depth = depth
    this.acceptedAtMs = context.nowMs()
    this.reader = reader
    entry.producer = this
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** How it is called in messages. */
  get name(): string {
    return `task ${this.shape.version.functionName}/${this.shape.exportName}`
  }

  /** Refs among its arguments that it waits for. */
  get waitsFor(): readonly ObjectEntry[] {
    return this.#missing === 0 ? NONE : this.#attached.filter((one) => !one.isSettled)
  }

  /** Begins it; `topIds` are the ids of the refs that are arguments themselves. */
  start(args: Buffer, topIds: readonly string[], flags = 0): void {
    if (args.length > MAX_INLINE_BYTES) return this.#fail(tooLarge('arguments', this.name, args.length))
    if (flags & FLAG.error) return this.#end('failed', FLAG.error, args) // there was no room for them
    const held = this.#take(args, flags & FLAG.object)
    if (held.length > 0) this.#pin(held)
    if (this.#hasEnded) return
    if (topIds.length === 0) return this.#submit()
    const lost = topIds.find((id) => !this.#pinned.some((entry) => entry.id === id))
    if (lost !== undefined) return this.#fail(lostFailure(lost))
    this.#attached = this.#pinned.filter((entry) => topIds.includes(entry.id))
    this.#missing = this.#attached.length
    const waiter = { settled: (entry: ObjectEntry) => this.#argumentCame(entry) }
    this.#waiter = waiter
    for (const entry of this.#attached) entry.whenSettled(waiter)
  }

  // -- endings of an attempt

  answered(_one: Invocation, isError: boolean, meta: ResultMeta, payload: Buffer, flags: number): void {
    if (this.#hasEnded) return
    const body = payload.length < COPY_BYTES ? Buffer.from(payload) : payload
    if (isError) {
      if (this.#retriesOn(errorNameOf(body))) return this.#again()
      return this.#end('failed', FLAG.error, body, meta)
    }
    if (payload.length > MAX_INLINE_BYTES) return this.#fail(tooLarge('result', this.name, payload.length))
    this.#end('succeeded', flags & FLAG.object, body, meta)
  }

  notJson(_invocation: Invocation, reason: string): void {
    this.#fail({ name: 'Error', message: `The arguments of ${this.name} could not be read: ${reason}` })
  }

  initFailed(_invocation: Invocation, error: Buffer): void {
    const { errorType, errorMessage } = describeError(error)
    this.#fail({ name: errorType, message: errorMessage })
  }

  lost(invocation: Invocation, exit: ProcessExit): void {
    if (this.#hasEnded) return
    const { timeoutMs } = this.shape
    if (invocation.timedOut && timeoutMs !== null) {
      if (this.#retriesOn('TimeoutError')) return this.#again()
      return this.#fail(timeoutFailure(this.name, timeoutMs), 'timed-out')
    }
    const failure = crashFailure(exit, this.name, this.attempt)
    const mayRetry = exit.outOfMemory ? this.#retriesOn(failure.name) : this.attempt <= this.shape.retries
    if (mayRetry) return this.#again()
    this.#fail(failure, exit.outOfMemory ? 'out-of-memory' : 'crashed')
  }

  refused(_invocation: Invocation, error: EngineError): void {
    this.refuse(error)
  }

  settled(): void {}
  streamStarted(): void {}
  streamData(): void {}
  streamEnded(invocation: Invocation, error: Buffer | undefined, meta: ResultMeta): void {
    this.answered(invocation, error !== undefined, meta, error ?? Buffer.alloc(0), 0)
  }

  said(invocation: Invocation, flags: number, metaBytes: number, body: Buffer): void {
    this.stream ??= this.#openStream()
    this.stream?.said(this, invocation, flags, metaBytes, body)
  }

  // -- from outside

  /** It cannot run. */
  refuse(error: EngineError): void {
    if (!this.#hasEnded) this.#fail(refusalFailure(error))
  }

  cancel({ force, recursive }: { force: boolean; recursive: boolean }): void {
    if (this.#hasEnded) return
    const { invocation } = this
    this.#fail(cancelledFailure(this.name), 'cancelled')
    if (invocation === undefined) return
    if (recursive) this.#context.cancelChildren(invocation, force)
    this.#context.scheduler.withdraw(invocation, force)
  }

  // -- inside

  #openStream(): TaskStream | undefined {
    if (this.reader === undefined) return undefined
    return new TaskStream({ objects: this.#context.objects, run: this, ...this.reader })
  }

  #argumentCame(entry: ObjectEntry): void {
    if (this.#hasEnded) return
    if (entry.flags & FLAG.error) return this.#end('failed', entry.flags, entry.body)
    this.#missing -= 1
    if (this.#missing > 0) return
    const attachments: Attachment[] = this.#attached.map(({ id, flags, body }) => ({
      ...{ refId: id, flags, body },
    }))
    const { args, argsFlags } = unpackTask(this.#payload)
    this.#payload = packTask(args, attachments, argsFlags)
    this.#lends = attachments.some(({ flags }) => (flags & FLAG.object) !== 0)
    this.#submit()
  }

  /** Keeps the arguments as long as it may run again; ids of the refs in them. */
  #take(args: Buffer, flags: number): readonly string[] {
    const { objects } = this.#context
    this.#payload = packTask(args, [], flags)
    if (flags === 0) return refsOf(args)
    objects.keep(flags, args)
    this.#large = args
    return objects.refsIn(args)
  }

  #retriesOn(name: string): boolean {
    return this.attempt <= this.shape.retries && this.shape.retryOn.has(name)
  }

  #again(): void {
    this.attempt += 1
    this.#submit()
  }

  #submit(): void {
    const { shape } = this
    const input: InvocationInput = {
      requestId: this.id,
      version: shape.version,
      limits: shape.limits,
      invokedArn: shape.invokedArn,
      traceId: '',
      clientContext: '',
      tenantId: '',
      payload: this.#payload,
      streaming: false,
      lends: this.#lends || this.#large !== undefined,
      waitsForever: true,
      target: shape.target,
      pool: shape.pool,
      poolKey: shape.poolKey,
      timeoutMs: shape.timeoutMs,
      depth: this.depth,
      parent: this.parent,
      observer: this,
    }
    this.invocation = new Invocation(input, this.#context.monotonicMs())
    try {
      this.#context.scheduler.submit(this.invocation)
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      this.refuse(error)
    }
  }

  #pin(ids: readonly string[]): void {
    const { objects } = this.#context
    const pinned: ObjectEntry[] = []
    for (const id of new Set(ids)) {
      const entry = objects.find(id)
      if (entry === undefined) continue // it fails when it is asked for
      objects.pin(entry)
      pinned.push(entry)
    }
    this.#pinned = pinned
  }

  #fail(failure: Failure, status: RunStatus = 'failed'): void {
    if (!this.#hasEnded) this.#end(status, FLAG.error, this.#context.encode(failure), undefined, failure)
  }

  #end(status: RunStatus, flags: number, body: Buffer, meta?: ResultMeta, failure?: Failure): void {
    this.#hasEnded = true
    const { objects, recorder } = this.#context
    const inner = flags === 0 ? refsOf(body) : NO_IDS
    if (flags & FLAG.error) objects.reject(this.entry, body)
    else objects.resolve(this.entry, flags, body, inner)
    if (this.reader !== undefined) handTo(this.reader, this.entry)
    for (const entry of this.#pinned) objects.unpin(entry)
    const waiter = this.#waiter
    if (waiter !== undefined) for (const entry of this.#attached) entry.ignore(waiter)
    this.#pinned = NONE
    this.#attached = NONE
    this.#payload = NO_BYTES
    if (this.#large !== undefined) objects.letGo(FLAG.object, this.#large)
    this.#large = undefined
    this.stream?.close()
    this.#context.onEnd(this)
    recorder.ended(this, status, meta, failure ?? (flags & FLAG.error ? body : undefined))
  }
}

const handTo = ({ environment, id, holdings }: TaskReader, entry: ObjectEntry): void =>
  hand(environment, id, entry, holdings)

const tooLarge = (what: string, name: string, sizeBytes: number): Failure => ({
  name: 'LimitReached',
  message:
    `The ${what} of ${name} has ${sizeBytes} bytes; at most ${MAX_INLINE_BYTES} travel as they are. ` +
    'Put large values with put and pass the ref.',
})

const NONE: readonly ObjectEntry[] = []
const NO_IDS: readonly string[] = []
const NO_BYTES = Buffer.alloc(0)
