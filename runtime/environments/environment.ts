import type { Socket } from 'node:net'
import type { Clock } from '../clock.ts'
import type { FunctionVersion } from '../registry/types.ts'
import { Connection } from './connection.ts'
import type { EnvironmentIdentity, EnvironmentOptions, EnvironmentOwner } from './environment-owner.ts'
import { successor, type EnvironmentState } from './environment-state.ts'
import { Farewell } from './farewell.ts'
import {
  FLAG,
  FRAME,
  frame,
  readInitialized,
  readPlatformEvent,
  readResultMeta,
  readRuntimeEnded,
  type Hello,
  type Specialization,
} from './frames.ts'
import type { GatewayMember } from './gateway.ts'
import { InFlight } from './in-flight.ts'
import { invokeMeta, tellAnswer, type Holdings, type Invocation, type InvocationHost } from './invocation.ts'
import { KILLED, type LaunchedProcess, type ProcessExit } from './launcher.ts'
import { LogIntake } from './log-intake.ts'
import { OpenSockets } from './open-sockets.ts'
import { OverdueCalls } from './overdue-calls.ts'
import type { EnvironmentValues } from './value-exchange.ts'

/** A process closes its sockets as it exits: a kill before this would hide how it ended. */
const EXIT_FOLLOWS_MS = 500

/** One execution environment: a process, its connection and what it runs. */
export class Environment implements GatewayMember, InvocationHost {
  readonly identity: EnvironmentIdentity
  readonly id: string
  readonly token: string
  readonly intake: LogIntake
  readonly values: EnvironmentValues | undefined
  readonly startedAtMs: number
  owner: EnvironmentOwner<Environment>
  process: LaunchedProcess | undefined
  readonly adopted: Promise<LaunchedProcess | undefined> // the process once it exists, if it ever does
  version: FunctionVersion | undefined
  poolKey = '' // that of its pool: whose /tmp it takes over, and who takes over its own
  stream = -1 // the journal's number of its log stream
  invocations = 0
  maxRssKb = 0
  recentMs = 5 // what its invocations took lately, smoothed; a cautious guess at first
  idleSince = 0 // monotonic ms since when it has had nothing to do
  initMs = 0 // how long loading took
  initReported = false
  loadingSince = 0 // monotonic ms when it was handed its code
  loaded = false // loading has ended, well or not
  initFailed = false
  loadingTimedOut = false
  loadsAgain = false // what another one could not load in time
  provisioned = false // kept ready, and nobody else's to end
  isParked = false // idle, and others have its processors
  connection: Connection | undefined // once it has dialled in
  gone = false // stopped, and nothing of its process is left
  holdings: Holdings | undefined // what its code has beside any invocation
  #state: EnvironmentState = 'starting'
  readonly #inFlight = new InFlight()
  readonly #overdue: OverdueCalls
  readonly #clock: Clock
  #adopted: (process: LaunchedProcess | undefined) => void = () => {}
  readonly #sockets: OpenSockets
  #runtimeEnd: ProcessExit | undefined
  readonly #farewell: Farewell

