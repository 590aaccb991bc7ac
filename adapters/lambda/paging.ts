import { EngineError } from '../../runtime/errors.ts'
import { Constraints } from './constraints.ts'

/** The service never gives more at once, whatever is asked for. */
const MAX_PAGE = 50

/** One page of a list, and where the next begins. */
export interface Page<Item> {
  readonly items: readonly Item[]
  readonly nextMarker: string | undefined
}

/**
 * Cuts a page out of `items`, which are in the order of their keys. The marker is the key of the last item
 * given, so that items which come and go between pages are neither skipped nor repeated.
 *
 * Throws EngineError 'invalid' for a page size or marker that nobody gave out.
 */
export function pageOf<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
  query: { marker: string | undefined; maxItems: string | undefined; limit?: number },
): Page<Item> {
  const asked = query.maxItems === undefined || query.maxItems === '' ? MAX_PAGE : Number(query.maxItems)
  const constraints = new Constraints()
  if (!Number.isInteger(asked))
    throw new EngineError('invalid', 'MaxItems can not be converted to an Integer', {
      detail: 'serialization',
    })
  constraints.range(asked, 'maxItems', 1, query.limit ?? 10_000)
  constraints.check()
  const after = query.marker === undefined || query.marker === '' ? undefined : decodeMarker(query.marker)
  const from = after === undefined ? 0 : items.findIndex((item) => keyOf(item) > after)
  const start = from < 0 ? items.length : from
  const page = items.slice(start, start + Math.min(asked, MAX_PAGE))
  const last = page.at(-1)
  const more = start + page.length < items.length && last !== undefined
  return { items: page, nextMarker: more ? encodeMarker(keyOf(last)) : undefined }
}

/** A key under which version numbers sort as numbers, and what changes sorts first. */
export const versionKey = (version: string): string =>
  version === '$LATEST' ? '' : version === '$LATEST.PUBLISHED' ? ' ' : version.padStart(20, '0')

const encodeMarker = (key: string): string => Buffer.from(`v1:${key}`).toString('base64url')

function decodeMarker(marker: string): string {
  const text = Buffer.from(marker, 'base64url').toString('utf8')
  if (!text.startsWith('v1:')) throw new EngineError('invalid', 'Invalid marker.')
  return text.slice(3)
}
