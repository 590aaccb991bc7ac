import { EngineError } from './errors.ts'
import { MILLI, milli, type Resources } from './resources.ts'

/** One way to meet a wish for GPUs: all of them on one node, of one kind. */
export interface GpuWish {
  /** A word of the model's name, such as `h100`; absent: any model. */
  readonly model?: string
  /** A share of one GPU or a number of whole ones, in milli-units; absent: the share that `memoryMb` is. */
  readonly amount?: number
  /** What each whole GPU has at least; without `amount`, what is taken of one. */
  readonly memoryMb?: number
}

/** What work must hold on one node while it runs: a plain value, the same for everything of one shape. */
export interface Wish {
  /** `gpu` is never absent where GPUs are wished for; with `gpus` it is the least that any of them takes. */
  readonly resources: Resources
  /** Ways to meet the wish for GPUs, the first that can be met at once is taken; absent: any GPUs. */
  readonly gpus?: readonly GpuWish[]
  /** What the node must be labelled with: `nvme`, `!nvme`, `in(a,b)` or `!in(a,b)`. */
  readonly labels?: Readonly<Record<string, string>>
  /** It is met from what a placement group has reserved; without an index from any of its bundles. */
  readonly placementGroup?: { readonly name: string; readonly bundle?: number }
}

/** What tasks, actors and bundles may say about what they hold; checked by `readWish`. */
export interface WishOptions {
  readonly cpu?: unknown
  readonly gpu?: unknown
  readonly gpuMemoryMb?: unknown
  readonly memoryMb?: unknown
  readonly resources?: unknown
  readonly labels?: unknown
  readonly placementGroup?: unknown
  readonly bundle?: unknown
}

const MOST = 1e6
const MOST_MEMORY_MB = 1e9
const MOST_GPUS = 1024
const MOST_NAMES = 64
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9._/-]{0,127}$/
const OWN_OPTIONS = ['cpu', 'gpu', 'gpuMemoryMb', 'memoryMb']

/**
 * What `options` ask for; members that are absent count as in `defaults`, other members are not looked at.
 *
 * Throws EngineError 'invalid' that says what the member takes.
 */
export function readWish(options: WishOptions, defaults: { readonly cpu?: number } = {}): Wish {
  const resources: Record<string, number> = {}
  take(resources, 'cpu', options.cpu ?? defaults.cpu, MOST, 'a number of processors such as 2 or 0.5')
  take(resources, 'memoryMb', options.memoryMb, MOST_MEMORY_MB, 'megabytes such as 4096')
  for (const [name, amount] of entries('resources', options.resources)) {
    if (OWN_OPTIONS.includes(name)) throw bad(`resources.${name}`, amount, `${name} is an option of its own`)
    take(resources, name, amount, MOST, 'an amount such as 1 or 0.5', `resources.${name}`)
  }
  const labels = Object.fromEntries(
    entries('labels', options.labels).map(([name, value]) => {
      if (typeof value === 'string') return [name, value]
      throw bad(`labels.${name}`, value, 'a label is text')
    }),
  )
  const gpus = readGpus(options)
  const placementGroup = readPlace(options)
  return {
    resources: gpus === undefined ? resources : { ...resources, gpu: leastOf(gpus) },
    ...(gpus === undefined || isPlain(gpus) ? {} : { gpus }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(placementGroup === undefined ? {} : { placementGroup }),
  }
}

/** Canonical text of what is wished for: equal for equal wishes, whatever order they were said in. */
export function shapeOf({ resources, gpus, labels, placementGroup }: Wish): string {
  const sorted = (record: Readonly<Record<string, string | number>> = {}): [string, string | number][] =>
    Object.entries(record)
      .filter(([, value]) => value !== 0)
      .toSorted(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0))
  const kinds = gpus?.map(({ model, amount, memoryMb }) => [model ?? '', amount ?? 0, memoryMb ?? 0])
  const place = placementGroup === undefined ? [] : [placementGroup.name, placementGroup.bundle ?? -1]
  return JSON.stringify([sorted(resources), kinds ?? [], sorted(labels), place])
}

/** The settings of something that runs, asking for `wish` in place of what it asked for before. */
export function withWish<Settings extends Wish>(
  { resources: _resources, gpus: _gpus, labels: _labels, placementGroup: _place, ...kept }: Settings,
  wish: Wish,
): Omit<Settings, keyof Wish> & Wish {
  return { ...kept, ...wish }
}

/** Whether GPUs are wished for. */
export const wantsGpus = ({ resources }: Pick<Wish, 'resources'>): boolean => (resources['gpu'] ?? 0) > 0

/** Whether a resource or a label may be called so: not as what every object has. */
export const isName = (name: string): boolean => NAME.test(name) && !(name in {})

/** How the text of a wish for GPUs is to be written. */
export const GPU_FORM =
  'a count such as 2, a share such as 0.25, or a model and a count such as h100:2; of several the first that ' +
  'can be met is taken'

/** Reads `2`, `0.25`, `h100`, `h100:2` and, with commas or blanks between, several. Undefined: none of it. */
export function parseGpus(text: string): GpuWish[] | undefined {
  const wishes = text
    .trim()
    .split(/[,\s]+/)
    .map(parseGpu)
  return wishes.some((one) => one === undefined) ? undefined : wishes.filter((one) => one !== undefined)
}

