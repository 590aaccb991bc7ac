import { format } from 'node:util'
import type { Specialization } from '../frames.ts'
import type { CallScope } from './call-scope.ts'
import { nowMs } from './clock.ts'
import type { HandlerContract } from './contract.ts'
import { intoError, toLogText } from './errors.ts'
import type { LogOutput } from './log-output.ts'

const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const
type Level = (typeof LEVELS)[number]

type Logger = (message?: unknown, ...rest: unknown[]) => void

/** What the console needs to know of the function. */
export interface ConsoleSettings {
  specialization: Pick<Specialization, 'logFormat' | 'logLevel' | 'environment'>
  contract: HandlerContract
  output: LogOutput
  scope: CallScope
}

/** Logs a failure of the function itself, as AWS's runtime client does beside answering with it. */
export type ErrorLogger = (title: string, thrown: unknown) => void

/**
 * Makes `console.*` write records in AWS's text or JSON format. Line feeds within a record become carriage
 * returns, so that one record is one log event.
 */
export function patchConsole(settings: ConsoleSettings): ErrorLogger {
  const { specialization, contract, output, scope } = settings
  const json = specialization.logFormat === 'JSON'
  // AWS sets the variable in JSON format only, but its client obeys it in both.
  const lowest = json ? specialization.logLevel : specialization.environment['AWS_LAMBDA_LOG_LEVEL']
  const threshold = LEVELS.indexOf((lowest?.toUpperCase() ?? 'TRACE') as Level) // unknown: -1, so everything
  const render = json ? renderJson : renderText
  const outsideId = contract === 'promises' ? '-' : undefined

  const at = (level: Level): Logger => {
    if (LEVELS.indexOf(level) < threshold) return () => {}
    return (...parameters) => {
      const meta = scope.logged()?.meta
      const requestId = meta?.requestId ?? outsideId
      const record = render(new Date(nowMs()).toISOString(), requestId, level, meta?.tenantId, parameters)
      output.write(`${record.replaceAll('\n', '\r')}\n`)
    }
  }
  console.trace = at('TRACE')
  console.debug = at('DEBUG')
  console.info = console.log = at('INFO')
  console.warn = at('WARN')
  console.error = at('ERROR')
  // Of AWS's own making: the standard console has no such method.
  Object.assign(console, { fatal: at('FATAL') })

  // Through the console as it is at that moment: code that replaced console.error sees these as well.
  if (json) return (_title, thrown) => console.error(intoError(thrown))
  return (title, thrown) => console.error(title, toLogText(intoError(thrown), contract))
}

type Render = (
  time: string,
  requestId: string | undefined,
  level: Level,
  tenantId: string | undefined,
  parameters: readonly unknown[],
) => string

const renderText: Render = (time, requestId, level, _tenantId, parameters) =>
  // A call without arguments logs `undefined`, as AWS's does.
  `${time}\t${requestId}\t${level}\t${format(parameters[0], ...parameters.slice(1))}`

const renderJson: Render = (timestamp, requestId, level, tenantId, parameters) => {
  const record: Record<string, unknown> = { timestamp, level, requestId }
  if (tenantId !== undefined && tenantId !== '') record['tenantId'] = tenantId
  if (parameters.length <= 1) {
    record['message'] = parameters[0]
    try {
      return JSON.stringify(record, (_name, value: unknown) => withErrorProperties(value))
    } catch {
      // Circular, a BigInt, or a toJSON that throws: the text form can show all of them.
      record['message'] = format(parameters[0])
      return JSON.stringify(record)
    }
  }
  record['message'] = format(parameters[0], ...parameters.slice(1))
  const error = parameters.find((parameter) => parameter instanceof Error)
  return JSON.stringify(error === undefined ? record : { ...record, ...errorProperties(error) })
}

const errorProperties = (error: Error): Record<string, unknown> => ({
  errorType: error.constructor?.name ?? 'UnknownError', // absent on Object.create(null)-based errors
  errorMessage: error.message,
  stackTrace: typeof error.stack === 'string' ? error.stack.split('\n') : [],
})

const withErrorProperties = (value: unknown): unknown =>
  value instanceof Error ? Object.assign(errorProperties(value), value) : value
