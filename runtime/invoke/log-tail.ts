import type { FunctionVersion } from '../registry/types.ts'
import type { RunRecord } from '../store/journal.ts'
import { endLines, startLine } from '../store/log-lines.ts'
import { LOG_TAIL_BYTES } from './types.ts'

/** The last 4 KB of an invocation's log, platform lines included, in base64: Lambda's LogResult. */
export function logTail(record: RunRecord, version: FunctionVersion, written: string): string {
  const style = version.logging
  const start = startLine(style, record.startedAtMs, record.runId, record.version)
  const lines = [start ?? '', written, ...endLines(style, record)]
  const text = Buffer.from(
    lines.map((line) => (line === '' || line.endsWith('\n') ? line : `${line}\n`)).join(''),
  )
  return text.subarray(Math.max(0, text.length - LOG_TAIL_BYTES)).toString('base64')
}
