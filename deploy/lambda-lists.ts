import type { Api } from './api.ts'
import { CommandError, EXIT } from './exit-codes.ts'
import { isRecord, recordsIn } from './shapes.ts'

/** Pages that are asked for at most: a list without an end is a mistake of the other side. */
const MAX_PAGES = 10_000

/** A path below a function in Lambda's API of 2015, with every part encoded. */
export const functionPath = (name: string, ...parts: readonly string[]): string =>
  ['/2015-03-31/functions', ...[name, ...parts].map(encodeURIComponent)].join('/')

/** All pages of a list of Lambda's, `member` being what holds the items. */
export async function listAll(
  api: Api,
  path: string,
  member: string,
): Promise<Readonly<Record<string, unknown>>[]> {
  const items: Readonly<Record<string, unknown>>[] = []
  let marker = ''
  for (let page = 0; page < MAX_PAGES; page++) {
    const answer = await api.json({ path: `${path}?MaxItems=50${marker}` })
    items.push(...recordsIn(answer, member))
    const next = isRecord(answer) ? answer.NextMarker : undefined
    if (typeof next !== 'string' || next === '') return items
    marker = `&Marker=${encodeURIComponent(next)}`
  }
  throw new CommandError(EXIT.failed, `The list at ${path} does not end.`)
}

/** Whether a command's request failed because what it named is not there. */
export const isMissing = (error: unknown): boolean =>
  error instanceof CommandError && error.exitCode === EXIT.notFound
