import { StreamPoller } from '../../../adapters/event-sources/stream-poller.ts'
import type { Shard, StreamRecord, StreamSource } from '../../../adapters/event-sources/stream-source.ts'
import { EngineError } from '../../../runtime/errors.ts'
import type { InvokeOutcome, Invoker } from '../../../runtime/invoke/types.ts'
import { createLog } from '../../../runtime/log.ts'
import type {
  EventSourceRecord,
  EventSourceSettings,
  ShardCheckpoint,
} from '../../../runtime/registry/event-source-record.ts'
import { systemRng } from '../../../runtime/rng.ts'
import { createFakeClock, type FakeClock } from '../../support/clock.ts'

/** One invocation: what the function was given. */
export interface Call {
  readonly event: Readonly<Record<string, unknown>>
  readonly sequences: readonly string[]
  readonly atMs: number
}

/** What a destination was told. */
export interface Told {
  readonly arn: string
  readonly body: Record<string, Record<string, unknown>>
}

/** How the function answers: a value, `'fail'`, or an engine's refusal. */
export type Answer = (call: Call) => unknown

/** A stream of scripted shards that one mapping reads; time stands still until it is told to move. */
export class StreamWorld {
  readonly clock: FakeClock = createFakeClock(Date.UTC(2026, 0, 1))
  readonly shards = new Map<string, { shard: Shard; records: StreamRecord[] }>()
  readonly calls: Call[] = []
  readonly told: Told[] = []
  readonly results: string[] = []
  /** What is on disk. */
  readonly checkpoints = new Map<string, ShardCheckpoint>()
  answer: Answer = () => null
  #settings: Partial<EventSourceSettings> = {}
  #poller: StreamPoller | undefined
  #sequence = 0

  constructor(settings: Partial<EventSourceSettings> = {}) {
    this.#settings = settings
    this.addShard('s0')
  }

  addShard(id: string, parents: readonly string[] = []): void {
    this.shards.set(id, { shard: { id, parents, closed: false }, records: [] })
  }

  closeShard(id: string): void {
    const entry = this.shards.get(id)
    if (entry !== undefined) entry.shard = { ...entry.shard, closed: true }
  }

  /** Writes records; returns their sequence numbers, which count up over all shards. */
  put(count: number, { shard = 's0', key = 'k' }: { shard?: string; key?: string } = {}): string[] {
    return Array.from({ length: count }, () => {
      const sequence = String(++this.#sequence).padStart(4, '0')
      const record = { sequence, key }
      this.shards.get(shard)?.records.push({
        sequence,
        key,
        arrivedAtMs: this.clock.nowMs(),
        sizeBytes: 100,
        record,
        filterable: { event: record },
      })
      return sequence
    })
  }

  /** Starts reading, as the engine does; a mapping that was read before goes on. */
  async start(): Promise<void> {
    this.#poller = new StreamPoller({
      record: this.record(),
      source: this.#source(),
      eventSources: {
        checkpoints: () => [...this.checkpoints.values()],
        saveCheckpoints: (_id, saved) => {
          for (const one of saved) this.checkpoints.set(one.shardId, structuredClone(one))
          return Promise.resolve()
        },
        dropCheckpoints: (_id, ids) => {
          for (const id of ids) this.checkpoints.delete(id)
          return Promise.resolve()
        },
      },
      invoker: this.invoker(),
      targets: {
        deliver: (_scope, arn, { body }) => {
          this.told.push({ arn, body: JSON.parse(body) as Told['body'] })
          return Promise.resolve()
        },
      },
      clock: this.clock,
      rng: systemRng(),
      log: createLog({ level: 'silent', clock: this.clock, sink: () => {} }),
      onResult: (result) => this.results.push(result),
    })
    await this.#poller.ready
    await this.clock.advance(0)
  }

  async stop(): Promise<void> {
    await this.#poller?.stop(new AbortController().signal)
  }

  /** Sequence numbers of each call. */
  batches(): (readonly string[])[] {
    return this.calls.map(({ sequences }) => sequences)
  }

  /** Where the mapping goes on in a shard. */
  reached(shard = 's0'): string | undefined {
    const position = this.checkpoints.get(shard)?.position
    return position?.kind === 'after' ? position.sequence : position?.kind
  }

  record(): EventSourceRecord {
    return {
      id: 'm',
      scope: { account: '000000000000', region: 'us-east-1' },
      functionName: 'f',
      qualifier: undefined,
      kind: 'shards',
      sourceArn: 'arn:aws:kinesis:us-east-1:000000000000:stream/s',
      enabled: true,
      state: 'enabled',
      tags: {},
      createdAtMs: 0,
      modifiedAtMs: 0,
      lastResult: null,
      settings: {
        batchSize: 10,
        batchWindowMs: 0,
        filters: null,
        itemFailures: false,
        maxConcurrency: null,
        startingPosition: { kind: 'oldest' },
        parallelization: 1,
        bisect: false,
        maxRecordAgeMs: null,
        maxRetries: null,
        tumblingWindowMs: 0,
        onFailure: 'arn:aws:sqs:us-east-1:000000000000:failed',
        kept: {},
        ...this.#settings,
      },
    }
  }

  /** Iterators are places in the list of records. */
  #source(): StreamSource {
    const entryOf = (id: string) => {
      const entry = this.shards.get(id)
      if (entry === undefined) throw new Error(`There is no shard ${id}.`)
      return entry
    }
    return {
      batchInfoName: 'KinesisBatchInfo',
      timestamp: (atMs) => new Date(atMs).toISOString(),
      maxRead: 10_000,
      shards: () => Promise.resolve([...this.shards.values()].map(({ shard }) => shard)),
      iterator: (id, position) => {
        const { records } = entryOf(id)
        if (position.kind === 'after')
          return Promise.resolve(
            String(records.findIndex(({ sequence }) => sequence === position.sequence) + 1),
          )
        if (position.kind === 'start' && position.from.kind === 'latest') {
          const { sinceMs } = position
          const since = records.findIndex(({ arrivedAtMs }) => arrivedAtMs >= sinceMs)
          return Promise.resolve(String(sinceMs === 0 || since < 0 ? records.length : since))
        }
        return Promise.resolve('0')
      },
      read: (id, iterator, limit) => {
        const { shard, records } = entryOf(id)
        const start = Number(iterator)
        const page = records.slice(start, start + limit)
        const end = start + page.length
        return Promise.resolve({
          records: page,
          next: shard.closed && end === records.length ? undefined : String(end),
        })
      },
    }
  }

  invoker(): Invoker {
    const run = (payload: Buffer): InvokeOutcome => {
      // the casts: what the poller made
      const event = JSON.parse(payload.toString()) as { Records: { sequence: string }[] }
      const sequences = event.Records.map(({ sequence }) => sequence)
      const call = { event: event as unknown as Call['event'], sequences, atMs: this.clock.nowMs() }
      this.calls.push(call)
      const answer = this.answer(call)
      if (answer instanceof EngineError) throw answer
      const failed = answer === 'fail'
      return {
        kind: failed ? 'function-error' : 'success',
        payload: Buffer.from(JSON.stringify(failed ? { errorType: 'Error' } : answer)),
        executedVersion: '$LATEST',
        logTail: undefined,
        contentType: '',
      }
    }
    return {
      invoke: () => undefined,
      run: ({ payload }) => Promise.resolve().then(() => run(payload)),
      accept: () => Promise.resolve(),
      check: () => undefined,
    }
  }
}
