import type { Clock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { addDelivery, endEvent, trimEndedEvents, type EventResponse } from '../store/ended-events.ts'
import { deleteEvent } from '../store/events.ts'
import type { RunRecord } from '../store/journal.ts'
import { insertRun } from '../store/runs.ts'
import type { Change, Store } from '../store/store.ts'
import { owedTo, type EndReason, type EventPolicy } from './event-outcome.ts'
import { withLineage } from './lineage.ts'
import type { Outbox } from './outbox.ts'

/** How an event ends. */
export interface Ending {
  readonly reason: EndReason
  readonly attempts: number
  /** The event's own. */
  readonly traceId: string
  readonly response: EventResponse | undefined
  readonly policy: EventPolicy
  readonly record: RunRecord
}

const COMMIT_RETRY_MS = 1000

/**
 * Records how events end: in one transaction with it an event leaves the queue, what its outcome is owed to
 * is written down, and what can be replayed is set aside. Nothing is lost while the disk refuses: it is tried
 * again until it holds.
 */
export class EventEndings {
  readonly #store: Store
  readonly #clock: Clock
  readonly #log: Log
  readonly #outbox: Outbox
  readonly #keptBytes: number
  #closed = false

  constructor(parts: {
    readonly store: Store
    readonly clock: Clock
    readonly log: Log
    readonly outbox: Outbox
    /** Payloads of ended events that are kept, all together. */
    readonly keptBytes: number
  }) {
    this.#store = parts.store
    this.#clock = parts.clock
    this.#log = parts.log
    this.#outbox = parts.outbox
    this.#keptBytes = parts.keptBytes
  }

  /** From now on what the disk refuses is left as it is: the event runs again after the next start. */
  close(): void {
    this.#closed = true
  }

  /**
   * Resolves when it is on disk. `before` goes into the same transaction, in front; with it, it is not tried
   * again: rejects as `Store.commit`.
   */
  async end(ending: Ending, before: readonly Change[] = []): Promise<void> {
    const { reason, policy, record } = ending
    const id = record.runId
    const owed = owedTo(policy, reason)
    const last = [deleteEvent(id), insertRun(record)]
    if (owed.length === 0 && reason === 'success') return void (await this.commit(last, id))
    const nowMs = this.#clock.nowMs()
    // What it goes on to is a part of the chain that it ran in: circles through destinations end, too.
    const traceId = ending.response === undefined ? ending.traceId : withLineage(ending.traceId, record)
    const full = this.#outbox.problem
    const changes = [
      ...before,
      endEvent(
        id,
        { ...ending, traceId, endedAtMs: nowMs },
        {
          isKept: reason !== 'success',
          owed: full === undefined ? owed.length : 0,
        },
      ),
      ...owed.map(([kind, target]) => addDelivery(id, kind, target, nowMs, full)),
      trimEndedEvents(this.#keptBytes),
      ...last,
    ]
    if (before.length > 0) await this.#store.commit(changes)
    else if (!(await this.commit(changes, id))) return
    if (full !== undefined) return
    for (const [kind, target] of owed)
      this.#outbox.add({ eventId: id, kind, target, attempts: 0, createdAtMs: nowMs })
  }

  /** Resolves with true when all of `changes` are on disk, with false when the engine stops before. */
  async commit(changes: readonly Change[], runId: string): Promise<boolean> {
    for (;;) {
      try {
        await this.#store.commit(changes)
        return true
      } catch (error) {
        if (this.#closed) return false
        this.#log.error('the end of an event could not be recorded', { runId, message: messageOf(error) })
        await this.#clock.sleep(COMMIT_RETRY_MS)
      }
    }
  }
}
