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

/** What `lambent ls` lists, by noun. */
export const LISTS: Readonly<Record<string, Listing>> = {
  functions: {
    headings: ['NAME', 'RUNTIME', 'STATE', 'MEMORY', 'TIMEOUT', 'CHANGED', 'URL', 'ROUTES'],
    read: (api) => readRecords(api, 'functions'),
    row: (item, nowMs) => [
      text(item.name),
      text(item.runtime),
      text(item.state),
      `${text(item.memoryMb)} MB`,
      typeof item.timeoutMs === 'number' ? `${item.timeoutMs / 1000} s` : 'none',
      age(Number(item.modifiedAtMs), nowMs),
      recordsIn(item, 'urls')
        .map((url) => text(url.urlByPath))
        .join(' '),
      Array.isArray(item.routes) ? item.routes.map(text).join(', ') : '',
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
      // A spare holds nothing yet.
      item.state === 'spare' ? '' : `${text(item.memoryMb)} MB`,
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
        .map(
          (gpu) => `${text(gpu.index)}: ${text(gpu.model)}${holders(gpu.holders)}${withheld(gpu.withheld)}`,
        )
        .join(', '),
    ],
  },
  runs: runsListing(''),
  actors: actorsListing(''),
  tasks: {
    headings: ['ID', 'TASK', 'STATE', 'AGE', 'ATTEMPT', 'DEPTH', 'RESOURCES', 'ENVIRONMENT', 'WHY'],
    read: (api) => readRecords(api, 'tasks'),
    row: (item, nowMs) => [
      text(item.id),
      `${text(item.function)}/${text(item.task)}`,
      text(item.state),
      age(Number(item.startedAtMs ?? item.acceptedAtMs), nowMs),
      text(item.attempt),
      text(item.depth),
      pairs(item.resources),
      text(item.environmentId),
      text(item.reason),
    ],
  },
  objects: {
    headings: ['ID', 'STATE', 'PLACE', 'BYTES', 'HOLDERS'],
    read: (api) => readRecords(api, 'objects'),
    row: (item) => [item.id, item.state, item.place, item.sizeBytes, item.holders].map(text),
  },
  pg: groupsListing(),
}

/** Actors, narrowed by `query` (without its question mark). */
export function actorsListing(query: string): Listing {
  return {
    headings: ['ACTOR', 'STATE', 'WAITING', 'RUNNING', 'STORED', 'ACTIVE', 'ENVIRONMENT', 'WHY'],
    read: (api) => readRecords(api, 'actors', query),
    row: (item, nowMs) => [
      [item.function, item.class, item.key].map(text).join('/'),
      text(item.state),
      text(item.mailbox),
      text(item.running),
      `${text(item.storageBytes)} B`,
      typeof item.lastActiveAtMs === 'number' ? age(item.lastActiveAtMs, nowMs) : '',
      text(item.environmentId),
      text(item.reason ?? item.lastError),
    ],
  }
}

/** Placement groups. */
export function groupsListing(): Listing {
  return {
    headings: ['NAME', 'STATE', 'STRATEGY', 'BUNDLES', 'REASON'],
    read: async (api) =>
      recordsIn(await api.json({ path: '/lambent/v1/placement-groups' }), 'placementGroups'),
    row: (item) => [
      text(item.name),
      text(item.state),
      text(item.strategy),
      recordsIn(item, 'bundles').map(bundleOf).join(', '),
      text(item.reason),
    ],
  }
}

/** `cpu 1 gpu 1 on local-2`. */
function bundleOf({ cpu, gpu, memoryMb, resources, node }: Item): string {
  const amounts = Object.entries({ cpu, gpu, memoryMb, ...(isRecord(resources) ? resources : {}) })
  const held = amounts
    .filter(([, amount]) => Number(amount) > 0)
    .map(([name, amount]) => `${name} ${text(amount)}`)
  return node === undefined ? held.join(' ') : `${held.join(' ')} on ${text(node)}`
}

/** Runs, newest first, narrowed by `query` (without its question mark). */
export function runsListing(query: string): Listing {
  return {
    headings: [
      'ID',
      'FUNCTION',
      'VERSION',
      'TRIGGER',
      'STATUS',
      'ATTEMPTS',
      'AGE',
      'DURATION',
      'ERROR OR REASON',
    ],
    read: (api) => readRecords(api, 'runs', query),
    row: (item, nowMs) => [
      text(item.runId),
      item.kind === 'invocation'
        ? text(item.functionName)
        : `${text(item.functionName)}/${text(item.qualifier)}`,
      text(item.version),
      text(item.trigger),
      text(item.status),
      text(item.attempt),
      age(Number(item.acceptedAtMs), nowMs),
      `${Number(item.durationMs).toFixed(1)} ms`,
      [text(item.errorType), text(item.errorMessage), text(item.reason)]
        .filter((part) => part !== '')
        .join(': ')
        .slice(0, 80),
    ],
  }
}

async function readRecords(api: Api, noun: string, query = ''): Promise<Item[]> {
  return recordsIn(await api.json({ path: `/lambent/v1/${noun}${query === '' ? '' : `?${query}`}` }), noun)
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

const withheld = (reason: unknown): string => (typeof reason === 'string' ? ` (${reason})` : '')

const holders = (value: unknown): string =>
  Array.isArray(value) && value.length > 0 ? ` held by ${value.map(String).join(', ')}` : ''
