import type { Session } from '../session.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { runsListing } from '../listings.ts'
import { table } from '../output.ts'
import { isRecord, text } from '../shapes.ts'
import { sinceMs } from '../since.ts'
import { readPayload } from '../payload.ts'
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

/** `lambent runs cancel ID`: an event that waits ends as cancelled. */
export async function cancelRun({ api, out }: Session, id: string): Promise<ExitCode> {
  const path = `/lambent/v1/runs/${encodeURIComponent(id)}/cancel`
  await out.answer(await api.json({ method: 'POST', path }), () => `${id} cancelled`)
  return EXIT.ok
}

/** `lambent runs replay ID`: an event that has ended runs anew, with its own payload or with another. */
export async function replayRun(
  { api, out }: Session,
  id: string,
  options: { readonly payload?: string },
): Promise<ExitCode> {
  const path = `/lambent/v1/runs/${encodeURIComponent(id)}/replay`
  const body = await readPayload(options.payload)
  const answer = await api.json({ method: 'POST', path, body })
  await out.answer(answer, () => (isRecord(answer) ? text(answer.runId) : ''))
  return EXIT.ok
}
