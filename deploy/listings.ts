import type { Api } from './api.ts'
import { age } from './output.ts'
import { isRecord, recordsIn, text } from './shapes.ts'

type Item = Readonly<Record<string, unknown>>

/** A list that `lambent ls` can show: where it comes from and what a row of it says. */
export interface Listing {
  readonly headings: readonly string[]
  read(api: Api): Promise<Item[]>
  row(item: Item, nowMs: number): string[]
}

const MAX_PAGES = 1000

/** What `lambent ls` lists, by noun. */
export const LISTS: Readonly<Record<string, Listing>> = {
  functions: {
    headings: ['NAME', 'RUNTIME', 'STATE', 'MEMORY', 'TIMEOUT', 'CHANGED', 'URL'],
    read: readFunctions,
    row: (item, nowMs) => [
      text(item.FunctionName),
      text(item.Runtime),
      text(item.State) || 'Active',
      `${text(item.MemorySize)} MB`,
      item.Timeout === undefined ? '' : `${text(item.Timeout)} s`,
      age(Date.parse(text(item.LastModified)), nowMs),
      text(item.urlByPath ?? item.url),
    ],
  },
  environments: {
    headings: ['ID', 'STATE', 'FUNCTION', 'VERSION', 'PID', 'NODE', 'AGE', 'RUNS', 'NOW', 'MEMORY'],
    read: (api) => readRecords(api, 'environments'),
    row: (item, nowMs) => [
      text(item.id),
      text(item.state),
      text(item.functionName),
      text(item.version),
      text(item.pid),
      text(item.node),
      age(Number(item.startedAtMs), nowMs),
      text(item.invocations),
      text(item.inFlight),
      `${text(item.memoryMb)} MB`,
    ],
  },
  nodes: {
    headings: ['NAME', 'STATE', 'AVAILABLE', 'LABELS', 'GPUS'],
    read: (api) => readRecords(api, 'nodes'),
    row: (item) => [
      text(item.name),
      text(item.state),
      amounts(item.available, item.capacity),
      pairs(item.labels),
      recordsIn(item, 'gpus')
        .map((gpu) => `${text(gpu.index)}: ${text(gpu.model)}${holders(gpu.holders)}`)
        .join(', '),
    ],
  },
  runs: runsListing(''),
}

/** Runs, newest first, narrowed by `query` (without its question mark). */
export function runsListing(query: string): Listing {
  return {
    headings: ['ID', 'FUNCTION', 'VERSION', 'TRIGGER', 'STATUS', 'AGE', 'DURATION', 'ERROR'],
    read: (api) => readRecords(api, 'runs', query),
    row: (item, nowMs) => [
      text(item.runId ?? item.id),
      text(item.functionName),
      text(item.version),
      text(item.trigger),
      text(item.status),
      age(Number(item.acceptedAtMs), nowMs),
      `${Number(item.durationMs).toFixed(1)} ms`,
      [text(item.errorType), text(item.errorMessage)]
        .filter((part) => part !== '')
        .join(': ')
        .slice(0, 80),
    ],
  }
}

async function readRecords(api: Api, noun: string, query = ''): Promise<Item[]> {
  return recordsIn(await api.json({ path: `/lambent/v1/${noun}${query === '' ? '' : `?${query}`}` }), noun)
}

/** All pages of Lambda's ListFunctions, each function with the path form of its URL where it has one. */
async function readFunctions(api: Api): Promise<Item[]> {
  const functions: Record<string, unknown>[] = []
  let marker = ''
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const query = marker === '' ? '' : `?Marker=${encodeURIComponent(marker)}`
    const answer = await api.json({ path: `/2015-03-31/functions${query}` })
    functions.push(...recordsIn(answer, 'Functions'))
    marker = isRecord(answer) ? text(answer.NextMarker) : ''
    if (marker === '') break
  }
  return await Promise.all(functions.map(async (item) => ({ ...item, ...(await readUrl(api, item)) })))
}

/** `http://ID.lambda-url.REGION.localhost:4701/` as a path, for resolvers that do not know `*.localhost`. */
async function readUrl(api: Api, item: Item): Promise<{ url?: string; urlByPath?: string }> {
  const path = `/2021-10-31/functions/${encodeURIComponent(text(item.FunctionName))}/urls`
  const [config] = recordsIn(await api.json({ path }), 'FunctionUrlConfigs')
  if (config === undefined) return {}
  const url = text(config.FunctionUrl)
  const [, id, port = ''] = /^https?:\/\/([^.]+)\.lambda-url\.[^:/]+(:\d+)?/.exec(url) ?? []
  return id === undefined ? { url } : { url, urlByPath: `http://127.0.0.1${port}/lambda-url/${id}/` }
}

function amounts(available: unknown, capacity: unknown): string {
  if (!isRecord(available) || !isRecord(capacity)) return ''
  return Object.entries(capacity)
    .map(([name, amount]) => `${name} ${text(available[name] ?? 0)}/${text(amount)}`)
    .join(', ')
}

const pairs = (value: unknown): string =>
  isRecord(value)
    ? Object.entries(value)
        .map(([name, one]) => `${name}=${text(one)}`)
        .join(' ')
    : ''

const holders = (value: unknown): string =>
  Array.isArray(value) && value.length > 0 ? ` held by ${value.map(String).join(', ')}` : ''
