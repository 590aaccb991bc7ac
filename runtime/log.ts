import type { Clock } from './clock.ts'

/** Severity, least first. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/**
 * Values of one log line; names carry their units. Never put a payload, a credential or a variable's value
 * here.
 */
export type LogFields = Readonly<Record<string, unknown>>

/** The engine's own log: one event, one line. Functions' logs are elsewhere (runtime/invoke/logs). */
export interface Log {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
}

/** Where finished lines go; a line has no line feed at its end. */
export type LogSink = (line: string) => void

/** Renders one event as a line. */
export type LogFormat = (level: LogLevel, timeMs: number, event: string, fields: LogFields) => string

/** One JSON object a line: `{"time":"…","level":"info","event":"…",…}`. */
export const jsonFormat: LogFormat = (level, timeMs, event, fields) =>
  JSON.stringify({ time: new Date(timeMs).toISOString(), level, event, ...fields }, replaceErrors)

/** For a person at a terminal: `12:00:01 info  event name=value`. */
export const readableFormat: LogFormat = (level, timeMs, event, fields) => {
  const values = Object.entries(fields).map(
    ([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value, replaceErrors)}`,
  )
  return `${new Date(timeMs).toISOString().slice(11, 19)} ${level.padEnd(5)} ${event}${values.join('')}`
}

/** A log that drops what is less severe than `level`. */
export function createLog(options: {
  level: LogLevel
  clock: Clock
  sink: LogSink
  format?: LogFormat
}): Log {
  const { clock, sink, format = jsonFormat } = options
  const threshold = LOG_LEVELS.indexOf(options.level)
  const at =
    (level: LogLevel) =>
    (event: string, fields: LogFields = {}): void => {
      if (LOG_LEVELS.indexOf(level) >= threshold) sink(format(level, clock.nowMs(), event, fields))
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** Errors have no enumerable members: without this they would be logged as `{}`. */
function replaceErrors(_name: string, value: unknown): unknown {
  if (value instanceof Error) return { name: value.name, message: value.message, stack: value.stack }
  return typeof value === 'bigint' ? value.toString() : value
}
