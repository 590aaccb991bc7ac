import type { Session } from '../session.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { runsListing } from '../listings.ts'
import { table } from '../output.ts'
import { isRecord, text } from '../shapes.ts'
import { sinceMs } from '../since.ts'
import { showList } from './ls.ts'

/** `lambent runs ls`. */
export async function listRuns(
  session: Session,
  options: Readonly<Record<string, string | boolean | undefined>>,
): Promise<ExitCode> {
  const query = new URLSearchParams()
  if (typeof options.function === 'string') query.set('function', options.function)
  if (typeof options.status === 'string') query.set('status', options.status)
  if (typeof options.since === 'string') query.set('since', String(sinceMs(options.since)))
  return await showList(session, runsListing(query.toString()), options.watch === true)
}

/** `lambent runs get ID`: everything that is kept about one run. */
export async function getRun({ api, out }: Session, id: string): Promise<ExitCode> {
  const run = await api.json({ path: `/lambent/v1/runs/${encodeURIComponent(id)}` })
  const rows = isRecord(run) ? Object.entries(run).map(([name, value]) => [name, text(value)]) : []
  await out.answer(run, () => table(['FIELD', 'VALUE'], rows))
  return EXIT.ok
}
