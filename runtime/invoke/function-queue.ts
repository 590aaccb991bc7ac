import type { Timer } from '../clock.ts'
import type { EventHead } from '../store/events.ts'
import { RetryHeap } from './retry-heap.ts'

/** An accepted event in memory; its payload only while there is room for it. */
export interface QueuedEvent {
  readonly head: Omit<EventHead, 'sequence' | 'payloadBytes'>
  readonly payload: Buffer | undefined
  /** When it was accepted, monotonic: a clock that jumps makes nothing older. */
  readonly sinceMs: number
}

/** One that has failed and runs again at `dueMs`, monotonic. */
export interface RetriedEvent extends QueuedEvent {
  readonly dueMs: number
}

const COMPACT_AT = 4096

/**
 * The events of one function: in order of acceptance, and beside them those that wait for a retry, which come
 * when they are due and hold nobody up until then.
 */
export class FunctionQueue {
  readonly functionId: string
  #events: (QueuedEvent | undefined)[] = []
  #first = 0
  readonly #retries = new RetryHeap<RetriedEvent>()
  /** Ids of those that run. */
  readonly running = new Set<string>()
  /** Being written to disk: they count towards the bound. */
  accepting = 0
  /** Why nothing is started now; undefined when it is. */
  pause: { reason: string; timer: Timer } | undefined
  /** Pauses in a row. */
  pauses = 0
  #alarm: { timer: Timer; dueMs: number } | undefined

  constructor(functionId: string) {
    this.functionId = functionId
  }

  get size(): number {
    return this.#events.length - this.#first + this.#retries.size + this.running.size
  }

  push(event: QueuedEvent): void {
    this.#events.push(event)
  }

  pushRetry(event: RetriedEvent): void {
    this.#retries.push(event)
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

  /** The next to run at `nowMs`, monotonic: a retry takes its turn as if it had been accepted when due. */
  shift(nowMs: number): QueuedEvent | undefined {
    const event = this.#events[this.#first]
    const retry = this.#retries.first
    if (retry !== undefined && retry.dueMs <= nowMs && retry.dueMs <= (event?.sinceMs ?? Infinity))
      return this.#retries.shift()
    if (event === undefined) return undefined
    this.#events[this.#first++] = undefined
    if (this.#first >= COMPACT_AT) {
      this.#events = this.#events.slice(this.#first)
      this.#first = 0
    }
    return event
  }

  /** Takes out one that waits. Walks the queue. */
  remove(id: string): QueuedEvent | undefined {
    for (let index = this.#first; index < this.#events.length; index++) {
      const event = this.#events[index]
      if (event?.head.id !== id) continue
      this.#events.splice(index, 1)
      return event
    }
    return this.#retries.remove(({ head }) => head.id === id)
  }

  pauseWith(reason: string, timer: Timer): void {
    this.pause = { reason, timer }
    this.pauses += 1
  }

  resume(): void {
    this.pause?.timer.cancel()
    this.pause = undefined
  }

  /** Sees to it that `wake` is called when the next retry is due; `start` starts a timer for a delay. */
  setAlarm(nowMs: number, start: (delayMs: number, ring: () => void) => Timer, wake: () => void): void {
    const dueMs = this.#retries.first?.dueMs
    if (dueMs === undefined || dueMs <= nowMs) return // due ones run as soon as there is a place
    if (this.#alarm !== undefined && this.#alarm.dueMs <= dueMs) return
    this.#alarm?.timer.cancel()
    const ring = (): void => {
      this.#alarm = undefined
      wake()
    }
    this.#alarm = { dueMs, timer: start(dueMs - nowMs, ring) }
  }

  silence(): void {
    this.#alarm?.timer.cancel()
    this.#alarm = undefined
  }
}
