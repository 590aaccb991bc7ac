import { EngineError } from '../../runtime/errors.ts'
import { EventQueue } from '../../runtime/invoke/event-queue.ts'
import type { EventQueueParts, StartRun } from '../../runtime/invoke/event-queue-parts.ts'
import { createLog } from '../../runtime/log.ts'
import type { Target } from '../../runtime/registry/types.ts'
import { IN_MEMORY, openStore, type OpenStore } from '../../runtime/store/open.ts'
import { DEFAULT_POLICY, eventParts } from '../invoke/event-parts.ts'
import { makeRun } from '../store/samples.ts'
import { version } from '../support/scheduler-world.ts'
import type { Chance, Trace } from './chance.ts'
import { mortalClock, simulatedClock } from './clock.ts'
import { EventBook, MAX_RETRIES, type RunEnd } from './event-book.ts'
import { spoilEventSets } from './event-bugs.ts'
import { Violation, type SimulatedWorld } from './simulate.ts'
import { SlowStore } from './slow-store.ts'

const FUNCTIONS = ['f0', 'f1'] as const
const SCOPE = { account: '0', region: 'r' }
const RETRY_DELAYS_MS = [2000, 4000]
/** Accepted events that have no end are no more than this: others come later. */
const MOST_OWED = 60
/** Everything has an end by then, when nothing goes wrong any more. */
const PATIENCE_MS = 3_600_000

type Act = 'accept' | 'finish' | 'refuse' | 'free' | 'disk' | 'pass' | 'cancel' | 'restart'
type Weighted = readonly (readonly [weight: number, act: Act])[]

const ACTS: Weighted = [
  [30, 'accept'],
  [30, 'finish'],
  [5, 'refuse'],
  [3, 'free'],
  [25, 'disk'],
  [12, 'pass'],
  [2, 'cancel'],
  [0.7, 'restart'],
]
/** Nothing new, and no faults. */
const CALM: Weighted = [
  [40, 'finish'],
  [35, 'disk'],
  [25, 'pass'],
]

/** A run that was started. */
interface Run {
  readonly id: string
  readonly start: Parameters<StartRun>
}

/** One life of the engine's part that has events. */
interface Life {
  readonly queue: EventQueue
  readonly end: () => void
}

/**
 * The engine's own queue of events over a real store that writes late or not at all: runs fail, crash and are
 * refused, and the engine itself ends and begins anew.
 */
export class QueueWorld implements SimulatedWorld {
  readonly #chance: Chance
  readonly #trace: Trace
  readonly #planted: string | undefined
  readonly #clock = simulatedClock()
  #inner: OpenStore | undefined
  #parts: { store: SlowStore; book: EventBook; life: Life } | undefined
  readonly #runs = new Map<string, Run>()
  readonly #held: (() => void)[] = []
  #numbers = 0
  #calm = false

  constructor(chance: Chance, trace: Trace, planted?: string) {
    this.#chance = chance
    this.#trace = trace
    this.#planted = planted
  }

