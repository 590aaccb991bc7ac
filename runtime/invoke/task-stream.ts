import type { Environment } from '../environments/environment.ts'
import { FLAG } from '../environments/frames.ts'
import type { Invocation } from '../environments/invocation.ts'
import { itemRefId, readItemMeta, STREAM_STOP, takenMeta } from '../environments/stream-items.ts'
import { refsOf } from '../environments/call-payload.ts'
import type { ObjectEntry, ObjectTable } from '../objects/object-table.ts'
import type { CodeHoldings, Ending } from './holdings.ts'

/** A task as far as its items are concerned. */
export interface StreamingTask {
  readonly entry: ObjectEntry
  readonly invocation: Invocation | undefined
  readonly hasEnded: boolean
}

const NOTHING = Buffer.alloc(0)

/**
 * The items of one streaming task on their way to the process that asked for it: each is a ref that the
 * asking code holds. When that code ends or has enough, the producer is told to stop.
 */
export class TaskStream implements Ending {
  readonly #objects: ObjectTable
  readonly #environment: Environment
  readonly #id: number
  readonly #holdings: CodeHoldings
  readonly #run: StreamingTask
  #passedOn = 0
  #taken = 0
  #hasStopped = false

  constructor(options: {
    objects: ObjectTable
    run: StreamingTask
    environment: Environment
    /** Number of the `task` request. */
    id: number
    holdings: CodeHoldings
  }) {
    this.#objects = options.objects
    this.#run = options.run
    this.#environment = options.environment
    this.#id = options.id
    this.#holdings = options.holdings
  }

  /** The producer says something: an item, if it is one. */
  said(run: StreamingTask, invocation: Invocation, flags: number, metaBytes: number, body: Buffer): void {
    const index = readItemMeta(body.toString('latin1', 0, metaBytes))
    if (index === undefined || run.hasEnded) return
    if (this.#passedOn === 0) this.#holdings.streams.add(this)
    if (this.#hasStopped || this.#holdings.hasEnded || this.#environment.state === 'stopped')
      return invocation.host?.message(invocation, STREAM_STOP, NOTHING)
    if (index < this.#passedOn) {
      // It is run again: whoever reads has this one, and has perhaps said so.
      if (index < this.#taken) invocation.host?.message(invocation, takenMeta(1), NOTHING)
      return
    }
    this.#passedOn = index + 1
    const kept = flags & (FLAG.object | FLAG.error)
    const value = Buffer.from(body.subarray(metaBytes))
    const entry = this.#objects.create(itemRefId(run.entry.id, index), this.#holdings.refs, run.entry.account)
    if (kept & FLAG.error) this.#objects.reject(entry, value)
    else this.#objects.resolve(entry, kept, value, kept === 0 ? refsOf(value) : [])
    this.#environment.connection?.answer(this.#id, FLAG.streaming | entry.flags, entry.body)
  }

  /** Whoever reads has taken so many more. */
  take(count: number): void {
    this.#taken += count
    this.#tell(takenMeta(count))
  }

  /** Whoever reads has enough. */
  stop(): void {
    if (this.#hasStopped) return
    this.#hasStopped = true
    this.#holdings.streams.delete(this)
    this.#tell(STREAM_STOP)
  }

  end(): void {
    this.stop()
  }

  /** Nothing more comes. */
  close(): void {
    this.#holdings.streams.delete(this)
  }

  #tell(meta: string): void {
    const { invocation } = this.#run
    if (invocation?.state === 'running') invocation.host?.message(invocation, meta, NOTHING)
  }
}
