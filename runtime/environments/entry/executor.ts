import { UnsupportedValue } from '../../sdk/errors.ts'
import { decodeTarget, type CallTarget } from '../call-target.ts'
import {
  decodeInvokeMeta,
  FLAG,
  FRAME,
  frame,
  HEADER_BYTES,
  RESULT_META_BYTES,
  writeHeader,
  writeResultMeta,
} from '../frames.ts'
import type { CallScope } from './call-scope.ts'
import { monotonicMs, nextTurn } from './clock.ts'
import type { Connection } from './connection.ts'
import type { ErrorLogger } from './console.ts'
import type { HandlerContract } from './contract.ts'
import { RuntimeError, toErrorJson } from './errors.ts'
import { Invocation } from './invocation.ts'
import type { LogOutput } from './log-output.ts'
import { parsePayload } from './payload.ts'
import { PeakMemory } from './peak-memory.ts'

/** Invocations that may wait in this process; the engine sends one or two ahead. */
const MAX_QUEUED = 1024
/** What an answer needs in front of its payload. */
export const ANSWER_BYTES = HEADER_BYTES + RESULT_META_BYTES

/** Calls the handler for one invocation; answers through the executor's `succeed`, `fail` and `endStream`. */
export type Calling = (executor: Executor, invocation: Invocation, event: unknown) => void

/** Runs what of a package is not its handler: tasks, actors. */
export interface Work {
  /** Answers through the executor's `answerWith` and `fail`. */
  start(executor: Executor, invocation: Invocation, target: CallTarget): void
  /** Takes what the engine tells a running invocation. */
  message(id: number, meta: string, payload: Buffer): void
  abort(id: number): void
  /** An invocation was answered. */
  ended(invocation: Invocation): void
  encodeError(thrown: unknown): Buffer
  /** Places of invocations that wait and let others have theirs. */
  readonly lentPlaces: number
  /** Whether code waits for answers of the engine. */
  readonly isWaiting: boolean
}

/** What an executor works with. */
export interface ExecutorParts {
  connection: Connection
  scope: CallScope
  output: LogOutput
  contract: HandlerContract
  concurrency: number
  calling: Calling
  logError: ErrorLogger
  /** Made when it is first needed. Absent: there is nothing but the handler. */
  work?: { readonly made: Work | undefined; make(): Work }
}

/** Runs invocations in the order of their arrival, up to `concurrency` at once, and sends their answers. */
export class Executor {
  readonly contract: HandlerContract
  readonly #parts: ExecutorParts
  readonly #queue: Invocation[] = []
  readonly #running = new Map<number, Invocation>()
  readonly #memory = new PeakMemory()
  #starting = false
  /** What is to be done in the next turn of the event loop. */
  #turn: (() => void)[] = []
  #onIdle: (() => void) | undefined
  /** Answered and followed by the next one within this turn of the event loop, since when. */
  #hurried = 0
  #hurrySinceMs = 0

