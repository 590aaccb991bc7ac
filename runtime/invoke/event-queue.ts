import type { Clock } from '../clock.ts'
import { EngineError, type ErrorCode } from '../errors.ts'
import type { FunctionLimits, Target } from '../registry/types.ts'
import type { EventResponse } from '../store/ended-events.ts'
import {
  insertEvent,
  loadEventHeads,
  quarantineEvent,
  readEventPayload,
  readLastError,
  updateEventAttempt,
} from '../store/events.ts'
import type { RunRecord } from '../store/journal.ts'
import { insertRun } from '../store/runs.ts'
import type { Store } from '../store/store.ts'
import { afterFailure, MIN_MAX_AGE_MS, type EndReason } from './event-outcome.ts'
import type { EventQueueParts } from './event-queue-parts.ts'
import { recalledResponse, rememberedResponse, unrunRecord } from './event-records.ts'
import { FunctionQueue, type QueuedEvent } from './function-queue.ts'
import type { RunRequest } from './invocation-run.ts'
import { traceIdOf } from './trace.ts'
import type { EventRefusal, EventRequest, InvokeSink } from './types.ts'

/** Accepted events of one function that may wait; past it callers are throttled. */
const MAX_EVENTS_PER_FUNCTION = 1_000_000
/** Events of one function that run at once. */
const CONCURRENT_EVENTS = 32
/**
 * Payloads of waiting events kept in memory, all together; the rest is read from the store when it is due.
 */
const CACHED_PAYLOAD_BYTES = 64 * 1024 * 1024
/**
 * A throttled event is no failed attempt: it goes back, and its function's queue pauses this long, doubling.
 */
const FIRST_PAUSE_MS = 1000
const LAST_PAUSE_MS = 300_000
const LOAD_PAGE = 10_000
/** Refusals that waiting does not change. */
const ENDS_AN_EVENT: ReadonlySet<ErrorCode> = new Set(['not-found', 'not-json', 'invalid', 'too-large'])

/**
 * Accepted events: on disk before they are acknowledged, run in order of acceptance per function, tried again
 * a while after a failure, and gone from the disk in the same transaction that records how they ended. What
 * is on disk at a start is owed and runs again.
 */
export class EventQueue {
  readonly #parts: EventQueueParts
  readonly #store: Store
  readonly #clock: Clock
  readonly #cacheBytes: number
  readonly #queues = new Map<string, FunctionQueue>()
  #cachedBytes = 0
  #size = 0
  #running = 0
  #closed = false
  #abandoned = false
  #whenQuiet: (() => void) | undefined

  constructor(parts: EventQueueParts) {
    this.#parts = parts
    this.#store = parts.store
    this.#clock = parts.clock
    this.#cacheBytes = parts.cachedPayloadBytes ?? CACHED_PAYLOAD_BYTES
  }

  /** Accepted and not finished. */
  get size(): number {
    return this.#size
  }

