import { parseDuration } from '../../runtime/sdk/duration.ts'
import { CommandError, EXIT, type ExitCode } from '../exit-codes.ts'
import { groupsListing } from '../listings.ts'
import { table } from '../output.ts'
import type { Session } from '../session.ts'
import { isRecord, text } from '../shapes.ts'

type Options = Readonly<Record<string, string | string[] | true | undefined>>

const PATH = '/lambent/v1/placement-groups'
const LOOK_EVERY_MS = 100

/** `lambent pg create [NAME] --bundle cpu=1 …`: prints the group; with --wait once it is ready. */
export async function createGroup(
  session: Session,
  name: string | undefined,
  options: Options,
): Promise<ExitCode> {
  const { api, out } = session
  const bundles = (Array.isArray(options.bundle) ? options.bundle : []).flatMap(readBundles)
  const patience = options.wait === undefined ? undefined : readPatience(options.wait)
  let group = await api.json({
    method: 'POST',
    path: PATH,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name, bundles, strategy: options.strategy, expires: options.expires }),
  })
  const deadline = patience === undefined ? -Infinity : Date.now() + patience
  while (isRecord(group) && group.state !== 'ready' && group.state !== 'removed' && Date.now() < deadline) {
    await pause(session.signal)
    group = await api.json({ path: `${PATH}/${encodeURIComponent(text(group.name))}` })
  }
  const shown = isRecord(group) ? group : {}
  const listing = groupsListing()
  await out.answer(group, () => table(listing.headings, [listing.row(shown, Date.now())]))
  if (patience === undefined || shown.state === 'ready') return EXIT.ok
  throw new CommandError(EXIT.timeout, `Placement group "${text(shown.name)}" is ${text(shown.state)}.`, {
    hint: text(shown.reason),
  })
}

/** `lambent pg rm NAME`. */
export async function removeGroup({ api, out }: Session, name: string): Promise<ExitCode> {
  const group = await api.json({ method: 'DELETE', path: `${PATH}/${encodeURIComponent(name)}` })
  await out.answer(group, () => `removed ${name}`)
  return EXIT.ok
}

/** `cpu=2,gpu=h100:1` as a bundle; `3x cpu=2` as three. */
function readBundles(given: string): Record<string, unknown>[] {
  const [, times = '1', amounts = given] = /^(\d+)\s*x\s*(.*)$/.exec(given) ?? []
  const bundle: Record<string, unknown> = {}
  const labels: Record<string, string> = {}
  const resources: Record<string, number> = {}
  for (const pair of amounts.split(',')) {
    const [, key, value] = /^([^=]+)=(.+)$/.exec(pair.trim()) ?? []
    if (key === undefined || value === undefined)
      throw new CommandError(EXIT.usage, `"${pair}" of the bundle "${given}" is no amount.`, {
        hint: 'Write cpu=2,gpu=1,memoryMb=4096,tpu=1,label/disk=nvme',
      })
    if (key.startsWith('label/')) labels[key.slice(6)] = value
    else if (key === 'gpu') bundle.gpu = Number.isNaN(Number(value)) ? value.split('|') : Number(value)
    else if (key === 'cpu' || key === 'memoryMb' || key === 'gpuMemoryMb')
      bundle[key] = amountOf(given, value)
    else resources[key] = amountOf(given, value)
  }
  if (Object.keys(labels).length > 0) bundle.labels = labels
  if (Object.keys(resources).length > 0) bundle.resources = resources
  return Array.from({ length: Number(times) }, () => bundle)
}

function amountOf(bundle: string, value: string): number {
  const amount = Number(value)
  if (Number.isFinite(amount)) return amount
  throw new CommandError(EXIT.usage, `"${value}" of the bundle "${bundle}" is no number.`)
}

function readPatience(given: string | string[] | true): number {
  if (given === true) return Infinity
  try {
    return parseDuration(given) ?? Infinity
  } catch (error) {
    throw new CommandError(EXIT.usage, `--wait: ${error instanceof Error ? error.message : String(error)}`)
  }
}

const pause = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }, LOOK_EVERY_MS)
    signal.addEventListener('abort', onAbort, { once: true })
  })
