import type { FunctionVersion } from '../../runtime/registry/types.ts'
import type { Resources } from '../../runtime/resources.ts'
import type { Journal } from '../../runtime/store/journal.ts'
import { version } from '../support/scheduler-world.ts'

/** Account and region of everything. */
export const SCOPE = { account: '0', region: 'r' }
/** Virtual nodes that share the machine evenly. */
export const NODES = 3
/** What the machine offers. */
export const RESOURCES = { cpu: 12, gpu: 3, memoryMb: 6000, tpu: 3 }
/** Processes at once. */
export const MAX_ENVIRONMENTS = 14
/** Invocations that may wait. */
export const MAX_WAITING = 40
/** Whoever waits has what it waits for by then, when nothing goes wrong any more. */
export const PATIENCE_MS = 600_000
/** A group that is ready is removed after so long. */
export const GROUP_LIFE_MS = 15_000
/** A group waits no longer than that while others come and go: they end within seconds. */
export const GROUP_PATIENCE_MS = 120_000

/** What functions ask for, besides being in a group or not. */
export const SHAPES: readonly Resources[] = [
  { cpu: 1000 },
  { cpu: 2000, memoryMb: 256_000 },
  { gpu: 250 },
  { gpu: 1000, cpu: 1000 },
  { memoryMb: 128_000 },
  { cpu: 4000 },
  { cpu: 500, tpu: 1000 },
]
/** What functions in groups ask for. */
export const MEMBERS: readonly Resources[] = [{ cpu: 1000 }, { cpu: 500, gpu: 250 }]
/** What bundles reserve. */
export const BUNDLES: readonly Readonly<Record<string, number>>[] = [
  { cpu: 1 },
  { cpu: 2, gpu: 0.5 },
  { cpu: 1, gpu: 1 },
  { cpu: 3 },
  { cpu: 1, memoryMb: 500 },
]

/** The journal of environments that nobody reads. */
export const NO_JOURNAL = {
  ...{ line() {}, platform() {}, drop() {}, started() {}, close() {} },
  open: () => -1,
} as unknown as Journal

/** What can happen in a simulated scheduler. */
export type Act =
  | ('submit' | 'flood' | 'progress' | 'pass' | 'crash' | 'echo')
  | ('makeGroup' | 'removeGroup' | 'changeNode' | 'wait')
type Weighted = readonly (readonly [weight: number, act: Act])[]

/** How often each thing happens. */
export const ACTS: Weighted = [
  [22, 'submit'],
  [45, 'progress'],
  [12, 'pass'],
  [2, 'crash'],
  [2, 'echo'],
  [5, 'makeGroup'],
  [3, 'removeGroup'],
  [1, 'changeNode'],
  [8, 'wait'],
]
/** Small work without an end, and no faults. */
export const FLOOD: Weighted = [
  [20, 'flood'],
  [55, 'progress'],
  [25, 'pass'],
]
/** Nothing new, and no faults. */
export const CALM: Weighted = [
  [70, 'progress'],
  [30, 'pass'],
]

const versions = new Map<string, FunctionVersion>()

/** Versions are the same objects in every world: they hold nothing. */
function known(key: string, make: () => FunctionVersion): FunctionVersion {
  let one = versions.get(key)
  if (one === undefined) versions.set(key, (one = make()))
  return one
}
/** A function of one of the shapes. */
export const versionOf = (shape: number): FunctionVersion =>
  known(`f${shape}`, () => version(`f${shape}`, { resources: SHAPES[shape] ?? {} }))
/** A function in a group. */
export const memberOf = (group: string, kind: number): FunctionVersion =>
  known(`${group} ${kind}`, () =>
    version(`m-${group}-${kind}`, {
      resources: MEMBERS[kind] ?? {},
      placementGroup: { name: group },
    }),
  )
