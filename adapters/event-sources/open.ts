import { EngineError } from '../../runtime/errors.ts'
import type { Engine } from '../../runtime/index.ts'
import type { EventSourceRecord, SourceKind } from '../../runtime/registry/event-source-record.ts'
import type { AwsClients } from '../aws/clients.ts'
import { createTargets } from '../aws/targets.ts'
import { EventSourceHost, type Poller } from './host.ts'
import { KafkaPoller, type KafkaCluster } from './kafka-poller.ts'
import { createKinesisStream } from './kinesis-stream.ts'
import { QueuePoller } from './queue-poller.ts'
import { Queue } from './queue.ts'
import { parseSourceArn } from './source-arn.ts'
import { createSourceProbe, type SourceProbe } from './source-probe.ts'
import { StreamPoller } from './stream-poller.ts'
import { createTableStream } from './table-stream.ts'

/** Event sources while an engine runs. */
export interface OpenEventSources {
  readonly probe: SourceProbe
  /** Lets go of what still runs. */
  close(): void
}

/** The longest that a queue lets a call wait: each call costs. */
const LONGEST_WAIT_SECONDS = 20
/** Calls to an emulator cost nothing, and it may not notice that a caller has gone. */
const NEARBY_WAIT_SECONDS = 2

/** Starts reading the sources of all enabled mappings, until the engine stops. */
export function openEventSources(engine: Engine, clients: AwsClients): OpenEventSources {
  const { eventSources, invoker, clock, rng, log } = engine
  const targets = createTargets({ clients, invoker, clock, rng })

  const startPoller = (record: EventSourceRecord): Poller | undefined => {
    const onResult = (result: string): void => eventSources.noteResult(record.id, result)
    const parts = { record, invoker, clock, rng, log, onResult }
    if (record.kind === 'log' && record.sourceArn === null)
      return new KafkaPoller({ ...parts, cluster: clusterOf(record) })
    const source = record.sourceArn === null ? undefined : parseSourceArn(record.sourceArn)
    const service = source === undefined ? undefined : SERVICES[source.kind]
    if (source === undefined || service === undefined)
      throw new EngineError('unsupported', `Event sources of this kind (${record.kind}) are not read.`)
    if (!clients.isConfigured(service)) {
      log.warn('event source not read: set AWS_ENDPOINT_URL, or keys of AWS', {
        eventSourceId: record.id,
        sourceArn: source.arn,
      })
      return undefined
    }
    if (service === 'sqs') {
      const waitSeconds = clients.isElsewhere(service) ? NEARBY_WAIT_SECONDS : LONGEST_WAIT_SECONDS
      const hasRoom = (): boolean => hasPlace(engine, record)
      return new QueuePoller({ ...parts, source, queue: new Queue(clients, source), hasRoom, waitSeconds })
    }
    const stream =
      service === 'kinesis'
        ? createKinesisStream(clients, source, () => roleOf(engine, record))
        : createTableStream(clients, source)
    return new StreamPoller({ ...parts, targets, eventSources, source: stream })
  }

  const host = new EventSourceHost({ eventSources, startPoller, clock, log })
  engine.onDrain(() => host.drain())
  host.open()
  return { probe: createSourceProbe(clients), close: () => host.close() }
}

/** Which service keeps a source. */
const SERVICES: Partial<Record<SourceKind, 'sqs' | 'kinesis' | 'dynamodbstreams'>> = {
  queue: 'sqs',
  shards: 'kinesis',
  'table-stream': 'dynamodbstreams',
}

/** The casts: stored as they were sent, and looked at with care. */
function clusterOf({ id, settings: { kept } }: EventSourceRecord): KafkaCluster {
  const source = kept['SelfManagedEventSource'] as { Endpoints?: Record<string, unknown> } | undefined
  const group = kept['SelfManagedKafkaEventSourceConfig'] as { ConsumerGroupId?: unknown } | undefined
  return {
    servers: textsIn(source?.Endpoints?.['KAFKA_BOOTSTRAP_SERVERS']),
    topics: textsIn(kept['Topics']),
    groupId: typeof group?.ConsumerGroupId === 'string' ? group.ConsumerGroupId : id,
  }
}

const textsIn = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []

/** Whether the function's reserved concurrency leaves room for one more invocation. */
function hasPlace({ registry }: Engine, { scope, functionName }: EventSourceRecord): boolean {
  const limits = registry.find(scope, functionName)?.limits
  return limits === undefined || limits.inFlight < (limits.reservedConcurrency ?? Infinity)
}

/** The role of what runs now; '' while nothing does. */
function roleOf(
  { registry }: Engine,
  { scope, functionName, qualifier = '$LATEST' }: EventSourceRecord,
): string {
  const record = registry.find(scope, functionName)
  const version = record?.versions.get(record.aliases.get(qualifier)?.version ?? qualifier)
  return version?.settings.role ?? ''
}
