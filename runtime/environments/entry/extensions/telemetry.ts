import type { Clock } from '../../../clock.ts'
import { Subscriber, type SendBatch } from './subscriber.ts'
import type { Subscription } from './subscription.ts'
import type { TelemetryEvent } from './telemetry-event.ts'

/** Events kept for those who subscribe while the environment initialises, and their bytes. */
const MAX_HISTORY = 10_000
const MAX_HISTORY_BYTES = 1_048_576

/**
 * What happens in an environment, told to everybody who subscribed. Whoever subscribes during init is told
 * what happened before, too.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html
 */
export class Telemetry {
  readonly #clock: Clock
  readonly #send: SendBatch
  readonly #subscribers: Subscriber[] = []
  /** Undefined once nobody can subscribe any more. */
  #history: TelemetryEvent[] | undefined = []
  #historyBytes = 0

  constructor(options: { clock: Clock; send: SendBatch }) {
    this.#clock = options.clock
    this.#send = options.send
  }

  /** Whether anybody listens or still may: otherwise there is no need to make events. */
  get wanted(): boolean {
    return this.#history !== undefined || this.#subscribers.length > 0
  }
  get open(): boolean {
    return this.#history !== undefined
  }

  publish(event: TelemetryEvent): void {
    for (const subscriber of this.#subscribers) subscriber.offer(event)
    if (this.#history === undefined) return
    const size = typeof event.record === 'string' ? event.record.length : 256
    if (this.#history.length >= MAX_HISTORY || this.#historyBytes + size > MAX_HISTORY_BYTES) return
    this.#history.push(event)
    this.#historyBytes += size
  }

  /** Subscribes extension `name`; a new one through the same API takes the place of an earlier one. */
  subscribe(name: string, subscription: Subscription): void {
    const subscriber = new Subscriber({ name, subscription, clock: this.#clock, send: this.#send })
    const index = this.#subscribers.findIndex(
      (one) => one.name === name && one.subscription.api === subscription.api,
    )
    if (index < 0) this.#subscribers.push(subscriber)
    else this.#subscribers.splice(index, 1, subscriber)[0]?.close()
    for (const event of this.#history ?? []) subscriber.offer(event)
  }

  /** Init is over. */
  closeSubscription(): void {
    this.#history = undefined
  }

  /** Sends whatever waits; resolves when everybody took it, or when `close` is called. */
  async drain(): Promise<void> {
    await Promise.all(this.#subscribers.map((subscriber) => subscriber.drain()))
  }

  close(): void {
    for (const subscriber of this.#subscribers) subscriber.close()
    this.#subscribers.length = 0
    this.#history = undefined
  }
}
