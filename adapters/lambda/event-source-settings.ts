import { EngineError } from '../../runtime/errors.ts'
import type {
  EventSourceSettings,
  SourceKind,
  StartingPosition,
} from '../../runtime/registry/event-source-record.ts'
import { parseFilterPattern } from '../event-sources/filter-pattern.ts'
import type { SourceArn } from '../event-sources/source-arn.ts'
import { pattern, type Constraints } from './constraints.ts'
import type { Fields } from './fields.ts'

/** A source as a request names it: by ARN, or a Kafka cluster of one's own by its addresses. */
export type NamedSource = { readonly kind: SourceKind; readonly fifo: boolean } & Partial<
  Pick<SourceArn, 'arn'>
>

const POSITIONS = ['LATEST', 'AT_TIMESTAMP', 'TRIM_HORIZON']
const DESTINATION = pattern(
  String.raw`$|kafka://([^.]([a-zA-Z0-9\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)`,
)
const MAX_FILTERS = 10
const PATTERN_LENGTH = 4096
const MIN_RECORD_AGE_SECONDS = 60
/** What Kafka mappings wait for more records unless they say otherwise. */
const KAFKA_WINDOW_MS = 500

/** Members that only shards and table streams take, by their wire name. */
const STREAM_ONLY = [
  'DestinationConfig',
  'MaximumRecordAgeInSeconds',
  'BisectBatchOnFunctionError',
  'MaximumRetryAttempts',
  'ParallelizationFactor',
  'TumblingWindowInSeconds',
]

/** Members that are stored and shown, and mean nothing to the engine. */
const KEPT = [
  'KMSKeyArn',
  'MetricsConfig',
  'LoggingConfig',
  'ProvisionedPollerConfig',
  'SourceAccessConfigurations',
  'AmazonManagedKafkaEventSourceConfig',
  'SelfManagedKafkaEventSourceConfig',
  'DocumentDBEventSourceConfig',
]
/** Of these, what only a new mapping can say. */
const KEPT_AT_CREATION = [...KEPT, 'Topics', 'Queues', 'SelfManagedEventSource']

export const isStream = (kind: SourceKind): boolean => kind === 'shards' || kind === 'table-stream'

/** Adds what the service's model says about the members of a creation and an update. */
export function checkSettings(body: Fields, constraints: Constraints): void {
  constraints.range(body.integer('BatchSize'), 'batchSize', 1, 10_000)
  constraints.range(body.integer('MaximumBatchingWindowInSeconds'), 'maximumBatchingWindowInSeconds', 0, 300)
  constraints.range(body.integer('ParallelizationFactor'), 'parallelizationFactor', 1, 10)
  constraints.oneOf(body.text('StartingPosition'), 'startingPosition', POSITIONS)
  const destination = body.fields('DestinationConfig')?.fields('OnFailure')?.text('Destination')
  constraints.length(destination, 'destinationConfig.onFailure.destination', 0, 350)
  constraints.pattern(destination, 'destinationConfig.onFailure.destination', DESTINATION)
  constraints.range(body.integer('MaximumRecordAgeInSeconds'), 'maximumRecordAgeInSeconds', -1, 604_800)
  constraints.range(body.integer('MaximumRetryAttempts'), 'maximumRetryAttempts', -1, 10_000)
  constraints.range(body.integer('TumblingWindowInSeconds'), 'tumblingWindowInSeconds', 0, 900)
  const concurrency = body.fields('ScalingConfig')?.integer('MaximumConcurrency')
  constraints.range(concurrency, 'scalingConfig.maximumConcurrency', 2, 1000)
  for (const type of body.texts('FunctionResponseTypes') ?? [])
    constraints.oneOf(type, 'functionResponseTypes', ['ReportBatchItemFailures'])
  const pollers = body.fields('ProvisionedPollerConfig')
  constraints.range(pollers?.integer('MinimumPollers'), 'provisionedPollerConfig.minimumPollers', 1, 200)
  constraints.range(pollers?.integer('MaximumPollers'), 'provisionedPollerConfig.maximumPollers', 1, 10_000)
  for (const filter of body.fields('FilterCriteria')?.list('Filters') ?? [])
    constraints.length(filter.text('Pattern'), 'filterCriteria.filters.pattern', 0, PATTERN_LENGTH)
}

/** The settings of a new mapping; `id` names the consumer group where none is named. Throws 'invalid'. */
export function newSettings(body: Fields, source: NamedSource): (id: string) => EventSourceSettings {
  const startingPosition = positionOf(body, source)
  const settings = changedSettings(body, source, {
    batchSize: source.kind === 'queue' ? 10 : 100,
    batchWindowMs: source.kind === 'log' ? KAFKA_WINDOW_MS : 0,
    filters: null,
    itemFailures: false,
    maxConcurrency: null,
    startingPosition,
    parallelization: 1,
    bisect: false,
    maxRecordAgeMs: null,
    maxRetries: null,
    tumblingWindowMs: 0,
    onFailure: null,
    kept: Object.fromEntries(present(body, KEPT_AT_CREATION)),
  })
  return (id) =>
    source.kind === 'log' ? { ...settings, kept: withConsumerGroup(settings.kept, source, id) } : settings
}

