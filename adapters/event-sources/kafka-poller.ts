import { setMaxListeners } from 'node:events'
import type { Consumer, EachBatchPayload } from 'kafkajs'
import type { Clock } from '../../runtime/clock.ts'
import type { Log } from '../../runtime/log.ts'
import type { EventSourceRecord } from '../../runtime/registry/event-source-record.ts'
import { aborted, Backoff, pause } from './backoff.ts'
import { BatchBuffer } from './batch-buffer.ts'
import { invokeBatch, type InvocationParts } from './batch-invocation.ts'
import type { Poller } from './host.ts'
import { topicEvent, topicRecord, type TopicRecord } from './kafka-record.ts'
import { createRecordFilter, type Filterable } from './record-filter.ts'
import { problemOf, problemText } from './source-failure.ts'

/** What a topic's poller is built of. */
export interface KafkaPollerParts extends InvocationParts {
  readonly record: EventSourceRecord
  readonly cluster: KafkaCluster
  readonly clock: Clock
  readonly log: Log
  readonly onResult: (result: string) => void
}

/** A cluster of one's own, and who reads it. */
export interface KafkaCluster {
  readonly servers: readonly string[]
  readonly topics: readonly string[]
  readonly groupId: string
}

const FIRST_PAUSE_MS = 1000
const LAST_PAUSE_MS = 60_000
const HEARTBEAT_MS = 3000
const SESSION_MS = 30_000
/** Partitions whose batches run at once. */
const PARTITIONS = 32
/** A fetch holds no more than this for each partition, bytes. */
const PARTITION_BYTES = 1_048_576

/**
 * Reads topics as a member of a consumer group, which keeps the offsets: a batch moves them when the function
 * has succeeded, and is tried until then. Connects without credentials: secrets are not fetched.
 */
export class KafkaPoller implements Poller {
  readonly ready: Promise<void>
  readonly #parts: KafkaPollerParts
  readonly #isWanted: (record: Filterable) => boolean
  readonly #stopping = new AbortController()
  readonly #loop: Promise<void>
  #begun: () => void = () => undefined

  constructor(parts: KafkaPollerParts) {
    this.#parts = parts
    setMaxListeners(0, this.#stopping.signal)
    this.#isWanted = createRecordFilter(parts.record.settings.filters)
    this.ready = new Promise((resolve) => (this.#begun = resolve))
    this.#loop = this.#follow()
  }

  async stop(abandon: AbortSignal): Promise<void> {
    this.#stopping.abort()
    await Promise.race([this.#loop, aborted(abandon)])
  }

  async #follow(): Promise<void> {
    const { clock, onResult } = this.#parts
    const { signal } = this.#stopping
    const backoff = new Backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS)
    while (!signal.aborted) {
      try {
        await this.#consume()
        backoff.reset()
      } catch (error) {
        onResult(problemOf(error))
      }
      this.#begun()
      await pause(clock, backoff.next(), signal)
    }
  }

  /** Resolves at a stop; rejects when the cluster cannot be read. */
  async #consume(): Promise<void> {
    const { record, cluster } = this.#parts
    const consumer = await this.#consumer()
    const crashed = new Promise<never>((_resolve, reject) => {
      consumer.on('consumer.crash', ({ payload }) => reject(payload.error))
    })
    crashed.catch(() => undefined) // whoever waits for it below is told
    try {
      await Promise.race([crashed, consumer.connect()])
      const fromBeginning = record.settings.startingPosition?.kind !== 'latest'
      await consumer.subscribe({ topics: [...cluster.topics], fromBeginning })
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: PARTITIONS,
        eachBatch: (batch) => this.#batch(consumer, batch),
      })
      this.#begun()
      await Promise.race([crashed, aborted(this.#stopping.signal)])
    } finally {
      await consumer.disconnect().catch(() => undefined) // it is not used any more
    }
  }

  async #consumer(): Promise<Consumer> {
    const { cluster, record } = this.#parts
    const { Kafka, logLevel } = await import('kafkajs')
    const kafka = new Kafka({
      clientId: `lambent-${record.id}`,
      brokers: [...cluster.servers],
      logLevel: logLevel.NOTHING, // what goes wrong is thrown, too
      retry: { retries: 2 },
    })
    return kafka.consumer({
      groupId: cluster.groupId,
      sessionTimeout: SESSION_MS,
      heartbeatInterval: HEARTBEAT_MS,
      maxBytesPerPartition: PARTITION_BYTES,
      maxWaitTimeInMs: Math.max(1, record.settings.batchWindowMs),
      allowAutoTopicCreation: false,
    })
  }

  /** What one fetch gave of a partition, a batch of the mapping after the other. */
  async #batch(consumer: Consumer, fetched: EachBatchPayload): Promise<void> {
    const { record, clock } = this.#parts
    const { topic, partition, messages } = fetched.batch
    const buffer = new BatchBuffer<TopicRecord>({ batchSize: record.settings.batchSize, windowMs: 0 })
    const commit = async (offset: string): Promise<void> => {
      fetched.resolveOffset(offset)
      await consumer.commitOffsets([{ topic, partition, offset: String(BigInt(offset) + 1n) }])
    }
    for (const message of messages) {
      const one = topicRecord(message, topic, partition)
      if (this.#isWanted(one.filterable)) buffer.push(one, clock.monotonicMs())
    }
    while (buffer.size > 0) {
      const records = buffer.take()
      const last = records.at(-1)
      if (last === undefined || !(await this.#run(fetched, records))) return
      await commit(last.offset)
    }
    const last = messages.at(-1)
    if (last !== undefined) await commit(last.offset)
  }

  /** Resolves with true when the function has succeeded, with false when it will not be tried any more. */
  async #run(fetched: EachBatchPayload, records: readonly TopicRecord[]): Promise<boolean> {
    const { record, cluster, clock, onResult, log } = this.#parts
    const { topic, partition } = fetched.batch
    const event = topicEvent(cluster.servers, topic, partition, records)
    const backoff = new Backoff(FIRST_PAUSE_MS, LAST_PAUSE_MS)
    // the group thinks a member dead that is silent for too long
    const alive = clock.every(HEARTBEAT_MS, () => {
      fetched.heartbeat().catch((error: unknown) => log.debug('heartbeat failed', { error }))
    })
    try {
      while (!this.#stopping.signal.aborted && fetched.isRunning() && !fetched.isStale()) {
        const answer = await invokeBatch(this.#parts, record, event)
        if (answer.kind === 'succeeded') {
          onResult('OK')
          return true
        }
        onResult(answer.kind === 'refused' ? problemText(answer.message) : 'PROBLEM: Function call failed')
        await pause(clock, backoff.next(), this.#stopping.signal)
      }
      return false
    } finally {
      alive.cancel()
    }
  }
}