  /** Resolves when the event is on disk. `resolve` finds the function it is for, or throws. */
  async accept(request: EventRequest, resolve: () => Target): Promise<void> {
    const { functionId } = resolve().version
    const queue = this.#queue(functionId)
    if (queue.size + queue.accepting >= MAX_EVENTS_PER_FUNCTION) {
      throw new EngineError(
        'throttled',
        `Function "${request.functionName}" has ${queue.size} events waiting.`,
        {
          detail: 'queue-full',
          hint: 'Wait until some have run.',
        },
      )
    }
    const now = this.#clock.nowMs()
    const head: QueuedEvent['head'] = {
      id: request.requestId,
      scope: request.scope,
      functionId,
      functionName: request.functionName,
      qualifier: request.qualifier ?? '',
      // One for all attempts.
      traceId: request.traceId === '' ? traceIdOf(request.requestId, now) : request.traceId,
      clientContext: request.clientContext,
      tenantId: request.tenantId,
      acceptedAtMs: now,
      dueAtMs: now,
      attempt: 0,
    }
    if (request.refusal !== undefined) return await this.#refuse(head, request.payload, request.refusal)
    queue.accepting += 1
    try {
      await this.#store.commit([insertEvent({ ...head, payload: request.payload })])
    } finally {
      queue.accepting -= 1
    }
    queue.push({ head, payload: this.#cached(request.payload), sinceMs: this.#clock.monotonicMs() })
    this.#size += 1
    this.#pump(queue)
  }

  /** Takes up what an earlier engine accepted and did not finish. A retry is due when it was. */
  resume(): void {
    const nowMs = this.#clock.nowMs()
    const monotonicMs = this.#clock.monotonicMs()
    const longestMs = Math.max(...this.#parts.retryDelaysMs, 0)
    let after = 0
    for (;;) {
      const heads = loadEventHeads(this.#store.reader, after, LOAD_PAGE)
      for (const head of heads) {
        const sinceMs = monotonicMs - Math.max(0, nowMs - head.acceptedAtMs)
        const event = { head, payload: undefined, sinceMs }
        // Past a delay's length it is the clock that has jumped.
        const restMs = Math.min(head.dueAtMs - nowMs, longestMs)
        if (restMs <= 0) this.#queue(head.functionId).push(event)
        else this.#queue(head.functionId).pushRetry({ ...event, dueMs: monotonicMs + restMs })
        after = head.sequence
      }
      this.#size += heads.length
      if (heads.length < LOAD_PAGE) break
    }
    if (this.#size > 0) this.#parts.log.info('events of an earlier run are taken up', { events: this.#size })
    for (const queue of this.#queues.values()) this.#pump(queue)
  }

  /** A place in a function's concurrency became free: a queue that paused for it goes on. */
  placeFreed(limits: FunctionLimits): void {
    const queue = this.#queues.get(limits.functionId)
    if (queue === undefined || queue.pause === undefined) return
    queue.resume()
    this.#pump(queue)
  }

  /** Starts nothing more; resolves when what runs has ended. */
  drain(): Promise<void> {
    this.#closed = true
    this.#parts.endings.close()
    for (const queue of this.#queues.values()) {
      queue.resume()
      queue.silence()
    }
    if (this.#running === 0) return Promise.resolve()
    return new Promise((resolve) => (this.#whenQuiet = resolve))
  }

  /**
   * What still runs is about to be killed by the engine itself. That is no outcome: such an event is owed,
   * and runs again after the next start.
   */
  abandon(): void {
    this.#abandoned = true
  }

  /** Whether an event has been handed out, and if not, why its function's queue starts nothing now. */
  stateOf(functionId: string, id: string): { started: boolean; pause: string | undefined } {
    const queue = this.#queues.get(functionId)
    const full = queue !== undefined && queue.running.size >= CONCURRENT_EVENTS
    const crowd = full ? `${CONCURRENT_EVENTS} events of this function run; others come first.` : undefined
    return { started: queue?.running.has(id) === true, pause: queue?.pause?.reason ?? crowd }
  }

  /** Ends an event that waits. Throws EngineError 'not-found' and, when it has been started, 'conflict'. */
  async cancel(functionId: string, id: string): Promise<void> {
    const queue = this.#queues.get(functionId)
    if (queue?.running.has(id))
      throw new EngineError('conflict', `Event "${id}" has been started.`, {
        hint: 'Only events that wait can be cancelled.',
      })
    const event = queue?.remove(id)
    if (queue === undefined || event === undefined)
      throw new EngineError('not-found', `No event "${id}" waits.`)
    if (event.payload !== undefined) this.#cachedBytes -= event.payload.length
    this.#handOut(queue, id)
    await this.#endUnrun(queue, event, 'cancelled', ['Cancelled', 'It was cancelled before it ran.'])
  }

  #queue(functionId: string): FunctionQueue {
    let queue = this.#queues.get(functionId)
    if (queue === undefined) {
      queue = new FunctionQueue(functionId)
      this.#queues.set(functionId, queue)
    }
    return queue
  }

  #pump(queue: FunctionQueue): void {
    if (this.#closed) return
    const nowMs = this.#clock.monotonicMs()
    while (queue.pause === undefined && queue.running.size < CONCURRENT_EVENTS) {
      const event = queue.shift(nowMs)
      if (event === undefined) break
      this.#run(queue, event, nowMs)
    }
    queue.setAlarm(
      nowMs,
      (delayMs, ring) => this.#clock.after(delayMs, ring),
      () => this.#pump(queue),
    )
  }

  #handOut(queue: FunctionQueue, id: string): void {
    queue.running.add(id)
    this.#running += 1
  }

  #run(queue: FunctionQueue, event: QueuedEvent, nowMs: number): void {
    const { head } = event
    const payload = this.#payload(event)
    this.#handOut(queue, head.id)
    if (payload === undefined) {
      const record = unrunRecord(head, 'failed', 'Event.Damaged', 'The stored payload is damaged.')
      const aside = quarantineEvent(head.id, 'its checksum does not match', this.#clock.nowMs())
      void this.#parts.endings.commit([...aside, insertRun(record)], head.id).then(() => {
        this.#ended(queue, head.id)
      })
      return
    }
    const ageMs = nowMs - event.sinceMs
    if (ageMs > MIN_MAX_AGE_MS && ageMs > this.#parts.policyOf(head).maxAgeMs) {
      const told = ['EventAgeExceeded', 'It waited for longer than its maximum age.'] as const
      return void this.#endUnrun(queue, event, 'event-age-exceeded', told)
    }
    const request: RunRequest = {
      scope: head.scope,
      functionName: head.functionName,
      qualifier: head.qualifier === '' ? undefined : head.qualifier,
      payload,
      requestId: head.id,
      trigger: 'event',
      traceId: head.traceId,
      clientContext: head.clientContext,
      tenantId: head.tenantId,
      logTail: false,
      streaming: false,
    }
    let response: EventResponse | undefined
    const recordFirst = async (record: RunRecord): Promise<void> => {
      // About to be killed with the engine: that is no outcome.
      if (this.#abandoned && record.status === 'crashed') return this.#ended(queue, head.id)
      await this.#attempted(queue, { ...event, payload }, record, response)
    }
    const sink: InvokeSink = {
      // Always before the record.
      result: ({ executedVersion, kind, payload: answer }) => {
        response = { executedVersion, isError: kind === 'function-error', payload: answer }
      },
      refused: (error) => this.#refused(queue, { ...event, payload }, error),
    }
    this.#parts.start(request, sink, { attempt: head.attempt + 1, recordFirst })
  }

  /** The payload to be kept with a waiting event; undefined when it has to be read again. */
  #cached(payload: Buffer | undefined): Buffer | undefined {
    if (payload === undefined || this.#cachedBytes + payload.length > this.#cacheBytes) return undefined
    this.#cachedBytes += payload.length
    return payload
  }

  #payload(event: QueuedEvent): Buffer | undefined {
    if (event.payload !== undefined) {
      this.#cachedBytes -= event.payload.length
      return event.payload
    }
    const stored = readEventPayload(this.#store.reader, event.head.id)
    return stored.kind === 'payload' ? stored.payload : undefined
  }

  /** It ran: that is its end, or it waits to run again, which holds up no other. */
  async #attempted(
    queue: FunctionQueue,
    event: QueuedEvent,
    attempt: RunRecord,
    response: EventResponse | undefined,
  ): Promise<void> {
    const { endings, policyOf, retryDelaysMs } = this.#parts
    const { head, sinceMs } = event
    const { id } = head
    const attempts = head.attempt + 1
    const record = { ...attempt, acceptedAtMs: head.acceptedAtMs }
    const policy = policyOf(head, attempt.version)
    const nowMs = this.#clock.monotonicMs()
    const next =
      record.status === 'succeeded'
        ? ({ kind: 'end', reason: 'success' } as const)
        : afterFailure(policy, attempts, nowMs - sinceMs, retryDelaysMs)
    if (next.kind === 'end') {
      await endings.end({
        ...{ reason: next.reason, attempts, response, policy, record },
        traceId: head.traceId,
      })
      return this.#ended(queue, id)
    }
    const dueAtMs = this.#clock.nowMs() + next.delayMs
    await endings.commit([updateEventAttempt(id, attempts, dueAtMs, rememberedResponse(response))], id)
    const retried = { ...head, attempt: attempts, dueAtMs }
    const payload = this.#cached(event.payload)
    queue.pushRetry({ head: retried, payload, sinceMs, dueMs: nowMs + next.delayMs })
    queue.pauses = 0
    this.#returned(queue, id)
    this.#pump(queue)
    this.#quiet()
  }

  /** It did not run. Gone functions and ones that are off end it; everything else is waited out. */
  #refused(queue: FunctionQueue, event: QueuedEvent, error: EngineError): void {
    const { code, message, detail } = error
    if (ENDS_AN_EVENT.has(code)) {
      const [reason, errorType] =
        code === 'not-found'
          ? (['not-found', 'ResourceNotFound'] as const)
          : detail === 'recursion'
            ? (['recursion-detected', 'RecursiveInvocation'] as const)
            : (['invalid', 'InvalidRequest'] as const)
      return void this.#endUnrun(queue, event, reason, [errorType, message])
    }
    if (code === 'throttled' && detail === 'reserved-concurrency' && this.#parts.policyOf(event.head).isOff) {
      const told = ['ZeroReservedConcurrency', 'The concurrency of the function is reserved as 0.'] as const
      return void this.#endUnrun(queue, event, 'zero-reserved-concurrency', told)
    }
    queue.putBack({ ...event, payload: this.#cached(event.payload) })
    this.#returned(queue, event.head.id)
    this.#pause(queue, error)
    this.#quiet()
  }

  /** Ends an event that was handed out and does not run (again). */
  async #endUnrun(
    queue: FunctionQueue,
    { head }: QueuedEvent,
    reason: EndReason,
    [errorType, message]: readonly [errorType: string, message: string],
  ): Promise<void> {
    const { id, attempt: attempts, traceId } = head
    const response = attempts === 0 ? undefined : recalledResponse(readLastError(this.#store.reader, id))
    const status =
      reason === 'cancelled' ? 'cancelled' : reason === 'event-age-exceeded' ? 'expired' : 'failed'
    const record = unrunRecord(head, status, errorType, message)
    await this.#parts.endings.end({
      reason,
      attempts,
      traceId,
      response,
      policy: this.#parts.policyOf(head),
      record,
    })
    this.#ended(queue, id)
  }

  /** Accepts what must not run: it ends in the transaction that accepts it. */
  async #refuse(head: QueuedEvent['head'], payload: Buffer, refusal: EventRefusal): Promise<void> {
    const { reason, errorType, message } = refusal
    const record = unrunRecord(head, 'failed', errorType, message)
    const { traceId } = head
    const policy = this.#parts.policyOf(head)
    const ending = { reason, attempts: 0, traceId, response: undefined, policy, record }
    await this.#parts.endings.end(ending, [insertEvent({ ...head, payload })])
  }

  /** Others that were started with the one that was refused first may be refused, too: that is one pause. */
  #pause(queue: FunctionQueue, error: EngineError): void {
    if (queue.pause !== undefined) return
    const delayMs = Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(queue.pauses, 10))
    queue.pauseWith(
      error.message,
      this.#clock.after(delayMs, () => {
        queue.resume()
        this.#pump(queue)
      }),
    )
  }

  #returned(queue: FunctionQueue, id: string): void {
    queue.running.delete(id)
    this.#running -= 1
  }

  #ended(queue: FunctionQueue, id: string): void {
    this.#returned(queue, id)
    queue.pauses = 0
    this.#size -= 1
    this.#pump(queue)
    if (queue.size === 0 && queue.accepting === 0) this.#queues.delete(queue.functionId)
    this.#quiet()
  }

  #quiet(): void {
    if (this.#running === 0) this.#whenQuiet?.()
  }
}
