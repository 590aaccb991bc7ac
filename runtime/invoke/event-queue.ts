import type { Clock } from '../clock.ts'
import { EngineError, messageOf, type ErrorCode } from '../errors.ts'
import type { Log } from '../log.ts'
import type { FunctionLimits, Target } from '../registry/types.ts'
import {
  deleteEvent,
  insertEvent,
  loadEventHeads,
  quarantineEvent,
  readEventPayload,
  type EventHead,
} from '../store/events.ts'
import type { RunRecord } from '../store/journal.ts'
import { insertRun } from '../store/runs.ts'
import type { Store } from '../store/store.ts'
import { FunctionQueue, type QueuedEvent } from './function-queue.ts'
import type { RecordFirst, RunRequest } from './invocation-run.ts'
import type { EventRequest, InvokeSink } from './types.ts'

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
const COMMIT_RETRY_MS = 1000
/** Refusals that waiting does not change. */
const ENDS_AN_EVENT: ReadonlySet<ErrorCode> = new Set(['not-found', 'not-json', 'invalid', 'too-large'])

/** Starts an invocation on the one path. */
export type StartRun = (
  request: RunRequest,
  sink: InvokeSink,
  event: { attempt: number; recordFirst: RecordFirst },
) => void

/**
 * Accepted events: on disk before they are acknowledged, run in order of acceptance per function, and gone
 * from the
 * disk in the same transaction that records how they ended. What is on disk at a start is owed and runs
 * again.
 */
export class EventQueue {
  readonly #store: Store
  readonly #clock: Clock
  readonly #log: Log
  readonly #start: StartRun
  readonly #cacheBytes: number
  readonly #queues = new Map<string, FunctionQueue>()
  #cachedBytes = 0
  #size = 0
  #running = 0
  #closed = false
  #abandoned = false
  #whenQuiet: (() => void) | undefined

  constructor(options: {
    store: Store
    clock: Clock
    log: Log
    start: StartRun
    cachedPayloadBytes?: number
  }) {
    this.#store = options.store
    this.#clock = options.clock
    this.#log = options.log
    this.#start = options.start
    this.#cacheBytes = options.cachedPayloadBytes ?? CACHED_PAYLOAD_BYTES
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
    const head: Omit<EventHead, 'sequence' | 'payloadBytes'> = {
      id: request.requestId,
      scope: request.scope,
      functionId,
      functionName: request.functionName,
      qualifier: request.qualifier ?? '',
      traceId: request.traceId,
      clientContext: request.clientContext,
      tenantId: request.tenantId,
      acceptedAtMs: now,
      dueAtMs: now,
      attempt: 0,
      lastErrorJson: null,
    }
    queue.accepting += 1
    try {
      await this.#store.commit([insertEvent({ ...head, payload: request.payload })])
    } finally {
      queue.accepting -= 1
    }
    queue.push({ head, payload: this.#cached(request.payload) })
    this.#size += 1
    this.#pump(queue)
  }

  /** Takes up what an earlier engine accepted and did not finish. */
  resume(): void {
    let after = 0
    for (;;) {
      const heads = loadEventHeads(this.#store.reader, after, LOAD_PAGE)
      for (const head of heads) {
        this.#queue(head.functionId).push({ head, payload: undefined })
        after = head.sequence
      }
      this.#size += heads.length
      if (heads.length < LOAD_PAGE) break
    }
    if (this.#size > 0) this.#log.info('events of an earlier run are taken up', { events: this.#size })
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
    for (const queue of this.#queues.values()) queue.resume()
    if (this.#running === 0) return Promise.resolve()
    return new Promise((resolve) => (this.#whenQuiet = resolve))
  }

  /**
   * What still runs is about to be killed by the engine itself. That is no outcome: such an event is owed,
   * and
   * runs again after the next start.
   */
  abandon(): void {
    this.#abandoned = true
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
    while (!this.#closed && queue.pause === undefined && queue.running < CONCURRENT_EVENTS) {
      const event = queue.shift()
      if (event === undefined) return
      this.#run(queue, event)
    }
  }

  #run(queue: FunctionQueue, event: QueuedEvent): void {
    const { head } = event
    const payload = this.#payload(event)
    queue.running += 1
    this.#running += 1
    if (payload === undefined) {
      void this.#record(
        [...quarantineEvent(head.id, 'its checksum does not match', this.#clock.nowMs())],
        unrun(head, 'Event.Damaged', 'The stored payload is damaged.'),
      ).then(() => this.#ended(queue))
      return
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
    const recordFirst = async (record: RunRecord): Promise<void> => {
      const owed = this.#abandoned && record.status === 'crashed'
      if (!owed) await this.#record([deleteEvent(head.id)], { ...record, acceptedAtMs: head.acceptedAtMs })
      this.#ended(queue)
    }
    const sink: InvokeSink = {
      result: () => {}, // the record says it all, and is committed by recordFirst
      refused: (error) => this.#refused(queue, head, payload, error),
    }
    this.#start(request, sink, { attempt: head.attempt + 1, recordFirst })
  }

  /** The payload to be kept with a waiting event; undefined when it has to be read again. */
  #cached(payload: Buffer): Buffer | undefined {
    if (this.#cachedBytes + payload.length > this.#cacheBytes) return undefined
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

  /** It did not run. Gone functions end it; everything else is waited out. */
  #refused(queue: FunctionQueue, head: QueuedEvent['head'], payload: Buffer, error: EngineError): void {
    if (ENDS_AN_EVENT.has(error.code)) {
      const record = unrun(
        head,
        error.code === 'not-found' ? 'ResourceNotFound' : 'InvalidRequest',
        error.message,
      )
      void this.#record([deleteEvent(head.id)], record).then(() => this.#ended(queue))
      return
    }
    queue.putBack({ head, payload: this.#cached(payload) })
    queue.running -= 1
    this.#running -= 1
    this.#pause(queue, error)
    this.#quiet()
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

  /** Commits how an event ended. Nothing is lost while the disk refuses: it is tried again until it holds. */
  async #record(changes: ReturnType<typeof deleteEvent>[], record: RunRecord): Promise<void> {
    for (;;) {
      try {
        return await this.#store.commit([...changes, insertRun(record)])
      } catch (error) {
        if (this.#closed) return // the row is still there: the event runs again after the next start
        this.#log.error('the end of an event could not be recorded', {
          runId: record.runId,
          message: messageOf(error),
        })
        await this.#clock.sleep(COMMIT_RETRY_MS)
      }
    }
  }

  #ended(queue: FunctionQueue): void {
    queue.running -= 1
    queue.pauses = 0
    this.#running -= 1
    this.#size -= 1
    this.#pump(queue)
    if (queue.size === 0 && queue.accepting === 0) this.#queues.delete(queue.functionId)
    this.#quiet()
  }

  #quiet(): void {
    if (this.#running === 0) this.#whenQuiet?.()
  }
}

/** The record of an event that ended without running. */
const unrun = (head: QueuedEvent['head'], errorType: string, errorMessage: string): RunRecord => ({
  runId: head.id,
  kind: 'invocation',
  trigger: 'event',
  scope: head.scope,
  functionId: head.functionId,
  functionName: head.functionName,
  version: '',
  qualifier: head.qualifier,
  status: 'failed',
  acceptedAtMs: head.acceptedAtMs,
  startedAtMs: head.acceptedAtMs,
  durationMs: 0,
  billedMs: 0,
  initMs: null,
  memoryMb: 0,
  maxMemoryMb: 0,
  errorType,
  errorMessage: errorMessage.slice(0, 1024),
  environmentId: '',
  attempt: head.attempt,
})
