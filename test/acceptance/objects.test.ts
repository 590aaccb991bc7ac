import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { failureOf, call, type Answer } from '../support/function-calls.ts'
import { startLambent, type RunningLambent, type StartOptions } from '../support/lambent.ts'
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary.ts'
import { until } from '../support/until.ts'

/** Large values between processes of the built program, in the isolation that works here. */
const objects = suite('large objects')

/** LAMBENT_TEST_LARGE=1: the size that people ask about. */
const MEGABYTES = process.env['LAMBENT_TEST_LARGE'] === '1' ? 1024 : 64
const FLOATS = (MEGABYTES * 1024 * 1024) / 4

const LARGE = `import { readFileSync } from 'node:fs'
import { Actor, actor, get, put, task } from 'lambent'

const anonymous = () => Number(/^RssAnon:\\s+(\\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024
const sumOf = (values) => { let sum = 0; for (const value of values) sum += value; return sum }

export const make = task(async (floats, first) => {
  const values = new Float32Array(floats)
  for (let index = 0; index < floats; index += 1) values[index] = index % 128
  values[0] = first
  return values
})
export const add = task(async (values, before) => ({
  kind: values.constructor.name, length: values.length, first: values[0], sum: sumOf(values),
  pid: process.env.AWS_LAMBDA_LOG_STREAM_NAME, heap: process.memoryUsage().heapUsed, anonymous: anonymous(),
}))
export const idle = task(async () => anonymous())
export const scribble = task(async (values) => { values[0] = 99; return values[0] })
export const nested = task(async ({ name, table }) => ({ name, sum: sumOf(table.get('values')) }))
export const fail = task(async (values) => { throw new RangeError('of ' + values.length) })

export class Keeper extends Actor {
  async keep(values) { this.values = values; return sumOf(values) }
  async give() { return this.values }
  async made(floats) { return new Float32Array(floats).fill(3) }
}

const actions = {
  async actor({ floats }) {
    const keeper = actor(Keeper, 'one')
    const sum = await keeper.keep(new Float32Array(floats).fill(1))
    const given = await keeper.give()
    given[0] = 100
    return { sum, given: sumOf(given), again: sumOf(await keeper.give()), made: sumOf(await keeper.made(floats)) }
  },
  async share({ floats }) {
    const base = await get([idle.remote(), idle.remote(), idle.remote()])
    const made = make.remote(floats, 7)
    return { base, sums: await get([add.remote(made), add.remote(made), add.remote(made)]) }
  },
  async scribble({ floats }) {
    const made = make.remote(floats, 7)
    const wrote = await get(scribble.remote(made))
    const here = await get(made)
    here[1] = 55
    const again = await get(made)
    return { wrote, first: again[0], second: again[1], seen: (await get(add.remote(made))).first }
  },
  async put({ floats }) {
    const ref = await put(new Float32Array(floats).fill(2))
    const direct = await get(nested.remote({ name: 'a', table: new Map([['values', new Float32Array(floats).fill(1)]]) }))
    return { put: (await get(add.remote(ref))).sum, direct }
  },
  async text({ floats }) {
    const text = 'ü'.repeat(floats)
    const back = await get(await put({ text }))
    return back.text === text
  },
  async full({ floats }) {
    const kept = []
    for (let count = 0; count < 20; count += 1) kept.push(await put(new Float32Array(floats)))
    return kept.length
  },
  async fail({ floats }) {
    return await get(fail.remote(make.remote(floats, 1)))
  },
}
export const handler = async (event) => await actions[event.action](event)
`

async function start(folder: TemporaryDirectory, options: StartOptions = {}): Promise<RunningLambent> {
  mkdirSync(folder.join('large'), { recursive: true })
  writeFileSync(folder.join('large', 'index.ts'), LARGE)
  writeFileSync(folder.join('large', 'package.json'), '{"type":"module"}')
  return startLambent({
    ...options,
    argv: ['--resources', '{"cpu":8}', '--deploy', folder.path, ...(options.argv ?? [])],
  })
}

const statusOf = (pid: number, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) *
  1024

/** The engine's trees of segments, found by its data directory and its pid. */
function treesOf({ pid, data }: RunningLambent): string[] {
  const memory = readdirSync('/dev/shm')
    .filter((name) => name.startsWith('lambent-'))
    .map((name) => join('/dev/shm', name))
    .filter((path) => {
      const owner = join(path, 'owner.json')
      return existsSync(owner) && (JSON.parse(readFileSync(owner, 'utf8')) as { pid: number }).pid === pid
    })
  return [...memory, ...readdirSync(join(data, 'objects')).map((name) => join(data, 'objects', name))]
}

/** Bytes of everything in the engine's trees. */
function storedBytes(lambent: RunningLambent): number {
  const inodes = new Map<number, number>()
  for (const tree of treesOf(lambent))
    for (const entry of readdirSync(tree, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const found = statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })
      if (found !== undefined) inodes.set(found.ino, found.size)
    }
  return [...inodes.values()].reduce((sum, bytes) => sum + bytes, 0)
}

const sumFrom = (first: number): number => {
  let sum = first
  for (let index = 1; index < FLOATS; index += 1) sum += index % 128
  return sum
}

