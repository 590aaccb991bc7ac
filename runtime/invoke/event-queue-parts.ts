import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import type { EventEndings } from './event-endings.ts'
import type { EventPolicy } from './event-outcome.ts'
import type { QueuedEvent } from './function-queue.ts'
import type { RecordFirst, RunRequest } from './invocation-run.ts'
import type { InvokeSink } from './types.ts'

/** Starts an invocation on the one path. */
export type StartRun = (
  request: RunRequest,
  sink: InvokeSink,
  event: { attempt: number; recordFirst: RecordFirst },
) => void

/** What holds at this moment for an event; `executedVersion` is what ran, if something did. */
export type PolicyOf = (head: QueuedEvent['head'], executedVersion?: string) => EventPolicy

/** What the queue is made of. */
export interface EventQueueParts {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  readonly start: StartRun
  readonly endings: EventEndings
  readonly policyOf: PolicyOf
  /** Before the first, second, … retry. */
  readonly retryDelaysMs: readonly number[]
  readonly cachedPayloadBytes?: number
}
