import type { Session } from '../session.ts'
import { CommandError, EXIT, notBuiltYet, type ExitCode } from '../exit-codes.ts'
import { LISTS, type Listing } from '../listings.ts'
import { table } from '../output.ts'
import { UNBUILT_LISTS } from '../unbuilt.ts'

const WATCH_INTERVAL_MS = 1000

/** `lambent ls WHAT`. */
export async function ls(session: Session, what: string, options: { watch?: boolean }): Promise<ExitCode> {
  if (UNBUILT_LISTS.includes(what)) throw notBuiltYet(`lambent ls ${what}`)
  const listing = LISTS[what]
  if (listing === undefined) {
    throw new CommandError(EXIT.usage, `There is no list of "${what}".`, {
      hint: `There are: ${Object.keys(LISTS).join(', ')}`,
    })
  }
  return await showList(session, listing, options.watch === true)
}

/** Prints a list once, or, watching, whenever it has changed, until it is interrupted. */
export async function showList(session: Session, listing: Listing, watch: boolean): Promise<ExitCode> {
  const { api, out, signal } = session
  let shown: string | undefined
  for (;;) {
    const items = await listing.read(api)
    const page = out.json
      ? JSON.stringify(items, null, watch ? 0 : 2)
      : table(
          listing.headings,
          items.map((item) => listing.row(item, Date.now())),
        )
    if (page !== shown) {
      // A terminal shows the list in place; a pipe gets one list after the other.
      if (watch && process.stdout.isTTY) await out.data('\u001B[H\u001B[2J')
      await out.data(`${page}\n`)
      shown = page
    }
    if (!watch) return EXIT.ok
    await pause(signal)
  }
}

const pause = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, WATCH_INTERVAL_MS)
    const onAbort = (): void => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
