import type { ServerResponse } from 'node:http'
import type { Clock, Timer } from '../../runtime/clock.ts'
import type { EngineError } from '../../runtime/errors.ts'
import type { InvokeOutcome, InvokeSink, StreamEnd } from '../../runtime/invoke/types.ts'
import { PreludeReader } from './prelude.ts'
import { headOfType, PRELUDE_TYPE, STREAM_TYPE, type ReplyHead } from './reply.ts'

/** Where a stream is: what may come next depends on it. */
type State =
  | { kind: 'waiting' }
  | { kind: 'prelude'; reader: PreludeReader }
  | { kind: 'body' }
  /** Answered, broken or left by its client: what still comes is taken and dropped. */
  | { kind: 'over' }

/** What a stream's answer is sent with. */
export interface StreamDependencies {
  readonly response: ServerResponse
  readonly clock: Clock
  /** A client that takes nothing for this long is cut off. */
  readonly stallMs: number
  /** Sends status and headers, with the platform's own added. */
  sendHead(head: ReplyHead): void
  /** Answers in one piece: for a handler that does not stream after all. */
  sendOutcome(outcome: InvokeOutcome): void
  sendRefusal(error: EngineError): void
  sendFailure(): void
}

/**
 * Passes a response stream on as it is written. A chunk counts as taken when it has left for the client, so
 * a handler is never further ahead than its reader; when the client is gone everything counts as taken and
 * the handler runs on.
 */
export class StreamResponse implements InvokeSink {
  #state: State = { kind: 'waiting' }
  /** The `taken` calls still owed; bounded by the credit the environment has for its stream. */
  readonly #owed = new Set<() => void>()
  #stall: Timer | undefined
  readonly #with: StreamDependencies
  readonly #leave = (): void => this.#over()

  constructor(dependencies: StreamDependencies) {
    this.#with = dependencies
    // On the socket too: a pipelined response that has not been given the socket yet hears of nothing else.
    dependencies.response.once('close', this.#leave)
    dependencies.response.req.socket.once('close', this.#leave)
  }

  result(outcome: InvokeOutcome): void {
    if (this.#state.kind !== 'waiting') return
    this.#over()
    this.#with.sendOutcome(outcome)
  }

  refused(error: EngineError): void {
    if (this.#state.kind !== 'waiting') return
    this.#over()
    this.#with.sendRefusal(error)
  }

  streamStarted(start: { contentType: string; executedVersion: string }): void {
    if (this.#state.kind !== 'waiting') return
    if (start.contentType === PRELUDE_TYPE) {
      this.#state = { kind: 'prelude', reader: new PreludeReader() }
      return
    }
    const head = headOfType(start.contentType === '' ? STREAM_TYPE : start.contentType)
    if (head === undefined) {
      this.#over()
      return this.#with.sendFailure()
    }
    this.#state = { kind: 'body' }
    this.#with.sendHead(head)
  }

  streamData(chunk: Buffer, taken: () => void): void {
    switch (this.#state.kind) {
      case 'body':
        this.#write(chunk, taken)
        return
      case 'prelude':
        this.#readPrelude(this.#state.reader, chunk, taken)
        return
      case 'waiting':
      case 'over':
        taken()
    }
  }

  streamEnded(end: StreamEnd): void {
    const { response } = this.#with
    const { kind } = this.#state
    if (kind === 'over') return
    if (kind !== 'body') {
      // It ended before it had said what it is.
      this.#over()
      this.#with.sendFailure()
    } else if (end.error === undefined) {
      response.end() // 'close' follows once everything has left
    } else {
      // The status has long been sent: a cut connection is how HTTP says that this is not all.
      response.destroy()
    }
  }

  #readPrelude(reader: PreludeReader, chunk: Buffer, taken: () => void): void {
    const step = reader.push(chunk)
    switch (step.kind) {
      case 'more':
        taken()
        return
      case 'broken':
        taken()
        this.#over()
        this.#with.sendFailure()
        return
      case 'head':
        this.#state = { kind: 'body' }
        this.#with.sendHead(step.head)
        this.#write(step.rest, taken)
    }
  }

  #write(chunk: Buffer, taken: () => void): void {
    const { response } = this.#with
    if (chunk.length === 0) {
      taken()
      return
    }
    const settle = (): void => {
      if (!this.#owed.delete(settle)) return
      this.#watchForStall()
      taken()
    }
    this.#owed.add(settle)
    if (this.#owed.size === 1) this.#watchForStall()
    response.write(chunk, settle)
  }

  /** Starts the wait anew at every sign of life. */
  #watchForStall(): void {
    this.#stall?.cancel()
    const { clock, stallMs, response } = this.#with
    this.#stall = this.#owed.size === 0 ? undefined : clock.after(stallMs, () => response.destroy())
  }

  #over(): void {
    if (this.#state.kind === 'over') return
    this.#state = { kind: 'over' }
    const { response } = this.#with
    response.off('close', this.#leave)
    response.req.socket.off('close', this.#leave)
    for (const settle of this.#owed) settle()
    this.#stall?.cancel()
  }
}