function valueOf<T>(answer: Answer): T {
  assert.is(answer.functionError, undefined, JSON.stringify(answer.body))
  return answer.body as T // as the function above answers
}

interface Sum {
  readonly kind: string
  readonly length: number
  readonly first: number
  readonly sum: number
  readonly pid: string
  readonly heap: number
  readonly anonymous: number
}

objects('one of them goes from a task to three others, and no process grows by it', async () => {
  using folder = temporaryDirectory()
  await using lambent = await start(folder)
  valueOf(await call(lambent, 'large', { action: 'share', floats: 1000 }))
  const engineBefore = statusOf(lambent.pid, 'VmHWM')

  const shared = await call(lambent, 'large', { action: 'share', floats: FLOATS })

  const { base, sums } = valueOf<{ base: number[]; sums: Sum[] }>(shared)
  const size = FLOATS * 4
  assert.ok(statusOf(lambent.pid, 'VmHWM') - engineBefore < size / 2, 'the engine grew')
  for (const one of sums) {
    assert.equal([one.kind, one.length, one.first], ['Float32Array', FLOATS, 7])
    assert.is(one.sum, sumFrom(7))
    assert.ok(one.heap < size / 2 + 16e6, `a heap grew to ${one.heap}`)
    assert.ok(one.anonymous - Math.min(...base) < size / 2, `a process grew to ${one.anonymous}`)
  }
  await until('the memory is back', () => storedBytes(lambent) < 1e6, 60_000)
})

objects('writing to one changes nobody else’s', async () => {
  using folder = temporaryDirectory()
  await using lambent = await start(folder)

  const wrote = await call(lambent, 'large', { action: 'scribble', floats: FLOATS })

  assert.equal(valueOf(wrote), { wrote: 99, first: 7, second: 1, seen: 7 })
})

objects('put, nested in arguments, and as text they arrive as they were', async () => {
  using folder = temporaryDirectory()
  await using lambent = await start(folder)

  const put = await call(lambent, 'large', { action: 'put', floats: 1_000_000 })
  const text = await call(lambent, 'large', { action: 'text', floats: 1_000_000 })

  assert.equal(valueOf(put), { put: 2_000_000, direct: { name: 'a', sum: 1_000_000 } })
  assert.is(valueOf(text), true)
  await until('the memory is back', () => storedBytes(lambent) < 1e6, 60_000)
})

objects('actors take, keep and give them', async () => {
  using folder = temporaryDirectory()
  await using lambent = await start(folder)

  const kept = await call(lambent, 'large', { action: 'actor', floats: 1_000_000 })

  assert.equal(valueOf(kept), { sum: 1e6, given: 1e6 + 99, again: 1e6, made: 3e6 })
})

objects('more than there is room for fails with what to do', async () => {
  using folder = temporaryDirectory()
  const settings = { LAMBENT_OBJECT_STORE_MB: '20', LAMBENT_OBJECT_SPILL_MB: '20' }
  await using lambent = await start(folder, { settings })

  const full = await call(lambent, 'large', { action: 'full', floats: 1_000_000 })

  assert.is(failureOf(full).errorType, 'ObjectStoreFull')
  assert.match(failureOf(full).errorMessage, 'LAMBENT_OBJECT_STORE_MB')
  await until('the memory is back', () => storedBytes(lambent) < 1e6, 60_000)
  valueOf(await call(lambent, 'large', { action: 'put', floats: 1_000_000 }))
})

objects('past the limit on memory they go on disk, and come back', async () => {
  using folder = temporaryDirectory()
  await using lambent = await start(folder, { settings: { LAMBENT_OBJECT_STORE_MB: '20' } })

  const kept = await call(lambent, 'large', { action: 'full', floats: 1_000_000 })

  assert.is(valueOf(kept), 20)
})

objects('they work in every isolation, and a task that fails lets go of them', async () => {
  using folder = temporaryDirectory()
  for (const level of ['none', 'hardened']) {
    await using lambent = await start(folder, { argv: ['--isolation', level] })

    const shared = await call(lambent, 'large', { action: 'share', floats: 200_000 })
    const failed = await call(lambent, 'large', { action: 'fail', floats: 200_000 })

    for (const { first } of valueOf<{ sums: Sum[] }>(shared).sums) assert.is(first, 7)
    assert.equal(failureOf(failed).errorMessage, 'of 200000')
    await until('the memory is back', () => storedBytes(lambent) < 1e6, 60_000)
  }
})

objects('nothing is left of an engine that was killed', async () => {
  using folder = temporaryDirectory()
  using data = temporaryDirectory()
  const killed = await start(folder, { data: data.path })
  valueOf(await call(killed, 'large', { action: 'put', floats: 1_000_000 }))
  const left = treesOf(killed)
  await killed.kill()
  assert.ok(left.some((path) => dirname(path) === '/dev/shm' && existsSync(path)))

  await using next = await start(folder, { data: data.path })

  await until('the trees are gone', () => left.every((path) => !existsSync(path)))
  valueOf(await call(next, 'large', { action: 'put', floats: 1_000_000 }))
})

objects.run()
