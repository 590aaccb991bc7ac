import type { LineStyle } from './log-lines.ts'

/** Something that happened to an environment, in the words of the Telemetry API. */
export interface LoggedEvent {
  readonly timeMs: number
  /** `platform.initStart`, … */
  readonly type: string
  readonly record: Readonly<Record<string, unknown>>
}

type Level = LineStyle['systemLevel']

const SEVERITY: Record<Level, number> = { DEBUG: 0, INFO: 1, WARN: 2 }

/**
 * The line of a function's log for an event: text for those that have one, or an object in the JSON format;
 * undefined when there is none or the system level hides it.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
 */
export function eventLine(style: LineStyle, event: LoggedEvent): string | undefined {
  if (style.format === 'Text') return textOf(event)
  if (SEVERITY[levelOf(event)] < SEVERITY[style.systemLevel]) return undefined
  const { timeMs, type } = event
  return JSON.stringify({ time: new Date(timeMs).toISOString(), type, record: recordOf(event) })
}

/** A handler's own class name says nothing to a reader of platform events: AWS reduces it to this, too. */
function recordOf({ type, record }: LoggedEvent): Readonly<Record<string, unknown>> {
  const errorType = wordOf(record['errorType'])
  if (!type.startsWith('platform.init') || errorType === '' || KNOWN_ERROR.test(errorType)) return record
  return { ...record, errorType: 'Runtime.Unknown' }
}

const KNOWN_ERROR = /^(Runtime|Function|Extension|Sandbox)\.[A-Z][A-Za-z]+$/

function levelOf({ type, record }: LoggedEvent): Level {
  const failed = record['status'] !== undefined && record['status'] !== 'success'
  switch (type) {
    case 'platform.initStart':
      return record['runtimeVersion'] === undefined ? 'DEBUG' : 'INFO'
    case 'platform.initRuntimeDone':
      return failed ? 'WARN' : 'DEBUG'
    case 'platform.initReport':
      if (failed) return 'WARN'
      return record['initializationType'] === 'on-demand' ? 'DEBUG' : 'INFO'
    case 'platform.extension':
      return record['errorType'] === undefined ? 'INFO' : 'WARN'
    case 'platform.logsDropped':
      return 'WARN'
    default:
      return 'INFO'
  }
}

function textOf({ type, record }: LoggedEvent): string | undefined {
  const subscription = (name: string): string =>
    `${name}\tName: ${wordOf(record['name'])}\tState: ${wordOf(record['state'])}\t` +
    `Types: [${wordsOf(record['types']).map(capitalised).join(', ')}]`
  switch (type) {
    case 'platform.initStart':
      return (
        `INIT_START Runtime Version: ${wordOf(record['runtimeVersion'])}\t` +
        `Runtime Version ARN: ${wordOf(record['runtimeVersionArn'])}`
      )
    case 'platform.initReport':
      return failedInitText(record)
    case 'platform.extension': {
      const errorType = wordOf(record['errorType'])
      return (
        `EXTENSION\tName: ${wordOf(record['name'])}\tState: ${wordOf(record['state'])}\t` +
        `Events: [${wordsOf(record['events']).join(',')}]${errorType === '' ? '' : `\tError Type: ${errorType}`}`
      )
    }
    case 'platform.telemetrySubscription':
      return subscription('TELEMETRY')
    case 'platform.logsSubscription':
      return subscription('LOGS')
    default:
      return undefined
  }
}

/** An init that went well is told by the first report. */
function failedInitText(record: LoggedEvent['record']): string | undefined {
  const status = wordOf(record['status'])
  if (status === 'success') return undefined
  const { durationMs } = (record['metrics'] ?? {}) as { durationMs?: unknown } // looked at below
  const duration = typeof durationMs === 'number' ? durationMs : 0
  const errorType = wordOf(record['errorType'])
  const type = errorType === '' ? '' : `\tError Type: ${errorType}`
  return `INIT_REPORT Init Duration: ${duration.toFixed(2)} ms\tPhase: init\tStatus: ${status}${type}`
}

const wordOf = (value: unknown): string => (typeof value === 'string' ? value : '')

const wordsOf = (value: unknown): string[] => (Array.isArray(value) ? value.map(wordOf) : [])

const capitalised = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1)
