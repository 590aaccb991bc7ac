import type { Timer } from '../clock.ts'
import type { EventHead } from '../store/events.ts'

/** An accepted event in memory; its payload only while there is room for it. */
export interface QueuedEvent {
  readonly head: Omit<EventHead, 'sequence' | 'payloadBytes'>
  readonly payload: Buffer | undefined
}

const COMPACT_AT = 4096

/** The events of one function, in order of acceptance. */
export class FunctionQueue {
  readonly functionId: string
  #events: (QueuedEvent | undefined)[] = []
  #first = 0
  running = 0
  /** Being written to disk: they count towards the bound. */
  accepting = 0
  /** Why nothing is started now; undefined when it is. */
  pause: { reason: string; timer: Timer } | undefined
  /** Pauses in a row. */
  pauses = 0

  constructor(functionId: string) {
    this.functionId = functionId
  }

  get size(): number {
    return this.#events.length - this.#first + this.running
  }

  push(event: QueuedEvent): void {
    this.#events.push(event)
  }

  /** It was handed out and did not run: back to the front, behind those accepted before it. */
  putBack(event: QueuedEvent): void {
    if (this.#first > 0) this.#first--
    else this.#events.unshift(undefined)
    let place = this.#first
    for (let next = this.#events[place + 1]; next !== undefined; next = this.#events[place + 1]) {
      if (next.head.id > event.head.id) break // request ids sort by time
      this.#events[place++] = next
    }
    this.#events[place] = event
  }

  shift(): QueuedEvent | undefined {
    const event = this.#events[this.#first]
    if (event === undefined) return undefined
    this.#events[this.#first++] = undefined
    if (this.#first >= COMPACT_AT) {
      this.#events = this.#events.slice(this.#first)
      this.#first = 0
    }
    return event
  }

  pauseWith(reason: string, timer: Timer): void {
    this.pause = { reason, timer }
    this.pauses += 1
  }

  resume(): void {
    this.pause?.timer.cancel()
    this.pause = undefined
  }
}
