import { FLAG, FRAME, HEADER_BYTES, RESULT_META_BYTES, writeHeader, writeResultMeta } from '../../frames.ts'
import { monotonicMs } from '../clock.ts'
import type { Connection } from '../connection.ts'
import type { HeldInvocation } from './held-invocation.ts'

/** Measures that go with every answer. */
export interface Measures {
  /** Bytes of log up to now. */
  logBytes(): number
  maxRssKb(): number
  /** Flags that every answer carries. */
  flags(): number
}

/** Sends what a runtime answered to the engine. */
export class Answers {
  readonly #connection: Connection
  readonly #measures: Measures

  constructor(connection: Connection, measures: Measures) {
    this.#connection = connection
    this.#measures = measures
  }

  succeed(invocation: HeldInvocation, payload: Buffer): void {
    this.#answer(invocation, FRAME.result, 0, payload)
  }

  /** `payload` is error JSON. */
  fail(invocation: HeldInvocation, payload: Buffer): void {
    const type = invocation.stream === undefined ? FRAME.result : FRAME.streamEnd
    this.#answer(invocation, type, FLAG.error, payload)
  }

  /** As `fail`, in the platform's own words. */
  failAs(invocation: HeldInvocation, errorType: string, message: string): void {
    const errorMessage = `RequestId: ${invocation.meta.requestId} Error: ${message}`
    this.fail(invocation, Buffer.from(JSON.stringify({ errorType, errorMessage })))
  }

  startStream(invocation: HeldInvocation, contentType: string): void {
    this.#connection.sendBody(FRAME.streamStart, invocation.id, Buffer.from(contentType))
  }

  stream(invocation: HeldInvocation, part: Buffer): void {
    invocation.producedBytes += part.length
    this.#connection.sendBody(FRAME.streamData, invocation.id, part)
  }

  endStream(invocation: HeldInvocation): void {
    this.#answer(invocation, FRAME.streamEnd, 0, EMPTY)
  }

  #answer(invocation: HeldInvocation, type: number, flags: number, payload: Buffer): void {
    invocation.state = 'answered'
    invocation.producedBytes += payload.length
    if (flags & FLAG.error) invocation.error = payload
    const all = flags | this.#measures.flags()
    const head = Buffer.allocUnsafe(HEADER_BYTES + RESULT_META_BYTES)
    writeHeader(head, 0, type, all, invocation.id, RESULT_META_BYTES + payload.length, RESULT_META_BYTES)
    writeResultMeta(head, HEADER_BYTES, {
      durationMs: monotonicMs() - invocation.startedAtMs,
      logBytes: this.#measures.logBytes(),
      maxRssKb: this.#measures.maxRssKb(),
    })
    this.#connection.gather(() => {
      this.#connection.send(head)
      if (payload.length > 0) this.#connection.send(payload)
    })
  }
}

const EMPTY = Buffer.alloc(0)
