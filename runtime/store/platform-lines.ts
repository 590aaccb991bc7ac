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
  const { timeMs, type, record } = event
  return JSON.stringify({ time: new Date(timeMs).toISOString(), type, record })
}

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

const wordOf = (value: unknown): string => (typeof value === 'string' ? value : '')

const wordsOf = (value: unknown): string[] => (Array.isArray(value) ? value.map(wordOf) : [])

const capitalised = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1)
