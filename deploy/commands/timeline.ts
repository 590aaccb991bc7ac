import { writeFile } from 'node:fs/promises'
import { CommandError, EXIT, type ExitCode } from '../exit-codes.ts'
import type { Session } from '../session.ts'
import { isRecord, recordsIn } from '../shapes.ts'
import { sinceMs } from '../since.ts'

/** `lambent timeline`: what ran when, as a file that Perfetto opens; on stdout without `--output`. */
export async function timeline(
  session: Session,
  options: Readonly<Record<string, string | undefined>>,
): Promise<ExitCode> {
  const { api, out } = session
  const { output, since, limit } = options
  const query = new URLSearchParams()
  if (options.function !== undefined) query.set('function', options.function)
  if (since !== undefined) query.set('since', String(sinceMs(since)))
  if (limit !== undefined) query.set('limit', limit)
  const trace = await api.json({ path: `/lambent/v1/timeline?${query.toString()}` })
  const text = JSON.stringify(trace)
  if (output === undefined || output === '-') {
    await out.data(`${text}\n`)
    return EXIT.ok
  }
  try {
    await writeFile(output, text)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new CommandError(EXIT.usage, `The timeline cannot be written to "${output}": ${why}`, { cause })
  }
  const bars = recordsIn(isRecord(trace) ? trace : {}, 'traceEvents').filter(({ ph }) => ph === 'X').length
  if (out.json) await out.answer({ file: output, bars }, () => '')
  out.note(`${output}: ${bars} bars. Open it at https://ui.perfetto.dev or chrome://tracing.`)
  return EXIT.ok
}
