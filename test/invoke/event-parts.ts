import type { Clock } from '../../runtime/clock.ts'
import { EventEndings } from '../../runtime/invoke/event-endings.ts'
import type { DeliverOutcome, EventPolicy } from '../../runtime/invoke/event-outcome.ts'
import type { EventQueueParts } from '../../runtime/invoke/event-queue-parts.ts'
import { Outbox, type LostDelivery } from '../../runtime/invoke/outbox.ts'
import type { Log } from '../../runtime/log.ts'
import type { Store } from '../../runtime/store/store.ts'

/** What Lambda does with events that nothing was configured for. */
export const DEFAULT_POLICY: EventPolicy = {
  maxRetries: 2,
  maxAgeMs: 21_600_000,
  onSuccess: null,
  onFailure: null,
  deadLetter: undefined,
  isOff: false,
}

interface Options {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  readonly policy?: () => EventPolicy
  readonly deliver?: DeliverOutcome
  readonly keptBytes?: number
}

/** What a queue of events needs beside what starts its runs, over a real store. */
export function eventParts({
  store,
  clock,
  log,
  policy,
  deliver,
  keptBytes = 1e9,
}: Options): Omit<EventQueueParts, 'start'> & { readonly outbox: Outbox; readonly lost: LostDelivery[] } {
  const lost: LostDelivery[] = []
  const outbox = new Outbox({
    ...{ store, clock, log },
    deliver: deliver ?? (() => Promise.resolve()),
    maxAgeMs: 3_600_000,
    onLost: (one) => lost.push(one),
  })
  return {
    ...{ store, clock, log, outbox, lost },
    endings: new EventEndings({ store, clock, log, outbox, keptBytes }),
    policyOf: policy ?? (() => DEFAULT_POLICY),
    retryDelaysMs: [60_000, 120_000],
  }
}