  async step(): Promise<void> {
    if (this.#parts === undefined) await this.#begin()
    for (const start of this.#held.splice(0)) start()
    await this[this.#chance.weighted(this.#calm ? CALM : ACTS)]()
    await turn()
  }

  check(): void {
    const { book, life } = this.#begun
    if (book.violation !== undefined) throw book.violation
    if (life.queue.size < book.running.size)
      throw new Violation(`${book.running.size} events run, and the queue has ${life.queue.size}`)
  }

  async settle(): Promise<number> {
    this.#calm = true
    const { store, book } = this.#begun
    const until = this.#clock.monotonicMs() + PATIENCE_MS
    let steps = 0
    for (; store.size > 0 || book.owed > 0; steps++) {
      if (this.#clock.monotonicMs() > until)
        throw new Violation(`${book.owed} events never end: ${book.ids().slice(0, 5).join(', ')}`)
      await this.step()
      this.check()
    }
    await store.write(0)
    await turn()
    book.checkAtEnd()
    const { queue, end } = this.#begun.life
    if (queue.size > 0) throw new Violation(`the queue has ${queue.size} events at the end`)
    await queue.drain()
    end()
    await this.#inner?.close()
    return steps
  }

  get #begun() {
    if (this.#parts === undefined) throw new Error('The world has not begun.')
    return this.#parts
  }

  // -- what happens

  accept(): void {
    const { book, life } = this.#begun
    if (book.owed >= MOST_OWED) return
    const functionName = this.#chance.pick(FUNCTIONS) ?? 'f0'
    const requestId = `e${String((this.#numbers += 1)).padStart(6, '0')}`
    this.#note(`accept ${requestId} ${functionName}`)
    const request = {
      ...{ scope: SCOPE, functionName, requestId, qualifier: undefined, payload: Buffer.from(requestId) },
      ...{ traceId: '', clientContext: '', tenantId: '' },
    }
    life.queue
      .accept(request, () => targetOf(functionName))
      .then(
        () => {
          this.#note(`accepted ${requestId}`)
          book.accepted(requestId)
        },
        (error: unknown) => {
          if (!(error instanceof EngineError)) throw error
          this.#note(`not accepted ${requestId} ${error.code}`)
        },
      )
  }

  finish(): void {
    const run = this.#chance.pick([...this.#runs.values()])
    if (run === undefined) return
    this.#finish(
      run,
      this.#chance.weighted([
        [this.#calm ? 100 : 60, 'succeeded'],
        [30, 'failed'],
        [10, 'crashed'],
      ]),
    )
  }

  refuse(): void {
    const run = this.#chance.pick([...this.#runs.values()])
    if (run === undefined) return
    const isGone = this.#chance.happens(0.15)
    this.#note(`refuse ${run.id} ${isGone}`)
    this.#runs.delete(run.id)
    this.#begun.book.over(run.id, isGone ? 'refused' : undefined)
    const error = isGone
      ? new EngineError('not-found', 'There is no such function.')
      : new EngineError('throttled', 'Rate Exceeded.')
    run.start[1].refused(error)
  }

  free(): void {
    const functionId = this.#chance.pick(FUNCTIONS) ?? 'f0'
    this.#begun.life.queue.placeFreed({ functionId, reservedConcurrency: null, inFlight: 0 })
  }

  async disk(): Promise<void> {
    const { store } = this.#begun
    if (store.size === 0) return
    const fails = !this.#calm && this.#chance.happens(0.03)
    this.#note(`disk ${store.size} ${fails}`)
    await store.write(this.#chance.whole(0, 4), fails)
  }

  pass(): void {
    const byMs = this.#chance.weighted([
      [80, this.#chance.whole(1, 50)],
      [15, this.#chance.whole(50, 1500)],
      [this.#calm ? 20 : 5, this.#chance.whole(1500, this.#calm ? 60_000 : 5000)],
    ])
    this.#note(`pass ${byMs}`)
    this.#clock.advance(byMs)
  }

  cancel(): void {
    const { book, life } = this.#begun
    const id = this.#chance.pick(book.ids())
    if (id === undefined || book.running.has(id)) return
    for (const functionId of FUNCTIONS) {
      let isRefused = false
      const cancelled = life.queue.cancel(functionId, id)
      cancelled.catch(() => (isRefused = true)).finally(() => this.#note(`cancel ${id} ${!isRefused}`))
    }
    book.cancelled(id)
  }

  /** The engine ends, at once or as it should, and the next one takes up what is on disk. */
  async restart(): Promise<void> {
    const { store, book, life } = this.#begun
    const [kept, isOrderly] = [this.#chance.whole(0, 3), this.#chance.happens(0.5)]
    this.#note(`restart ${kept} ${isOrderly}`)
    if (isOrderly) {
      void life.queue.drain()
      life.queue.abandon()
      for (const run of this.#runs.values()) void run.start[2].recordFirst(recordOf(run, 'crashed'))
      await turn()
    }
    life.end()
    this.#runs.clear()
    this.#held.length = 0
    await store.crash(kept, () => false)
    book.restarted()
    this.#parts = { store, book, life: this.#live(store, book) }
  }

  // -- in detail

  #finish(run: Run, status: RunEnd): void {
    this.#note(`finish ${run.id} ${status}`)
    this.#runs.delete(run.id)
    this.#begun.book.over(run.id, status)
    const [, sink, { recordFirst }] = run.start
    const kind = status === 'succeeded' ? 'success' : 'function-error'
    const payload = Buffer.from('{"errorType":"Error","errorMessage":"no"}')
    sink.result({ kind, payload, executedVersion: '$LATEST', logTail: undefined, contentType: '' })
    const record = recordOf(run, status)
    void recordFirst(record)
    if (this.#planted === 'a run is recorded twice' && this.#chance.happens(0.1)) void recordFirst(record)
  }

  async #begin(): Promise<void> {
    const clock = this.#clock
    const log = createLog({ level: 'silent', clock, sink: () => {} })
    const inner = (this.#inner = await openStore({ dataDirectory: IN_MEMORY, clock, log }))
    const book = new EventBook(inner.reader)
    const kept = book.kept.bind(book)
    const store = new SlowStore(inner, kept, spoilEventSets(this.#planted, this.#chance))
    this.#parts = { store, book, life: this.#live(store, book, true) }
  }

  #live(slow: SlowStore, book: EventBook, isFirst = false): Life {
    const { clock, end } = mortalClock(this.#clock)
    const log = createLog({ level: 'silent', clock, sink: () => {} })
    const store = slow.open(this.#planted === 'an event is acknowledged before it is on disk')
    const policy = () => ({ ...DEFAULT_POLICY, maxRetries: MAX_RETRIES, maxAgeMs: Infinity })
    const parts: EventQueueParts = {
      ...eventParts({ store, clock, log, policy }),
      retryDelaysMs: RETRY_DELAYS_MS,
      cachedPayloadBytes: 100, // most payloads are read again
      start: (...start) => this.#start(book, start),
    }
    const queue = new EventQueue(parts)
    if (isFirst || this.#planted !== 'events of an earlier engine are not taken up') queue.resume()
    return { queue, end }
  }

  #start(book: EventBook, start: Parameters<StartRun>): void {
    const [{ requestId: id, payload }, , { attempt }] = start
    if (this.#planted === 'a retry is not started' && attempt > 1 && this.#chance.happens(0.1)) return
    const begin = (): void => {
      this.#note(`start ${id} ${attempt}`)
      if (payload.toString() !== id) throw new Violation(`${id} runs with ${payload.toString()}`)
      this.#runs.set(id, { id, start })
      book.started(id, attempt, this.#clock.nowMs())
    }
    if (this.#planted === 'an event is started late' && this.#chance.happens(0.05)) this.#held.push(begin)
    else begin()
  }

  #note(text: string): void {
    this.#trace.note(text)
  }
}

const targetOf = (name: string): Target => ({
  version: version(name),
  limits: { functionId: name, reservedConcurrency: null, inFlight: 0 },
  ...{ invokedArn: '', qualifier: '', executedVersion: '$LATEST' },
})

const recordOf = ({ id, start: [{ functionName }, , { attempt }] }: Run, status: RunEnd) => ({
  ...makeRun(id),
  ...{ functionName, status, attempt, trigger: 'event' as const },
})

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
