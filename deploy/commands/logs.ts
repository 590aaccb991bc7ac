import type { Session } from '../session.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { readServerSentEvents } from '../server-sent-events.ts'
import { isRecord, listIn, text } from '../shapes.ts'
import { sinceMs } from '../since.ts'

/** `lambent logs NAME`: its log lines, oldest first; with --follow goes on until it is interrupted. */
export async function logs(
  { api, out }: Session,
  name: string,
  options: Readonly<Record<string, string | boolean | undefined>>,
): Promise<ExitCode> {
  const query = new URLSearchParams()
  if (typeof options.since === 'string') query.set('since', String(sinceMs(options.since)))
  if (typeof options.grep === 'string') query.set('grep', options.grep)
  if (typeof options.requestId === 'string') query.set('requestId', options.requestId)
  const print = (line: unknown): Promise<void> =>
    out.data(`${out.json ? JSON.stringify(line) : isRecord(line) ? text(line.message) : String(line)}\n`)
  const path = `/lambent/v1/functions/${encodeURIComponent(name)}/logs`
  if (options.follow !== true) {
    const lines = listIn(await api.json({ path: `${path}?${query.toString()}` }), 'lines')
    if (out.json) await out.answer(lines, () => '')
    else for (const line of lines) await print(line)
    return EXIT.ok
  }
  query.set('follow', '1')
  const response = await api.send({
    path: `${path}?${query.toString()}`,
    headers: { accept: 'text/event-stream' },
  })
  for await (const event of readServerSentEvents(response)) await print(JSON.parse(event.data))
  return EXIT.ok
}
