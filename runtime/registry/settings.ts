import { EngineError } from '../errors.ts'
import { milli, type Resources } from '../resources.ts'
import { GPU_FORM, isName, isPlain, leastOf, parseGpus, withMemory, type GpuWish } from '../wish.ts'
import type { FunctionSettings } from './function-record.ts'
import type { ExecutionSettings, GroupPlace, NetworkAccess } from './types.ts'

/** What a function's tags ask for; a member that no tag gave is absent. */
export interface TagSettings {
  readonly resources: Resources
  /** Ways to meet the wish for GPUs; absent: any will do. */
  readonly gpus?: readonly GpuWish[]
  readonly memoryMb?: number | 'none'
  readonly timeoutMs?: number | 'none'
  readonly concurrency?: number
  readonly maxEnvironments?: number
  /** Environments of `$LATEST` that are kept ready. */
  readonly provisioned?: number
  readonly network?: NetworkAccess
  readonly placementGroup?: GroupPlace
  readonly labels: Readonly<Record<string, string>>
}

/** How a version runs once its function's tags are applied. */
export interface RunSettings {
  readonly timeoutMs: number | null
  readonly memoryMb: number
  readonly memoryLimitMb: number | null
  readonly execution: ExecutionSettings
}

const PREFIX = 'lambent:'
const MAX_CONCURRENCY = 1000
const MAX_ENVIRONMENTS = 100_000

/**
 * Reads the tags that begin with `lambent:`; all others are the user's own.
 *
 * Throws EngineError 'invalid' with the accepted form, and for names that mean nothing, since a misspelled
 * wish would otherwise be ignored in silence.
 */
export function readTags(tags: Readonly<Record<string, string>>): TagSettings {
  const resources: Record<string, number> = {}
  const labels: Record<string, string> = {}
  let gpus: readonly GpuWish[] | undefined
  let gpuMemoryMb: number | undefined
  const found: { -readonly [Name in keyof TagSettings]?: TagSettings[Name] } = {}
  for (const [tag, value] of Object.entries(tags)) {
    if (!tag.startsWith(PREFIX)) continue
    const name = tag.slice(PREFIX.length)
    if (name === 'cpu') resources.cpu = amount(tag, value)
    else if (name === 'gpu') gpus = parseGpus(value) ?? fail(tag, value, `it takes ${GPU_FORM}`)
    else if (name === 'gpu-memory-mb') gpuMemoryMb = whole(tag, value, 1, 1e9)
    else if (name === 'memory-mb')
      found.memoryMb = value === 'none' ? 'none' : whole(tag, value, 1, 1e9, ' or none')
    else if (name === 'timeout') found.timeoutMs = duration(tag, value)
    else if (name === 'concurrency') found.concurrency = whole(tag, value, 1, MAX_CONCURRENCY)
    else if (name === 'max-environments') found.maxEnvironments = whole(tag, value, 1, MAX_ENVIRONMENTS)
    else if (name === 'provisioned') found.provisioned = whole(tag, value, 0, MAX_ENVIRONMENTS)
    else if (name === 'network') found.network = network(tag, value)
    else if (name.startsWith('resource/')) resources[custom(tag, name.slice(9))] = amount(tag, value)
    else if (name.startsWith('label/')) labels[custom(tag, name.slice(6))] = value
    else if (name === 'placement-group') found.placementGroup = groupPlace(tag, value)
    else throw bad(tag, value, `no tag of that name; known are ${KNOWN}`)
  }
  if (gpuMemoryMb !== undefined)
    gpus =
      withMemory(gpus, gpuMemoryMb) ??
      fail(`${PREFIX}gpu-memory-mb`, String(gpuMemoryMb), 'a share of a GPU is given by it or by lambent:gpu')
  if (gpus === undefined) return { ...found, resources, labels }
  resources.gpu = leastOf(gpus)
  return { ...found, resources, ...(isPlain(gpus) ? {} : { gpus }), labels }
}

const KNOWN =
  'lambent:cpu, gpu, gpu-memory-mb, memory-mb, timeout, concurrency, max-environments, provisioned, ' +
  'network, placement-group, resource/<name> and label/<key>'

/**
 * Applies what tags ask for to a version's own configuration. A function leases its memory and no CPU unless
 * asked; with `memory-mb=none` nothing is enforced and MemorySize is what it leases, as an estimate.
 */
