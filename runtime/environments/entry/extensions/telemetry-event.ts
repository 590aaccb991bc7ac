import type { TelemetryApi, TelemetryCategory } from './subscription.ts'

/** One thing that happened in an environment, as the Telemetry API tells it. */
export interface TelemetryEvent {
  readonly category: TelemetryCategory
  /** Unix epoch ms. */
  readonly timeMs: number
  /** `platform.start`, `function`, … */
  readonly type: string
  readonly record: Record<string, unknown> | string
}

/** `event` as JSON text, in the words of an API and its schema; undefined where they have none for it. */
export function eventText(
  api: TelemetryApi,
  schemaVersion: string,
  event: TelemetryEvent,
): string | undefined {
  if (api === 'telemetry') return ONLY_IN_LOGS.has(event.type) ? undefined : textOf(event)
  const told = logsEvent(event)
  const hidden = told === undefined || (schemaVersion === OLDEST_LOGS && !IN_OLDEST_LOGS.has(told.type))
  return hidden ? undefined : textOf(told)
}

const OLDEST_LOGS = '2020-08-15'
const ONLY_IN_LOGS = new Set(['platform.end', 'platform.fault', 'platform.logsSubscription'])
const IN_OLDEST_LOGS = new Set([
  'function',
  'extension',
  'platform.start',
  'platform.end',
  'platform.report',
  'platform.extension',
  'platform.fault',
  'platform.logsSubscription',
  'platform.logsDropped',
])
/** Fields that the records of the Logs API have. */
const LOGS_FIELDS: Record<string, readonly string[]> = {
  'platform.initStart': ['initializationType', 'phase', 'runtimeVersion', 'runtimeVersionArn'],
  'platform.initRuntimeDone': ['initializationType', 'phase', 'status'],
  'platform.initReport': ['initializationType', 'phase', 'metrics'],
  'platform.start': ['requestId', 'version'],
  'platform.end': ['requestId'],
  'platform.runtimeDone': ['requestId', 'status'],
  'platform.report': ['requestId', 'metrics'],
  'platform.extension': ['name', 'state', 'events', 'errorType'],
  'platform.logsSubscription': ['name', 'state', 'types'],
  'platform.logsDropped': ['reason', 'droppedRecords', 'droppedBytes'],
}

/** The older API tells strings only of functions and extensions, and less of everything else. */
function logsEvent(event: TelemetryEvent): TelemetryEvent | undefined {
  const { record } = event
  if (event.category !== 'platform')
    return typeof record === 'string' ? event : { ...event, record: JSON.stringify(record) }
  if (typeof record === 'string') return event
  const fields = LOGS_FIELDS[event.type]
  if (fields === undefined) return undefined
  const kept = Object.entries(record).filter(([name]) => fields.includes(name))
  return { ...event, record: Object.fromEntries(kept) }
}

const textOf = ({ timeMs, type, record }: TelemetryEvent): string =>
  JSON.stringify({ time: new Date(timeMs).toISOString(), type, record })
