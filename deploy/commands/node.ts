import { CommandError, EXIT, type ExitCode } from '../exit-codes.ts'
import { LISTS } from '../listings.ts'
import { table } from '../output.ts'
import type { Session } from '../session.ts'
import { isRecord } from '../shapes.ts'

/**
 * `lambent node set NAME gpu=2 memoryMb=16000 label/disk=nvme`: what is after `=` becomes the node's, nothing
 * after it takes back what was set before.
 */
export async function setNode(
  session: Session,
  name: string,
  settings: readonly string[],
): Promise<ExitCode> {
  const capacity: Record<string, number | null> = {}
  const labels: Record<string, string | null> = {}
  for (const setting of settings) {
    const [, key = '', value = ''] = /^([^=]+)=(.*)$/.exec(setting) ?? []
    const amount = value === '' ? null : Number(value)
    if (key.startsWith('label/') && key !== 'label/') labels[key.slice(6)] = value === '' ? null : value
    else if (key !== '' && (amount === null || Number.isFinite(amount))) capacity[key] = amount
    else
      throw new CommandError(
        EXIT.usage,
        `"${setting}" sets nothing: say NAME=AMOUNT, such as gpu=2, or label/NAME=TEXT.`,
      )
  }
  return await change(session, name, { capacity, labels })
}

/** `lambent node drain NAME [--off]`. */
export const drainNode = (session: Session, name: string, { off }: { off?: boolean }): Promise<ExitCode> =>
  change(session, name, { drain: off !== true })

async function change(
  { api, out }: Session,
  name: string,
  body: Readonly<Record<string, unknown>>,
): Promise<ExitCode> {
  const node = await api.json({
    method: 'PATCH',
    path: `/lambent/v1/nodes/${encodeURIComponent(name)}`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const listing = LISTS.nodes
  await out.answer(node, () =>
    listing === undefined || !isRecord(node) ? '' : table(listing.headings, [listing.row(node, Date.now())]),
  )
  return EXIT.ok
}