  constructor(parts: ExecutorParts) {
    this.#parts = parts
    this.contract = parts.contract
    process.on('beforeExit', () => this.#loopEmptied())
  }

  /** Takes an `invoke` frame. */
  accept(id: number, metaBytes: number, body: Buffer): void {
    if (this.#queue.length >= MAX_QUEUED)
      throw new RangeError(`More than ${MAX_QUEUED} invocations wait in one environment.`)
    const meta = decodeInvokeMeta(body.toString('utf8', 0, metaBytes))
    this.#queue.push(new Invocation(id, meta, body.subarray(metaBytes)))
    this.#startNext()
  }

  /** Gives an invocation back if it has not started. */
  recall(id: number): void {
    const index = this.#queue.findIndex((invocation) => invocation.id === id)
    if (index < 0) return
    this.#queue.splice(index, 1)
    this.#parts.connection.send(frame(FRAME.recalled, '', id))
  }

  /**
   * Aborts the invocation's signal, and says so: that is how the engine tells a slow handler from a stuck
   * process.
   */
  abort(id: number): void {
    this.#parts.connection.send(frame(FRAME.aborted, '', id))
    const invocation = this.#running.get(id) ?? this.#queue.find((queued) => queued.id === id)
    this.#parts.work?.made?.abort(id)
    invocation?.abort(new DOMException('The invocation was cancelled.', 'AbortError'))
  }

  /** Tells invocation `id`, which runs, what came for it: UTF-8 of `metaBytes`, then a payload. */
  message(id: number, metaBytes: number, body: Buffer): void {
    if (!this.#running.has(id)) return
    const meta = body.toString('utf8', 0, metaBytes)
    this.#parts.work?.made?.message(id, meta, body.subarray(metaBytes))
  }

  credit(id: number, bytes: number): void {
    this.#running.get(id)?.stream?.credit(bytes)
  }

  /** Calls back as soon as no invocation runs or waits. */
  whenIdle(callback: () => void): void {
    if (this.#running.size === 0 && this.#queue.length === 0) callback()
    else this.#onIdle = callback
  }

  /** Answers with the handler's result as JSON. */
  succeed(invocation: Invocation, result: unknown): void {
    if (invocation.state === 'answered') return
    let text: string
    try {
      // A function or symbol has no JSON form and counts as nothing, like undefined.
      text = JSON.stringify(result) ?? 'null'
    } catch (error) {
      this.fail(invocation, error instanceof UnsupportedValue ? error : unserialisable(this.contract))
      return
    }
    this.#answer(invocation, FRAME.result, 0, text)
  }

  /** Answers with bytes that have ANSWER_BYTES of room in front; `flags` say what they are. */
  answerWith(invocation: Invocation, flags: number, whole: Buffer, together = false): void {
    if (invocation.state !== 'answered') this.#finish(invocation, FRAME.result, flags, whole, together)
  }

  /** Whether one more may be answered and the next one started without a look at what comes in. */
  mayHurry(): boolean {
    if (this.#hurried === 0) {
      this.#hurrySinceMs = monotonicMs()
      nextTurn(() => (this.#hurried = 0))
    } else if (this.#hurried >= MAX_HURRIED || monotonicMs() - this.#hurrySinceMs > HURRY_MS) return false
    this.#hurried += 1
    return true
  }

  /** Logs a failure of the handler and answers with it. */
  fail(invocation: Invocation, thrown: unknown): void {
    if (invocation.state === 'answered') return
    this.#parts.logError('Invoke Error', thrown)
    this.#failQuietly(invocation, thrown, 0)
  }

  /** Ends a response stream that the handler has finished. */
  endStream(invocation: Invocation): void {
    if (invocation.state !== 'answered') this.#answer(invocation, FRAME.streamEnd, 0, '')
  }

  /** Logs a failure behind the end of a response stream, where it changes nothing any more. */
  logLateError(thrown: unknown): void {
    this.#parts.logError('Invoke Error', thrown)
  }

  /**
   * Answers the invocation that broke the process with its error, if there is one, and calls `exit` once the
   * kernel has the answer.
   */
  failFatally(thrown: unknown, exit: () => void): void {
    const [first] = this.#running.values()
    const invocation = this.#parts.scope.current() ?? first
    if (invocation?.state === 'running') this.#failQuietly(invocation, thrown, FLAG.fatal)
    this.#parts.connection.whenFlushed(exit)
  }

  /**
   * Calls back in the next turn of the event loop. What concurrent invocations answer in one turn leaves in
   * one write, and in front of what is started then.
   */
  later(callback: () => void): void {
    if (this.#parts.concurrency === 1) nextTurn(callback)
    else if (this.#turn.push(callback) === 1) nextTurn(() => this.#runTurn())
  }

  /** Whether the connection keeps the process alive follows from what runs. */
  updateHold(): void {
    let held = this.#running.size === 0 || this.#parts.work?.made?.isWaiting === true
    for (const invocation of this.#running.values())
      held ||= invocation.stream?.blocked === true || invocation.waitsForEngine
    this.#parts.connection.hold(held)
  }

  #runTurn(): void {
    const callbacks = this.#turn
    this.#turn = []
    this.#starting = true
    this.#parts.connection.gather(() => {
      for (const callback of callbacks) callback()
    })
    this.#starting = false
    this.#startNext()
  }

  /** Starts what waits, where there are places. */
  startWaiting(): void {
    this.#startNext()
  }

  #startNext(): void {
    if (this.#starting) return
    this.#starting = true
    const { concurrency, work } = this.#parts
    while (this.#running.size - (work?.made?.lentPlaces ?? 0) < concurrency) {
      const invocation = this.#queue.shift()
      if (invocation === undefined) break
      this.#start(invocation)
    }
    this.#starting = false
  }

  #start(invocation: Invocation): void {
    const { connection, scope, calling, concurrency } = this.#parts
    if (invocation.meta.target !== undefined) return this.#startWork(invocation)
    const parsed = parsePayload(invocation.payload)
    if (!parsed.ok) {
      invocation.markAnswered()
      connection.send(frame(FRAME.notJson, parsed.reason, invocation.id))
      this.#settleIdle()
      return
    }
    this.#running.set(invocation.id, invocation)
    invocation.state = 'running'
    invocation.startedAtMs = monotonicMs()
    this.updateHold()
    if (concurrency === 1) exportTraceId(invocation.meta.traceId)
    scope.run(invocation, () => calling(this, invocation, parsed.event))
  }

  #startWork(invocation: Invocation): void {
    const { scope, work } = this.#parts
    this.#running.set(invocation.id, invocation)
    invocation.state = 'running'
    invocation.startedAtMs = monotonicMs()
    this.updateHold()
    const target = decodeTarget(invocation.meta.target)
    scope.run(invocation, () => work?.make().start(this, invocation, target))
  }

  #failQuietly(invocation: Invocation, thrown: unknown, flags: number): void {
    const { work } = this.#parts
    if (invocation.meta.target !== undefined && work !== undefined) {
      const whole = Buffer.concat([ANSWER_ROOM, work.make().encodeError(thrown)])
      return this.#finish(invocation, FRAME.result, FLAG.error | flags, whole)
    }
    const type = invocation.stream?.started === true ? FRAME.streamEnd : FRAME.result
    this.#answer(invocation, type, FLAG.error | flags, JSON.stringify(toErrorJson(thrown, this.contract)))
    invocation.stream?.discard()
  }

  #answer(invocation: Invocation, type: number, flags: number, text: string): void {
    const textBytes = Buffer.byteLength(text)
    const whole = Buffer.allocUnsafe(ANSWER_BYTES + textBytes)
    whole.write(text, ANSWER_BYTES)
    this.#finish(invocation, type, flags, whole)
  }

  #finish(invocation: Invocation, type: number, flags: number, whole: Buffer, together = false): void {
    const { connection, output, scope } = this.#parts
    writeHeader(whole, 0, type, flags, invocation.id, whole.length - HEADER_BYTES, RESULT_META_BYTES)
    const nowMs = monotonicMs()
    writeResultMeta(whole, HEADER_BYTES, {
      durationMs: nowMs - invocation.startedAtMs,
      logBytes: output.writtenBytes,
      maxRssKb: this.#memory.sampleKb(nowMs),
    })
    invocation.markAnswered()
    scope.leave(invocation)
    if (together) {
      connection.post(whole)
      return this.#free(invocation)
    }
    // The slot is free only once the kernel has the answer: after a crash the engine must be able to tell an
    // invocation that had been answered from one that had started.
    if (connection.send(whole)) this.#free(invocation)
    else connection.whenFlushed(() => this.#free(invocation))
  }

  #free(invocation: Invocation): void {
    this.#running.delete(invocation.id)
    this.#parts.work?.made?.ended(invocation)
    this.updateHold()
    this.#startNext()
    this.#settleIdle()
  }

  #settleIdle(): void {
    const callback = this.#onIdle
    if (callback === undefined || this.#running.size > 0 || this.#queue.length > 0) return
    this.#onIdle = undefined
    callback()
  }

  #loopEmptied(): void {
    // Those without a callback let the process end with code 0: nothing is left that could answer them.
    for (const invocation of this.#running.values()) invocation.onEmptyLoop?.()
  }
}

/** So many tasks are answered together, and for so long. */
const MAX_HURRIED = 64
const HURRY_MS = 1

const ANSWER_ROOM = Buffer.alloc(ANSWER_BYTES)

function exportTraceId(traceId: string): void {
  if (traceId === '') delete process.env['_X_AMZN_TRACE_ID']
  else process.env['_X_AMZN_TRACE_ID'] = traceId
}

const unserialisable = (contract: HandlerContract): Error => {
  const message = 'Unable to stringify response body'
  // Only the newer of AWS's clients has a name for it.
  return contract === 'promises' ? new RuntimeError('JSONStringifyError', message) : new Error(message)
}
