import type { Clock } from '../clock.ts'
import { EngineError } from '../errors.ts'
import type { FunctionVersion } from '../registry/types.ts'
import type { Environment } from './environment.ts'
import type { EnvironmentOwner, EnvironmentRequest } from './environment-owner.ts'
import type { Initialized } from './frames.ts'
import { initEndEvents, type InitStatus } from './init-events.ts'
import type { Invocation } from './invocation.ts'
import type { ProcessExit } from './launcher.ts'
import { WaitingQueue } from './waiting-queue.ts'

/** What a pool needs from whoever starts environments for it. */
export interface PoolHost {
  /** An invocation waits and no environment is there to take it. */
  wanted(pool: EnvironmentPool): void
  /** Whether no further environment can be had, so that waiting work may be held ahead inside busy ones. */
  capped(pool: EnvironmentPool): boolean
  /** An environment is loaded, or has become idle or stopped: counters and leases follow. */
  settled(pool: EnvironmentPool, environment: Environment): void
  stopped(pool: EnvironmentPool, environment: Environment): void
  codeCache(pool: EnvironmentPool, environment: Environment, bytes: Buffer): void
  requested(environment: Environment, request: EnvironmentRequest): void
  /** Whether somebody who had a processor before wants the one of an environment that has become idle. */
  isWanted(environment: Environment): boolean
  /** A parked environment is to work again: whether it has its processors. */
  unpark(environment: Environment): boolean
  /** Invocations whose version was replaced before they started. */
  orphaned(invocations: readonly Invocation[]): void
}

/** One that runs longer than this does not keep another waiting behind it inside the same process. */
const AHEAD_PATIENCE_MS = 5
const MAX_AHEAD = 7
/** Tasks are often tiny: as many of them as make a write worth its while. */
const MAX_TASKS_AHEAD = 63
/** How many of those that wait are looked at for a child of what runs somewhere. */
const CHILDREN_LOOKED_AT = 256
/** Environments that died before they were connected, in a row, after which waiting callers are told. */
const MAX_LAUNCH_FAILURES = 3

/**
 * The environments of one function version (and tenant), and the invocations that wait for one. The most
 * recently used
 * idle environment is taken first, so that the others can be reaped.
 */
export class EnvironmentPool implements EnvironmentOwner<Environment> {
  readonly key: string
  readonly version: FunctionVersion
  readonly members = new Set<Environment>()
  readonly waiting = new WaitingQueue()
  /** Being started or loading for those who wait: they will take waiting work soon. */
  starting = 0
  /** Takes no new invocation: its version was replaced. */
  retired = false
  /** Its version was replaced; it serves those who run that version as long as they do. */
  outdated = false
  /** Runs tasks. */
  readonly isForTasks: boolean
  readonly #idle: Environment[] = []
  readonly #concurrency: number
  readonly #maxCalls: number
  readonly #host: PoolHost
  readonly #clock: Clock
  #launchFailures = 0
  /** The next environment loads what the last one could not load in time. */
  #loadsAgain = false
  #held = 0

  constructor(options: { key: string; version: FunctionVersion; host: PoolHost; clock: Clock }) {
    this.key = options.key
    this.version = options.version
    this.#concurrency = options.version.execution.concurrency
    this.#maxCalls = options.version.execution.maxCalls ?? Infinity
    this.isForTasks = options.key.includes('\n\ntask ')
    this.#host = options.host
    this.#clock = options.clock
  }

  /** Newest last; those that are kept ready behind all others, so that they are used first. */
  get idle(): readonly Environment[] {
    return this.#idle
  }

  /** The idle one that others may have the place of: used least recently, and not kept ready. */
  get spareable(): Environment | undefined {
    const [first] = this.#idle
    return first?.provisioned === true ? undefined : first
  }

  /** Its idle ones may do without their processors until they have work. */
  get mayPark(): boolean {
    return this.#concurrency === 1
  }

  submit(invocation: Invocation): void {
    if (this.waiting.size === 0) {
      const environment = this.#free() ?? this.#ahead()
      if (environment !== undefined) return this.#give(environment, invocation)
    }
    this.waiting.push(invocation)
    this.#host.wanted(this)
  }

  add(environment: Environment): void {
    environment.poolKey = this.key
    environment.loadsAgain = this.#loadsAgain
    this.#loadsAgain = false
    this.members.add(environment)
    if (!environment.provisioned) this.starting += 1
  }