  constructor(options: EnvironmentOptions<Environment>) {
    this.identity = options.identity
    this.id = options.identity.id
    this.token = options.identity.token
    this.owner = options.owner
    this.values = options.values
    this.#clock = options.clock
    this.#sockets = new OpenSockets(options.clock)
    const send = (bytes: Buffer): void => this.connection?.send(bytes)
    this.#farewell = new Farewell(options.clock, send, () => this.kill())
    this.adopted = new Promise((resolve) => (this.#adopted = resolve))
    this.startedAtMs = options.clock.nowMs()
    this.intake = new LogIntake(options.journal, options.clock)
    this.#overdue = new OverdueCalls(options.clock, this.intake, () => this.kill())
  }

  get state(): EnvironmentState {
    return this.#state
  }
  get inFlight(): readonly Invocation[] {
    return this.#inFlight.all
  }
  /** Whether code in it waits for others. */
  get isWaiting(): boolean {
    return this.#inFlight.blocked > 0
  }
  /** How many places are taken, those of overdue invocations included; all of them while it may be stuck. */
  get placesTaken(): number {
    return this.#overdue.unproven ? Infinity : this.#inFlight.size + this.#overdue.size
  }

  /** Hands the process its code. It answers `initialized`; invocations follow then. */
  load(version: FunctionVersion, specialization: Specialization): void {
    this.#transition('loading')
    this.version = version
    this.loadingSince = this.#clock.monotonicMs()
    this.connection?.send(frame(FRAME.specialize, specialization))
  }

  /** Hands over an invocation. What has no place yet waits inside the process until it is its turn. */
  run(invocation: Invocation): void {
    const urgent = this.#inFlight.size === 0
    // It is busy still where it has just given its last one back.
    if (urgent && this.#state !== 'busy') this.#transition('busy')
    this.#inFlight.add(invocation, this)
    if (this.#hasPlace()) this.#start(invocation)
    const { id, input } = invocation
    const meta = invokeMeta(input, this.#clock.nowMs())
    this.connection?.invoke(id, invocation.flags, meta, input.payload, urgent)
  }

  /** Nobody wants one of its invocations any more: it need not start, or is asked to end, or made to. */
  cancel(invocation: Invocation, force: boolean): void {
    if (invocation.state === 'queued-ahead') {
      invocation.isWithdrawn = true
      this.connection?.recall(invocation.id)
    } else if (force) this.kill()
    else this.connection?.abort(invocation.id)
  }

  /** The code of one that runs waits for others from now on, or does not any more. */
  block(invocation: Invocation, isBlocked: boolean): void {
    this.#inFlight.block(invocation, isBlocked)
    if (!isBlocked) return
    this.#startHeld() // the process does
    this.recall() // what is held behind it could wait for ever
  }

  /** Asks for what is held ahead, last first; what has not started comes back through `returned`. */
  recall(): void {
    for (const { id } of this.#inFlight.heldLastFirst()) this.connection?.recall(id)
  }

  /**
   * Ends an invocation that is over its time limit. With others beside it the process lives on as long as
   * its event loop turns, and the place is free again when the code has ended.
   */
  expire(invocation: Invocation): void {
    invocation.timedOut = true
    const concurrency = this.#concurrency()
    if (concurrency === 1 && this.#inFlight.running === 1) {
      if (!this.#farewell.polite) return this.kill()
      this.#transition('draining')
      this.#lose(KILLED) // no caller waits for extensions
      return this.#farewell.end('timeout')
    }
    this.connection?.abort(invocation.id)
    this.#inFlight.remove(invocation)
    this.#overdue.add(invocation)
    if (this.#overdue.size >= concurrency) this.drain()
    else this.#afterRemoval()
  }

  /** Loading takes too long. */
  expireLoading(): void {
    this.loadingTimedOut = true
    this.kill()
  }

  credit(invocation: Invocation, bytes: number): void {
    if (invocation.host === this) this.connection?.credit(invocation.id, bytes)
  }

  message(invocation: Invocation, meta: string, payload: Buffer): void {
    if (invocation.host === this) this.connection?.message(invocation.id, meta, payload)
  }

  /** Takes no new invocation; stops when what runs has ended. */
  drain(): void {
    if (this.#state === 'stopped' || this.#state === 'draining') return
    if (this.#state === 'starting' || this.#state === 'spare') return this.kill()
    if (this.process !== undefined) this.process.temporaryFor = undefined
    const idle = this.#inFlight.size === 0
    this.#transition('draining')
    this.recall()
    if (idle) this.#farewell.end('spindown')
  }

  /** Ends whatever runs: at once, or politely where there are extensions. */
  end(): void {
    if (this.process === undefined || this.#state === 'stopped') return this.kill()
    if (this.#state === 'idle' || this.#state === 'busy') this.#transition('draining')
    this.#farewell.end('spindown')
  }

  kill = (): void => (this.process === undefined ? this.#ended(KILLED) : this.process.kill())

  /** The process exists: its end is this environment's end. */
  adopt(process: LaunchedProcess): void {
    this.process = process
    this.#adopted(process)
    void process.exited.then((exit) => this.#sockets.whenClosed(() => this.#ended(exit, true)))
    if (this.#state === 'stopped') process.kill()
  }

  // -- from the gateway

  connected(socket: Socket, _hello: Hello): void {
    this.#sockets.opened()
    this.connection = new Connection(socket, this.values)
  }

  disconnected(): void {
    this.#sockets.closed()
    if (this.#state === 'idle' || this.#state === 'busy') this.#transition('draining') // nothing reaches it
    if (this.#state === 'spare') this.#ended(KILLED)
    this.#clock.after(EXIT_FOLLOWS_MS, () => this.process?.kill())
  }

  logConnected = (): void => this.#sockets.opened()
  logBytes = (chunk: Buffer): void => this.intake.push(chunk)
  logEnded(): void {
    this.intake.end()
    this.#sockets.closed()
  }

  frame(type: number, flags: number, id: number, extra: number, body: Buffer): void {
    switch (type) {
      case FRAME.result:
      case FRAME.streamEnd:
        return this.#answered(type, flags, id, body)
      case FRAME.streamData:
        return this.#inFlight.with(id, (one) => one.input.observer.streamData(one, body))
      case FRAME.streamStart:
        return this.#inFlight.with(id, (one) => one.input.observer.streamStarted(one, body.toString('utf8')))
      case FRAME.ready:
        if (this.#state !== 'starting') return
        this.#transition('spare')
        return this.owner.booted(this)
      case FRAME.initialized:
        return this.#initialized(body)
      case FRAME.recalled:
        return this.#recalled(id)
      case FRAME.notJson:
        return this.#finish(id, 0, (one) => one.input.observer.notJson(one, body.toString('utf8')))
      case FRAME.codeCache:
        return this.owner.codeCache(this, body)
      case FRAME.runtimeEnded:
        return this.#runtimeEnded(body)
      case FRAME.settled:
        return this.#settled(id, body)
      case FRAME.shutdownBudget:
        return this.#farewell.needs(extra)
      case FRAME.platformEvent:
        return this.intake.event(readPlatformEvent(body))
      case FRAME.request:
        return this.owner.requested(this, { id, flags, metaBytes: extra, body })
      case FRAME.said:
        return this.#inFlight.with(id, (one) => one.input.observer.said?.(one, flags, extra, body))
      case FRAME.aborted:
        if (this.#overdue.proven(id)) this.#placeFreed()
    }
  }

  // -- inside

  #transition = (next: EnvironmentState): void => void (this.#state = successor(this.#state, next))

  #start(invocation: Invocation): void {
    this.#inFlight.start(invocation, this.#clock.monotonicMs())
    invocation.initMs = this.initReported ? null : this.initMs
    this.initReported = true
  }

  #initialized(body: Buffer): void {
    if (this.loaded || this.version === undefined) return
    const result = readInitialized(body)
    this.initMs = result.durationMs
    this.loaded = true
    this.initFailed = result.error !== undefined
    if (result.error === undefined && this.#state === 'loading') {
      this.#transition('idle')
      this.idleSince = this.#clock.monotonicMs()
    }
    this.owner.loaded(this, result)
    if (result.error !== undefined) this.#farewell.end('failure')
    else if (this.#state === 'draining') this.#farewell.end('spindown')
  }

  #answered(type: number, flags: number, id: number, body: Buffer): void {
    const meta = readResultMeta(body)
    this.maxRssKb = Math.max(this.maxRssKb, meta.maxRssKb)
    this.recentMs += (meta.durationMs - this.recentMs) / 8
    if (flags & FLAG.fatal && this.#state === 'busy') {
      this.#transition('draining')
      this.#farewell.expect()
    }
    const tell = (one: Invocation): void => tellAnswer(one, type, flags, meta, body)
    this.#finish(id, meta.logBytes, tell, flags)
  }

  /** Ends invocation `id`: the process gets its next one before the answer is worked on. */
  #finish(id: number, logBytes: number, tell: (invocation: Invocation) => void, flags = 0): void {
    const invocation = this.#inFlight.find(id)
    if (invocation === undefined) return this.#finishOverdue(id, logBytes)
    if (flags & FLAG.unsettled) invocation.state = 'settling'
    else this.#release(invocation)
    tell(invocation)
    if (invocation.state === 'ended') invocation.letGo()
  }

  #release(invocation: Invocation): void {
    this.#inFlight.remove(invocation)
    invocation.state = 'ended'
    this.invocations += 1
    this.#startHeld()
    this.#afterRemoval()
    if (this.#inFlight.size > 0) this.owner.calmed?.(this)
  }

  /** Extensions have done with an invocation that was answered before. */
  #settled(id: number, body: Buffer): void {
    const meta = readResultMeta(body)
    const invocation = this.#inFlight.find(id)
    if (invocation?.state !== 'settling') return
    this.#release(invocation)
    invocation.input.observer.settled(invocation, meta)
    invocation.letGo()
  }

  #finishOverdue(id: number, logBytes: number): void {
    if (!this.#overdue.end(id, logBytes)) return
    this.#startHeld()
    this.#placeFreed()
  }

  #concurrency = (): number => this.version?.execution.concurrency ?? 1
  #hasPlace = (): boolean => this.#inFlight.awake + this.#overdue.size < this.#concurrency()

  /** The process starts what it holds as soon as there is a place. */
  #startHeld(): void {
    const next = this.#hasPlace() ? this.#inFlight.nextHeld() : undefined
    if (next === undefined) return
    this.owner.startedHeld()
    this.#start(next)
  }

  #placeFreed(): void {
    if (this.#state === 'idle' || this.#state === 'busy') this.owner.released(this)
  }

  #recalled(id: number): void {
    const invocation = this.#inFlight.takeBack(id)
    if (invocation === undefined) return
    this.owner.returned(this, invocation)
    this.#afterRemoval()
  }

  #afterRemoval(): void {
    if (this.#state === 'draining') {
      if (this.#inFlight.size === 0) this.#farewell.end('spindown')
      return
    }
    if (this.#inFlight.size === 0) {
      this.#transition('idle')
      this.idleSince = this.#clock.monotonicMs()
    }
    this.owner.released(this)
  }

  #ended(exit: ProcessExit, gone = this.process === undefined): void {
    if (this.#state === 'stopped') return
    this.gone = gone
    this.#state = 'stopped' // every state may end here
    this.#adopted(undefined)
    this.connection?.destroy()
    this.#overdue.clear()
    this.intake.end()
    this.maxRssKb = Math.max(this.maxRssKb, Math.round((exit.peakBytes ?? 0) / 1024))
    if (!this.loaded && this.loadingSince > 0) this.initMs = this.#clock.monotonicMs() - this.loadingSince
    const end = exit.outOfMemory ? exit : (this.#runtimeEnd ?? exit)
    this.#lose(end)
    this.holdings?.end()
    this.owner.stopped(this, end)
    this.intake.release()
  }

  /** A runtime's own process is gone: nobody has to wait until the rest has ended, too. */
  #runtimeEnded(body: Buffer): void {
    const { logBytes, ...end } = readRuntimeEnded(body)
    const exit = { ...KILLED, ...end }
    this.#runtimeEnd = exit
    if (this.#state === 'idle' || this.#state === 'busy') this.#transition('draining')
    this.intake.whenAt(logBytes, () => this.#lose(exit))
    this.#farewell.expect()
  }

  #lose(exit: ProcessExit): void {
    this.#inFlight.end(exit, (invocation) => this.owner.returned(this, invocation))
  }
}