/** What GPUs with so much memory are, asked for beside a number of them or by themselves. */
export function withMemory(
  gpus: readonly GpuWish[] | undefined,
  memoryMb: number,
): readonly GpuWish[] | undefined {
  if (gpus === undefined) return [{ memoryMb }]
  if (gpus.some(({ amount = 0 }) => amount < MILLI)) return undefined
  return gpus.map((one) => ({ ...one, memoryMb }))
}

/** The least that any of these ways takes, in milli-units; at least one, since how large a GPU is is open. */
export const leastOf = (gpus: readonly GpuWish[]): number =>
  Math.min(...gpus.map(({ amount }) => amount ?? 1))

/** Whether any GPUs will do, so that their amount says it all. */
export const isPlain = (gpus: readonly GpuWish[]): boolean =>
  gpus.length === 1 && gpus[0]?.model === undefined && gpus[0]?.memoryMb === undefined

function parseGpu(text: string): GpuWish | undefined {
  const match = /^(?:([a-z][a-z0-9-]*?)(?::(?=\d)|$))?(\d+(?:\.\d{1,3})?)?$/i.exec(text)
  if (match === null || text === '') return undefined
  const count = match[2] === undefined ? 1 : Number(match[2])
  if (!(count > 0 && count <= MOST_GPUS) || (count > 1 && !Number.isInteger(count))) return undefined
  const model = match[1]?.toLowerCase()
  return { ...(model === undefined ? {} : { model }), amount: milli(count) }
}

/** A share that is no round number is cut, so that three thirds fit on one GPU. */
function readGpu(given: unknown): GpuWish | undefined {
  if (typeof given === 'string') return parseGpu(given.trim())
  if (typeof given !== 'number' || !(given > 0)) return undefined
  if (given < 1) return { amount: Math.max(1, Math.floor(given * MILLI + 1e-6)) }
  return parseGpu(String(given))
}

function readGpus({ gpu, gpuMemoryMb }: WishOptions): readonly GpuWish[] | undefined {
  let wishes: readonly GpuWish[] | undefined
  if (gpu !== undefined && gpu !== null && gpu !== 0) {
    const texts: unknown[] = Array.isArray(gpu) ? gpu : [gpu]
    wishes = texts.map(readGpu).filter((one) => one !== undefined)
    if (wishes.length !== texts.length || wishes.length === 0) throw bad('gpu', gpu, `it takes ${GPU_FORM}`)
  }
  if (gpuMemoryMb === undefined || gpuMemoryMb === null) return wishes
  const memory: Record<string, number> = {}
  take(memory, 'gpuMemoryMb', gpuMemoryMb, MOST_MEMORY_MB, 'megabytes of one GPU such as 8000')
  if (memory['gpuMemoryMb'] === undefined) return wishes
  const both = withMemory(wishes, Math.ceil(memory['gpuMemoryMb'] / MILLI))
  if (both === undefined)
    throw bad('gpu', gpu, 'a share is given either by gpu or by gpuMemoryMb; leave one of them out')
  return both
}

function readPlace({ placementGroup, bundle }: WishOptions): Wish['placementGroup'] {
  if (placementGroup === undefined || placementGroup === null) {
    if (bundle === undefined || bundle === null) return undefined
    throw bad('bundle', bundle, 'it is an index in a placement group; name that with placementGroup')
  }
  const name =
    typeof placementGroup === 'object' && 'name' in placementGroup ? placementGroup.name : placementGroup
  const [, own, index] = typeof name === 'string' ? (/^([^/]+)(?:\/(\d+))?$/.exec(name) ?? []) : []
  if (own === undefined)
    throw bad('placementGroup', placementGroup, 'it takes a group, its name, or name/bundle')
  const given = bundle ?? (index === undefined ? undefined : Number(index))
  if (given === undefined || given === null || given === -1) return { name: own }
  if (!Number.isSafeInteger(given) || Number(given) < 0)
    throw bad('bundle', given, 'it takes the index of a bundle, from 0')
  return { name: own, bundle: Number(given) }
}

/** Notes an amount in milli-units; zero is the same as nothing. */
function take(
  into: Record<string, number>,
  name: string,
  given: unknown,
  most: number,
  form: string,
  path = name,
): void {
  if (given === undefined || given === null) return
  const amount = typeof given === 'number' ? given : Number.NaN
  if (!(amount >= 0 && amount <= most)) throw bad(path, given, `it takes ${form}, at most ${most}`)
  if (amount > 0) into[name] = milli(amount)
}

function entries(path: string, given: unknown): [string, unknown][] {
  if (given === undefined || given === null) return []
  if (typeof given !== 'object' || Array.isArray(given))
    throw bad(path, given, 'it takes an object such as { name: value }')
  const all = Object.entries(given)
  if (all.length > MOST_NAMES) throw bad(path, all.length, `it takes at most ${MOST_NAMES} names`)
  for (const [name] of all)
    if (!isName(name))
      throw bad(path, name, 'a name takes up to 128 letters, digits, dots, dashes, underscores and slashes')
  return all
}

const bad = (path: string, given: unknown, expected: string): EngineError =>
  new EngineError('invalid', `Option ${path} is ${JSON.stringify(given) ?? String(given)}: ${expected}.`)