export function runSettings(
  settings: FunctionSettings,
  tags: TagSettings,
  network: NetworkAccess,
): RunSettings {
  const memoryMb = typeof tags.memoryMb === 'number' ? tags.memoryMb : settings.memoryMb
  const shares = providerShares(settings, memoryMb)
  return {
    timeoutMs: tags.timeoutMs === 'none' ? null : (tags.timeoutMs ?? settings.timeoutMs),
    memoryMb,
    memoryLimitMb: tags.memoryMb === 'none' ? null : memoryMb,
    execution: {
      resources: { ...shares?.resources, ...tags.resources, memoryMb: milli(memoryMb) },
      concurrency: tags.concurrency ?? shares?.concurrency ?? 1,
      maxEnvironments: tags.maxEnvironments ?? null,
      network: tags.network ?? network,
      labels: tags.labels,
      ...(tags.gpus === undefined ? {} : { gpus: tags.gpus }),
      ...(tags.placementGroup === undefined ? {} : { placementGroup: tags.placementGroup }),
      ...(shares === undefined ? {} : { provider: shares.provider }),
    },
  }
}

/** Where nothing is said: GiB of memory for a processor, and Node.js invocations at once for one. */
const GIB_PER_CPU = 2
const NODE_CONCURRENCY_PER_CPU = 64

/** What one environment takes of its capacity provider: a processor for so much memory. */
function providerShares(
  { capacity, runtime }: FunctionSettings,
  memoryMb: number,
): { provider: string; resources: Resources; concurrency: number } | undefined {
  if (capacity === undefined) return undefined
  const cpus = memoryMb / 1024 / (capacity.memoryGibPerCpu ?? GIB_PER_CPU)
  const usual = runtime.startsWith('nodejs') ? Math.floor(cpus * NODE_CONCURRENCY_PER_CPU) : 1
  return {
    provider: capacity.providerArn,
    resources: { cpu: milli(cpus) },
    concurrency: capacity.concurrency ?? Math.max(1, usual),
  }
}

function bad(tag: string, value: string, expected: string): EngineError {
  return new EngineError('invalid', `Tag ${tag} is "${value}": ${expected}.`, { detail: 'tag' })
}

function fail(tag: string, value: string, expected: string): never {
  throw bad(tag, value, expected)
}

/** A positive amount in milli-units. */
function amount(tag: string, value: string): number {
  const parsed = /^\d+(\.\d{1,3})?$/.test(value) ? Number(value) : Number.NaN
  if (!(parsed >= 0 && parsed <= 1e6)) throw bad(tag, value, 'it takes an amount such as 2 or 0.5')
  return milli(parsed)
}

function whole(tag: string, value: string, low: number, high: number, more = ''): number {
  const parsed = /^\d+$/.test(value) ? Number(value) : Number.NaN
  if (!(parsed >= low && parsed <= high))
    throw bad(tag, value, `it takes a whole number from ${low} to ${high}${more}`)
  return parsed
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function duration(tag: string, value: string): number | 'none' {
  if (value === 'none') return 'none'
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(value)
  const durationMs =
    match === null ? Number.NaN : Math.round(Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? 0))
  if (!(durationMs >= 1 && durationMs <= Number.MAX_SAFE_INTEGER))
    throw bad(tag, value, 'it takes none, or a duration such as 500ms, 90s, 30m or 6h')
  return durationMs
}

function groupPlace(tag: string, value: string): GroupPlace {
  const [, name, bundle] = /^([a-zA-Z0-9][a-zA-Z0-9._-]{0,127})(?:\/(\d{1,4}))?$/.exec(value) ?? []
  if (name === undefined) throw bad(tag, value, 'it takes the name of a placement group, or name/bundle')
  return bundle === undefined ? { name } : { name, bundle: Number(bundle) }
}

function network(tag: string, value: string): NetworkAccess {
  if (value === 'full' || value === 'engine' || value === 'none') return value
  throw bad(tag, value, 'it takes full, engine or none')
}

const RESERVED = new Set(['cpu', 'gpu', 'gpuMemoryMb', 'memoryMb'])

function custom(tag: string, name: string): string {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/.test(name) || !isName(name))
    throw bad(tag, name, 'a name after the slash takes 1 to 64 letters, digits, dots, dashes and underscores')
  if (tag.startsWith(`${PREFIX}resource/`) && RESERVED.has(name))
    throw bad(tag, name, `${name} has a tag of its own`)
  return name
}
