import { EngineError } from '../../runtime/errors.ts'
import type { Engine } from '../../runtime/index.ts'
import type { EventSourceRecord } from '../../runtime/registry/event-source-record.ts'
import type { AwsClients } from '../aws/clients.ts'
import { createTargets } from '../aws/targets.ts'
import { EventSourceHost, type Poller } from './host.ts'
import { createKinesisStream } from './kinesis-stream.ts'
import { QueuePoller } from './queue-poller.ts'
import { Queue } from './queue.ts'
import { parseSourceArn, type SourceArn } from './source-arn.ts'
import { createSourceProbe, type SourceProbe } from './source-probe.ts'
import { StreamPoller } from './stream-poller.ts'
import type { StreamSource } from './stream-source.ts'
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
  const { eventSources, registry, invoker, clock, rng, log } = engine
  const targets = createTargets({ clients, invoker, clock, rng })

  const startPoller = (record: EventSourceRecord): Poller => {
    const source = record.sourceArn === null ? undefined : parseSourceArn(record.sourceArn)
    const onResult = (result: string): void => eventSources.noteResult(record.id, result)
    const parts = { record, invoker, clock, rng, log, onResult }
    if (source?.kind === 'queue') {
      const hasRoom = (): boolean => {
        const limits = registry.find(record.scope, record.functionName)?.limits
        return limits === undefined || limits.inFlight < (limits.reservedConcurrency ?? Infinity)
      }
      assertReachable(clients, 'sqs')
      const waitSeconds = clients.isElsewhere('sqs') ? NEARBY_WAIT_SECONDS : LONGEST_WAIT_SECONDS
      return new QueuePoller({ ...parts, source, queue: new Queue(clients, source), hasRoom, waitSeconds })
    }
    if (source?.kind === 'shards' || source?.kind === 'table-stream')
      return new StreamPoller({ ...parts, targets, eventSources, source: streamOf(source, record) })
    throw new EngineError('unsupported', `Event sources of this kind (${record.kind}) are not read.`)
  }

  const streamOf = (source: SourceArn, record: EventSourceRecord): StreamSource => {
    if (source.kind === 'table-stream') {
      assertReachable(clients, 'dynamodbstreams')
      return createTableStream(clients, source)
    }
    assertReachable(clients, 'kinesis')
    return createKinesisStream(clients, source, () => roleOf(engine, record))
  }

  const host = new EventSourceHost({ eventSources, startPoller, clock, log })
  engine.onDrain(() => host.drain())
  host.open()
  return { probe: createSourceProbe(clients), close: () => host.close() }
}

function assertReachable(clients: AwsClients, service: 'sqs' | 'kinesis' | 'dynamodbstreams'): void {
  if (clients.isConfigured(service)) return
  throw new EngineError(
    'unavailable',
    `Nothing says where ${service} is: AWS_ENDPOINT_URL or keys are missing.`,
  )
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
