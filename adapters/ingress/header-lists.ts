import type { HttpRequest } from './event.ts'
import { HOP_BY_HOP } from './hop-by-hop.ts'

/** A header or parameter with its values in the order sent. */
export interface ValueList {
  readonly name: string
  readonly values: string[]
}

/**
 * The headers of an event that keeps repeated ones apart, by name in lower case; `name` is as the client
 * wrote it first. Those that a gateway writes are named by it; hop-by-hop ones are gone.
 */
export function headerLists(request: HttpRequest): ValueList[] {
  const { rawHeaders } = request
  const lists = new Map<string, ValueList>()
  let connection = ''
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    const value = rawHeaders[index + 1] ?? ''
    const lower = name.toLowerCase()
    if (lower === 'connection') connection += `,${value}`
    if (HOP_BY_HOP.has(lower)) continue
    const list = lists.get(lower)
    if (list === undefined) lists.set(lower, { name, values: [value] })
    else list.values.push(value)
  }
  for (const named of connection.toLowerCase().split(',')) lists.delete(named.trim())
  for (const [name, value] of [
    ['Host', request.host],
    ['X-Amzn-Trace-Id', request.traceId],
    ['X-Forwarded-For', request.forwardedFor],
    ['X-Forwarded-Port', request.forwardedPort],
    ['X-Forwarded-Proto', request.forwardedProtocol],
  ] as const)
    lists.set(name.toLowerCase(), { name, values: [value] })
  return [...lists.values()]
}

/** The parameters of a query, repeated ones in one list; `decode` says what becomes of their escapes. */
export function parameterLists(rawQueryString: string, decode: boolean): ValueList[] {
  const lists = new Map<string, ValueList>()
  for (const [name, value] of decode ? new URLSearchParams(rawQueryString) : rawPairs(rawQueryString)) {
    const list = lists.get(name)
    if (list === undefined) lists.set(name, { name, values: [value] })
    else list.values.push(value)
  }
  return [...lists.values()]
}

function rawPairs(rawQueryString: string): [name: string, value: string][] {
  return rawQueryString
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const mark = pair.indexOf('=')
      return mark < 0 ? [pair, ''] : [pair.slice(0, mark), pair.slice(mark + 1)]
    })
}

/** One value a name, the last; null without any. */
export const lastValues = (lists: readonly ValueList[]): Record<string, string> | null =>
  lists.length === 0 ? null : Object.fromEntries(lists.map(({ name, values }) => [name, values.at(-1) ?? '']))

/** All values of each name; null without any. */
export const allValues = (lists: readonly ValueList[]): Record<string, string[]> | null =>
  lists.length === 0 ? null : Object.fromEntries(lists.map(({ name, values }) => [name, values]))

/** The last value of one header. */
export const headerIn = (lists: readonly ValueList[], lower: string): string | undefined =>
  lists.find(({ name }) => name.toLowerCase() === lower)?.values.at(-1)
