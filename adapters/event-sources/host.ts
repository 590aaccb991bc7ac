import type { Clock } from '../../runtime/clock.ts'
import { messageOf } from '../../runtime/errors.ts'
import type { Log } from '../../runtime/log.ts'
import type { EventSourceRecord } from '../../runtime/registry/event-source-record.ts'
import type { EventSources } from '../../runtime/registry/event-sources.ts'
import { problemText } from './source-failure.ts'

/** Reads one source and runs its mapping's function. */
export interface Poller {
  /** Resolves when it knows where it reads from, so that what comes from now on is seen. */
  readonly ready: Promise<void>
  /** Reads no more; resolves when what it has read has ended, or been let go of after `abandon` aborts. */
  stop(abandon: AbortSignal): Promise<void>
}

/**
 * Starts the poller of an enabled mapping; undefined when nobody says where its source is. Throws when
 * nothing here can read sources of its kind.
 */
export type StartPoller = (record: EventSourceRecord) => Poller | undefined

/** What the host is built of. */
export interface HostParts {
  readonly eventSources: EventSources
  readonly startPoller: StartPoller
  readonly clock: Clock
  readonly log: Log
}

/** How long a change waits until a source has answered: it takes effect all the same. */
const READY_MS = 5000
/** How long a change waits for batches that run. */
const LET_GO_MS = 60_000

/**
 * Keeps one poller for each mapping that is enabled. A change is applied when the poller before it has ended;
 * then the mapping is what its owner wants.
 */
export class EventSourceHost {
  readonly #parts: HostParts
  readonly #pollers = new Map<string, Poller>()
  /** By mapping: the change that is being applied; the newest one is waited for. */
  readonly #changes = new Map<string, Promise<void>>()
  readonly #abandon = new AbortController()
  #watching: Disposable | undefined
  #draining = false

  constructor(parts: HostParts) {
    this.#parts = parts
  }

  /** Starts what is enabled, and finishes what was under way when the engine ended. */
  open(): void {
    this.#watching = this.#parts.eventSources.watch((record) => this.#enqueue(record))
    for (const record of this.#parts.eventSources.all()) this.#enqueue(record)
  }

  /** Reads no more; resolves when every batch that runs has ended. */
  async drain(): Promise<void> {
    this.#draining = true
    this.#watching?.[Symbol.dispose]()
    await Promise.all(this.#changes.values())
    await Promise.all([...this.#pollers.keys()].map((id) => this.#stop(id, this.#abandon.signal)))
  }

  /** Lets go of batches that still run. */
  close(): void {
    this.#draining = true
    this.#abandon.abort()
  }

  #enqueue(record: EventSourceRecord): void {
    const before = this.#changes.get(record.id) ?? Promise.resolve()
    const change = before.then(() => this.#apply(record))
    this.#changes.set(record.id, change)
    void change.finally(() => {
      if (this.#changes.get(record.id) === change) this.#changes.delete(record.id)
    })
  }

  async #apply(record: EventSourceRecord): Promise<void> {
    const { eventSources, log } = this.#parts
    try {
      await this.#stopInTime(record.id)
      if (this.#draining) return
      if (record.enabled && record.state !== 'deleting') await this.#start(record)
      await eventSources.settle(record)
    } catch (error) {
      log.error('event source mapping not changed', { eventSourceId: record.id, state: record.state, error })
    }
  }

  async #start(record: EventSourceRecord): Promise<void> {
    const { eventSources, startPoller, clock } = this.#parts
    let poller: Poller | undefined
    try {
      poller = startPoller(record)
    } catch (error) {
      return eventSources.noteResult(record.id, problemText(messageOf(error)))
    }
    if (poller === undefined) return
    this.#pollers.set(record.id, poller)
    const patience = new Promise<void>((resolve) => void clock.after(READY_MS, resolve))
    await Promise.race([poller.ready, patience])
  }

  /** Batches that run too long are let go of: they end by themselves, and run again. */
  async #stopInTime(id: string): Promise<void> {
    const patience = new AbortController()
    const timer = this.#parts.clock.after(LET_GO_MS, () => patience.abort())
    try {
      await this.#stop(id, AbortSignal.any([patience.signal, this.#abandon.signal]))
    } finally {
      timer.cancel()
    }
  }

  async #stop(id: string, abandon: AbortSignal): Promise<void> {
    const poller = this.#pollers.get(id)
    if (poller === undefined) return
    await poller.stop(abandon)
    this.#pollers.delete(id)
  }
}
