import type { EngineError } from '../errors.ts'
import type { FunctionLimits, FunctionVersion } from '../registry/types.ts'
import { FLAG, FRAME, RESULT_META_BYTES, type InvokeMeta, type ResultMeta } from './frames.ts'
import type { ProcessExit } from './launcher.ts'
import type { LogIntake } from './log-intake.ts'
import type { EnvironmentValues } from './value-exchange.ts'

/** What an environment tells about an invocation it was given. Exactly one of the endings is called, once. */
export interface InvocationObserver {
  /** Ending: the handler answered, or failed with error JSON. `flags` are those of the frame. */
  answered(invocation: Invocation, isError: boolean, meta: ResultMeta, payload: Buffer, flags: number): void
  /** Ending: the payload is not JSON; the handler did not run. */
  notJson(invocation: Invocation, reason: string): void
  /** Ending: the code could not be loaded; `error` is Lambda's error JSON. */
  initFailed(invocation: Invocation, error: Buffer): void
  /**
   * Ending: the process is gone, or was killed for a reason the invocation already knows (its time limit).
   */
  lost(invocation: Invocation, exit: ProcessExit): void
  /** Ending: it waited and will not run: no room came free in time, or what it waits for is gone. */
  refused(invocation: Invocation, error: EngineError): void
  streamStarted(invocation: Invocation, contentType: string): void
  streamData(invocation: Invocation, chunk: Buffer): void
  /**
   * After an ending of an invocation whose state was `settling`: nobody works on it any more. `total`
   * measures all of it; undefined when the environment is gone instead.
   */
  settled(invocation: Invocation, total: ResultMeta | undefined): void
  /** Ending of a stream; `error` is Lambda's error JSON when the handler failed after it had started. */
  streamEnded(invocation: Invocation, error: Buffer | undefined, meta: ResultMeta): void
  /** Others need what it holds: whether it ends now, since it has nothing to do. */
  yields?(invocation: Invocation): boolean
  /** What a running one says beside its result; `metaBytes` of `body` are UTF-8, a payload follows. */
  said?(invocation: Invocation, flags: number, metaBytes: number, body: Buffer): void
}

/** Tells the observer of `invocation` of a `result` or `streamEnd` frame. */
export function tellAnswer(
  invocation: Invocation,
  type: number,
  flags: number,
  meta: ResultMeta,
  body: Buffer,
): void {
  const { observer } = invocation.input
  const isError = (flags & FLAG.error) !== 0
  const payload = body.subarray(RESULT_META_BYTES)
  if (type === FRAME.result) observer.answered(invocation, isError, meta, payload, flags)
  else observer.streamEnded(invocation, isError ? payload : undefined, meta)
}

/** Values of an invocation that never change. */
export interface InvocationInput {
  readonly requestId: string
  readonly version: FunctionVersion
  readonly limits: FunctionLimits
  readonly invokedArn: string
  readonly traceId: string
  readonly clientContext: string
  readonly tenantId: string
  readonly payload: Buffer
  readonly streaming: boolean
  /** Events wait without a limit; synchronous callers give up after a while. */
  readonly waitsForever: boolean
  /** The payload, of a task, names large values. */
  readonly lends?: boolean
  /** What of the package is to run: see `call-target.ts`; absent: the handler. */
  readonly target?: string
  /** Names the pool, of environments that run nothing else, for what is no handler's work. */
  readonly pool?: string
  /** The whole key of that pool, where it was made before. */
  readonly poolKey?: string
  /** In place of the version's; null: none. */
  readonly timeoutMs?: number | null
  /** How far it is from work that nothing else of ours asked for; deeper work is run first. Absent: 0. */
  readonly depth?: number
  /** Whose code asked for it. */
  readonly parent?: Invocation | undefined
  readonly observer: InvocationObserver
}

/** What the code of an invocation, or of a process, has in the engine beside its work. */
export interface Holdings {
  /** The code has ended: lets go of everything. */
  end(): void
}

/**
 * What an environment is told about an invocation beside its payload; `nowMs` is Unix epoch ms. One held
 * ahead sees the latest deadline that it could have.
 */
export function invokeMeta(input: InvocationInput, nowMs: number): InvokeMeta {
  const { timeoutMs = input.version.timeoutMs, target } = input
  const meta = {
    requestId: input.requestId,
    deadlineMs: timeoutMs === null ? 0 : Math.round(nowMs + timeoutMs),
    invokedArn: input.invokedArn,
    traceId: input.traceId,
    clientContext: input.clientContext,
    tenantId: input.tenantId,
  }
  return target === undefined ? meta : { ...meta, target }
}

/**
 * Where an invocation stands: it waits for an environment, is held ahead in a busy one, runs, has been
 * answered while extensions work on it, or has ended.
 */
export type InvocationState = 'waiting' | 'queued-ahead' | 'running' | 'settling' | 'ended'

/** What the environment that runs an invocation offers it. */
export interface InvocationHost {
  readonly id: string
  /** The journal's number of its log stream; -1 before it has one. */
  readonly stream: number
  readonly intake: LogIntake
  readonly maxRssKb: number
  /** How long loading the code took, or had taken when the process ended. */
  readonly initMs: number
  readonly initFailed: boolean
  readonly loadingTimedOut: boolean
  /** The time limit has passed. */
  expire(invocation: Invocation): void
  /** The reader of the response stream took `bytes`. */
  credit(invocation: Invocation, bytes: number): void
  /** Nobody wants it any more; `force` ends the process with it. */
  cancel(invocation: Invocation, force: boolean): void
  /** Names large values as its process knows them; undefined where it can have none. */
  readonly values: EnvironmentValues | undefined
  /** Tells a running one something. */
  message(invocation: Invocation, meta: string, payload: Buffer): void
}

/** One invocation on its way through the engine. Made by invoke, moved by pools and environments. */
export class Invocation {
  readonly input: InvocationInput
  state: InvocationState = 'waiting'
  /** Its number on the environment's connection. */
  id = 0
  host: InvocationHost | undefined
  /** Monotonic ms. */
  waitingSince: number
  startedAt = 0
  /** Monotonic ms; Infinity without a time limit. */
  deadline = Infinity
  /** Set before the process is killed for its time limit, so that `lost` knows why. */
  timedOut = false
  /** Set when this invocation made its environment load the code. */
  initMs: number | null = null
  /** Absent as long as its code asks the engine for nothing. */
  holdings: Holdings | undefined
  /** Its code waits for others and lets them have the processor. */
  isBlocked = false
  /** Nobody wants it any more: it ends where it is, unless it runs. */
  isWithdrawn = false

  constructor(input: InvocationInput, nowMonotonicMs: number) {
    this.input = input
    this.waitingSince = nowMonotonicMs
  }

  /** Of the frame that hands it over. */
  get flags(): number {
    const { streaming, lends = false } = this.input
    return (streaming ? FLAG.streaming : 0) | (lends ? FLAG.object : 0)
  }

  get version(): FunctionVersion {
    return this.input.version
  }

  /** Its ending has been told. */
  letGo(): void {
    this.isBlocked = false
    this.holdings?.end()
    this.holdings = undefined
  }
}
