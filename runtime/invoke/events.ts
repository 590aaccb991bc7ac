import type { Clock } from '../clock.ts'
import type { Config } from '../config.ts'
import { EngineError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Registry } from '../registry/registry.ts'
import type { Rng } from '../rng.ts'
import type { Store } from '../store/store.ts'
import { EventDesk, type EventDeskParts } from './event-desk.ts'
import { EventEndings } from './event-endings.ts'
import { eventPolicy, type DeliverOutcome } from './event-outcome.ts'
import { EventQueue } from './event-queue.ts'
import type { StartRun } from './event-queue-parts.ts'
import { Outbox, type LostDelivery } from './outbox.ts'
import type { Invoker } from './types.ts'

/** Everything about accepted events. */
export interface Events {
  readonly queue: EventQueue
  readonly outbox: Outbox
  readonly desk: EventDesk
  /** Takes up what an earlier engine accepted, and owed. */
  resume(): void
}

/** What events are made of. `deliver` is how outcomes leave; undefined: there is no way out. */
export interface EventsParts extends Pick<EventDeskParts, 'environments' | 'shortage'> {
  readonly store: Store
  readonly clock: Clock
  readonly rng: Rng
  readonly log: Log
  readonly config: Config
  readonly registry: Pick<Registry, 'find'>
  readonly invoker: Pick<Invoker, 'accept'>
  readonly start: StartRun
  readonly deliver: DeliverOutcome | undefined
  readonly onLost: (lost: LostDelivery) => void
}

/** The queue of accepted events with what stands behind it. */
export function createEvents(parts: EventsParts): Events {
  const { config, registry, deliver = noWayOut } = parts
  const outbox = new Outbox({ ...parts, deliver, maxAgeMs: config.deliveryMaxAgeMs })
  const endings = new EventEndings({ ...parts, outbox, keptBytes: config.retention.failedEventsMaxBytes })
  const queue = new EventQueue({
    ...parts,
    endings,
    policyOf: ({ scope, functionName, qualifier }, executedVersion) =>
      eventPolicy(registry.find(scope, functionName), qualifier, executedVersion),
    retryDelaysMs: config.eventRetryDelaysMs,
  })
  const resume = (): void => {
    outbox.resume()
    queue.resume()
  }
  return { queue, outbox, desk: new EventDesk({ ...parts, queue }), resume }
}

const noWayOut: DeliverOutcome = () =>
  Promise.reject(new EngineError('unsupported', 'This engine was given no way to deliver anything.'))
