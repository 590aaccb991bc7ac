import { readRun } from '../../runtime/store/runs.ts'
import { loadEventHeads } from '../../runtime/store/events.ts'
import type { Change, Store } from '../../runtime/store/store.ts'
import { Violation } from './simulate.ts'

/** Retries after the first attempt. */
export const MAX_RETRIES = 2
/** Runs of one function at once. */
const MOST_RUNS = 32

/** How a run ended, as it is recorded. */
export type RunEnd = 'succeeded' | 'failed' | 'crashed'

/** An event that is on disk and has no outcome. */
interface Owed {
  readonly functionId: string
  /** Attempts that have failed, as the disk has it. */
  attempts: number
  dueAtMs: number
  /** The engine that lives knows of it. */
  isKnown: boolean
  isCancelled: boolean
  lastEnd: RunEnd | 'refused' | undefined
}

/** Notes what was accepted and what came to the disk, by itself, and finds out where the queue differs. */
export class EventBook {
  readonly #reader: Store['reader']
  /** In order of acceptance. */
  readonly #owed = new Map<string, Owed>()
  readonly #acknowledged = new Set<string>()
  readonly #ended = new Set<string>()
  readonly running = new Map<string, string>()
  /** What was found first, also where the engine catches what is thrown. */
  violation: Violation | undefined

  constructor(reader: Store['reader']) {
    this.#reader = reader
  }

  get owed(): number {
    return this.#owed.size
  }

  // -- what comes to the disk

  kept(changes: readonly Change[]): void {
    const recorded = changes.some(([statement]) => statement === 'insertRun')
    for (const [statement, ...fields] of changes) {
      if (statement === 'insertEvent') this.#inserted(fields)
      else if (statement === 'updateEventAttempt') this.#failedOnce(fields)
      else if (statement === 'deleteEvent') this.#deleted(String(fields[0]), recorded)
    }
  }

  #inserted(fields: readonly unknown[]): void {
    const [id, functionId] = [String(fields[0]), String(fields[3])]
    const fresh = { attempts: 0, dueAtMs: 0, isKnown: false, isCancelled: false, lastEnd: undefined }
    this.#owed.set(id, { functionId, ...fresh })
  }

  #failedOnce([attempts, dueAtMs, , id]: readonly unknown[]): void {
    const event = this.#owed.get(String(id))
    if (event === undefined) return this.#wrong(`${id} waits for a retry and is not on disk`)
    if (attempts !== event.attempts + 1 || event.attempts >= MAX_RETRIES)
      this.#wrong(`${id} has failed ${attempts} times after ${event.attempts}`)
    event.attempts = Number(attempts)
    event.dueAtMs = Number(dueAtMs)
  }

  #deleted(id: string, recorded: boolean): void {
    const event = this.#owed.get(id)
    if (event === undefined) return this.#wrong(`${id} ends, and is not on disk`)
    if (!recorded) this.#wrong(`${id} leaves the disk and nothing says how it ended`)
    const retries = event.lastEnd === 'failed' || event.lastEnd === 'crashed'
    if (retries && !event.isCancelled && event.attempts < MAX_RETRIES)
      this.#wrong(`${id} ends after ${event.attempts + 1} attempts`)
    this.#owed.delete(id)
    this.#ended.add(id)
  }

  // -- what the engine does

  accepted(id: string): void {
    const event = this.#owed.get(id)
    if (event === undefined && !this.#ended.has(id)) this.#wrong(`${id} is acknowledged and not on disk`)
    if (event !== undefined) event.isKnown = true
    this.#acknowledged.add(id)
  }

  started(id: string, attempt: number, nowMs: number): void {
    const event = this.#owed.get(id)
    if (event === undefined) return this.#wrong(`${id} runs and is not owed`)
    if (this.running.has(id)) this.#wrong(`${id} runs twice at once`)
    if (attempt !== event.attempts + 1) this.#wrong(`${id} begins attempt ${attempt} after ${event.attempts}`)
    if (nowMs < event.dueAtMs) this.#wrong(`${id} is tried again ${event.dueAtMs - nowMs} ms too early`)
    if (attempt === 1) this.#checkOrder(id, event)
    event.isKnown = true // it may run before its acceptance has been heard of
    event.lastEnd = undefined
    this.running.set(id, event.functionId)
    let runs = 0
    for (const functionId of this.running.values()) if (functionId === event.functionId) runs += 1
    if (runs > MOST_RUNS) this.#wrong(`${runs} events of ${event.functionId} run at once`)
  }

  /** Whoever was accepted earlier begins its first attempt earlier. */
  #checkOrder(id: string, { functionId }: Owed): void {
    for (const [other, event] of this.#owed) {
      if (other === id) return
      const waits = event.isKnown && !event.isCancelled && !this.running.has(other)
      const isFirst = event.attempts === 0 && event.lastEnd === undefined
      if (waits && isFirst && event.functionId === functionId) this.#wrong(`${id} overtakes ${other}`)
    }
  }

  /** A run is over; `how` is undefined where it goes back to wait. */
  over(id: string, how: RunEnd | 'refused' | undefined): void {
    this.running.delete(id)
    const event = this.#owed.get(id)
    if (event !== undefined) event.lastEnd = how
  }

  cancelled(id: string): void {
    const event = this.#owed.get(id)
    if (event !== undefined) event.isCancelled = true
  }

  /** The engine ended; the next one knows all that is on disk. */
  restarted(): void {
    this.running.clear()
    for (const event of this.#owed.values()) {
      event.isKnown = true
      event.isCancelled = false
      event.lastEnd = undefined
    }
  }

  /** Ids that wait or run. */
  ids(): string[] {
    return [...this.#owed.keys()]
  }

  /** Nothing goes on any more: each that was accepted has one outcome. */
  checkAtEnd(): void {
    for (const id of this.#acknowledged) {
      if (!this.#ended.has(id)) this.#wrong(`${id} was accepted and has no end`)
      if (readRun(this.#reader, id) === undefined) this.#wrong(`${id} ended and no record says how`)
    }
    const [left] = loadEventHeads(this.#reader, 0, 1)
    if (left !== undefined) this.#wrong(`${left.id} stays on disk`)
  }

  #wrong(what: string): void {
    throw (this.violation ??= new Violation(what))
  }
}