/** `before` with what the request says. Throws EngineError 'invalid'. */
export function changedSettings(
  body: Fields,
  source: NamedSource,
  before: EventSourceSettings,
): EventSourceSettings {
  checkSupport(body, source)
  const windowSeconds = body.integer('MaximumBatchingWindowInSeconds')
  const kept = new Map([...Object.entries(before.kept), ...present(body, KEPT)])
  // only Kafka mappings leave out what was not sent
  if (source.kind === 'log')
    for (const entry of present(body, ['MaximumBatchingWindowInSeconds', 'FunctionResponseTypes']))
      kept.set(...entry)
  const after: EventSourceSettings = {
    batchSize: body.integer('BatchSize') ?? before.batchSize,
    batchWindowMs: windowSeconds === undefined ? before.batchWindowMs : windowSeconds * 1000,
    filters: body.has('FilterCriteria') ? filtersOf(body) : before.filters,
    itemFailures: body.has('FunctionResponseTypes')
      ? (body.texts('FunctionResponseTypes') ?? []).length > 0
      : before.itemFailures,
    maxConcurrency: body.has('ScalingConfig')
      ? (body.fields('ScalingConfig')?.integer('MaximumConcurrency') ?? null)
      : before.maxConcurrency,
    startingPosition: before.startingPosition,
    parallelization: body.integer('ParallelizationFactor') ?? before.parallelization,
    bisect: body.flag('BisectBatchOnFunctionError') ?? before.bisect,
    maxRecordAgeMs: ageOf(body, before.maxRecordAgeMs),
    maxRetries: unlimited(body.integer('MaximumRetryAttempts'), before.maxRetries),
    tumblingWindowMs: (body.integer('TumblingWindowInSeconds') ?? before.tumblingWindowMs / 1000) * 1000,
    onFailure: body.has('DestinationConfig') ? destinationOf(body) : before.onFailure,
    kept: Object.fromEntries(kept),
  }
  checkBatches(after, source)
  return after
}

function positionOf(body: Fields, source: NamedSource): StartingPosition | null {
  if (source.kind === 'queue' || source.kind === 'broker') return null
  const position = body.text('StartingPosition')
  if (position === undefined) {
    if (source.kind === 'log') return { kind: 'oldest' }
    throw missing('startingPosition')
  }
  if (position === 'TRIM_HORIZON') return { kind: 'oldest' }
  if (position === 'LATEST') return { kind: 'latest' }
  if (source.kind === 'table-stream')
    throw new EngineError('invalid', `Unsupported starting position for arn type: ${source.arn ?? ''}`)
  const seconds = body.number('StartingPositionTimestamp')
  if (seconds === undefined) throw missing('startingPositionTimestamp')
  return { kind: 'time', atMs: Math.round(seconds * 1000) }
}

const missing = (member: string): EngineError =>
  new EngineError(
    'invalid',
    `1 validation error detected: Value null at '${member}' failed to satisfy constraint: Member must not be null.`,
  )

function checkSupport(body: Fields, { kind }: NamedSource): void {
  // Kafka mappings have destinations, and a broker's have none of these
  const refused = isStream(kind) ? ['ScalingConfig'] : kind === 'log' ? [] : STREAM_ONLY
  for (const name of refused)
    if (body.has(name))
      throw new EngineError('invalid', `Unsupported ${name} parameter for given event source mapping type.`)
}

function checkBatches({ batchSize, batchWindowMs }: EventSourceSettings, source: NamedSource): void {
  if (source.kind !== 'queue') return
  if (source.fifo && batchSize > 10)
    throw new EngineError('invalid', 'Batch size must be between 1 and 10 for FIFO queues.')
  if (source.fifo && batchWindowMs > 0)
    throw new EngineError('invalid', 'Batching window is not supported for FIFO queues.')
  if (batchSize > 10 && batchWindowMs === 0)
    throw new EngineError(
      'invalid',
      'Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10',
    )
}

/** Every pattern is compiled once here, so that what is stored can be used. */
function filtersOf(body: Fields): readonly string[] | null {
  const filters = (body.fields('FilterCriteria')?.list('Filters') ?? []).map((filter) =>
    filter.text('Pattern'),
  )
  if (filters.length > MAX_FILTERS)
    throw new EngineError('invalid', `There may be at most ${MAX_FILTERS} filters.`)
  const patterns = filters.map((filter) => filter ?? '')
  for (const one of patterns) parseFilterPattern(one)
  return patterns.length === 0 ? null : patterns
}

function ageOf(body: Fields, before: number | null): number | null {
  const seconds = body.integer('MaximumRecordAgeInSeconds')
  if (seconds === undefined) return before
  if (seconds >= 0 && seconds < MIN_RECORD_AGE_SECONDS)
    throw new EngineError(
      'invalid',
      `1 validation error detected: Value '${seconds}' at 'maximumRecordAgeInSeconds' failed to satisfy constraint: ` +
        `Member must have value greater than or equal to ${MIN_RECORD_AGE_SECONDS}`,
    )
  return seconds < 0 ? null : seconds * 1000
}

/** -1 stands for no limit. */
const unlimited = (value: number | undefined, before: number | null): number | null =>
  value === undefined ? before : value < 0 ? null : value

function destinationOf(body: Fields): string | null {
  const destination = body.fields('DestinationConfig')?.fields('OnFailure')?.text('Destination')
  return destination === undefined || destination === '' ? null : destination
}

/** A cluster's consumer group is called like its mapping unless it is named. */
function withConsumerGroup(
  kept: Readonly<Record<string, unknown>>,
  source: NamedSource,
  id: string,
): Record<string, unknown> {
  const name =
    source.arn === undefined ? 'SelfManagedKafkaEventSourceConfig' : 'AmazonManagedKafkaEventSourceConfig'
  return { ...kept, [name]: { ConsumerGroupId: id, ...(kept[name] as object | undefined) } }
}

const present = (body: Fields, names: readonly string[]): [string, unknown][] =>
  names.filter((name) => body.has(name)).map((name) => [name, body.value(name)])
