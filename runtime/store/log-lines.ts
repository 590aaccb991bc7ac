import type { LogStream, RunRecord, RunStatus } from './journal.ts'

/** What of a stream decides how its platform lines look. */
export type LineStyle = Pick<LogStream, 'format' | 'systemLevel'>

/** What of a run the lines at its end say. */
export type ReportedRun = Pick<
  RunRecord,
  | 'runId'
  | 'status'
  | 'startedAtMs'
  | 'durationMs'
  | 'billedMs'
  | 'initMs'
  | 'memoryMb'
  | 'maxMemoryMb'
  | 'errorType'
>

/** A line longer than this is split, as CloudWatch's limit on one event demands. */
export const MAX_LINE_BYTES = 262_144

/** When a run ended, Unix epoch ms. */
export const endOf = (run: Pick<RunRecord, 'startedAtMs' | 'durationMs'>): number =>
  Math.round(run.startedAtMs + run.durationMs)

/**
 * The START line: text, or a `platform.start` object in the JSON format; undefined when the system level
 * hides it.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
 */
export function startLine(
  style: LineStyle,
  timeMs: number,
  requestId: string,
  version: string,
): string | undefined {
  if (style.format === 'Text') return `START RequestId: ${requestId} Version: ${version}`
  if (style.systemLevel === 'WARN') return undefined
  return platformObject(timeMs, 'platform.start', { requestId, version })
}

/**
 * The lines at the end of an invocation, in order: END and REPORT, or their JSON counterparts that the level
 * lets pass.
 */
export function endLines(style: LineStyle, run: ReportedRun): string[] {
  return style.format === 'Text'
    ? [`END RequestId: ${run.runId}`, reportText(run)]
    : reportObjects(style.systemLevel, run)
}

/** The line that stands for lines that were dropped. */
export function droppedLine(style: LineStyle, timeMs: number, lines: number, bytes: number): string {
  const reason = 'The function writes faster than its log can be stored.'
  return style.format === 'Text'
    ? `LOGS DROPPED Lines: ${lines} Bytes: ${bytes} Reason: ${reason}`
    : platformObject(timeMs, 'platform.logsDropped', { reason, droppedRecords: lines, droppedBytes: bytes })
}

/** `message` in parts of at most `MAX_LINE_BYTES` in UTF-8; nearly always itself. */
export function splitLine(message: string): string[] {
  if (message.length * 3 <= MAX_LINE_BYTES || Buffer.byteLength(message) <= MAX_LINE_BYTES) return [message]
  const bytes = Buffer.from(message)
  const parts: string[] = []
  for (let start = 0; start < bytes.length;) {
    let end = Math.min(start + MAX_LINE_BYTES, bytes.length)
    while (end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end-- // not inside a character
    parts.push(bytes.toString('utf8', start, end))
    start = end
  }
  return parts
}

/** Every field ends with a TAB, the last one too, except for the status that follows a failure. */
function reportText(run: ReportedRun): string {
  const init = run.initMs === null ? '' : `Init Duration: ${run.initMs.toFixed(2)} ms\t`
  return (
    `REPORT RequestId: ${run.runId}\tDuration: ${run.durationMs.toFixed(2)} ms\t` +
    `Billed Duration: ${run.billedMs} ms\tMemory Size: ${run.memoryMb} MB\t` +
    `Max Memory Used: ${run.maxMemoryMb} MB\t${init}${statusText(run)}`
  )
}

/** An error that the handler itself reported leaves its environment intact, and its REPORT line unmarked. */
function statusText(run: ReportedRun): string {
  if (run.status === 'timed-out') return 'Status: timeout'
  if (run.status === 'succeeded' || run.status === 'cancelled') return ''
  const type = run.errorType ?? ''
  if (run.status === 'failed' && !PLATFORM_ERROR.test(type)) return ''
  return `Status: error\tError Type: ${type === '' ? 'Runtime.Unknown' : type}`
}

const PLATFORM_ERROR = /^(Runtime|Extension|Sandbox)\.[A-Z][A-Za-z]+$/

/**
 * A handler's own class name says nothing to a reader of platform events: it is reduced as AWS reduces it.
 */
const KNOWN_ERROR = /^(Runtime|Function|Extension|Sandbox)\.[A-Z][A-Za-z]+$/

function reportObjects(level: LogStream['systemLevel'], run: ReportedRun): string[] {
  const status = STATUS_WORDS[run.status]
  const failed = status !== 'success'
  if (level === 'WARN' && !failed) return []
  const timeMs = endOf(run)
  const type = run.errorType ?? ''
  const errorType =
    status !== 'error' ? {} : { errorType: KNOWN_ERROR.test(type) ? type : 'Function.Unknown' }
  const durationMs = rounded(run.durationMs)
  const report = platformObject(timeMs, 'platform.report', {
    requestId: run.runId,
    metrics: {
      durationMs,
      billedDurationMs: run.billedMs,
      memorySizeMB: run.memoryMb,
      maxMemoryUsedMB: run.maxMemoryMb,
      ...(run.initMs === null ? {} : { initDurationMs: rounded(run.initMs) }),
    },
    status,
    ...errorType,
  })
  // platform.runtimeDone is for DEBUG when all is well, and a warning otherwise.
  if (level !== 'DEBUG' && !failed) return [report]
  const done = { requestId: run.runId, status, ...errorType, metrics: { durationMs } }
  return [platformObject(timeMs, 'platform.runtimeDone', done), report]
}

const STATUS_WORDS: Record<RunStatus, 'success' | 'error' | 'timeout'> = {
  succeeded: 'success',
  failed: 'error',
  'timed-out': 'timeout',
  crashed: 'error',
  'out-of-memory': 'error',
  expired: 'error',
  cancelled: 'error',
}

const rounded = (ms: number): number => Math.round(ms * 1000) / 1000

const platformObject = (timeMs: number, type: string, record: Record<string, unknown>): string =>
  JSON.stringify({ time: new Date(timeMs).toISOString(), type, record })
