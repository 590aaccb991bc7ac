import { Actor, actor, get, placementGroup, put, task, type ObjectRef } from 'lambent'

/** What is called, and the loops that call it: the same shapes as in ../peers/ray_bench.py. */
export const noop = task(() => 0)
export const firstByte = task(async ({ ref }: { ref: ObjectRef<Uint8Array> }) => {
  const times: number[] = []
  let sum = 0
  for (let round = 0; round < 2; round++) {
    const startedAt = performance.now()
    sum += (await get(ref))[0] ?? 0
    times.push((performance.now() - startedAt) * 1000)
  }
  return { firstUs: times[0] ?? 0, againUs: times[1] ?? 0, sum }
})

/** Keeps its number in memory. */
export class Memory extends Actor {
  #value = 0
  async add(amount: number): Promise<number> {
    this.#value += amount
    return this.#value
  }
}

/** Keeps its number on disk: each reply waits for its commit. */
export class Durable extends Actor {
  async add(amount: number): Promise<number> {
    const value = ((await this.storage.get<number>('value')) ?? 0) + amount
    await this.storage.put('value', value)
    return value
  }
}

/** Has a process of its own, and gives it back after the call. */
export class Own extends Actor {
  static options = { shared: false } as const
  async add(amount: number): Promise<number> {
    this.exit()
    return amount
  }
}

/** Which loop to run, and for how long. */
interface Wish {
  readonly measure: keyof typeof MEASURES
  readonly seconds?: number
  readonly bytes?: number
}

const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))

/** Calls after which the compilers of all three processes have done their work. */
const WARM_UP = 1500

/** Median microseconds of one call after the other. */
async function latency(
  call: () => Promise<unknown>,
  count: number,
  warmUp = Math.min(20, count),
): Promise<number> {
  for (let index = 0; index < warmUp; index++) await call()
  const measured: number[] = []
  for (let index = 0; index < count; index++) {
    const startedAt = performance.now()
    await call()
    measured.push((performance.now() - startedAt) * 1000)
  }
  return measured.toSorted((left, right) => left - right)[Math.floor(count / 2)] ?? Number.NaN
}

/** Calls a second, `each` of them a round. */
async function rate(round: () => Promise<unknown>, each: number, seconds: number): Promise<number> {
  await round()
  const startedAt = performance.now()
  let rounds = 0
  while (performance.now() - startedAt < seconds * 1000) {
    await round()
    rounds += 1
  }
  return (rounds * each) / ((performance.now() - startedAt) / 1000)
}

let nextKey = 0
const KEYS = 64
const IN_FLIGHT = 1000

const MEASURES = {
  taskBlocking: () => latency(() => get(noop.remote()), 300, WARM_UP),
  tasks64: ({ seconds = 1 }: Wish) => rate(() => get(times(64, () => noop.remote())), 64, seconds),
  tasks1000: ({ seconds = 1 }: Wish) =>
    rate(() => get(times(IN_FLIGHT, () => noop.remote())), IN_FLIGHT, seconds),
  actorBlocking: () => {
    const memory = actor(Memory, 'one')
    return latency(() => memory.add(1), 300, WARM_UP)
  },
  actor1000: ({ seconds = 1 }: Wish) => {
    const memory = actor(Memory, 'one')
    return rate(() => Promise.all(times(IN_FLIGHT, () => memory.add(1))), IN_FLIGHT, seconds)
  },
  durable64: ({ seconds = 1 }: Wish) => {
    const actors = times(KEYS, (index) => actor(Durable, `key-${index}`))
    const round = (): Promise<unknown> => Promise.all(actors.flatMap((one) => times(16, () => one.add(1))))
    return rate(round, KEYS * 16, seconds)
  },
  actorCreate: () => latency(() => actor(Own, `own-${nextKey++}`).add(1), 20),
  groups64: ({ seconds = 1 }: Wish) => {
    const one = async (): Promise<void> => {
      const group = await placementGroup({ bundles: [{ cpu: 0.001 }] })
      await group.ready()
      await group.remove()
    }
    return rate(() => Promise.all(times(64, one)), 64, seconds)
  },
  object: async ({ bytes = 2 ** 30 }: Wish) => {
    const value = new Uint8Array(bytes).fill(1)
    const copy = new Uint8Array(bytes).fill(2)
    const medianOf = async (run: () => unknown): Promise<number> => await latency(async () => run(), 3)
    const memcpyUs = await medianOf(() => copy.set(value))
    const putUs = await medianOf(async () => (await put(value)).release())
    const ref = await put(value)
    const gets = await get(times(3, () => firstByte.remote({ ref })))
    const middle = gets.toSorted((left, right) => left.firstUs - right.firstUs)[1]
    return { memcpyUs, putUs, firstUs: middle?.firstUs, againUs: middle?.againUs, bytes }
  },
} as const

export const handler = async (wish: Wish): Promise<unknown> => await MEASURES[wish.measure](wish)
