import { execFile } from 'node:child_process'
import { cpus } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invoke } from '../support/lambent.ts'
import { startLambentProcess } from '../support/lambent-process.ts'
import { median, type Figure } from './report.ts'

const here = dirname(fileURLToPath(import.meta.url))
const RAY_LIMIT_MS = 300_000
const GIB = 2 ** 30

/** What of Lambent is measured, beside which figure of Ray's, and the bar: times better than Ray's. */
interface Comparison {
  readonly name: string
  readonly measure: string
  readonly unit: string
  readonly ray: string
  /** Rates: Lambent's over Ray's. Times: Ray's over Lambent's. */
  readonly isRate: boolean
  readonly atLeast?: number
}

const COMPARISONS: readonly Comparison[] = [
  {
    ...{ name: 'task, blocking, p50', measure: 'taskBlocking', unit: 'us' },
    ...{ ray: 'task_noop_sync_p50', isRate: false, atLeast: 8 },
  },
  {
    ...{ name: 'tasks, 64 in flight', measure: 'tasks64', unit: '/s' },
    ...{ ray: 'task_noop_64_in_flight', isRate: true, atLeast: 25 },
  },
  {
    ...{ name: 'tasks, 1000 in flight', measure: 'tasks1000', unit: '/s' },
    ...{ ray: 'task_noop_async_batch1000', isRate: true, atLeast: 25 },
  },
  {
    ...{ name: 'actor call, blocking, p50', measure: 'actorBlocking', unit: 'us' },
    ...{ ray: 'actor_call_sync_1to1_p50', isRate: false, atLeast: 8 },
  },
  {
    ...{ name: 'actor calls in memory, 1000 in flight', measure: 'actor1000', unit: '/s' },
    ...{ ray: 'actor_call_async_1to1_batch1000', isRate: true, atLeast: 70 },
  },
  {
    ...{ name: 'actor made and first called, own process, p50', measure: 'actorCreate', unit: 'us' },
    ...{ ray: 'actor_create_first_call_kill_p50', isRate: false, atLeast: 50 },
  },
  {
    ...{ name: 'placement groups made and removed, 64 in flight', measure: 'groups64', unit: '/s' },
    ...{ ray: 'placement_group_create_remove_64_in_flight', isRate: true, atLeast: 10 },
  },
]

/**
 * Tasks, actors, groups and objects, measured from inside a function, before and after the same of Ray on the
 * same machine. Without Ray, Lambent's column alone.
 */
export async function measureComputing(rounds: number, seconds: number): Promise<Figure[]> {
  const ours = new Map<string, number[]>()
  const objects: ObjectFigures[] = []
  const each = Math.max(1, Math.ceil(rounds / 2))
  const measureOurs = async (): Promise<void> => {
    await using lambent = await startLambentProcess([
      '--deploy',
      join(here, 'computing-work'),
      '--log-level',
      'warn',
    ])
    for (const measure of [...COMPARISONS.map((one) => one.measure), 'durable64'])
      for (let round = 0; round < each; round++)
        ours.set(measure, [...(ours.get(measure) ?? []), Number(await ask(lambent.api, measure, seconds))])
    objects.push((await ask(lambent.api, 'object', seconds)) as ObjectFigures) // as computing-work/work.ts answers
  }
  await measureOurs()
  const ray = await measureRay(each, seconds)
  await measureOurs()
  return [
    ...COMPARISONS.flatMap((one) => figuresOf(one, ours.get(one.measure) ?? [], ray.get(one.ray))),
    {
      ...{ name: 'durable actor calls over 64 keys', unit: '/s', target: { atLeast: 20_000 } },
      value: median(ours.get('durable64') ?? []),
    },
    ...objectFigures(objects, ray),
  ]
}

async function ask(api: string, measure: string, seconds: number): Promise<unknown> {
  const { status, error, body } = await invoke(api, 'bench', { measure, seconds })
  if (status !== 200 || error) throw new Error(`${measure}: ${status} ${JSON.stringify(body)}`)
  return body
}

function figuresOf(one: Comparison, measured: readonly number[], ray: number | undefined): Figure[] {
  const own = { name: one.name, value: median(measured), unit: one.unit }
  if (ray === undefined) return [own]
  const value = one.isRate ? own.value / ray : ray / own.value
  const target = one.atLeast === undefined ? {} : { target: { atLeast: one.atLeast } }
  return [
    own,
    { name: `  Ray: ${one.ray}`, value: ray, unit: one.unit },
    { name: '  times better than Ray', value, unit: 'x', ...target },
  ]
}

/** What computing-work/work.ts says of one large value. */
interface ObjectFigures {
  readonly memcpyUs: number
  readonly putUs: number
  readonly firstUs: number
  readonly againUs: number
  readonly bytes: number
}

function objectFigures(objects: readonly ObjectFigures[], ray: ReadonlyMap<string, number>): Figure[] {
  const of = (read: (one: ObjectFigures) => number): number => median(objects.map(read))
  const told = (metric: string, unit: string): string => {
    const value = ray.get(metric)
    return value === undefined ? '' : `Ray ${value} ${unit}`
  }
  return [
    {
      ...{ name: 'object of 1 GB: put, against memcpy', unit: 'x memcpy', target: { atLeast: 0.5 } },
      value: of(({ memcpyUs, putUs }) => memcpyUs / putUs),
      note: `${(1e6 / of(({ putUs, bytes }) => (putUs * GIB) / bytes)).toFixed(2)} GiB/s, ${told('put_1GB', 'GiB/s')}`,
    },
    {
      ...{ name: 'object of 1 GB: get to its first byte', unit: 'us', target: { atMost: 1000 } },
      value: of(({ firstUs }) => firstUs),
      note: told('get_1GB_driver', 'us'),
    },
    {
      name: 'object of 1 GB: get again',
      value: of(({ againUs }) => againUs),
      unit: 'us',
      target: { atMost: 50 },
    },
  ]
}

/** Ray's figures by name; empty where it is not installed, which is said on stderr. */
function measureRay(rounds: number, seconds: number): Promise<ReadonlyMap<string, number>> {
  const python = process.env['RAY_PYTHON'] ?? 'python3'
  const settings = { ROUNDS: `${rounds}`, SECS: `${seconds}`, RAY_CPUS: `${cpus().length}` }
  const options = {
    env: { ...settings, ...process.env, RAY_DEDUP_LOGS: '1' },
    timeout: RAY_LIMIT_MS,
    maxBuffer: 1 << 24,
  }
  return new Promise((resolve) => {
    execFile(python, [join(here, 'peers', 'ray_bench.py')], options, (error, stdout) => {
      const lines = stdout.split('\n').filter((line) => line.startsWith('{'))
      // printed by ray_bench.py, one figure a line
      const figures = lines.map((line) => JSON.parse(line) as { metric: string; value: number })
      if (error)
        console.error(
          figures.length === 0
            ? `No Ray in ${python}: test/bench/peers/README.md says how to install it (RAY_PYTHON names its python).`
            : `ray_bench.py ended early: ${error.message.slice(0, 500)}`,
        )
      resolve(new Map(figures.map(({ metric, value }) => [metric, value])))
    })
  })
}
