import type { Clock } from '../../../clock.ts'
import * as events from './platform-events.ts'
import type { EnvironmentFacts, PhaseStatus } from './platform-events.ts'
import type { TelemetryEvent } from './telemetry-event.ts'

/** An invocation as far as its records need it. */
export interface LedgerInvocation {
  readonly requestId: string
  readonly traceId: string
  readonly tenantId: string
}

/** What came of one. */
export interface LedgerAnswer {
  readonly bytes: number
  /** Error JSON; undefined for a result. */
  readonly error: Buffer | undefined
}

interface Entry extends LedgerInvocation {
  readonly startedAt: number
  readonly startedAtMs: number
  respondingAt: number | undefined
  answeredAt: number | undefined
  answer: LedgerAnswer
}

/** A handler's own class name says nothing to a reader of platform events: AWS reduces it to this, too. */
const KNOWN_ERROR = /^(Runtime|Function|Extension|Sandbox)\.[A-Z][A-Za-z]+$/
const NOTHING: LedgerAnswer = { bytes: 0, error: undefined }

/** Keeps book of the invocations that run in an environment, and publishes what is to be told of each. */
export class InvocationLedger {
  readonly #clock: Clock
  readonly #facts: EnvironmentFacts
  readonly #publish: (event: TelemetryEvent) => void
  readonly #maxRssKb: () => number
  readonly #entries = new Map<string, Entry>()
  #initMs: number | undefined

  constructor(options: {
    clock: Clock
    facts: EnvironmentFacts
    publish: (event: TelemetryEvent) => void
    maxRssKb: () => number
  }) {
    this.#clock = options.clock
    this.#facts = options.facts
    this.#publish = options.publish
    this.#maxRssKb = options.maxRssKb
  }

  /** Init took this long, which the report of the first invocation says. */
  initTook(durationMs: number): void {
    this.#initMs = durationMs
  }

  started(invocation: LedgerInvocation): void {
    const { requestId, traceId, tenantId } = invocation
    const startedAtMs = this.#clock.nowMs()
    this.#entries.set(requestId, {
      requestId,
      traceId,
      tenantId,
      startedAt: this.#clock.monotonicMs(),
      startedAtMs,
      respondingAt: undefined,
      answeredAt: undefined,
      answer: NOTHING,
    })
    this.#publish(events.start(startedAtMs, this.#facts, invocation))
  }

  /** The first byte of its response is there. */
  responding(requestId: string): void {
    const entry = this.#entries.get(requestId)
    if (entry !== undefined) entry.respondingAt ??= this.#clock.monotonicMs()
  }

  /** All of its response is there. */
  answered(requestId: string, answer: LedgerAnswer): void {
    const entry = this.#entries.get(requestId)
    if (entry === undefined) return
    entry.answeredAt = this.#clock.monotonicMs()
    entry.answer = answer
  }

  /** The runtime has done with it. */
  runtimeDone(requestId: string): void {
    const entry = this.#entries.get(requestId)
    if (entry !== undefined) this.#tellRuntimeDone(entry, statusOf(entry.answer), errorTypeOf(entry.answer))
  }

  /** Everybody has done with it. Returns how long that took, ms. */
  settled(requestId: string): number {
    const entry = this.#entries.get(requestId)
    if (entry === undefined) return 0
    return this.#tellReport(entry, statusOf(entry.answer), errorTypeOf(entry.answer))
  }

  /** The environment ends in the middle of what still runs. */
  abandon(status: PhaseStatus, errorType: string | undefined): void {
    for (const entry of this.#entries.values()) {
      if (entry.answeredAt === undefined) this.#tellRuntimeDone(entry, status, errorType)
      this.#tellReport(entry, status, errorType)
    }
  }

  #tellRuntimeDone(entry: Entry, status: PhaseStatus, errorType: string | undefined): void {
    const { requestId, traceId, startedAt, startedAtMs, answeredAt, answer } = entry
    const respondingAt = entry.respondingAt ?? answeredAt
    this.#publish(
      events.runtimeDone(this.#clock.nowMs(), {
        requestId,
        traceId,
        status,
        errorType,
        startedAtMs,
        durationMs: this.#clock.monotonicMs() - startedAt,
        latencyMs: respondingAt === undefined ? undefined : respondingAt - startedAt,
        responseMs: respondingAt === undefined || answeredAt === undefined ? 0 : answeredAt - respondingAt,
        producedBytes: answer.bytes,
      }),
    )
  }

  #tellReport(entry: Entry, status: PhaseStatus, errorType: string | undefined): number {
    const { requestId, traceId, startedAt } = entry
    const durationMs = this.#clock.monotonicMs() - startedAt
    const timeMs = this.#clock.nowMs()
    const initMs = this.#initMs
    this.#initMs = undefined
    this.#entries.delete(requestId)
    this.#publish(events.end(timeMs, requestId))
    this.#publish(
      events.report(timeMs, {
        requestId,
        traceId,
        status,
        errorType,
        durationMs,
        billedMs: Math.max(1, Math.ceil(durationMs + (initMs ?? 0))),
        memoryMb: this.#facts.memoryMb,
        maxMemoryMb: Math.ceil(this.#maxRssKb() / 1024),
        initMs,
      }),
    )
    return durationMs
  }
}

const statusOf = (answer: LedgerAnswer): PhaseStatus => (answer.error === undefined ? 'success' : 'error')

function errorTypeOf({ error }: LedgerAnswer): string | undefined {
  if (error === undefined) return undefined
  try {
    const { errorType } = JSON.parse(error.toString('utf8')) as { errorType?: unknown }
    return typeof errorType === 'string' && KNOWN_ERROR.test(errorType) ? errorType : 'Function.Unknown'
  } catch {
    return 'Function.Unknown'
  }
}
