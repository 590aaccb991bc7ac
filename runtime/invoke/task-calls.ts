import { packError, refsOf } from '../environments/call-payload.ts'
import type { Environment } from '../environments/environment.ts'
import { FLAG } from '../environments/frames.ts'
import type { Invocation } from '../environments/invocation.ts'
import { STREAM_STOP, STREAM_TAKEN } from '../environments/stream-items.ts'
import type { Clock, Timer } from '../clock.ts'
import { EngineError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { ObjectEntry, ObjectTable, RefHolder } from '../objects/object-table.ts'
import type { Resolver } from '../registry/types.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import type { Scope } from '../store/journal.ts'
import { CodeHoldings, hand, holdingsOf, invocationOf, RefWait } from './holdings.ts'
import type { Manifests } from './manifests.ts'
import type { Request, Requests } from './requests.ts'
import { lostFailure, refusalFailure, type EncodeFailure } from './task-errors.ts'
import type { TaskRecorder } from './task-records.ts'
import { TaskRun, type TaskContext, type TaskReader } from './task-run.ts'
import { readOptions, type TaskShape } from './task-shape.ts'
import { TaskShapes } from './task-shapes.ts'
import { breakCycles } from './wait-cycles.ts'

/** What tasks are built of. */
export interface TaskParts {
  readonly objects: ObjectTable
  readonly requests: Pick<Requests, 'on'>
  readonly scheduler: Pick<Scheduler, 'submit' | 'withdraw'>
  readonly resolver: Resolver
  readonly manifests: Pick<Manifests, 'known' | 'of'>
  readonly recorder: TaskRecorder
  readonly encode: EncodeFailure
  readonly clock: Clock
  readonly log: Log
  /** An id for a run, that sorts by time. */
  readonly newId: () => string
  /** Tasks that may be unfinished at once; absent: 200,000. */
  readonly maxTasks?: number
  /** Those of them that the code of one process may have asked for; absent: 100,000. */
  readonly maxTasksOfProcess?: number
}

/** A task asked for from outside. */
export interface OutsideTask {
  readonly scope: Scope
  readonly functionName: string
  readonly qualifier: string | undefined
  readonly exportName: string
  /** A value: an array. */
  readonly args: Buffer
  readonly options?: Readonly<Record<string, unknown>>
  readonly refId: string
  readonly holder: RefHolder
}

const MAX_TASKS = 200_000
const MAX_TASKS_OF_PROCESS = 100_000
/** How often waits are looked at that could never end. */
const CYCLES_EVERY_MS = 1000

/** Items that a process reads one by one. */
export interface ReadStream {
  take(count: number): void
  stop(): void
}

/** Tasks: what the SDK's requests about tasks and refs lead to. */
export class Tasks {
  /** Streams under a request's number that no task makes. */
  otherStreams: ((environment: Environment, id: number) => ReadStream | undefined) | undefined
  readonly #parts: TaskParts
  readonly #context: TaskContext
  readonly #runs = new Set<TaskRun>()
  readonly #shapes = new TaskShapes()
  readonly #maxTasks: number
  readonly #maxTasksOfProcess: number
  readonly #cycles: Timer
  #closed = false
  #whenEmpty: (() => void)[] = []

  constructor(parts: TaskParts) {
    this.#parts = parts
    this.#maxTasks = parts.maxTasks ?? MAX_TASKS
    this.#maxTasksOfProcess = parts.maxTasksOfProcess ?? MAX_TASKS_OF_PROCESS
    const { objects, scheduler, encode, recorder, clock } = parts
    this.#context = {
      ...{ objects, scheduler, encode, recorder },
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      onEnd: (run) => this.#ended(run),
      cancelChildren: (parent, force) => this.#cancelChildren(parent, force),
    }
    this.#cycles = clock.every(CYCLES_EVERY_MS, () => {
      if (this.#runs.size > 0) breakCycles(this.#runs, encode)
    })
    const { requests } = parts
    requests.on('task', (request) => this.#task(request))
    requests.on('get', (request) => this.#get(request))
    requests.on('put', (request) => this.#put(request))
    requests.on('release', (request) => this.#release(request))
    requests.on('cancel', (request) => this.#cancel(request))
    requests.on(STREAM_TAKEN, ({ environment, fields: [number, count] }) =>
      this.#streamOf(environment, number)?.take(wholeOf(count)),
    )
    requests.on(STREAM_STOP, ({ environment, fields: [number] }) =>
      this.#streamOf(environment, number)?.stop(),
    )
  }

  /** Tasks that have not ended, oldest first. */
  get runs(): ReadonlySet<TaskRun> {
    return this.#runs
  }

  /** Successful tasks of which there is no record. */
  get unrecorded(): number {
    return this.#parts.recorder.skipped
  }

  /**
   * Begins a task that was asked for from outside, and answers its ref. Rejects 'not-found' (function or
   * task), 'invalid' (options), 'throttled' (too many).
   */
  async submit(request: OutsideTask): Promise<ObjectEntry> {
    this.#admit()
    const { scope, functionName, qualifier, exportName, args, options = {}, refId, holder } = request
    await this.#parts.resolver.ready(scope, functionName)
    const { version } = this.#parts.resolver.resolve(scope, functionName, qualifier)
    const manifest = await this.#parts.manifests.of(version)
    const shape = this.#shapes.declared(version, exportName, manifest, options, undefined)
    this.#admit()
    const entry = this.#parts.objects.create(refId, holder, scope.account)
    this.#begin(entry, shape, undefined, 0, undefined).start(args, [])
    return entry
  }

  /** Resolves when no task is left. */
  drain(): Promise<void> {
    if (this.#runs.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#whenEmpty.push(resolve))
  }

  /** Refuses what is asked for from now on, and what has not begun. */
  close(): void {
    this.#closed = true
    this.#cycles.cancel()
    this.#parts.recorder.close()
    for (const run of this.#runs) if (run.invocation === undefined) run.refuse(stopping())
  }

  // -- operations

  #task({ environment, id, flags, fields, payload }: Request): void {
    const [run, functionText = '', exportName = '', options = '', topRefs = ''] = fields
    const { objects } = this.#parts
    const parent = invocationOf(environment, run)
    const holdings = holdingsOf(objects, environment, parent)
    let entry: ObjectEntry | undefined
    try {
      entry = objects.create(refIdOf(environment, id), holdings.refs, environment.version?.scope.account)
      this.#admit(environment)
      const topIds = topRefs === '' ? NONE : topRefs.split(',').map((one) => one.slice(one.indexOf(':') + 1))
      const reader = { environment, id, holdings }
      const start = (shape: TaskShape, created: ObjectEntry): void =>
        this.#begin(created, shape, parent, depthOf(parent) + 1, reader).start(payload, topIds, flags)
      const { version } = environment
      if (version === undefined) return
      const within = version.execution.placementGroup?.name
      if (functionText === '') return start(this.#shapes.own(version, exportName, options, within), entry)
      const pending = entry
      this.#elsewhere(version.scope, functionText, exportName, options, within)
        .then((shape) => start(shape, pending))
        .catch((error: unknown) => this.#reject(pending, error, reader))
    } catch (error) {
      if (error instanceof RangeError) throw error // the process broke the protocol
      if (entry !== undefined) return this.#reject(entry, error, { environment, id, holdings })
      environment.connection?.answer(id, FLAG.error, this.#errorOf(error))
    }
  }

  #get({ environment, id, fields }: Request): void {
    const [run, refId = '', kept] = fields
    const { objects, encode } = this.#parts
    const entry = objects.find(refId)
    if (entry === undefined) {
      environment.connection?.answer(id, FLAG.error, encode(lostFailure(refId)))
      return
    }
    const invocation = invocationOf(environment, run)
    const holdings = holdingsOf(objects, environment, invocation)
    if (kept !== 'kept') holdings.refs.hold(entry) // otherwise a call has it
    if (entry.isSettled) return hand(environment, id, entry, holdings)
    const wait = new RefWait({ entry, environment, invocation, id, holdings })
    holdings.waits.add(wait)
    entry.whenSettled(wait)
  }

  #put({ environment, id, flags, fields, payload }: Request): void {
    const { objects } = this.#parts
    const holdings = holdingsOf(objects, environment, invocationOf(environment, fields[0]))
    try {
      const entry = objects.create(
        refIdOf(environment, id),
        holdings.refs,
        environment.version?.scope.account,
      )
      const location = flags & FLAG.object
      if (flags & FLAG.error)
        objects.reject(entry, Buffer.from(payload)) // there was no room for it
      else objects.resolve(entry, location, Buffer.from(payload), location === 0 ? refsOf(payload) : NONE)
      environment.connection?.answer(id, flags & FLAG.error, flags & FLAG.error ? payload : EMPTY)
    } catch (error) {
      environment.connection?.answer(id, FLAG.error, this.#errorOf(error))
    }
  }

  /** No code in that process knows these refs any more, whichever invocation got them. */
  #release({ environment, fields: [ids = ''] }: Request): void {
    const holders: CodeHoldings[] = []
    for (const { holdings } of [environment, ...environment.inFlight])
      if (holdings instanceof CodeHoldings) holders.push(holdings)
    for (const id of ids.split(',')) {
      const entry = this.#parts.objects.find(id)
      if (entry !== undefined) for (const { refs } of holders) refs.release(entry)
    }
  }

  #cancel({ environment, id, fields }: Request): void {
    const [refId = '', force, recursive] = fields
    this.#parts.objects.find(refId)?.producer?.cancel({ force: force === '1', recursive: recursive !== '0' })
    if (id !== 0) environment.connection?.answer(id, 0, EMPTY)
  }

  // -- inside

  #begin(
    entry: ObjectEntry,
    shape: TaskShape,
    parent: Invocation | undefined,
    depth: number,
    reader: TaskReader | undefined,
  ): TaskRun {
    const id = this.#parts.newId()
    const run = new TaskRun({ context: this.#context, id, shape, entry, parent, depth, reader })
    this.#runs.add(run)
    if (reader !== undefined) this.#processOf(reader).openTasks += 1
    return run
  }

  /** The shape of a task of another function, as it is now. */
  async #elsewhere(
    scope: Scope,
    text: string,
    exportName: string,
    options: string,
    within: string | undefined,
  ): Promise<TaskShape> {
    const colon = text.indexOf(':')
    const functionName = colon < 0 ? text : text.slice(0, colon)
    const { resolver, manifests } = this.#parts
    await resolver.ready(scope, functionName)
    const { version } = resolver.resolve(scope, functionName, colon < 0 ? undefined : text.slice(colon + 1))
    const manifest = await manifests.of(version)
    return this.#shapes.declared(version, exportName, manifest, readOptions(options), within)
  }

  #admit(environment?: Environment): void {
    if (this.#closed) throw stopping()
    if (this.#runs.size >= this.#maxTasks) throw tooMany(`${this.#runs.size} tasks`)
    if (environment === undefined) return
    const { openTasks } = this.#processOf({ environment })
    if (openTasks >= this.#maxTasksOfProcess) throw tooMany(`${openTasks} tasks of this process`)
  }

  #processOf({ environment }: Pick<TaskReader, 'environment'>): CodeHoldings {
    return holdingsOf(this.#parts.objects, environment, undefined)
  }

  #ended(run: TaskRun): void {
    this.#runs.delete(run)
    if (run.reader !== undefined) this.#processOf(run.reader).openTasks -= 1
    if (this.#runs.size > 0) return
    for (const resolve of this.#whenEmpty.splice(0)) resolve()
  }

  /** One look at all tasks for the whole tree below `parent`. */
  #cancelChildren(parent: Invocation, force: boolean): void {
    const children = new Map<Invocation, TaskRun[]>()
    for (const run of this.#runs) {
      if (run.parent === undefined) continue
      const known = children.get(run.parent)
      if (known === undefined) children.set(run.parent, [run])
      else known.push(run)
    }
    const open = [parent]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      for (const run of children.get(next) ?? []) {
        if (run.invocation !== undefined) open.push(run.invocation)
        run.cancel({ force, recursive: false })
      }
    }
  }

  #streamOf(environment: Environment, number: string | undefined): ReadStream | undefined {
    const id = wholeOf(number)
    const producer = this.#parts.objects.find(refIdOf(environment, id))?.producer
    if (producer instanceof TaskRun) return producer.stream
    return this.otherStreams?.(environment, id)
  }

  #reject(entry: ObjectEntry, error: unknown, { environment, id, holdings }: TaskReader): void {
    this.#parts.objects.reject(entry, this.#errorOf(error))
    hand(environment, id, entry, holdings)
  }

  #errorOf(error: unknown): Buffer {
    if (error instanceof EngineError) return this.#parts.encode(refusalFailure(error))
    this.#parts.log.error('a task could not be begun', { error })
    return this.#parts.encode({ name: 'Error', message: 'The engine could not begin it. See its log.' })
  }
}

/** Id of the ref that request `id` of a process makes. */
export const refIdOf = ({ identity }: Environment, id: number): string =>
  `o${identity.epoch.toString(36)}-${id}`

const depthOf = (parent: Invocation | undefined): number => parent?.input.depth ?? 0

function wholeOf(text: string | undefined): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) throw new RangeError(`"${text}" counts nothing.`)
  return number
}

const tooMany = (what: string): EngineError =>
  new EngineError('throttled', `${what} have not ended, as many as may be.`, {
    detail: 'queue-full',
    hint: 'Wait for some of them with get or wait before making more.',
  })

const stopping = (): EngineError => new EngineError('unavailable', 'The engine is stopping.')
const NONE: readonly string[] = []
const EMPTY = packError('', Buffer.alloc(0))