  /**
   * What `tick` has to do here: calls back what is held behind slow work, wherever it could run sooner
   * elsewhere.
   */
  recallSlow(now: number): void {
    if (this.#held === 0) return
    for (const environment of this.members) {
      const [first] = environment.inFlight
      if (first === undefined || environment.inFlight.at(-1)?.state !== 'queued-ahead') continue
      if (now - first.startedAt > AHEAD_PATIENCE_MS || this.#idle.length > 0) environment.recall()
    }
  }

  /** Takes one out that waits here. */
  withdraw(invocation: Invocation): void {
    const { depth = 0 } = invocation.input
    if (this.waiting.take(depth, (one) => one === invocation, Infinity) !== undefined)
      invocation.state = 'ended'
  }

  /** Hands work that waits here to the process whose own work waits for it. Whether there was some. */
  enter(environment: Environment): boolean {
    for (const parent of environment.inFlight) {
      if (!parent.isBlocked || this.#maxCalls !== Infinity || this.#wantsGpu) continue
      const depth = (parent.input.depth ?? 0) + 1
      const child = this.waiting.take(depth, (one) => one.input.parent === parent, CHILDREN_LOOKED_AT)
      if (child === undefined) continue
      environment.run(child)
      return true
    }
    return false
  }

  /** No request may be handed to this version any more. Returns those that waited, to be resolved anew. */
  retire(): Invocation[] {
    this.retired = true
    this.#idle.length = 0
    const orphans = this.waiting.remove(() => true)
    for (const environment of this.members) environment.drain()
    return orphans
  }

  /** Hands waiting work to whoever can take it. */
  dispatch(): void {
    while (this.waiting.size > 0) {
      const environment = this.#free() ?? this.#ahead()
      if (environment === undefined) break
      const invocation = this.waiting.shift()
      if (invocation === undefined) break
      this.#give(environment, invocation)
    }
  }

  /** Ends it when it has answered what it runs. */
  dismiss(environment: Environment): void {
    this.forgetIdle(environment)
    environment.drain()
  }

  forgetIdle(environment: Environment): void {
    const index = this.#idle.indexOf(environment)
    if (index >= 0) this.#idle.splice(index, 1)
  }

  // -- from environments

  booted(): void {
    // Spares boot; a member of a pool is handed its code by whoever put it here.
  }

  loaded(environment: Environment, result: Initialized): void {
    if (!environment.provisioned) this.starting -= 1
    this.#launchFailures = 0
    if (result.error !== undefined) {
      const waited = this.#waitedFor(environment)
      const error = Buffer.from(result.errorJson ?? JSON.stringify(result.error))
      const { errorType } = result.error
      environment.intake.whenAt(result.logBytes, () => {
        this.#reportInit(environment, 'error', errorType)
        for (const invocation of waited) invocation.input.observer.initFailed(invocation, error)
      })
    } else {
      this.#reportInit(environment, 'success')
      if (environment.state === 'idle') this.released(environment)
    }
    this.#host.settled(this, environment)
  }

  released(environment: Environment): void {
    if (environment.invocations >= this.#maxCalls) return environment.drain()
    if (environment.state === 'idle' && this.#host.isWanted(environment)) {
      this.#shelve(environment)
      this.#host.settled(this, environment)
      return this.dispatch()
    }
    while (this.waiting.size > 0 && this.#takes(environment)) {
      const invocation = this.waiting.shift()
      if (invocation === undefined) break
      this.#give(environment, invocation)
    }
    if (environment.state !== 'idle') return
    if (!this.#idle.includes(environment)) this.#shelve(environment)
    this.#host.settled(this, environment)
  }

  startedHeld(): void {
    this.#held -= 1
  }

  returned(_environment: Environment, invocation: Invocation): void {
    this.#held -= 1
    if (invocation.isWithdrawn) {
      invocation.state = 'ended'
      return
    }
    if (this.retired) return this.#host.orphaned([invocation])
    this.waiting.unshift(invocation)
    this.dispatch()
    if (this.waiting.size > 0) this.#host.wanted(this)
  }

  stopped(environment: Environment, exit: ProcessExit): void {
    const loaded = environment.loaded
    this.forgetIdle(environment)
    this.members.delete(environment)
    if (!loaded) {
      if (!environment.provisioned) this.starting -= 1
      if (environment.version === undefined) {
        if (!this.retired) this.#launchFailed()
      } else if (this.#mayLoadAgain(environment)) this.#loadAgain(environment)
      else if (!environment.initFailed) {
        if (environment.loadingTimedOut) this.#reportInit(environment, 'timeout')
        else this.#reportInit(environment, 'error', nameOf(exit))
        for (const one of this.#waitedFor(environment)) one.input.observer.lost(one, exit)
      }
    }
    this.#host.stopped(this, environment)
    if (this.waiting.size > 0) this.#host.wanted(this)
  }

  codeCache(environment: Environment, bytes: Buffer): void {
    this.#host.codeCache(this, environment, bytes)
  }

  requested(environment: Environment, request: EnvironmentRequest): void {
    this.#host.requested(environment, request)
  }

  // -- inside

  #give(environment: Environment, invocation: Invocation): void {
    environment.run(invocation)
    if (invocation.state === 'queued-ahead') this.#held += 1
  }

  get #wantsGpu(): boolean {
    return (this.version.execution.resources['gpu'] ?? 0) > 0
  }

  #shelve(environment: Environment): void {
    const last = this.#idle.at(-1)
    if (environment.provisioned || last?.provisioned !== true) return void this.#idle.push(environment)
    this.#idle.splice(
      this.#idle.findIndex((one) => one.provisioned),
      0,
      environment,
    )
  }

  #takes(environment: Environment): boolean {
    if (environment.state !== 'idle' && environment.state !== 'busy') return false
    const taken = environment.placesTaken
    if (taken < this.#concurrency) return true
    if (this.#maxCalls !== Infinity || environment.isWaiting) return false
    if (taken >= this.#concurrency + this.#aheadOf(environment) || !this.#mayHold(environment)) return false
    const [first] = environment.inFlight
    return first === undefined || this.#clock.monotonicMs() - first.startedAt <= AHEAD_PATIENCE_MS
  }

  #free(): Environment | undefined {
    if (this.#concurrency === 1) {
      let last = this.#idle.pop()
      while (last !== undefined && last.state !== 'idle') last = this.#idle.pop() // its connection broke
      if (last === undefined || !last.isParked || this.#host.unpark(last)) return last
      this.#idle.push(last)
      return undefined
    }
    let best: Environment | undefined
    for (const environment of this.members) {
      if (environment.state !== 'idle' && environment.state !== 'busy') continue
      const { placesTaken } = environment
      const more = best === undefined || placesTaken < best.placesTaken
      if (placesTaken < this.#concurrency && more) best = environment
    }
    if (best?.state === 'idle') this.forgetIdle(best)
    return best
  }

  /** A busy environment that may hold one more behind what it runs: only when no other can be had. */
  #ahead(): Environment | undefined {
    if (!this.isForTasks && !this.#host.capped(this)) return undefined
    let best: Environment | undefined
    for (const environment of this.members) {
      if (environment.state !== 'busy' || environment.inFlight.length >= (best?.inFlight.length ?? Infinity))
        continue
      if (this.#takes(environment)) best = environment
    }
    return best
  }

  /** Another process is not worth its start for tasks that take microseconds. */
  #mayHold({ recentMs }: Environment): boolean {
    return this.#host.capped(this) || (this.isForTasks && recentMs * MAX_TASKS_AHEAD <= AHEAD_PATIENCE_MS)
  }

  /**
   * How many may wait inside it: as many as it runs in a few milliseconds, so that one write carries several.
   */
  #aheadOf(environment: Environment): number {
    const { recentMs } = environment
    if (this.#concurrency > 1) return recentMs < AHEAD_PATIENCE_MS ? this.#concurrency : 0
    const most = this.isForTasks ? MAX_TASKS_AHEAD : MAX_AHEAD
    const many = recentMs * most <= AHEAD_PATIENCE_MS
    return many ? most : Math.max(1, Math.floor(AHEAD_PATIENCE_MS / recentMs))
  }

  /**
   * Those to whom this environment's failure to load is the answer: its share of who waited when it began, so
   * that others which do load serve the rest.
   */
  #waitedFor(environment: Environment): Invocation[] {
    const early = (invocation: Invocation): boolean => invocation.waitingSince <= environment.loadingSince
    const others = [...this.members].filter((one) => one !== environment && one.state !== 'draining')
    let share = Math.ceil([...this.waiting].filter(early).length / (others.length + 1))
    const waited = this.waiting.remove((invocation) => early(invocation) && share-- > 0)
    for (const invocation of waited) invocation.host = environment
    return waited
  }

  /** Code that did not load in time gets the time of an invocation once, where that is longer. */
  #mayLoadAgain(environment: Environment): boolean {
    const took = environment.initMs
    const { timeoutMs } = this.version
    return environment.loadingTimedOut && !environment.loadsAgain && (timeoutMs === null || took < timeoutMs)
  }

  /** Those who wait go on waiting for the next one; the log says why. */
  #loadAgain(environment: Environment): void {
    this.#loadsAgain = true
    this.#reportInit(environment, 'timeout')
  }

  /** What the log says of an initialisation that has ended. */
  #reportInit(environment: Environment, status: InitStatus, errorType?: string): void {
    for (const event of initEndEvents(this.#clock.nowMs(), environment, status, errorType))
      environment.intake.event(event)
  }

  #launchFailed(): void {
    this.#launchFailures += 1
    if (this.#launchFailures < MAX_LAUNCH_FAILURES) return
    this.#launchFailures = 0
    const error = new EngineError(
      'unavailable',
      `An environment for "${this.version.functionName}" could not be started.`,
      {
        hint: 'See the log of the engine, and run: lambent doctor',
      },
    )
    for (const invocation of this.waiting.remove(() => true))
      invocation.input.observer.refused(invocation, error)
  }
}

/** Lambda's name for the end of a process. */
const nameOf = (exit: ProcessExit): string =>
  exit.failure?.errorType ?? (exit.outOfMemory ? 'Runtime.OutOfMemory' : 'Runtime.ExitError')
