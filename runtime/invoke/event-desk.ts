import type { Clock } from '../clock.ts'
import type { Environment } from '../environments/environment.ts'
import { EngineError } from '../errors.ts'
import type { Rng } from '../rng.ts'
import { readDeliveries, readEndedEvent, readEndReason, type DeliveryRecord } from '../store/ended-events.ts'
import { newestEventHeads, readEventHead, type EventHead } from '../store/events.ts'
import type { RunRecord, Scope } from '../store/journal.ts'
import type { Store } from '../store/store.ts'
import type { EventQueue } from './event-queue.ts'
import type { Invoker } from './types.ts'

/** An accepted event that has no outcome yet. */
export interface WaitingEvent {
  readonly runId: string
  readonly scope: Scope
  readonly functionId: string
  readonly functionName: string
  readonly qualifier: string
  readonly acceptedAtMs: number
  /** Attempts that have failed so far. */
  readonly attempts: number
  readonly status: 'waiting' | 'running'
  /** Why it waits; undefined when it runs. */
  readonly reason: string | undefined
  /** When the next attempt is due; undefined when it could run at once. */
  readonly dueAtMs: number | undefined
}

/** How an event ended, where more is kept of it than its run record. */
export interface ShownOutcome {
  readonly reason: string | undefined
  readonly deliveries: readonly Omit<DeliveryRecord, 'eventId'>[]
}

/** What the desk asks others. */
export interface EventDeskParts {
  readonly store: Pick<Store, 'reader'>
  readonly clock: Clock
  readonly rng: Rng
  readonly queue: Pick<EventQueue, 'stateOf' | 'cancel'>
  readonly invoker: Pick<Invoker, 'accept'>
  readonly environments: () => readonly Pick<Environment, 'inFlight'>[]
  /** Why invocations of a function wait for an environment. */
  readonly shortage: (functionName: string) => string | undefined
}

/** Where people ask about events: which wait and why, how one ended; and have one cancelled or run again. */
export class EventDesk {
  readonly #parts: EventDeskParts

  constructor(parts: EventDeskParts) {
    this.#parts = parts
  }

  /** Events without an outcome, newest first; looks at the 20,000 newest. */
  waiting(
    query: { scope?: Scope | undefined; functionName?: string | undefined; beforeRunId?: string | undefined },
    limit: number,
  ): WaitingEvent[] {
    const { scope, functionName, beforeRunId } = query
    const heads = newestEventHeads(
      this.#parts.store.reader,
      { scope, functionName, beforeId: beforeRunId },
      limit,
    )
    const running = heads.length === 0 ? new Set<string>() : this.#running()
    return heads.map((head) => this.#shown(head, running))
  }

  /** One event without an outcome. */
  find(runId: string): WaitingEvent | undefined {
    const head = readEventHead(this.#parts.store.reader, runId)
    return head === undefined ? undefined : this.#shown(head, this.#running())
  }

  /** What is kept of an event's end beside its run record. */
  outcome(runId: string): ShownOutcome {
    const { reader } = this.#parts.store
    const deliveries = readDeliveries(reader, runId).map(({ eventId: _eventId, ...rest }) => rest)
    return { reason: readEndReason(reader, runId), deliveries }
  }

  /** Rejects EngineError 'not-found' when it has ended, 'conflict' when it has been started. */
  async cancel(runId: string): Promise<void> {
    const head = readEventHead(this.#parts.store.reader, runId)
    if (head === undefined)
      throw new EngineError('not-found', `No event "${runId.slice(0, 100)}" waits.`, {
        hint: 'Only accepted events that have not been started can be cancelled.',
      })
    await this.#parts.queue.cancel(head.functionId, runId)
  }

  /**
   * Accepts a finished run's event anew, with its own payload or with another; resolves with the new run's id
   * when that is on disk. Rejects 'conflict' when its own payload is not kept, and as `Invoker.accept`.
   */
  async replay(run: RunRecord, payload: Buffer | undefined): Promise<string> {
    const { store, clock, rng, invoker } = this.#parts
    const ended = readEndedEvent(store.reader, run.runId)
    const kept = ended?.payload.kind === 'payload' ? ended.payload.payload : undefined
    const sent = payload ?? kept
    if (sent === undefined)
      throw new EngineError('conflict', `The payload of run "${run.runId}" is not kept.`, {
        hint: 'Payloads of failed events are, for a limited time. Give one: --payload, or the request’s body.',
        detail: 'payload-gone',
      })
    const requestId = rng.uuid(clock.nowMs())
    const qualifier = ended?.qualifier ?? run.qualifier
    await invoker.accept({
      scope: run.scope,
      functionName: run.functionName,
      qualifier: qualifier === '' ? undefined : qualifier,
      payload: sent,
      requestId,
      traceId: '',
      clientContext: ended?.clientContext ?? '',
      tenantId: ended?.tenantId ?? '',
    })
    return requestId
  }

  /** Request ids of what runs in environments now. */
  #running(): ReadonlySet<string> {
    const invocations = this.#parts.environments().flatMap(({ inFlight }) => inFlight)
    const started = invocations.filter(({ state }) => state === 'running')
    return new Set(started.map(({ input }) => input.requestId))
  }

  #shown(head: EventHead, running: ReadonlySet<string>): WaitingEvent {
    const { id, attempt, dueAtMs } = head
    const isRunning = running.has(id)
    const isDue = dueAtMs <= this.#parts.clock.nowMs()
    return {
      runId: id,
      scope: head.scope,
      functionId: head.functionId,
      functionName: head.functionName,
      qualifier: head.qualifier,
      acceptedAtMs: head.acceptedAtMs,
      attempts: attempt,
      status: isRunning ? 'running' : 'waiting',
      reason: isRunning ? undefined : this.#reason(head, isDue),
      dueAtMs: isRunning || isDue ? undefined : dueAtMs,
    }
  }

  #reason({ functionId, functionName, id, attempt, dueAtMs }: EventHead, isDue: boolean): string {
    const { started, pause } = this.#parts.queue.stateOf(functionId, id)
    if (started) return this.#parts.shortage(functionName) ?? 'It is about to run.'
    if (!isDue) return `Attempt ${attempt} failed; the next one is due at ${new Date(dueAtMs).toISOString()}.`
    return pause ?? 'Others of its function come first.'
  }
}
